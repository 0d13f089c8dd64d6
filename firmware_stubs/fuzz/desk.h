/* What a device that talks to a gateway stands on while it is fuzzed: its clock, and a UART that takes any part of what it is given. */
#ifndef DESK_H
#define DESK_H

#include "fuzz.h"

#include "bridge_hal.h"

struct desk {
    struct fuzz_input input;
    uint32_t now_ms;
    uint16_t takes;
    struct bridge_frame_reader reader;
    uint8_t stuffed[BRIDGE_STUFFED_BYTES_MAX];
    bool is_cut; /* a frame may have been cut off since the last whole one */
};

static inline uint32_t desk_clock_ms(void *context)
{
    struct desk *const desk = context;
    return desk->now_ms;
}

static inline size_t desk_uart_read(void *context, uint8_t *bytes, size_t space)
{
    struct desk *const desk = context;
    return fuzz_line(&desk->input, bytes, space);
}

/* Every byte belongs to a frame that can be read. */
static inline size_t desk_uart_write(void *context, const uint8_t *bytes, size_t length)
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

static inline void desk_begin(struct desk *desk, const uint8_t *data, size_t size)
{
    *desk = (struct desk){.input = {data, size}};
    desk->reader = (struct bridge_frame_reader){.stuffed = desk->stuffed, .space = sizeof desk->stuffed};
}

/* Time goes on by a little or by much, and the UART has this much room. */
static inline void desk_step(struct desk *desk)
{
    const uint8_t step = fuzz_u8(&desk->input);
    desk->now_ms += (step & 3U) == 0 ? 2500U : 20U;
    desk->takes = (step & 4U) == 0 ? 300 : step >> 3;
}

#endif
