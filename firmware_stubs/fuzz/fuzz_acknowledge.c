/* Any payload as an acknowledgement, of any length, to a queue that is full: it may only ever take events away. */
#include "fuzz.h"

#include "event_queue.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > UINT8_MAX) {
        return 0;
    }
    struct fuzz_input input = {data, size};
    struct bridge_event_queue queue = {.boot = fuzz_u16(&input)};
    for (int press = 0; press < BRIDGE_SOS_EVENTS_MAX + 1; press++) {
        bridge_event_queue_add_sos(&queue, BRIDGE_SOS_PRESSED, 0);
    }
    uint8_t *const payload = malloc(size > 0 ? size : 1); /* exactly as long, so that a byte too far is seen */
    MUST(payload != NULL);
    memcpy(payload, data, size);
    const enum bridge_status status = bridge_event_queue_acknowledge(&queue, payload, (uint8_t)size);
    MUST(status == (size == BRIDGE_ACK_BYTES ? BRIDGE_OK : BRIDGE_ERROR_LENGTH));
    MUST(bridge_event_queue_waiting(&queue) >= BRIDGE_SOS_EVENTS_MAX - 1);
    free(payload);
    return 0;
}
