/* Air to UART and back; ble_bridge.h is the manual. */
#include "ble_bridge.h"
#include "little_endian.h"
#include "memory.h"

#define QUEUED_HEADER_BYTES 6 /* length, type, address, counter */

static bool is_same_peer(const uint8_t *a, const uint8_t *b)
{
    for (size_t at = 0; at < BRIDGE_PEER_BYTES; at++) {
        if (a[at] != b[at]) {
            return false;
        }
    }
    return true;
}

enum bridge_status ble_bridge_init(struct ble_bridge *bridge, const struct bridge_hal *hal, const struct ble_bridge_config *config)
{
    memset(bridge, 0, sizeof *bridge);
    if (config->address == 0) {
        return BRIDGE_ERROR_ADDRESS;
    }
    for (uint8_t at = 0; at < config->bond_count; at++) {
        if (config->bonds[at].address == 0) {
            return BRIDGE_ERROR_ADDRESS;
        }
    }
    bridge->hal = hal;
    bridge->config = *config;
    bridge->urgent = (struct frame_queue){.bytes = bridge->urgent_bytes, .space = sizeof bridge->urgent_bytes};
    bridge->ordinary = (struct frame_queue){.bytes = bridge->ordinary_bytes, .space = sizeof bridge->ordinary_bytes};
    bridge->reader = (struct bridge_frame_reader){.stuffed = bridge->stuffed, .space = sizeof bridge->stuffed};
    bridge->status_ms = hal->clock_ms(hal->context) - BLE_BRIDGE_STATUS_MS;
    return BRIDGE_OK;
}

static void queue_put(struct frame_queue *queue, uint8_t byte)
{
    const uint32_t at = (uint32_t)queue->first + queue->used;
    queue->bytes[at < queue->space ? at : at - queue->space] = byte;
    queue->used++;
}

static uint8_t queue_take(struct frame_queue *queue)
{
    const uint8_t byte = queue->bytes[queue->first];
    queue->first = (uint16_t)(queue->first + 1U == queue->space ? 0U : queue->first + 1U);
    queue->used--;
    return byte;
}

static void count_dropped(struct ble_bridge *bridge)
{
    if (bridge->dropped < UINT16_MAX) {
        bridge->dropped++;
    }
}

static void enqueue(struct ble_bridge *bridge, struct frame_queue *queue, const struct bridge_frame *frame)
{
    const uint32_t needed = QUEUED_HEADER_BYTES + (uint32_t)frame->payload_bytes;
    if (frame->payload_bytes > BRIDGE_PAYLOAD_BYTES_MAX || needed > (uint32_t)queue->space - queue->used) {
        count_dropped(bridge);
        return;
    }
    uint8_t header[QUEUED_HEADER_BYTES];
    uint8_t *at = bridge_put_u8(bridge_put_u8(header, frame->payload_bytes), frame->type);
    bridge_put_u16(bridge_put_u16(at, frame->address), frame->counter);
    for (size_t index = 0; index < sizeof header; index++) {
        queue_put(queue, header[index]);
    }
    for (size_t index = 0; index < frame->payload_bytes; index++) {
        queue_put(queue, frame->payload[index]);
    }
}

/* The oldest frame, its payload written to `payload`; false for an empty queue. */
static bool dequeue(struct frame_queue *queue, uint8_t *payload, struct bridge_frame *frame)
{
    if (queue->used == 0) {
        return false;
    }
    uint8_t header[QUEUED_HEADER_BYTES];
    for (size_t index = 0; index < sizeof header; index++) {
        header[index] = queue_take(queue);
    }
    *frame = (struct bridge_frame){
        .payload = payload,
        .address = bridge_get_u16(header + 2),
        .counter = bridge_get_u16(header + 4),
        .payload_bytes = header[0],
        .type = header[1],
    };
    for (size_t index = 0; index < frame->payload_bytes; index++) {
        payload[index] = queue_take(queue);
    }
    return true;
}

/* What an elder's life may hang on, and what belongs to it. */
static bool is_urgent(uint8_t type)
{
    return type == BRIDGE_SOS || type == BRIDGE_FALL_CANDIDATE || type == BRIDGE_PACKED_CHUNK || type == BRIDGE_WINDOW_CHUNK;
}

/* The peer's place: its own, a free one, or that of whom was silent longest. */
static struct ble_peer *place_of(struct ble_bridge *bridge, const uint8_t *peer, uint32_t now_ms)
{
    struct ble_peer *chosen = &bridge->peers[0];
    for (size_t at = 0; at < BLE_BRIDGE_PEERS_MAX; at++) {
        struct ble_peer *const place = &bridge->peers[at];
        if (place->is_used && is_same_peer(place->peer, peer)) {
            return place;
        }
        const bool is_better = chosen->is_used && (!place->is_used || now_ms - place->heard_ms > now_ms - chosen->heard_ms);
        chosen = is_better ? place : chosen;
    }
    memset(chosen, 0, sizeof *chosen);
    memcpy(chosen->peer, peer, BRIDGE_PEER_BYTES);
    chosen->is_used = true;
    chosen->reader = (struct bridge_frame_reader){.stuffed = chosen->stuffed, .space = sizeof chosen->stuffed};
    return chosen;
}

/* From now on this peer speaks for the address. */
static void claim(struct ble_bridge *bridge, struct ble_peer *peer, uint16_t address)
{
    for (size_t at = 0; at < BLE_BRIDGE_PEERS_MAX; at++) {
        if (bridge->peers[at].address == address) {
            bridge->peers[at].address = 0;
        }
    }
    peer->address = address;
}

static void hear_own(struct ble_bridge *bridge, const struct bridge_radio_packet *packet, uint32_t now_ms)
{
    struct ble_peer *const peer = place_of(bridge, packet->peer, now_ms);
    peer->heard_ms = now_ms;
    for (size_t at = 0; at < packet->bytes; at++) {
        struct bridge_frame frame;
        const enum bridge_status status = bridge_frame_feed(&peer->reader, packet->value[at], &frame);
        if (status == BRIDGE_OK && frame.type != BRIDGE_ACK) {
            claim(bridge, peer, frame.address);
            enqueue(bridge, is_urgent(frame.type) ? &bridge->urgent : &bridge->ordinary, &frame);
        } else if (status != BRIDGE_UNFINISHED) {
            bridge->frames_rejected++;
        }
    }
}

static void hear_health_device(struct ble_bridge *bridge, const struct bridge_radio_packet *packet)
{
    uint16_t address = 0;
    for (uint8_t at = 0; at < bridge->config.bond_count; at++) {
        if (is_same_peer(bridge->config.bonds[at].peer, packet->peer)) {
            address = bridge->config.bonds[at].address;
        }
    }
    if (address == 0) {
        bridge->strangers++;
        return;
    }
    if (packet->bytes > BRIDGE_BLE_VALUE_BYTES_MAX) {
        count_dropped(bridge);
        return;
    }
    uint8_t payload[BRIDGE_BLE_NOTIFICATION_HEADER_BYTES + BRIDGE_BLE_VALUE_BYTES_MAX];
    memcpy(bridge_put_u16(payload, packet->characteristic), packet->value, packet->bytes);
    const struct bridge_frame frame = {
        .payload = payload,
        .address = address,
        .counter = bridge->next_counter++,
        .payload_bytes = (uint8_t)(BRIDGE_BLE_NOTIFICATION_HEADER_BYTES + packet->bytes),
        .type = BRIDGE_BLE_NOTIFICATION,
    };
    enqueue(bridge, &bridge->ordinary, &frame);
}

static bool hear(struct ble_bridge *bridge, uint32_t now_ms)
{
    struct bridge_radio_packet *const packet = &bridge->packet;
    if (!bridge->hal->radio_read(bridge->hal->context, packet)) {
        return false;
    }
    if (packet->bytes > BRIDGE_RADIO_BYTES_MAX) {
        count_dropped(bridge);
    } else if (packet->characteristic == BRIDGE_RADIO_OWN) {
        hear_own(bridge, packet, now_ms);
    } else {
        hear_health_device(bridge, packet);
    }
    return true;
}

/* Pass an acknowledgement on to the device it is for. One that cannot be reached will repeat its event, and be answered again. */
static void answer(struct ble_bridge *bridge, const struct bridge_frame *frame)
{
    if (frame->type != BRIDGE_ACK || frame->payload_bytes != BRIDGE_ACK_BYTES) {
        return;
    }
    for (size_t at = 0; at < BLE_BRIDGE_PEERS_MAX; at++) {
        const struct ble_peer *const peer = &bridge->peers[at];
        if (peer->is_used && peer->address == frame->address) {
            uint8_t wire[BRIDGE_WIRE_BYTES(BRIDGE_ACK_BYTES)];
            const int sealed = bridge_frame_seal(frame, wire, sizeof wire);
            if (sealed <= 0 || !bridge->hal->radio_write(bridge->hal->context, peer->peer, wire, (size_t)sealed)) {
                count_dropped(bridge);
            }
            return;
        }
    }
}

static bool receive(struct ble_bridge *bridge)
{
    uint8_t bytes[BLE_BRIDGE_READ_BYTES_MAX];
    const size_t length = bridge->hal->uart_read(bridge->hal->context, bytes, sizeof bytes);
    for (size_t at = 0; at < length && at < sizeof bytes; at++) {
        struct bridge_frame frame;
        const enum bridge_status status = bridge_frame_feed(&bridge->reader, bytes[at], &frame);
        if (status == BRIDGE_OK) {
            answer(bridge, &frame);
        } else if (status != BRIDGE_UNFINISHED) {
            bridge->frames_rejected++;
        }
    }
    return length > 0;
}

static void queue_status(struct ble_bridge *bridge, uint32_t now_ms)
{
    if (now_ms - bridge->status_ms < BLE_BRIDGE_STATUS_MS) {
        return;
    }
    bridge->status_ms = now_ms;
    uint8_t reached = 0;
    for (size_t at = 0; at < BLE_BRIDGE_PEERS_MAX; at++) {
        const struct ble_peer *const peer = &bridge->peers[at];
        reached = (uint8_t)(reached + (peer->is_used && now_ms - peer->heard_ms < BLE_BRIDGE_REACH_MS ? 1 : 0));
    }
    uint8_t payload[BRIDGE_BLE_BRIDGE_STATUS_BYTES];
    bridge_put_u16(bridge_put_u8(payload, reached), bridge->dropped);
    const struct bridge_frame frame = {
        .payload = payload,
        .address = bridge->config.address,
        .counter = bridge->next_counter++,
        .payload_bytes = sizeof payload,
        .type = BRIDGE_BLE_BRIDGE_STATUS,
    };
    enqueue(bridge, &bridge->ordinary, &frame);
}

/* Offer the rest of the frame to the UART; false when it takes nothing. */
static bool push(struct ble_bridge *bridge, uint32_t now_ms)
{
    const size_t left = (size_t)(bridge->wire_bytes - bridge->wire_sent);
    const size_t taken = bridge->hal->uart_write(bridge->hal->context, bridge->wire + bridge->wire_sent, left);
    if (taken > 0 && taken <= left) {
        bridge->wire_sent = (uint16_t)(bridge->wire_sent + taken);
        bridge->moved_ms = now_ms;
        return true;
    }
    /* A frame that has not begun waits; one that stands half sent is cut off, and the zero before the next one ends it. */
    if (bridge->wire_sent > 0 && now_ms - bridge->moved_ms >= BLE_BRIDGE_STALL_MS) {
        bridge->wire_sent = bridge->wire_bytes;
        bridge->frames_cut_off++;
    }
    return false;
}

static bool transmit(struct ble_bridge *bridge, uint32_t now_ms)
{
    if (bridge->wire_sent == bridge->wire_bytes) {
        struct bridge_frame frame;
        uint8_t *const payload = bridge->wire + BRIDGE_WIRE_PAYLOAD_AT;
        if (!dequeue(&bridge->urgent, payload, &frame) && !dequeue(&bridge->ordinary, payload, &frame)) {
            return false;
        }
        const int sealed = bridge_frame_seal(&frame, bridge->wire, sizeof bridge->wire);
        bridge->wire_bytes = sealed > 0 ? (uint16_t)sealed : 0;
        bridge->wire_sent = 0;
    }
    return push(bridge, now_ms);
}

bool ble_bridge_poll(struct ble_bridge *bridge)
{
    const uint32_t now_ms = bridge->hal->clock_ms(bridge->hal->context);
    const bool has_heard = hear(bridge, now_ms);
    const bool has_received = receive(bridge);
    queue_status(bridge, now_ms);
    const bool has_sent = transmit(bridge, now_ms);
    return has_heard || has_received || has_sent;
}

bool ble_bridge_is_idle(const struct ble_bridge *bridge)
{
    return bridge->urgent.used == 0 && bridge->ordinary.used == 0 && bridge->wire_sent == bridge->wire_bytes;
}
