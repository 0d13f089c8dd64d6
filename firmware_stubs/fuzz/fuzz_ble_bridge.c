/*
 * A BLE bridge that hears any notifications and any bytes from the gateway: memory stays in bounds, its queues hold whole frames, and every
 * byte it sends belongs to a frame that can be read.
 */
#include "desk.h"

#include "ble_bridge.h"

static const struct ble_bond BONDS[] = {{.peer = {1, 2, 3, 4, 5, 6}, .address = 9}, {.peer = {0}, .address = 10}};

static bool radio_read(void *context, struct bridge_radio_packet *packet)
{
    struct desk *const desk = context;
    const uint8_t what = fuzz_u8(&desk->input);
    memset(packet->peer, 0, sizeof packet->peer);
    packet->peer[5] = what & 15U;
    packet->characteristic = (what & 32U) != 0 ? fuzz_u16(&desk->input) : BRIDGE_RADIO_OWN;
    packet->bytes = (what & 128U) != 0 ? 255 : (uint8_t)fuzz_line(&desk->input, packet->value, sizeof packet->value);
    return (what & 64U) == 0;
}

static bool radio_write(void *context, const uint8_t peer[BRIDGE_PEER_BYTES], const uint8_t *bytes, size_t length)
{
    (void)context;
    MUST(length == BRIDGE_WIRE_BYTES(BRIDGE_ACK_BYTES) && bytes[0] == 0 && bytes[length - 1] == 0);
    return peer[5] != 3;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct desk desk;
    desk_begin(&desk, data, size);
    const struct bridge_hal hal = {
        .context = &desk,
        .clock_ms = desk_clock_ms,
        .uart_read = desk_uart_read,
        .uart_write = desk_uart_write,
        .radio_read = radio_read,
        .radio_write = radio_write,
    };
    const struct ble_bridge_config config = {.bonds = BONDS, .bond_count = 2, .address = 1};
    struct ble_bridge *const bridge = malloc(sizeof *bridge);
    MUST(bridge != NULL);
    MUST(ble_bridge_init(bridge, &hal, &config) == BRIDGE_OK);
    while (desk.input.left > 0) {
        desk_step(&desk);
        const uint32_t cut_off = bridge->frames_cut_off;
        ble_bridge_poll(bridge);
        desk.is_cut = desk.is_cut || bridge->frames_cut_off != cut_off;
        MUST(bridge->urgent.used <= bridge->urgent.space && bridge->ordinary.used <= bridge->ordinary.space);
    }
    free(bridge);
    return 0;
}
