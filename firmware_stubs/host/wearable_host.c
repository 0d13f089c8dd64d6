/*
 * The wearable as a program: bridge_main.c on the host's board (hal_host.h).
 *
 *     wearable_host --port PATH --address N [--placement waist|chest|hip|wrist] [--boot N] [--rate HZ] [--clock real|samples]  < records
 *
 * A sample is a record of 12 bytes, little-endian, and is one tick of the sample clock:
 *
 *     XX XX YY YY ZZ ZZ HH OO TT TT BB KK
 *
 *     XX YY ZZ  acceleration, signed, mg            TT  skin temperature, signed, 0.01 C; 0x7FFF none
 *     HH        heart rate, beats/min; 0 none       BB  battery, %; 255 unknown
 *     OO        oxygen saturation, %; 0 none        KK  bit 0 SOS button pressed, bit 1 worn
 *
 * Ends 0 when its input has ended and all events are acknowledged, or 2 s later; 1 when the input ended inside a record; 2 for bad
 * options. A port that vanishes is opened again, every 200 ms. At the end one line of counters goes to standard error.
 */
#include "bridge_main.h"
#include "hal_host.h"
#include "little_endian.h"

#include <stdio.h>
#include <string.h>

#define RECORD_BYTES 12
#define BUTTONS_AT 11
#define BUTTON_SOS 0x01
#define BUTTON_WORN 0x02

#define WINDOW_SAMPLES_MAX BRIDGE_FALL_WINDOW_SAMPLES(BRIDGE_FALL_RATE_HZ_MAX)

static const char USAGE[] = "usage: wearable_host --port PATH --address 1..65535 [--placement waist|chest|hip|wrist] [--boot 0..65535] "
                            "[--rate 25..50|52,54..100] [--clock real|samples]";

static const char *const PLACEMENTS[BRIDGE_PLACEMENTS] = {
    [BRIDGE_WAIST] = "waist",
    [BRIDGE_CHEST] = "chest",
    [BRIDGE_HIP] = "hip",
    [BRIDGE_WRIST] = "wrist",
};

struct choices {
    uint8_t rate_hz;
    enum bridge_placement placement;
};

static bool read_placement(struct choices *choices, const char *name)
{
    for (unsigned at = 0; at < BRIDGE_PLACEMENTS; at++) {
        if (strcmp(PLACEMENTS[at], name) == 0) {
            choices->placement = (enum bridge_placement)at;
            return true;
        }
    }
    return false;
}

static bool read_choice(void *context, const char *name, const char *value)
{
    struct choices *const choices = context;
    unsigned long number;
    if (strcmp(name, "--placement") == 0) {
        return read_placement(choices, value);
    }
    if (strcmp(name, "--rate") == 0 && host_read_number(value, BRIDGE_FALL_RATE_HZ_MIN, BRIDGE_FALL_RATE_HZ_MAX, &number)) {
        choices->rate_hz = (uint8_t)number;
        return number <= BRIDGE_FALL_RING_RATE_HZ_MAX || number % 2 == 0;
    }
    return false;
}

static bool sample_next(void *context, struct bridge_sample *sample)
{
    struct host *const host = context;
    if (!host_next_record(host)) {
        return false;
    }
    const uint8_t *const record = host->record;
    *sample = (struct bridge_sample){
        .acceleration = {(int16_t)bridge_get_u16(record), (int16_t)bridge_get_u16(record + 2), (int16_t)bridge_get_u16(record + 4)},
        .heart_rate_per_min = record[6],
        .spo2_percent = record[7],
        .skin_temperature_centi_c = (int16_t)bridge_get_u16(record + 8),
        .steps = BRIDGE_STEPS_NONE,
        .battery_percent = record[10],
        .is_worn = (record[BUTTONS_AT] & BUTTON_WORN) != 0,
    };
    return true;
}

static bool sos_is_pressed(void *context)
{
    const struct host *const host = context;
    return (host->record[BUTTONS_AT] & BUTTON_SOS) != 0;
}

static bool poll_wearable(void *device)
{
    return bridge_poll(device);
}

static bool is_idle(const void *device)
{
    return bridge_is_idle(device);
}

static void report(const struct bridge *bridge, const struct host *host)
{
    fprintf(
        stderr,
        "wearable_host: records=%u waiting=%u dropped=%u given_up=%u rejected=%u cut_off=%u\n",
        host->records,
        bridge_event_queue_waiting(&bridge->events),
        bridge->events.dropped,
        bridge->events.given_up,
        bridge->link.frames_rejected,
        bridge->link.frames_cut_off);
}

int main(int count, char **arguments)
{
    struct choices choices = {.rate_hz = 50, .placement = BRIDGE_WAIST};
    struct host_options options = {.program = "wearable_host", .usage = USAGE, .read_more = read_choice, .context = &choices};
    if (!host_read_options(count, arguments, &options)) {
        return HOST_BAD_OPTION;
    }
    uint32_t ring[WINDOW_SAMPLES_MAX];
    uint32_t windows[BRIDGE_FALL_EVENTS_MAX * WINDOW_SAMPLES_MAX];
    const struct bridge_config config = {
        .ring = ring,
        .windows = windows,
        .vitals_period_ms = BRIDGE_VITALS_PERIOD_MS,
        .space_samples = WINDOW_SAMPLES_MAX,
        .address = options.address,
        .rate_hz = choices.rate_hz,
        .placement = choices.placement,
    };
    struct host host = {.record_bytes = RECORD_BYTES, .rate_hz = choices.rate_hz};
    struct bridge_hal hal = {.sample_next = sample_next, .sos_is_pressed = sos_is_pressed};
    struct bridge bridge;
    host_start(&host, &hal, &options);
    bridge_init(&bridge, &hal, &config);
    host_run(&host, poll_wearable, is_idle, &bridge);
    report(&bridge, &host);
    return host_stop(&host);
}
