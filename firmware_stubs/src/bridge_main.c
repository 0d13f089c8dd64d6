/* The poll loop; bridge_main.h is the manual. */
#include "bridge_main.h"
#include "little_endian.h"

#include <string.h>

enum bridge_status bridge_init(struct bridge *bridge, const struct bridge_hal *hal, const struct bridge_config *config)
{
    if (config->address == 0) {
        return BRIDGE_ERROR_ADDRESS;
    }
    if (config->vitals_period_ms == 0) {
        return BRIDGE_ERROR_RATE;
    }
    memset(bridge, 0, sizeof *bridge);
    bridge->hal = *hal;
    bridge->address = config->address;
    bridge->vitals_period_ms = config->vitals_period_ms;
    bridge->vitals_ms = hal->clock_ms(hal->context) - config->vitals_period_ms;
    bridge->events.window = config->window;
    bridge->events.boot = hal->random_u16(hal->context);
    return bridge_fall_init(&bridge->fall_detector, config->ring, config->space_samples, config->rate_hz);
}

static bool take_sample(struct bridge *bridge)
{
    struct bridge_sample sample;
    if (!bridge->hal.sample_next(bridge->hal.context, &sample)) {
        return false;
    }
    bridge->sample = sample;
    bridge->has_new_sample = true;
    return true;
}

static void watch_for_fall(struct bridge *bridge, uint32_t now_ms)
{
    struct bridge_fall_candidate candidate;
    if (bridge_fall_feed(&bridge->fall_detector, bridge->sample.acceleration, &candidate)) {
        bridge_event_queue_add_fall(&bridge->events, &bridge->fall_detector, candidate, now_ms);
    }
}

static void watch_button(struct bridge *bridge, uint32_t now_ms)
{
    const bool is_pressed = bridge->hal.sos_is_pressed(bridge->hal.context);
    const enum bridge_sos_kind kind = bridge_sos_feed(&bridge->sos_button, is_pressed, now_ms);
    if (kind != BRIDGE_SOS_NONE) {
        bridge_event_queue_add_sos(&bridge->events, kind, now_ms);
    }
}

/* Act on one received frame. On a line shared by several devices, those for others and of other types pass by. */
static enum bridge_status handle(struct bridge *bridge, const struct bridge_frame *frame)
{
    if (frame->address != bridge->address || frame->type != BRIDGE_ACK) {
        return BRIDGE_OK;
    }
    return bridge_event_queue_acknowledge(&bridge->events, frame->payload, frame->payload_bytes);
}

static bool receive(struct bridge *bridge)
{
    uint8_t bytes[BRIDGE_READ_BYTES_MAX];
    const size_t length = bridge->hal.uart_read(bridge->hal.context, bytes, sizeof bytes);
    for (size_t at = 0; at < length; at++) {
        struct bridge_frame frame;
        enum bridge_status status = bridge_frame_feed(&bridge->reader, bytes[at], &frame);
        if (status == BRIDGE_OK) {
            status = handle(bridge, &frame);
        }
        if (status < 0) {
            bridge->frames_rejected++;
        }
    }
    return length > 0;
}

/* Offer the rest of the frame to the UART; false when it takes nothing. */
static bool push(struct bridge *bridge, uint32_t now_ms)
{
    const size_t left = (size_t)(bridge->wire_bytes - bridge->wire_sent);
    const size_t taken = bridge->hal.uart_write(bridge->hal.context, bridge->wire + bridge->wire_sent, left);
    if (taken == 0) {
        return false;
    }
    bridge->wire_sent = (uint16_t)(bridge->wire_sent + taken);
    bridge->moved_ms = now_ms;
    return true;
}

/* Go on with a frame that is half sent. A stalled one is cut off: the zero in front of the next frame ends it for the reader. */
static bool go_on(struct bridge *bridge, uint32_t now_ms)
{
    if (now_ms - bridge->moved_ms < BRIDGE_STALL_MS) {
        return push(bridge, now_ms);
    }
    bridge->wire_sent = bridge->wire_bytes;
    bridge->frames_cut_off++;
    return false;
}

/* Seal a frame of this type and payload and begin it; false when the UART takes no byte: it never was, and uses up no number. */
static bool begin(struct bridge *bridge, struct bridge_frame frame, uint32_t now_ms)
{
    frame.address = bridge->address;
    frame.counter = bridge->next_counter;
    bridge->wire_bytes = (uint16_t)bridge_frame_seal(&frame, bridge->wire, sizeof bridge->wire);
    bridge->wire_sent = 0;
    if (!push(bridge, now_ms)) {
        bridge->wire_sent = bridge->wire_bytes;
        return false;
    }
    bridge->next_counter++;
    return true;
}

static void put_vitals(const struct bridge_sample *sample, uint8_t *payload)
{
    uint8_t *at = bridge_put_u8(payload, sample->heart_rate_per_min);
    at = bridge_put_u8(at, sample->spo2_percent);
    at = bridge_put_i16(at, sample->skin_temperature_centi_c);
    at = bridge_put_u16(at, sample->steps);
    at = bridge_put_u8(at, sample->battery_percent);
    bridge_put_u8(at, sample->is_worn ? BRIDGE_VITALS_WORN : 0);
}

static bool send_vitals(struct bridge *bridge, uint32_t now_ms)
{
    if (!bridge->has_new_sample || now_ms - bridge->vitals_ms < bridge->vitals_period_ms) {
        return false;
    }
    uint8_t payload[BRIDGE_WEARABLE_VITALS_BYTES];
    put_vitals(&bridge->sample, payload);
    const struct bridge_frame frame = {.payload = payload, .payload_bytes = sizeof payload, .type = BRIDGE_WEARABLE_VITALS};
    if (!begin(bridge, frame, now_ms)) {
        return false;
    }
    bridge->vitals_ms = now_ms;
    bridge->has_new_sample = false;
    return true;
}

static bool send_event(struct bridge *bridge, struct bridge_frame frame, uint32_t now_ms)
{
    if (!begin(bridge, frame, now_ms)) {
        return false;
    }
    bridge_event_queue_sent(&bridge->events, now_ms);
    return true;
}

static bool transmit(struct bridge *bridge, uint32_t now_ms)
{
    if (bridge->wire_sent < bridge->wire_bytes) {
        return go_on(bridge, now_ms);
    }
    uint8_t payload[BRIDGE_PAYLOAD_BYTES_MAX];
    struct bridge_frame frame;
    if (bridge_event_queue_next(&bridge->events, now_ms, payload, &frame)) {
        return send_event(bridge, frame, now_ms);
    }
    return send_vitals(bridge, now_ms);
}

bool bridge_poll(struct bridge *bridge)
{
    const bool has_sample = take_sample(bridge);
    const uint32_t now_ms = bridge->hal.clock_ms(bridge->hal.context);
    if (has_sample) {
        watch_for_fall(bridge, now_ms);
    }
    watch_button(bridge, now_ms);
    const bool has_received = receive(bridge);
    bridge_event_queue_give_up(&bridge->events, now_ms);
    const bool has_sent = transmit(bridge, now_ms);
    return has_sample || has_received || has_sent;
}

bool bridge_is_idle(const struct bridge *bridge)
{
    return bridge_event_queue_waiting(&bridge->events) == 0 && bridge->wire_sent == bridge->wire_bytes;
}
