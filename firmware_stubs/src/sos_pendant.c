/* The pendant's poll loop; sos_pendant.h is the manual. */
#include "sos_pendant.h"
#include "little_endian.h"
#include "memory.h"

enum bridge_status sos_pendant_init(struct sos_pendant *pendant, const struct bridge_hal *hal, uint16_t address)
{
    memset(pendant, 0, sizeof *pendant);
    const enum bridge_status linked = bridge_link_init(&pendant->link, hal, address);
    if (linked != BRIDGE_OK) {
        return linked;
    }
    pendant->events.boot = hal->random_u16(hal->context);
    pendant->status_ms = hal->clock_ms(hal->context) - SOS_PENDANT_STATUS_MS;
    return BRIDGE_OK;
}

static void watch_button(struct sos_pendant *pendant, uint32_t now_ms)
{
    const bool is_pressed = pendant->link.hal->sos_is_pressed(pendant->link.hal->context);
    const enum bridge_sos_kind kind = bridge_sos_feed(&pendant->button, is_pressed, now_ms);
    if (kind != BRIDGE_SOS_NONE) {
        bridge_event_queue_add_sos(&pendant->events, kind, now_ms);
    }
}

static bool send_status(struct sos_pendant *pendant, uint32_t now_ms)
{
    const uint8_t battery_percent = pendant->link.hal->battery_percent(pendant->link.hal->context);
    const bool has_become_known = pendant->told_percent == BRIDGE_BATTERY_UNKNOWN && battery_percent != BRIDGE_BATTERY_UNKNOWN;
    if (!has_become_known && now_ms - pendant->status_ms < SOS_PENDANT_STATUS_MS) {
        return false;
    }
    bridge_put_u8(bridge_link_payload(&pendant->link), battery_percent);
    if (!bridge_link_begin(&pendant->link, BRIDGE_PENDANT_STATUS, BRIDGE_PENDANT_STATUS_BYTES, now_ms)) {
        return false;
    }
    pendant->status_ms = now_ms;
    pendant->told_percent = battery_percent;
    return true;
}

static bool transmit(struct sos_pendant *pendant, uint32_t now_ms)
{
    if (!bridge_link_is_free(&pendant->link)) {
        return bridge_link_go_on(&pendant->link, now_ms);
    }
    return bridge_link_begin_event(&pendant->link, &pendant->events, now_ms) || send_status(pendant, now_ms);
}

bool sos_pendant_poll(struct sos_pendant *pendant)
{
    const uint32_t now_ms = pendant->link.hal->clock_ms(pendant->link.hal->context);
    watch_button(pendant, now_ms);
    const bool has_received = bridge_link_receive(&pendant->link, &pendant->events);
    bridge_event_queue_give_up(&pendant->events, now_ms);
    const bool has_sent = transmit(pendant, now_ms);
    return has_received || has_sent;
}

bool sos_pendant_is_idle(const struct sos_pendant *pendant)
{
    return bridge_event_queue_waiting(&pendant->events) == 0 && bridge_link_is_free(&pendant->link);
}
