/*
 * The SOS pendant as a program: sos_pendant.c on the host's board (hal_host.h).
 *
 *     sos_pendant_host --port PATH --address N [--boot N] [--clock real|samples]  < records
 *
 * A record of 2 bytes is a hundredth of a second of the sample clock: BB battery, %, 255 unknown; KK bit 0 the button is pressed.
 * Ends as wearable_host.
 */
#include "hal_host.h"
#include "sos_pendant.h"

#include <stdio.h>

#define RECORD_BYTES 2
#define RATE_HZ 100
#define BUTTON_SOS 0x01

static const char USAGE[] = "usage: sos_pendant_host --port PATH --address 1..65535 [--boot 0..65535] [--clock real|samples]";

static uint8_t battery_percent(void *context)
{
    const struct host *const host = context;
    return host->records > 0 ? host->record[0] : BRIDGE_BATTERY_UNKNOWN;
}

static bool sos_is_pressed(void *context)
{
    const struct host *const host = context;
    return (host->record[1] & BUTTON_SOS) != 0;
}

static bool poll_pendant(void *device)
{
    struct sos_pendant *const pendant = device;
    const bool has_record = host_next_record(pendant->link.hal->context);
    return sos_pendant_poll(pendant) || has_record;
}

static bool is_idle(const void *device)
{
    return sos_pendant_is_idle(device);
}

int main(int count, char **arguments)
{
    struct host_options options = {.program = "sos_pendant_host", .usage = USAGE};
    if (!host_read_options(count, arguments, &options)) {
        return HOST_BAD_OPTION;
    }
    struct host host = {.record_bytes = RECORD_BYTES, .rate_hz = RATE_HZ};
    struct bridge_hal hal = {.sos_is_pressed = sos_is_pressed, .battery_percent = battery_percent};
    struct sos_pendant pendant;
    host_start(&host, &hal, &options);
    sos_pendant_init(&pendant, &hal, options.address);
    host_run(&host, poll_pendant, is_idle, &pendant);
    fprintf(
        stderr,
        "sos_pendant_host: records=%u waiting=%u dropped=%u given_up=%u rejected=%u cut_off=%u\n",
        host.records,
        bridge_event_queue_waiting(&pendant.events),
        pendant.events.dropped,
        pendant.events.given_up,
        pendant.link.frames_rejected,
        pendant.link.frames_cut_off);
    return host_stop(&host);
}
