/*
 * A device's end of the serial line: frames out, one at a time, and acknowledgements in. What all our devices share.
 *
 * A frame is built where it is sealed and sent, and only when the line is free: ages in it are true when it leaves. A frame that stands
 * half sent for BRIDGE_LINK_STALL_MS is cut off, for its ages have become wrong; the zero in front of the next one ends it.
 */
#ifndef BRIDGE_LINK_H
#define BRIDGE_LINK_H

#include "bridge_frame.h"
#include "bridge_hal.h"
#include "event_queue.h"

#define BRIDGE_LINK_PAYLOAD_BYTES_MAX BRIDGE_EVENT_PAYLOAD_BYTES_MAX /* no device sends more */
#define BRIDGE_LINK_READ_BYTES_MAX 16                                /* per poll: an acknowledgement */
#define BRIDGE_LINK_STALL_MS 2000

/* All state. The caller owns it and reads the counters. */
struct bridge_link {
    const struct bridge_hal *hal;
    uint32_t frames_rejected; /* received, broken or none of ours; wraps */
    uint32_t frames_cut_off;  /* half sent, then stalled; wraps */
    uint32_t moved_ms;        /* when the UART last took a byte */
    uint16_t address;
    uint16_t next_counter;
    uint16_t wire_bytes;
    uint16_t wire_sent; /* equals wire_bytes when nothing is half sent */
    struct bridge_frame_reader reader;
    uint8_t stuffed[BRIDGE_ACK_STUFFED_BYTES];
    uint8_t wire[BRIDGE_WIRE_BYTES(BRIDGE_LINK_PAYLOAD_BYTES_MAX)];
};

/* Start. `hal` stays the caller's and must outlive the link. BRIDGE_ERROR_ADDRESS for 0. */
enum bridge_status bridge_link_init(struct bridge_link *link, const struct bridge_hal *hal, uint16_t address);

/* Take what has arrived, and forget the events in `queue` that are acknowledged. Whether there was anything. */
bool bridge_link_receive(struct bridge_link *link, struct bridge_event_queue *queue);

/* Whether no frame is half sent. */
bool bridge_link_is_free(const struct bridge_link *link);

/* Go on with the frame that is half sent. Whether anything moved. */
bool bridge_link_go_on(struct bridge_link *link, uint32_t now_ms);

/* Where to write a payload of up to BRIDGE_LINK_PAYLOAD_BYTES_MAX, while the link is free. */
uint8_t *bridge_link_payload(struct bridge_link *link);

/*
 * Seal a frame of this type with the payload that was written, and begin to send it. False when the UART takes no byte: then it
 * never was, and uses up no number.
 */
bool bridge_link_begin(struct bridge_link *link, enum bridge_frame_type type, uint8_t payload_bytes, uint32_t now_ms);

/* While the link is free, begin the most urgent event that is due. Whether one was begun. */
bool bridge_link_begin_event(struct bridge_link *link, struct bridge_event_queue *queue, uint32_t now_ms);

#endif
