/*
 * Events that wait for the gateway's acknowledgement: up to four from the SOS button, and one fall with its window.
 *
 * An event is due at once, then 2 s after it was last sent, 90 times; then it is given up and counted. What finds no room is
 * counted and the older ones stay; it uses up its number all the same, so that the gateway sees a gap. The payloads are drawn in
 * bridge_frame.h.
 */
#ifndef EVENT_QUEUE_H
#define EVENT_QUEUE_H

#include "bridge_frame.h"
#include "fall_detector.h"
#include "sos_button.h"

#define BRIDGE_REPEAT_MS 2000
#define BRIDGE_TRIES_MAX 90 /* 3 minutes of repeating; a gateway restarts in less */
#define BRIDGE_SOS_EVENTS_MAX 4

/* What an event needs to be named and repeated. */
struct bridge_repeat {
    uint32_t happened_ms;
    uint32_t sent_ms; /* once tries > 0 */
    uint16_t event;
    uint8_t tries;
};

struct bridge_sos_event {
    struct bridge_repeat repeat;
    enum bridge_sos_kind kind;
};

struct bridge_fall_event {
    struct bridge_repeat repeat;
    struct bridge_fall_candidate candidate;
    uint16_t window_samples;
    uint8_t rate_hz;
    uint8_t chunks;
    uint8_t next_chunk; /* of the set that is being sent; `chunks` between two sets */
    bool is_waiting;
};

/* All zero but `window` and `boot` is the start. */
struct bridge_event_queue {
    struct bridge_acceleration *window; /* of the fall, the caller's: a whole window of the detector */
    uint32_t dropped;                   /* events that found no room; wraps */
    uint32_t given_up;                  /* events never acknowledged; wraps */
    uint16_t boot;
    uint16_t next_event;
    uint8_t sos_count;
    struct bridge_sos_event sos[BRIDGE_SOS_EVENTS_MAX]; /* oldest first */
    struct bridge_fall_event fall;
};

/* Keep a press or a cancellation, if there is room. */
void bridge_event_queue_add_sos(struct bridge_event_queue *queue, enum bridge_sos_kind kind, uint32_t now_ms);

/* Keep the candidate that `detector` has just given, and copy its window, if no other fall is waiting. */
void bridge_event_queue_add_fall(
    struct bridge_event_queue *queue, const struct bridge_fall_detector *detector, struct bridge_fall_candidate candidate, uint32_t now_ms);

/* Forget what has been sent BRIDGE_TRIES_MAX times without an answer. */
void bridge_event_queue_give_up(struct bridge_event_queue *queue, uint32_t now_ms);

/* Forget the event that the payload of an ACK names; BRIDGE_ERROR_LENGTH if it is none. That the event is gone is no error. */
enum bridge_status bridge_event_queue_acknowledge(struct bridge_event_queue *queue, const uint8_t *payload, uint8_t payload_bytes);

/*
 * The most urgent frame that is due: an SOS, then the rest of a window, then a candidate. True: type and payload of `frame` are
 * set; the payload was written to `space`, which has room for BRIDGE_PAYLOAD_BYTES_MAX.
 */
bool bridge_event_queue_next(const struct bridge_event_queue *queue, uint32_t now_ms, uint8_t *space, struct bridge_frame *frame);

/* Note that the frame which bridge_event_queue_next gave for the same `now_ms` is on its way. */
void bridge_event_queue_sent(struct bridge_event_queue *queue, uint32_t now_ms);

/* How many events are waiting, 0..5. */
uint8_t bridge_event_queue_waiting(const struct bridge_event_queue *queue);

#endif
