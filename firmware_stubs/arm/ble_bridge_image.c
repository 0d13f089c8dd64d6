/* The BLE-to-UART bridge on an nRF51, for its size and stack. The radio's stack is the board's to add: this one hears nothing. */
#include "ble_bridge.h"
#include "nrf51.h"

#define TICKS_PER_MS 16000U
#define ADDRESS 20

static struct ble_bridge bridge;
static const struct ble_bond BONDS[] = {{.peer = {0xC0, 0x00, 0x00, 0x00, 0x00, 0x01}, .address = 21}};

static uint32_t clock_ms(void *context)
{
    (void)context;
    return nrf51_ticks() / TICKS_PER_MS;
}

static bool radio_read(void *context, struct bridge_radio_packet *packet)
{
    (void)context;
    (void)packet;
    return false;
}

static bool radio_write(void *context, const uint8_t peer[BRIDGE_PEER_BYTES], const uint8_t *bytes, size_t length)
{
    (void)context;
    (void)peer;
    (void)bytes;
    (void)length;
    return false;
}

static const struct bridge_hal HAL = {
    .clock_ms = clock_ms,
    .uart_read = nrf51_uart_read,
    .uart_write = nrf51_uart_write,
    .radio_read = radio_read,
    .radio_write = radio_write,
};

int main(void)
{
    const struct ble_bridge_config config = {.bonds = BONDS, .bond_count = 1, .address = ADDRESS};
    nrf51_start();
    ble_bridge_init(&bridge, &HAL, &config);
    for (;;) {
        ble_bridge_poll(&bridge);
    }
}
