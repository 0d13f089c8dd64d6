/* Frames out and acknowledgements in; bridge_link.h is the manual. */
#include "bridge_link.h"

#include "memory.h"

enum bridge_status bridge_link_init(struct bridge_link *link, const struct bridge_hal *hal, uint16_t address)
{
    if (address == 0) {
        return BRIDGE_ERROR_ADDRESS;
    }
    memset(link, 0, sizeof *link);
    link->hal = hal;
    link->address = address;
    link->reader = (struct bridge_frame_reader){.stuffed = link->stuffed, .space = sizeof link->stuffed};
    return BRIDGE_OK;
}

/* Act on one received frame. On a line shared by several devices, those for others and of other types pass by. */
static enum bridge_status handle(const struct bridge_link *link, struct bridge_event_queue *queue, const struct bridge_frame *frame)
{
    if (frame->address != link->address || frame->type != BRIDGE_ACK) {
        return BRIDGE_OK;
    }
    return bridge_event_queue_acknowledge(queue, frame->payload, frame->payload_bytes);
}

bool bridge_link_receive(struct bridge_link *link, struct bridge_event_queue *queue)
{
    uint8_t bytes[BRIDGE_LINK_READ_BYTES_MAX];
    const size_t length = link->hal->uart_read(link->hal->context, bytes, sizeof bytes);
    for (size_t at = 0; at < length && at < sizeof bytes; at++) {
        struct bridge_frame frame;
        enum bridge_status status = bridge_frame_feed(&link->reader, bytes[at], &frame);
        if (status == BRIDGE_OK) {
            status = handle(link, queue, &frame);
        }
        if (status < 0) {
            link->frames_rejected++;
        }
    }
    return length > 0;
}

bool bridge_link_is_free(const struct bridge_link *link)
{
    return link->wire_sent == link->wire_bytes;
}

/* Offer the rest of the frame to the UART; false when it takes nothing. */
static bool push(struct bridge_link *link, uint32_t now_ms)
{
    const size_t left = (size_t)(link->wire_bytes - link->wire_sent);
    const size_t taken = link->hal->uart_write(link->hal->context, link->wire + link->wire_sent, left);
    if (taken == 0 || taken > left) {
        return false;
    }
    link->wire_sent = (uint16_t)(link->wire_sent + taken);
    link->moved_ms = now_ms;
    return true;
}

bool bridge_link_go_on(struct bridge_link *link, uint32_t now_ms)
{
    if (now_ms - link->moved_ms < BRIDGE_LINK_STALL_MS) {
        return push(link, now_ms);
    }
    link->wire_sent = link->wire_bytes;
    link->frames_cut_off++;
    return false;
}

uint8_t *bridge_link_payload(struct bridge_link *link)
{
    return link->wire + BRIDGE_WIRE_PAYLOAD_AT;
}

bool bridge_link_begin(struct bridge_link *link, enum bridge_frame_type type, uint8_t payload_bytes, uint32_t now_ms)
{
    const struct bridge_frame frame = {
        .payload = bridge_link_payload(link),
        .address = link->address,
        .counter = link->next_counter,
        .payload_bytes = payload_bytes,
        .type = (uint8_t)type,
    };
    const int sealed = bridge_frame_seal(&frame, link->wire, sizeof link->wire);
    link->wire_bytes = sealed > 0 ? (uint16_t)sealed : 0;
    link->wire_sent = 0;
    if (link->wire_bytes == 0 || !push(link, now_ms)) {
        link->wire_sent = link->wire_bytes;
        return false;
    }
    link->next_counter++;
    return true;
}

bool bridge_link_begin_event(struct bridge_link *link, struct bridge_event_queue *queue, uint32_t now_ms)
{
    struct bridge_frame frame;
    if (!bridge_event_queue_next(queue, now_ms, bridge_link_payload(link), &frame)) {
        return false;
    }
    if (!bridge_link_begin(link, frame.type, frame.payload_bytes, now_ms)) {
        return false;
    }
    bridge_event_queue_sent(queue, now_ms);
    return true;
}
