/*
 * The bed mat as a program: bed_mat.c on the host's board (hal_host.h).
 *
 *     bed_mat_host --port PATH --address N [--empty N] [--occupied N] [--boot N] [--clock real|samples]  < records
 *
 * A record of 3 bytes is a tenth of a second: LL LL load, ADC counts, 0..4095, little-endian; BB battery, %, 255 unknown. --empty is the
 * load of the empty bed (400), --occupied what a person weighs at least above that (300). Ends as wearable_host.
 */
#include "bed_mat.h"
#include "hal_host.h"
#include "little_endian.h"

#include <stdio.h>
#include <string.h>

#define RECORD_BYTES 3
#define BATTERY_AT 2
#define LOAD_MAX 4095

static const char USAGE[] = "usage: bed_mat_host --port PATH --address 1..65535 [--empty 0..4000] [--occupied 1..4000] [--boot 0..65535] "
                            "[--clock real|samples]";

static bool read_load(void *context, const char *name, const char *value)
{
    struct bed_mat_config *const config = context;
    unsigned long number;
    if (strcmp(name, "--empty") == 0 && host_read_number(value, 0, 4000, &number)) {
        config->empty_load = (uint16_t)number;
        return true;
    }
    if (strcmp(name, "--occupied") == 0 && host_read_number(value, 1, 4000, &number)) {
        config->occupied_load = (uint16_t)number;
        return true;
    }
    return false;
}

static bool load_next(void *context, uint16_t *load)
{
    struct host *const host = context;
    if (!host_next_record(host)) {
        return false;
    }
    *load = bridge_get_u16(host->record);
    return true;
}

static uint8_t battery_percent(void *context)
{
    const struct host *const host = context;
    return host->records > 0 ? host->record[BATTERY_AT] : BRIDGE_BATTERY_UNKNOWN;
}

static bool poll_mat(void *device)
{
    return bed_mat_poll(device);
}

static bool is_idle(const void *device)
{
    return bed_mat_is_idle(device);
}

int main(int count, char **arguments)
{
    struct bed_mat_config config = {.load_max = LOAD_MAX, .empty_load = 400, .occupied_load = 300};
    struct host_options options = {.program = "bed_mat_host", .usage = USAGE, .read_more = read_load, .context = &config};
    if (!host_read_options(count, arguments, &options)) {
        return HOST_BAD_OPTION;
    }
    config.address = options.address;
    struct host host = {.record_bytes = RECORD_BYTES, .rate_hz = BED_MAT_RATE_HZ};
    struct bridge_hal hal = {.load_next = load_next, .battery_percent = battery_percent};
    struct bed_mat mat;
    host_start(&host, &hal, &options);
    if (bed_mat_init(&mat, &hal, &config) != BRIDGE_OK) {
        fprintf(stderr, "bed_mat_host: --empty and --occupied together must stay below %d; %s\n", LOAD_MAX, USAGE);
        host_stop(&host);
        return HOST_BAD_OPTION;
    }
    host_run(&host, poll_mat, is_idle, &mat);
    fprintf(
        stderr,
        "bed_mat_host: records=%u rejected=%u cut_off=%u\n",
        host.records,
        mat.link.frames_rejected,
        mat.link.frames_cut_off);
    return host_stop(&host);
}
