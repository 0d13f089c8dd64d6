/* UART and timer of an nRF51; nrf51.h is the manual. */
#include "nrf51.h"

#define REGISTER(address) (*(volatile uint32_t *)(address))

#define UART 0x40002000U
#define UART_START_RX REGISTER(UART + 0x000)
#define UART_START_TX REGISTER(UART + 0x008)
#define UART_RX_READY REGISTER(UART + 0x108)
#define UART_TX_READY REGISTER(UART + 0x11C)
#define UART_ENABLE REGISTER(UART + 0x500)
#define UART_PIN_TX REGISTER(UART + 0x50C)
#define UART_PIN_RX REGISTER(UART + 0x514)
#define UART_RX REGISTER(UART + 0x518)
#define UART_TX REGISTER(UART + 0x51C)
#define UART_BAUD REGISTER(UART + 0x524)
#define UART_ON 4U
#define BAUD_115200 0x01D7E000U
#define MICROBIT_TX 24U
#define MICROBIT_RX 25U

#define TIMER 0x40008000U
#define TIMER_START REGISTER(TIMER + 0x000)
#define TIMER_CAPTURE_0 REGISTER(TIMER + 0x040)
#define TIMER_BITS REGISTER(TIMER + 0x508)
#define TIMER_PRESCALER REGISTER(TIMER + 0x510)
#define TIMER_COUNT_0 REGISTER(TIMER + 0x540)
#define TIMER_32_BITS 3U

void nrf51_start(void)
{
    UART_PIN_TX = MICROBIT_TX;
    UART_PIN_RX = MICROBIT_RX;
    UART_BAUD = BAUD_115200;
    UART_ENABLE = UART_ON;
    UART_START_RX = 1;
    UART_START_TX = 1;
    TIMER_BITS = TIMER_32_BITS;
    TIMER_PRESCALER = 0;
    TIMER_START = 1;
}

size_t nrf51_uart_read(void *context, uint8_t *bytes, size_t space)
{
    (void)context;
    size_t got = 0;
    while (got < space && UART_RX_READY != 0) {
        UART_RX_READY = 0;
        bytes[got++] = (uint8_t)UART_RX;
    }
    return got;
}

size_t nrf51_uart_write(void *context, const uint8_t *bytes, size_t length)
{
    (void)context;
    for (size_t at = 0; at < length; at++) {
        UART_TX_READY = 0;
        UART_TX = bytes[at];
        while (UART_TX_READY == 0) {
        }
    }
    return length;
}

uint32_t nrf51_ticks(void)
{
    TIMER_CAPTURE_0 = 1;
    return TIMER_COUNT_0;
}
