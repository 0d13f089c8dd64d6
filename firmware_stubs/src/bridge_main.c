/* The wearable's poll loop; bridge_main.h is the manual. */
#include "bridge_main.h"
#include "little_endian.h"

#include "memory.h"

enum bridge_status bridge_init(struct bridge *bridge, const struct bridge_hal *hal, const struct bridge_config *config)
{
    memset(bridge, 0, sizeof *bridge);
    if (config->vitals_period_ms == 0) {
        return BRIDGE_ERROR_RATE;
    }
    if (config->windows == NULL) {
        return BRIDGE_ERROR_SPACE;
    }
    const enum bridge_status linked = bridge_link_init(&bridge->link, hal, config->address);
    if (linked != BRIDGE_OK) {
        return linked;
    }
    bridge->vitals_period_ms = config->vitals_period_ms;
    bridge->vitals_ms = hal->clock_ms(hal->context) - config->vitals_period_ms;
    bridge->events.windows = config->windows;
    bridge->events.window_space = config->space_samples;
    bridge->events.boot = hal->random_u16(hal->context);
    return bridge_fall_init(&bridge->fall_detector, config->ring, config->space_samples, config->rate_hz, config->placement);
}

static bool take_sample(struct bridge *bridge)
{
    struct bridge_sample sample;
    if (!bridge->link.hal->sample_next(bridge->link.hal->context, &sample)) {
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
        bridge_event_queue_add_fall(&bridge->events, &bridge->fall_detector, &candidate, now_ms);
        bridge_sos_note_fall(&bridge->sos_button, now_ms);
    }
}

static void watch_button(struct bridge *bridge, uint32_t now_ms)
{
    const bool is_pressed = bridge->link.hal->sos_is_pressed(bridge->link.hal->context);
    const enum bridge_sos_kind kind = bridge_sos_feed(&bridge->sos_button, is_pressed, now_ms);
    if (kind != BRIDGE_SOS_NONE) {
        bridge_event_queue_add_sos(&bridge->events, kind, now_ms);
    }
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
    put_vitals(&bridge->sample, bridge_link_payload(&bridge->link));
    if (!bridge_link_begin(&bridge->link, BRIDGE_WEARABLE_VITALS, BRIDGE_WEARABLE_VITALS_BYTES, now_ms)) {
        return false;
    }
    bridge->vitals_ms = now_ms;
    bridge->has_new_sample = false;
    return true;
}

static bool transmit(struct bridge *bridge, uint32_t now_ms)
{
    if (!bridge_link_is_free(&bridge->link)) {
        return bridge_link_go_on(&bridge->link, now_ms);
    }
    return bridge_link_begin_event(&bridge->link, &bridge->events, now_ms) || send_vitals(bridge, now_ms);
}

bool bridge_poll(struct bridge *bridge)
{
    const bool has_sample = take_sample(bridge);
    const uint32_t now_ms = bridge->link.hal->clock_ms(bridge->link.hal->context);
    if (has_sample) {
        watch_for_fall(bridge, now_ms);
    }
    watch_button(bridge, now_ms);
    const bool has_received = bridge_link_receive(&bridge->link, &bridge->events);
    bridge_event_queue_give_up(&bridge->events, now_ms);
    const bool has_sent = transmit(bridge, now_ms);
    return has_sample || has_received || has_sent;
}

bool bridge_is_idle(const struct bridge *bridge)
{
    return bridge_event_queue_waiting(&bridge->events) == 0 && bridge_link_is_free(&bridge->link);
}
