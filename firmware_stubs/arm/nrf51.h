/*
 * The little of an nRF51 that the images need: its UART and a clock. Works on the micro:bit's chip and on qemu's `-machine microbit`.
 *
 * Registers: nRF51 Series Reference Manual 3.0, sections 29 (UART) and 18 (TIMER).
 */
#ifndef NRF51_H
#define NRF51_H

#include <stddef.h>
#include <stdint.h>

/* Switch on the UART, 115200 8N1, and the timer. */
void nrf51_start(void);

/* As uart_read and uart_write of struct bridge_hal. A written byte is waited for: 87 us at 115200. */
size_t nrf51_uart_read(void *context, uint8_t *bytes, size_t space);
size_t nrf51_uart_write(void *context, const uint8_t *bytes, size_t length);

/* Ticks of 1/16 us since the start; wraps after 268 s. */
uint32_t nrf51_ticks(void);

#endif
