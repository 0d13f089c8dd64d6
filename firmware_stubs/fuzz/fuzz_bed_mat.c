/* A bed mat on any loads and any range of its ADC: what it says stays within the layout of BED_MAT. */
#include "fuzz.h"

#include "bed_mat.h"

static uint32_t clock_ms(void *context)
{
    (void)context;
    return 0;
}

static size_t uart_read(void *context, uint8_t *bytes, size_t space)
{
    (void)context;
    (void)bytes;
    (void)space;
    return 0;
}

static size_t uart_write(void *context, const uint8_t *bytes, size_t length)
{
    (void)context;
    (void)bytes;
    return length;
}

static bool load_next(void *context, uint16_t *load)
{
    struct fuzz_input *const input = context;
    *load = fuzz_u16(input);
    return true;
}

static uint8_t battery_percent(void *context)
{
    (void)context;
    return BRIDGE_BATTERY_UNKNOWN;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = {data, size};
    const struct bridge_hal hal = {
        .context = &input,
        .clock_ms = clock_ms,
        .uart_read = uart_read,
        .uart_write = uart_write,
        .load_next = load_next,
        .battery_percent = battery_percent,
    };
    const struct bed_mat_config config = {
        .address = 1, .load_max = fuzz_u16(&input), .empty_load = fuzz_u16(&input), .occupied_load = fuzz_u16(&input)};
    struct bed_mat mat;
    if (bed_mat_init(&mat, &hal, &config) != BRIDGE_OK) {
        return 0;
    }
    while (input.left > 0) {
        mat.is_news = true; /* every load: as if a second had gone by */
        bed_mat_poll(&mat);
        MUST(mat.state.occupied <= 1 || mat.state.occupied == BED_MAT_UNKNOWN);
        MUST(mat.state.movement_percent <= 100 || mat.state.movement_percent == BED_MAT_NO_MOVEMENT);
        MUST(mat.state.respiration_per_min <= 41);
    }
    return 0;
}
