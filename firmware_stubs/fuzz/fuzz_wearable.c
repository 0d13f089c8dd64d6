/*
 * A wearable that lives through any samples, presses, times and bytes from the gateway, with a UART that takes any part of what it is given:
 * memory stays in bounds, and every byte it sends belongs to a frame that can be read.
 */
#include "desk.h"

#include "bridge_main.h"

#define RATE_HZ 25
#define WINDOW BRIDGE_FALL_WINDOW_SAMPLES(RATE_HZ)

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
    struct desk desk;
    desk_begin(&desk, data, size);
    const struct bridge_hal hal = {
        .context = &desk,
        .clock_ms = desk_clock_ms,
        .uart_read = desk_uart_read,
        .uart_write = desk_uart_write,
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
        desk_step(&desk);
        const uint32_t cut_off = bridge.link.frames_cut_off;
        bridge_poll(&bridge);
        desk.is_cut = desk.is_cut || bridge.link.frames_cut_off != cut_off;
        MUST(bridge_event_queue_waiting(&bridge.events) <= BRIDGE_SOS_EVENTS_MAX + BRIDGE_FALL_EVENTS_MAX);
    }
    free(memory);
    return 0;
}
