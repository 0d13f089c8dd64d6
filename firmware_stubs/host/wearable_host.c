/*
 * The wearable as a program: the firmware of src/ on the host's board (hal_host.h).
 *
 *     wearable_host --port PATH --address N [--placement waist|chest|hip|wrist] [--boot N] [--rate HZ] [--clock real|samples]  < records
 *
 * Ends 0 when its input has ended and all events are acknowledged, or 2 s later; 1 when the input ended inside a record; 2 for bad
 * options. A port that vanishes is opened again, every 200 ms. At the end one line of counters goes to standard error.
 */
#include "bridge_main.h"
#include "hal_host.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LINGER_MS 2000
#define EXIT_CUT_RECORD 1
#define EXIT_BAD_OPTION 2

#define WINDOW_SAMPLES_MAX BRIDGE_FALL_WINDOW_SAMPLES(BRIDGE_FALL_RATE_HZ_MAX)

static const char USAGE[] = "usage: wearable_host --port PATH --address 1..65535 [--placement waist|chest|hip|wrist] [--boot 0..65535] "
                            "[--rate 25..50|52,54..100] [--clock real|samples]";

static const char *const PLACEMENTS[BRIDGE_PLACEMENTS] = {
    [BRIDGE_WAIST] = "waist",
    [BRIDGE_CHEST] = "chest",
    [BRIDGE_HIP] = "hip",
    [BRIDGE_WRIST] = "wrist",
};

struct options {
    const char *port;
    const char *clock;
    uint16_t address;
    uint16_t boot;
    uint8_t rate_hz;
    enum bridge_placement placement;
};

/* A decimal number from `least` to `most`; false for anything else. */
static bool read_number(const char *text, unsigned long least, unsigned long most, unsigned long *number)
{
    char *end;
    errno = 0;
    *number = strtoul(text, &end, 10);
    return text[0] >= '0' && text[0] <= '9' && *end == '\0' && errno == 0 && *number >= least && *number <= most;
}

static bool read_placement(struct options *options, const char *name)
{
    for (unsigned at = 0; at < BRIDGE_PLACEMENTS; at++) {
        if (strcmp(PLACEMENTS[at], name) == 0) {
            options->placement = (enum bridge_placement)at;
            return true;
        }
    }
    return false;
}

static bool read_option(struct options *options, const char *name, const char *value)
{
    unsigned long number;
    if (strcmp(name, "--port") == 0) {
        options->port = value;
        return value[0] != '\0';
    }
    if (strcmp(name, "--placement") == 0) {
        return read_placement(options, value);
    }
    if (strcmp(name, "--clock") == 0) {
        options->clock = value;
        return strcmp(value, "real") == 0 || strcmp(value, "samples") == 0;
    }
    if (strcmp(name, "--address") == 0 && read_number(value, 1, UINT16_MAX, &number)) {
        options->address = (uint16_t)number;
        return true;
    }
    if (strcmp(name, "--boot") == 0 && read_number(value, 0, UINT16_MAX, &number)) {
        options->boot = (uint16_t)number;
        return true;
    }
    if (strcmp(name, "--rate") == 0 && read_number(value, BRIDGE_FALL_RATE_HZ_MIN, BRIDGE_FALL_RATE_HZ_MAX, &number)) {
        options->rate_hz = (uint8_t)number;
        return number <= BRIDGE_FALL_RING_RATE_HZ_MAX || number % 2 == 0;
    }
    return false;
}

/* Differs from start to start, which is all that a boot number needs. */
static uint16_t boot_of_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint16_t)((unsigned long)now.tv_nsec / 1000U ^ (unsigned long)now.tv_sec ^ (unsigned long)getpid());
}

static bool read_options(int count, char *const *arguments, struct options *options)
{
    *options = (struct options){.clock = "real", .boot = boot_of_now(), .rate_hz = 50, .placement = BRIDGE_WAIST};
    for (int at = 1; at < count; at += 2) {
        if (at + 1 == count) {
            fprintf(stderr, "wearable_host: %s needs a value; %s\n", arguments[at], USAGE);
            return false;
        }
        if (!read_option(options, arguments[at], arguments[at + 1])) {
            fprintf(stderr, "wearable_host: bad option %s %s; %s\n", arguments[at], arguments[at + 1], USAGE);
            return false;
        }
    }
    if (options->port == NULL || options->address == 0) {
        fprintf(stderr, "wearable_host: --port and --address are needed; %s\n", USAGE);
        return false;
    }
    return true;
}

static void run(struct bridge *bridge, const struct host *host)
{
    while (!host->has_ended || (!bridge_is_idle(bridge) && host_ended_for_ms(host) < LINGER_MS)) {
        if (!bridge_poll(bridge)) {
            host_wait(host);
        }
    }
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
    struct options options;
    if (!read_options(count, arguments, &options)) {
        return EXIT_BAD_OPTION;
    }
    uint32_t ring[WINDOW_SAMPLES_MAX];
    uint32_t windows[BRIDGE_FALL_EVENTS_MAX * WINDOW_SAMPLES_MAX];
    const struct bridge_config config = {
        .ring = ring,
        .windows = windows,
        .vitals_period_ms = BRIDGE_VITALS_PERIOD_MS,
        .space_samples = WINDOW_SAMPLES_MAX,
        .address = options.address,
        .rate_hz = options.rate_hz,
        .placement = options.placement,
    };
    struct host host = {
        .port = options.port,
        .clock = strcmp(options.clock, "samples") == 0 ? HOST_CLOCK_SAMPLES : HOST_CLOCK_REAL,
        .rate_hz = options.rate_hz,
        .boot = options.boot,
    };
    struct bridge_hal hal;
    struct bridge bridge;
    host_start(&host, &hal);
    bridge_init(&bridge, &hal, &config);
    run(&bridge, &host);
    report(&bridge, &host);
    host_stop(&host);
    return host_left_over(&host) > 0 ? EXIT_CUT_RECORD : EXIT_SUCCESS;
}
