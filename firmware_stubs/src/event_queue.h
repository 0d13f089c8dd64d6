/*
 * Events that wait for the gateway's acknowledgement: up to four from the SOS button, and up to two falls with their windows.
 *
 * An event is due at once, then 2 s after it was last sent, 90 times, which is 3 minutes; then 30 s after, for an hour more, because
 * its wearer may have been out of reach; then it is given up and counted. The numbers are our choices: a gateway restarts in less than
 * 3 minutes, and 210 frames are nothing to a battery.
 *
 * Of presses that find no room the older ones stay: they all say "help". Of falls the one with the smallest peak gives way, for a
 * day's candidates are mostly daily life, and a fall hits harder. What gives way is counted; it has used up its number all the same,
 * so that the gateway sees a gap. The payloads are drawn in bridge_frame.h.
 */
#ifndef EVENT_QUEUE_H
#define EVENT_QUEUE_H

#include "bridge_frame.h"
#include "fall_detector.h"
#include "sos_button.h"

#define BRIDGE_REPEAT_MS 2000
#define BRIDGE_TRIES_SOON 90
#define BRIDGE_REPEAT_LATER_MS 30000
#define BRIDGE_TRIES_MAX 210
#define BRIDGE_SOS_EVENTS_MAX 4
#define BRIDGE_FALL_EVENTS_MAX 2

/* What an event needs to be named and repeated. */
struct bridge_repeat {
    uint32_t happened_ms;
    uint32_t sent_ms; /* once tries > 0 */
    uint16_t event;
    uint8_t tries;
};

struct bridge_sos_event {
    struct bridge_repeat repeat;
    uint8_t kind; /* a bridge_sos_kind */
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

/* All zero but `windows`, `window_space` and `boot` is the start. */
struct bridge_event_queue {
    uint32_t *windows;     /* BRIDGE_FALL_EVENTS_MAX windows of `window_space` packed samples, the caller's; NULL without falls */
    uint32_t dropped;      /* events that found no room or gave way; wraps */
    uint32_t given_up;     /* events never acknowledged; wraps */
    uint16_t window_space; /* samples of one window, as the detector's ring */
    uint16_t boot;
    uint16_t next_event;
    uint8_t sos_count;
    struct bridge_sos_event sos[BRIDGE_SOS_EVENTS_MAX]; /* oldest first */
    struct bridge_fall_event falls[BRIDGE_FALL_EVENTS_MAX];
};

/* Keep a press or a cancellation, if there is room. */
void bridge_event_queue_add_sos(struct bridge_event_queue *queue, enum bridge_sos_kind kind, uint32_t now_ms);

/* Keep the candidate that `detector` has just given, with its window, if there is room or a smaller one to give way. */
void bridge_event_queue_add_fall(
    struct bridge_event_queue *queue,
    const struct bridge_fall_detector *detector,
    const struct bridge_fall_candidate *candidate,
    uint32_t now_ms);

/* Forget what has been sent BRIDGE_TRIES_MAX times without an answer. */
void bridge_event_queue_give_up(struct bridge_event_queue *queue, uint32_t now_ms);

/* Forget the event that the payload of an ACK names; BRIDGE_ERROR_LENGTH if it is none. That the event is gone is no error. */
enum bridge_status bridge_event_queue_acknowledge(struct bridge_event_queue *queue, const uint8_t *payload, uint8_t payload_bytes);

#define BRIDGE_EVENT_PAYLOAD_BYTES_MAX (BRIDGE_WINDOW_CHUNK_HEADER_BYTES + BRIDGE_PACKED_CHUNK_SAMPLES_MAX * BRIDGE_PACKED_SAMPLE_BYTES)

/*
 * The most urgent frame that is due: an SOS, then the rest of a window, then a candidate. True: type and payload of `frame` are
 * set; the payload was written to `space`, which has room for BRIDGE_EVENT_PAYLOAD_BYTES_MAX.
 */
bool bridge_event_queue_next(const struct bridge_event_queue *queue, uint32_t now_ms, uint8_t *space, struct bridge_frame *frame);

/* Note that the frame which bridge_event_queue_next gave for the same `now_ms` is on its way. */
void bridge_event_queue_sent(struct bridge_event_queue *queue, uint32_t now_ms);

/* How many events are waiting, 0..6. */
uint8_t bridge_event_queue_waiting(const struct bridge_event_queue *queue);

#endif
