/* Load into occupancy, movement and breaths; bed_mat.h is the manual. */
#include "bed_mat.h"
#include "little_endian.h"
#include "memory.h"

#define CORRELATED (BED_MAT_SAMPLES - BED_MAT_LAG_MAX)
#define TROUGH_FROM (BED_MAT_LAG_MIN / 2)
#define PARTS 16U /* a lag is refined to sixteenths of a sample */

enum bridge_status bed_mat_init(struct bed_mat *mat, const struct bridge_hal *hal, const struct bed_mat_config *config)
{
    memset(mat, 0, sizeof *mat);
    const uint32_t least = (uint32_t)config->empty_load + config->occupied_load;
    if (config->occupied_load == 0 || config->load_max < BED_MAT_FAULT_MARGIN || least >= (uint32_t)config->load_max - BED_MAT_FAULT_MARGIN) {
        return BRIDGE_ERROR_RATE;
    }
    mat->config = *config;
    mat->state = (struct bed_mat_state){.occupied = BED_MAT_UNKNOWN, .movement_percent = BED_MAT_NO_MOVEMENT};
    mat->sent_ms = hal->clock_ms(hal->context) - BED_MAT_PERIOD_MS;
    return bridge_link_init(&mat->link, hal, config->address);
}

/* Load `age` samples ago, 0 the newest. */
static uint16_t look(const struct bed_mat *mat, uint32_t age)
{
    const uint32_t back = age + 1;
    return mat->loads[mat->next >= back ? mat->next - back : mat->next + BED_MAT_SAMPLES - back];
}

static uint16_t count_up(uint16_t count, bool is_so)
{
    return is_so ? (uint16_t)(count < BED_MAT_SAMPLES ? count + 1 : count) : 0;
}

static void become(struct bed_mat *mat, uint8_t occupied)
{
    if (mat->state.occupied != occupied) {
        mat->state.occupied = occupied;
        mat->is_news = true;
        mat->still = 0;
    }
}

static void watch_occupancy(struct bed_mat *mat, uint16_t load)
{
    const uint32_t upper = (uint32_t)mat->config.empty_load + mat->config.occupied_load;
    const uint32_t lower = (uint32_t)mat->config.empty_load + mat->config.occupied_load / 2U;
    mat->faulty = count_up(mat->faulty, load < BED_MAT_FAULT_MARGIN || load > mat->config.load_max - BED_MAT_FAULT_MARGIN);
    mat->heavy = count_up(mat->heavy, load > upper && mat->faulty == 0);
    mat->light = count_up(mat->light, load < lower && mat->faulty == 0);
    if (mat->faulty >= BED_MAT_FAULT_AFTER) {
        become(mat, BED_MAT_UNKNOWN);
    } else if (mat->heavy >= BED_MAT_OCCUPIED_AFTER) {
        become(mat, 1);
    } else if (mat->light >= BED_MAT_EMPTY_AFTER) {
        become(mat, 0);
    }
}

/* Range of the last second in % of the body's load; none while the bed is not known to be occupied. */
static uint8_t movement(const struct bed_mat *mat)
{
    uint32_t least = look(mat, 0);
    uint32_t most = least;
    for (uint32_t age = 1; age < BED_MAT_RATE_HZ; age++) {
        const uint32_t load = look(mat, age);
        least = load < least ? load : least;
        most = load > most ? load : most;
    }
    const uint32_t body = look(mat, 0) > mat->config.empty_load ? (uint32_t)look(mat, 0) - mat->config.empty_load : 1U;
    const uint32_t percent = 100U * (most - least) / body;
    return (uint8_t)(percent < 100U ? percent : 100U);
}

static int32_t mean_load(const struct bed_mat *mat)
{
    uint32_t sum = 0;
    for (uint32_t age = 0; age < BED_MAT_SAMPLES; age++) {
        sum += look(mat, age);
    }
    return (int32_t)(sum / BED_MAT_SAMPLES);
}

/* Product sum of the newest CORRELATED samples with those `lag` earlier, both less `mean`. */
static int64_t correlate(const struct bed_mat *mat, int32_t mean, uint32_t lag)
{
    int64_t sum = 0;
    for (uint32_t age = 0; age < CORRELATED; age++) {
        sum += (int64_t)(look(mat, age) - mean) * (look(mat, age + lag) - mean);
    }
    return sum;
}

/* Sixteenths of a sample by which the top of the parabola through three neighbours lies after the middle one, -8..8. */
static int32_t lean(int64_t before, int64_t here, int64_t after)
{
    const int64_t bend = 2 * here - before - after;
    return bend <= 0 ? 0 : (int32_t)((after - before) * (int32_t)PARTS / (2 * bend));
}

/* Breaths a minute of a lag in sixteenths of a sample, rounded. */
static uint8_t per_minute(uint32_t sixteenths)
{
    return (uint8_t)((60U * BED_MAT_RATE_HZ * PARTS + sixteenths / 2U) / sixteenths);
}

/* The first local peak that is at least half of the power and has a trough below zero before it; 0 for none. */
static uint8_t breaths(const struct bed_mat *mat)
{
    const int32_t mean = mean_load(mat);
    const int64_t power = correlate(mat, mean, 0);
    if (power < (int64_t)CORRELATED * BED_MAT_VARIANCE_MIN) {
        return 0;
    }
    int64_t before = power;
    int64_t here = correlate(mat, mean, TROUGH_FROM);
    bool was_below = false;
    for (uint32_t lag = TROUGH_FROM; lag < BED_MAT_LAG_MAX; lag++) {
        const int64_t after = correlate(mat, mean, lag + 1);
        was_below = was_below || here < 0;
        if (lag >= BED_MAT_LAG_MIN && was_below && here > before && here >= after && here * 2 >= power) {
            return per_minute((uint32_t)((int32_t)(lag * PARTS) + lean(before, here, after)));
        }
        before = here;
        here = after;
    }
    return 0;
}

void bed_mat_feed(struct bed_mat *mat, uint16_t load)
{
    mat->loads[mat->next] = load;
    mat->next = (uint16_t)(mat->next + 1U == BED_MAT_SAMPLES ? 0U : mat->next + 1U);
    mat->has_sample = true;
    watch_occupancy(mat, load);
    mat->state.movement_percent = mat->state.occupied == 1 ? movement(mat) : (uint8_t)(mat->state.occupied == 0 ? 0 : BED_MAT_NO_MOVEMENT);
    mat->still = count_up(mat->still, mat->state.occupied == 1 && mat->state.movement_percent < BED_MAT_STILL_PERCENT);
}

static bool send_state(struct bed_mat *mat, uint32_t now_ms)
{
    if (!mat->has_sample || (!mat->is_news && now_ms - mat->sent_ms < BED_MAT_PERIOD_MS)) {
        return false;
    }
    mat->state.respiration_per_min = mat->still == BED_MAT_SAMPLES ? breaths(mat) : 0;
    uint8_t *at = bridge_put_u8(bridge_link_payload(&mat->link), mat->state.occupied);
    at = bridge_put_u8(at, mat->state.respiration_per_min);
    at = bridge_put_u8(at, BRIDGE_HEART_RATE_NONE);
    at = bridge_put_u8(at, mat->state.movement_percent);
    bridge_put_u8(at, mat->link.hal->battery_percent(mat->link.hal->context));
    if (!bridge_link_begin(&mat->link, BRIDGE_BED_MAT, BRIDGE_BED_MAT_BYTES, now_ms)) {
        return false;
    }
    mat->sent_ms = now_ms;
    mat->is_news = false;
    mat->has_sample = false;
    return true;
}

bool bed_mat_poll(struct bed_mat *mat)
{
    uint16_t load;
    const bool has_sample = mat->link.hal->load_next(mat->link.hal->context, &load);
    const uint32_t now_ms = mat->link.hal->clock_ms(mat->link.hal->context);
    if (has_sample) {
        bed_mat_feed(mat, load);
    }
    const bool has_received = bridge_link_receive(&mat->link, &mat->events);
    const bool has_sent = bridge_link_is_free(&mat->link) ? send_state(mat, now_ms) : bridge_link_go_on(&mat->link, now_ms);
    return has_sample || has_received || has_sent;
}

bool bed_mat_is_idle(const struct bed_mat *mat)
{
    return bridge_link_is_free(&mat->link);
}
