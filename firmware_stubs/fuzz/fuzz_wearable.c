/*
 * A wearable that lives through any samples, presses, times and bytes from the gateway, with a UART that takes any part of what it is given:
 * memory stays in bounds, and every byte it sends belongs to a frame that can be read.
 */
#include "fuzz.h"

#include "bridge_main.h"

#define RATE_HZ 25
#define WINDOW BRIDGE_FALL_WINDOW_SAMPLES(RATE_HZ)

struct desk {
    struct fuzz_input input;
    uint32_t now_ms;
    uint16_t takes;
    struct bridge_frame_reader reader;
    uint8_t stuffed[BRIDGE_STUFFED_BYTES_MAX];
    bool is_cut; /* a frame may have been cut off since the last whole one */
};

static uint32_t clock_ms(void *context)
{
    struct desk *const desk = context;
    return desk->now_ms;
}

static size_t uart_read(void *context, uint8_t *bytes, size_t space)
{
    struct desk *const desk = context;
    return fuzz_line(&desk->input, bytes, space);
}

static size_t uart_write(void *context, const uint8_t *bytes, size_t length)
{
    struct desk *const desk = context;
    const size_t taken = desk->takes < length ? desk->takes : length;
    for (size_t at = 0; at < taken; at++) {
        struct bridge_frame frame;
        const enum bridge_status status = bridge_frame_feed(&desk->reader, bytes[at], &frame);
        MUST(status >= 0 || desk->is_cut);
        desk->is_cut = desk->is_cut && status != BRIDGE_OK;
    }
    return taken;
}

static bool sample_next(void *context, struct bridge_sample *sample)
{
    struct desk *const desk = context;
    const uint8_t what = fuzz_u8(&desk->input);
    *sample = (struct bridge_sample){.battery_percent = what};
    if ((what & 1U) != 0) {
        sample->acceleration =
            (struct bridge_acceleration){(int16_t)fuzz_u16(&desk->input), (int16_t)fuzz_u16(&desk->input), (int16_t)fuzz_u16(&desk->input)};
    } else {
        sample->acceleration = (struct bridge_acceleration){.x = (int16_t)((what >> 4) * 100), .z = (int16_t)((what & 14U) * 200U)};
    }
    return (what & 64U) == 0;
}

static bool sos_is_pressed(void *context)
{
    struct desk *const desk = context;
    return (desk->now_ms & 4096U) != 0;
}

static uint16_t random_u16(void *context)
{
    (void)context;
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct desk desk = {.input = {data, size}};
    desk.reader = (struct bridge_frame_reader){.stuffed = desk.stuffed, .space = sizeof desk.stuffed};
    const struct bridge_hal hal = {
        .context = &desk,
        .clock_ms = clock_ms,
        .uart_read = uart_read,
        .uart_write = uart_write,
        .sample_next = sample_next,
        .sos_is_pressed = sos_is_pressed,
        .random_u16 = random_u16,
    };
    const uint8_t placement = fuzz_u8(&desk.input);
    desk.now_ms = (uint32_t)fuzz_u16(&desk.input) << 16;
    uint32_t *const memory = malloc((1 + BRIDGE_FALL_EVENTS_MAX) * WINDOW * sizeof *memory);
    MUST(memory != NULL);
    const struct bridge_config config = {
        .ring = memory,
        .windows = memory + WINDOW,
        .vitals_period_ms = 1000,
        .space_samples = WINDOW,
        .address = 1,
        .rate_hz = RATE_HZ,
        .placement = (enum bridge_placement)(placement & 7),
    };
    struct bridge bridge;
    const enum bridge_status started = bridge_init(&bridge, &hal, &config);
    MUST(started == ((placement & 7) < BRIDGE_PLACEMENTS ? BRIDGE_OK : BRIDGE_ERROR_PLACEMENT));
    while (started == BRIDGE_OK && desk.input.left > 0) {
        const uint8_t step = fuzz_u8(&desk.input);
        desk.now_ms += (step & 3U) == 0 ? 2500U : 20U;
        desk.takes = (step & 4U) == 0 ? 300 : step >> 3;
        const uint32_t cut_off = bridge.link.frames_cut_off;
        bridge_poll(&bridge);
        desk.is_cut = desk.is_cut || bridge.link.frames_cut_off != cut_off;
        MUST(bridge_event_queue_waiting(&bridge.events) <= BRIDGE_SOS_EVENTS_MAX + BRIDGE_FALL_EVENTS_MAX);
    }
    free(memory);
    return 0;
}
