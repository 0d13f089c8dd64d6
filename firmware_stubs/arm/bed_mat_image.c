/* The bed mat on an nRF51, for its size and stack. Its ADC is the board's to add: this one reads a load of zero, a torn cable. */
#include "bed_mat.h"
#include "nrf51.h"

#define TICKS_PER_MS 16000U
#define SAMPLE_MS (1000U / BED_MAT_RATE_HZ)

static struct bed_mat mat;
static uint32_t sampled_ms;

static uint32_t clock_ms(void *context)
{
    (void)context;
    return nrf51_ticks() / TICKS_PER_MS;
}

static bool load_next(void *context, uint16_t *load)
{
    if (clock_ms(context) - sampled_ms < SAMPLE_MS) {
        return false;
    }
    sampled_ms += SAMPLE_MS;
    *load = 0;
    return true;
}

static uint8_t battery_percent(void *context)
{
    (void)context;
    return BRIDGE_BATTERY_UNKNOWN;
}

static const struct bridge_hal HAL = {
    .clock_ms = clock_ms,
    .uart_read = nrf51_uart_read,
    .uart_write = nrf51_uart_write,
    .load_next = load_next,
    .battery_percent = battery_percent,
};

int main(void)
{
    const struct bed_mat_config config = {.address = 8, .load_max = 4095, .empty_load = 400, .occupied_load = 300};
    nrf51_start();
    bed_mat_init(&mat, &HAL, &config);
    for (;;) {
        bed_mat_poll(&mat);
    }
}
