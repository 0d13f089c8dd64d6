/* The SOS pendant on an nRF51, for its size and stack: the button is button A of a micro:bit, pin 17, low while pressed. */
#include "nrf51.h"
#include "sos_pendant.h"

#define TICKS_PER_MS 16000U
#define GPIO_IN (*(volatile uint32_t *)0x50000510U) /* nRF51 Series Reference Manual 3.0, section 14 */
#define BUTTON_A 17U
#define ADDRESS 9
#define BOOT_ADDRESS (*(volatile uint32_t *)0x100000A4U) /* FICR, DEVICEADDR[0]: stands for a noise source */

static struct sos_pendant pendant;

static uint32_t clock_ms(void *context)
{
    (void)context;
    return nrf51_ticks() / TICKS_PER_MS;
}

static bool sos_is_pressed(void *context)
{
    (void)context;
    return (GPIO_IN >> BUTTON_A & 1U) == 0;
}

static uint8_t battery_percent(void *context)
{
    (void)context;
    return BRIDGE_BATTERY_UNKNOWN;
}

static uint16_t random_u16(void *context)
{
    (void)context;
    return (uint16_t)(BOOT_ADDRESS ^ nrf51_ticks());
}

static const struct bridge_hal HAL = {
    .clock_ms = clock_ms,
    .uart_read = nrf51_uart_read,
    .uart_write = nrf51_uart_write,
    .sos_is_pressed = sos_is_pressed,
    .random_u16 = random_u16,
    .battery_percent = battery_percent,
};

int main(void)
{
    nrf51_start();
    sos_pendant_init(&pendant, &HAL, ADDRESS);
    for (;;) {
        sos_pendant_poll(&pendant);
    }
}
