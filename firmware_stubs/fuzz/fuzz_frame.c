/* Any bytes into the frame reader: in full and in scant memory; and what comes out, sealed and read again, must be the same frame. */
#include "fuzz.h"

#include "bridge_frame.h"

static void must_come_back(const struct bridge_frame *frame)
{
    uint8_t wire[BRIDGE_WIRE_BYTES_MAX];
    const int length = bridge_frame_seal(frame, wire, sizeof wire);
    MUST(length >= BRIDGE_FRAME_OVERHEAD_BYTES + 3);
    MUST(bridge_frame_seal(frame, wire, (size_t)length - 1) == BRIDGE_ERROR_SPACE);
    uint8_t memory[BRIDGE_STUFFED_BYTES_MAX];
    struct bridge_frame_reader reader = {.stuffed = memory, .space = sizeof memory};
    struct bridge_frame again;
    for (int at = 0; at < length; at++) {
        const enum bridge_status status = bridge_frame_feed(&reader, wire[at], &again);
        MUST(status == (at + 1 < length ? BRIDGE_UNFINISHED : BRIDGE_OK));
    }
    MUST(again.type == frame->type && again.address == frame->address && again.counter == frame->counter);
    MUST(again.payload_bytes == frame->payload_bytes && memcmp(again.payload, frame->payload, frame->payload_bytes) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1) {
        return 0;
    }
    /* On the heap, so that a byte too far is seen. */
    const uint8_t space = data[0];
    uint8_t *const memory = malloc(space > 0 ? space : 1);
    MUST(memory != NULL);
    struct bridge_frame_reader reader = {.stuffed = memory, .space = space};
    struct fuzz_input input = {data + 1, size - 1};
    while (input.left > 0) {
        uint8_t line[BRIDGE_WIRE_BYTES_MAX];
        const size_t count = fuzz_line(&input, line, sizeof line);
        for (size_t at = 0; at < count; at++) {
            struct bridge_frame frame;
            if (bridge_frame_feed(&reader, line[at], &frame) == BRIDGE_OK) {
                must_come_back(&frame);
            }
        }
    }
    free(memory);
    return 0;
}
