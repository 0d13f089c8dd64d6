/*
 * The BLE-to-UART bridge: what our own devices say over the air goes to the gateway frame by frame, what the gateway acknowledges goes
 * back to the device it is for, and notifications of health devices are put into frames of their own.
 *
 *     own device  ~~ pieces of sealed frames ~~>  reader of that peer  -->  urgent or ordinary queue  -->  UART
 *     own device  <~~ acknowledgement ~~~~~~~~~~  the peer that last spoke with this address  <----------  UART
 *     health device  ~~ notification ~~>  bond: its address  -->  ordinary queue as BLE_NOTIFICATION  -->  UART
 *
 * Nothing is stored for later: a device repeats an event until it is acknowledged, so a frame that finds no room is counted and dropped.
 * SOS, candidates and their chunks have a queue of their own and go first; vitals never keep them out. A frame is passed on as it was,
 * with the counter of its sender. Which of our own devices may connect is the radio's to decide, by pairing; a health device that is not
 * bonded is not passed on: an air full of strangers costs nothing but a count.
 *
 * One peer may speak for one address only; a second peer with the same address takes it over, as after a change of battery.
 */
#ifndef BLE_BRIDGE_H
#define BLE_BRIDGE_H

#include "bridge_frame.h"
#include "bridge_hal.h"

#define BLE_BRIDGE_PEERS_MAX 8
#define BLE_BRIDGE_REACH_MS 60000 /* who said nothing for so long is out of reach */
#define BLE_BRIDGE_STATUS_MS 10000
#define BLE_BRIDGE_STALL_MS 2000
#define BLE_BRIDGE_READ_BYTES_MAX 32
#define BLE_BRIDGE_URGENT_BYTES 1024
#define BLE_BRIDGE_ORDINARY_BYTES 512

/* A health device that belongs to this home. */
struct ble_bond {
    uint8_t peer[BRIDGE_PEER_BYTES];
    uint16_t address; /* 1..65535, as the gateway's configuration has it */
};

/* Frames in the order they came, each behind its header; in the caller's memory. */
struct frame_queue {
    uint8_t *bytes;
    uint16_t space;
    uint16_t first;
    uint16_t used;
};

/* One of our own devices. */
struct ble_peer {
    uint8_t peer[BRIDGE_PEER_BYTES];
    bool is_used;
    uint16_t address; /* of its last frame; 0 none yet */
    uint32_t heard_ms;
    struct bridge_frame_reader reader;
    uint8_t stuffed[BRIDGE_STUFFED_BYTES_MAX];
};

struct ble_bridge_config {
    const struct ble_bond *bonds; /* the caller's */
    uint8_t bond_count;
    uint16_t address; /* the bridge's own, 1..65535 */
};

/* All state; 5.0 KiB, the caller's. */
struct ble_bridge {
    const struct bridge_hal *hal;
    struct ble_bridge_config config;
    uint32_t frames_rejected; /* broken, from either side; wraps */
    uint32_t frames_cut_off;
    uint32_t strangers; /* notifications of who is not bonded; wraps */
    uint32_t status_ms;
    uint32_t moved_ms;
    uint16_t dropped; /* frames that found no room, either way; stays at 65535 */
    uint16_t next_counter;
    uint16_t wire_bytes;
    uint16_t wire_sent;
    struct frame_queue urgent;
    struct frame_queue ordinary;
    struct bridge_frame_reader reader;
    struct bridge_radio_packet packet;
    struct ble_peer peers[BLE_BRIDGE_PEERS_MAX];
    uint8_t stuffed[BRIDGE_STUFFED_BYTES_MAX];
    uint8_t wire[BRIDGE_WIRE_BYTES_MAX];
    uint8_t urgent_bytes[BLE_BRIDGE_URGENT_BYTES];
    uint8_t ordinary_bytes[BLE_BRIDGE_ORDINARY_BYTES];
};

/* Start. `hal` and the bonds stay the caller's and must outlive the bridge. BRIDGE_ERROR_ADDRESS for an address of 0. */
enum bridge_status ble_bridge_init(struct ble_bridge *bridge, const struct bridge_hal *hal, const struct ble_bridge_config *config);

/* One step: at most one notification, BLE_BRIDGE_READ_BYTES_MAX bytes from the gateway, and one frame begun or continued. As bridge_poll. */
bool ble_bridge_poll(struct ble_bridge *bridge);

/* Whether nothing waits and no frame is half sent. */
bool ble_bridge_is_idle(const struct ble_bridge *bridge);

#endif
