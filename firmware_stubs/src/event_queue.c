/* Events until they are acknowledged; event_queue.h is the manual. */
#include "event_queue.h"
#include "little_endian.h"

#include "memory.h"

_Static_assert(
    BRIDGE_EVENT_PAYLOAD_BYTES_MAX <= BRIDGE_PAYLOAD_BYTES_MAX && BRIDGE_SOS_BYTES <= BRIDGE_EVENT_PAYLOAD_BYTES_MAX &&
        BRIDGE_FALL_CANDIDATE_BYTES <= BRIDGE_EVENT_PAYLOAD_BYTES_MAX,
    "every event fits its space, and a frame");

static struct bridge_repeat new_repeat(struct bridge_event_queue *queue, uint32_t happened_ms)
{
    return (struct bridge_repeat){.happened_ms = happened_ms, .event = queue->next_event++};
}

void bridge_event_queue_add_sos(struct bridge_event_queue *queue, enum bridge_sos_kind kind, uint32_t now_ms)
{
    const struct bridge_repeat repeat = new_repeat(queue, now_ms);
    if (queue->sos_count == BRIDGE_SOS_EVENTS_MAX) {
        queue->dropped++;
        return;
    }
    queue->sos[queue->sos_count++] = (struct bridge_sos_event){.repeat = repeat, .kind = (uint8_t)kind};
}

/* Where a fall with this peak goes: a free place, else that of the smallest peak if it is smaller still; NULL for nowhere. */
static struct bridge_fall_event *place_for(struct bridge_event_queue *queue, uint16_t peak_mg)
{
    struct bridge_fall_event *smallest = &queue->falls[0];
    for (size_t index = 0; index < BRIDGE_FALL_EVENTS_MAX; index++) {
        struct bridge_fall_event *const fall = &queue->falls[index];
        if (!fall->is_waiting) {
            return fall;
        }
        if (fall->candidate.peak_mg < smallest->candidate.peak_mg) {
            smallest = fall;
        }
    }
    queue->dropped++;
    return smallest->candidate.peak_mg < peak_mg ? smallest : NULL;
}

static uint32_t *window_of(const struct bridge_event_queue *queue, const struct bridge_fall_event *fall)
{
    return queue->windows + (size_t)(fall - queue->falls) * queue->window_space;
}

void bridge_event_queue_add_fall(
    struct bridge_event_queue *queue,
    const struct bridge_fall_detector *detector,
    const struct bridge_fall_candidate *candidate,
    uint32_t now_ms)
{
    const struct bridge_repeat repeat = new_repeat(queue, now_ms - bridge_fall_delay_ms(detector));
    struct bridge_fall_event *const fall = place_for(queue, candidate->peak_mg);
    if (fall == NULL) {
        return;
    }
    const uint16_t samples = bridge_fall_window(detector, window_of(queue, fall));
    const uint8_t chunks = (uint8_t)((samples + BRIDGE_PACKED_CHUNK_SAMPLES_MAX - 1) / BRIDGE_PACKED_CHUNK_SAMPLES_MAX);
    *fall = (struct bridge_fall_event){
        .repeat = repeat,
        .candidate = *candidate,
        .window_samples = samples,
        .rate_hz = detector->ring_rate_hz,
        .chunks = chunks,
        .next_chunk = chunks,
        .is_waiting = true,
    };
}

static void remove_sos(struct bridge_event_queue *queue, uint8_t index)
{
    queue->sos_count--;
    memmove(&queue->sos[index], &queue->sos[index + 1], (size_t)(queue->sos_count - index) * sizeof queue->sos[0]);
}

static bool is_due(const struct bridge_repeat *repeat, uint32_t now_ms)
{
    const uint32_t wait_ms = repeat->tries < BRIDGE_TRIES_SOON ? BRIDGE_REPEAT_MS : BRIDGE_REPEAT_LATER_MS;
    return repeat->tries == 0 || now_ms - repeat->sent_ms >= wait_ms;
}

static bool is_exhausted(const struct bridge_repeat *repeat, uint32_t now_ms)
{
    return repeat->tries == BRIDGE_TRIES_MAX && is_due(repeat, now_ms);
}

static bool is_between_sets(const struct bridge_fall_event *fall)
{
    return fall->next_chunk == fall->chunks;
}

void bridge_event_queue_give_up(struct bridge_event_queue *queue, uint32_t now_ms)
{
    for (uint8_t index = queue->sos_count; index > 0; index--) {
        if (is_exhausted(&queue->sos[index - 1].repeat, now_ms)) {
            remove_sos(queue, index - 1);
            queue->given_up++;
        }
    }
    for (size_t index = 0; index < BRIDGE_FALL_EVENTS_MAX; index++) {
        struct bridge_fall_event *const fall = &queue->falls[index];
        if (fall->is_waiting && is_between_sets(fall) && is_exhausted(&fall->repeat, now_ms)) {
            fall->is_waiting = false;
            queue->given_up++;
        }
    }
}

enum bridge_status bridge_event_queue_acknowledge(struct bridge_event_queue *queue, const uint8_t *payload, uint8_t payload_bytes)
{
    if (payload_bytes != BRIDGE_ACK_BYTES) {
        return BRIDGE_ERROR_LENGTH;
    }
    if (bridge_get_u16(payload) != queue->boot) {
        return BRIDGE_OK;
    }
    const uint16_t event = bridge_get_u16(payload + 2);
    const uint8_t type = payload[4];
    for (size_t index = 0; type == BRIDGE_FALL_CANDIDATE && index < BRIDGE_FALL_EVENTS_MAX; index++) {
        if (queue->falls[index].repeat.event == event) {
            queue->falls[index].is_waiting = false;
        }
    }
    for (uint8_t index = 0; type == BRIDGE_SOS && index < queue->sos_count; index++) {
        if (queue->sos[index].repeat.event == event) {
            remove_sos(queue, index);
            break;
        }
    }
    return BRIDGE_OK;
}

/* Index of the first SOS event that is due; sos_count for none. */
static uint8_t due_sos(const struct bridge_event_queue *queue, uint32_t now_ms)
{
    uint8_t index = 0;
    while (index < queue->sos_count && !is_due(&queue->sos[index].repeat, now_ms)) {
        index++;
    }
    return index;
}

static uint8_t *put_name(const struct bridge_event_queue *queue, const struct bridge_repeat *repeat, uint8_t *payload)
{
    return bridge_put_u16(bridge_put_u16(payload, queue->boot), repeat->event);
}

static uint8_t *put_age(const struct bridge_repeat *repeat, uint32_t now_ms, uint8_t *at)
{
    const uint32_t age_ms = now_ms - repeat->happened_ms;
    return bridge_put_u16(at, age_ms < UINT16_MAX ? (uint16_t)age_ms : UINT16_MAX);
}

static uint8_t *put_sos(const struct bridge_event_queue *queue, const struct bridge_sos_event *sos, uint32_t now_ms, uint8_t *payload)
{
    uint8_t *const at = put_age(&sos->repeat, now_ms, put_name(queue, &sos->repeat, payload));
    return bridge_put_u8(at, sos->kind);
}

static uint8_t *put_candidate(
    const struct bridge_event_queue *queue, const struct bridge_fall_event *fall, uint32_t now_ms, uint8_t *payload)
{
    uint8_t *at = put_age(&fall->repeat, now_ms, put_name(queue, &fall->repeat, payload));
    at = bridge_put_u16(at, fall->candidate.peak_mg);
    at = bridge_put_u8(at, fall->candidate.turn_degrees);
    at = bridge_put_u8(at, fall->rate_hz);
    at = bridge_put_u8(at, fall->chunks);
    return bridge_put_u16(at, fall->candidate.peak_index);
}

static uint8_t *put_chunk(const struct bridge_event_queue *queue, const struct bridge_fall_event *fall, uint8_t *payload)
{
    const uint32_t *const window = window_of(queue, fall);
    const uint16_t first = (uint16_t)(fall->next_chunk * BRIDGE_PACKED_CHUNK_SAMPLES_MAX);
    const uint16_t left = (uint16_t)(fall->window_samples - first);
    const uint16_t samples = left < BRIDGE_PACKED_CHUNK_SAMPLES_MAX ? left : BRIDGE_PACKED_CHUNK_SAMPLES_MAX;
    uint8_t *at = bridge_put_u8(put_name(queue, &fall->repeat, payload), fall->next_chunk);
    at = bridge_put_u8(at, fall->chunks);
    for (uint16_t index = 0; index < samples; index++) {
        at = bridge_put_u32(at, window[first + index]);
    }
    return at;
}

/* Index of the fall whose turn it is: one in the middle of its set, else the first that is due; BRIDGE_FALL_EVENTS_MAX for none. */
static size_t due_fall(const struct bridge_event_queue *queue, uint32_t now_ms)
{
    size_t due = BRIDGE_FALL_EVENTS_MAX;
    for (size_t index = 0; index < BRIDGE_FALL_EVENTS_MAX; index++) {
        const struct bridge_fall_event *const fall = &queue->falls[index];
        if (fall->is_waiting && !is_between_sets(fall)) {
            return index;
        }
        if (fall->is_waiting && due == BRIDGE_FALL_EVENTS_MAX && is_due(&fall->repeat, now_ms)) {
            due = index;
        }
    }
    return due;
}

bool bridge_event_queue_next(const struct bridge_event_queue *queue, uint32_t now_ms, uint8_t *space, struct bridge_frame *frame)
{
    const uint8_t sos = due_sos(queue, now_ms);
    const size_t fall = due_fall(queue, now_ms);
    const uint8_t *end = space;
    if (sos < queue->sos_count) {
        frame->type = BRIDGE_SOS;
        end = put_sos(queue, &queue->sos[sos], now_ms, space);
    } else if (fall < BRIDGE_FALL_EVENTS_MAX && !is_between_sets(&queue->falls[fall])) {
        frame->type = BRIDGE_PACKED_CHUNK;
        end = put_chunk(queue, &queue->falls[fall], space);
    } else if (fall < BRIDGE_FALL_EVENTS_MAX) {
        frame->type = BRIDGE_FALL_CANDIDATE;
        end = put_candidate(queue, &queue->falls[fall], now_ms, space);
    }
    frame->payload = space;
    frame->payload_bytes = (uint8_t)(end - space);
    return end > space;
}

static void note_sent(struct bridge_repeat *repeat, uint32_t now_ms)
{
    repeat->sent_ms = now_ms;
    repeat->tries++;
}

static void note_fall_sent(struct bridge_fall_event *fall, uint32_t now_ms)
{
    if (is_between_sets(fall)) {
        fall->next_chunk = 0;
        note_sent(&fall->repeat, now_ms);
    } else {
        fall->next_chunk++;
        fall->repeat.sent_ms = now_ms;
    }
}

void bridge_event_queue_sent(struct bridge_event_queue *queue, uint32_t now_ms)
{
    const uint8_t sos = due_sos(queue, now_ms);
    const size_t fall = due_fall(queue, now_ms);
    if (sos < queue->sos_count) {
        note_sent(&queue->sos[sos].repeat, now_ms);
    } else if (fall < BRIDGE_FALL_EVENTS_MAX) {
        note_fall_sent(&queue->falls[fall], now_ms);
    }
}

uint8_t bridge_event_queue_waiting(const struct bridge_event_queue *queue)
{
    uint8_t waiting = queue->sos_count;
    for (size_t index = 0; index < BRIDGE_FALL_EVENTS_MAX; index++) {
        waiting = (uint8_t)(waiting + (queue->falls[index].is_waiting ? 1 : 0));
    }
    return waiting;
}
