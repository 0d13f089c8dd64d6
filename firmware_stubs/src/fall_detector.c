/* First stage of fall detection: a peak and a turn, in integers; fall_detector.h is the manual. */
#include "fall_detector.h"

#include <string.h>

#define ONE_Q30 INT64_C(1073741824)
#define COS_1_DEGREE_Q30 INT64_C(1073578288) /* cos(pi / 180) * 2^30 = 1073578287.9... */

struct mean {
    int32_t x;
    int32_t y;
    int32_t z;
};

enum bridge_status bridge_fall_init(
    struct bridge_fall_detector *detector, struct bridge_acceleration *ring, size_t space, uint8_t rate_hz)
{
    if (rate_hz < BRIDGE_FALL_RATE_HZ_MIN || rate_hz > BRIDGE_FALL_RATE_HZ_MAX) {
        return BRIDGE_ERROR_RATE;
    }
    const uint16_t ring_samples = (uint16_t)BRIDGE_FALL_WINDOW_SAMPLES(rate_hz);
    if (space < ring_samples) {
        return BRIDGE_ERROR_SPACE;
    }
    *detector = (struct bridge_fall_detector){.ring = ring, .ring_samples = ring_samples, .rate_hz = rate_hz};
    return BRIDGE_OK;
}

/* Samples from the peak to the newest one when the peak is judged: 2.5 s less one, for the peak itself is one of them. */
static uint32_t judged_age(const struct bridge_fall_detector *detector)
{
    return 5U * detector->rate_hz / 2U - 1U;
}

uint32_t bridge_fall_delay_ms(const struct bridge_fall_detector *detector)
{
    return judged_age(detector) * 1000U / detector->rate_hz;
}

static void store(struct bridge_fall_detector *detector, struct bridge_acceleration sample)
{
    detector->ring[detector->next] = sample;
    detector->next++;
    if (detector->next == detector->ring_samples) {
        detector->next = 0;
    }
    if (detector->filled < detector->ring_samples) {
        detector->filled++;
    }
}

/* Sample `age` ticks before the newest one; age < filled. */
static struct bridge_acceleration look(const struct bridge_fall_detector *detector, uint32_t age)
{
    const uint32_t back = age + 1;
    return detector->ring[detector->next >= back ? detector->next - back : detector->next + detector->ring_samples - back];
}

/* Square of |a|, mg^2: at most 3 * 2^30, which fits. */
static uint32_t square(struct bridge_acceleration a)
{
    return (uint32_t)(a.x * a.x) + (uint32_t)(a.y * a.y) + (uint32_t)(a.z * a.z);
}

/* Whether no sample within 1 s is larger; of equal ones (a clipping sensor) the first is the peak. */
static bool is_largest(const struct bridge_fall_detector *detector, uint32_t age, uint32_t peak)
{
    for (uint32_t step = 1; step <= detector->rate_hz; step++) {
        if (square(look(detector, age - step)) > peak) {
            return false;
        }
        if (age + step < detector->filled && square(look(detector, age + step)) >= peak) {
            return false;
        }
    }
    return true;
}

/* Mean of the samples of these ages, both included, as far as there are any; false for none. */
static bool take_mean(const struct bridge_fall_detector *detector, uint32_t newest, uint32_t oldest, struct mean *mean)
{
    struct mean sum = {0, 0, 0};
    int32_t count = 0;
    for (uint32_t age = newest; age <= oldest && age < detector->filled; age++) {
        const struct bridge_acceleration a = look(detector, age);
        sum.x += a.x;
        sum.y += a.y;
        sum.z += a.z;
        count++;
    }
    if (count == 0) {
        return false;
    }
    *mean = (struct mean){sum.x / count, sum.y / count, sum.z / count};
    return true;
}

static int64_t dot(struct mean a, struct mean b)
{
    return (int64_t)a.x * b.x + (int64_t)a.y * b.y + (int64_t)a.z * b.z;
}

/* Square root, rounded down, one bit at a time. */
static uint32_t root(uint64_t value)
{
    uint32_t result = 0;
    for (uint32_t bit = UINT32_C(1) << 31; bit > 0; bit >>= 1) {
        const uint64_t tried = result | bit;
        if (tried * tried <= value) {
            result |= bit;
        }
    }
    return result;
}

/* Angle in whole degrees, rounded down, 0..180: walk up cos(n + 1) = 2 cos(1) cos(n) - cos(n - 1) until it is passed. */
static uint8_t degrees_of(int64_t cosine_q30)
{
    int64_t before = COS_1_DEGREE_Q30;
    int64_t here = ONE_Q30;
    for (uint8_t degrees = 0; degrees < 180; degrees++) {
        const int64_t next = 2 * COS_1_DEGREE_Q30 * here / ONE_Q30 - before;
        if (next < cosine_q30) {
            return degrees;
        }
        before = here;
        here = next;
    }
    return 180;
}

/* Angle between two means; |dot| and the root of the squares are below 2^32, so everything fits 64 bits. */
static uint8_t angle(struct mean a, struct mean b)
{
    const uint32_t lengths = root((uint64_t)dot(a, a) * (uint64_t)dot(b, b));
    return lengths == 0 ? BRIDGE_TURN_UNKNOWN : degrees_of(dot(a, b) * ONE_Q30 / lengths);
}

/* How far the mean direction turned over the peak of this age. */
static uint8_t turn_over(const struct bridge_fall_detector *detector, uint32_t age)
{
    const uint32_t rate_hz = detector->rate_hz;
    struct mean before;
    struct mean after;
    if (!take_mean(detector, age + 3 * rate_hz / 2 + 1, age + 3 * rate_hz, &before) || !take_mean(detector, 0, age - rate_hz, &after)) {
        return BRIDGE_TURN_UNKNOWN;
    }
    return angle(before, after);
}

bool bridge_fall_feed(
    struct bridge_fall_detector *detector, struct bridge_acceleration sample, struct bridge_fall_candidate *candidate)
{
    store(detector, sample);
    const uint32_t age = judged_age(detector);
    if (detector->filled <= age) {
        return false;
    }
    const uint32_t peak = square(look(detector, age));
    if (peak <= (uint32_t)BRIDGE_FALL_PEAK_MG * BRIDGE_FALL_PEAK_MG || !is_largest(detector, age, peak)) {
        return false;
    }
    const uint8_t turn_degrees = turn_over(detector, age);
    if (turn_degrees < BRIDGE_FALL_TURN_DEGREES) {
        return false;
    }
    candidate->peak_mg = (uint16_t)root(peak);
    candidate->peak_index = (uint16_t)(detector->filled - 1 - age);
    candidate->turn_degrees = turn_degrees;
    return true;
}

uint16_t bridge_fall_window(const struct bridge_fall_detector *detector, struct bridge_acceleration *window)
{
    const size_t newer = detector->next;
    const size_t older = detector->filled - newer;
    memcpy(window, detector->ring + newer, older * sizeof *window);
    memcpy(window + older, detector->ring, newer * sizeof *window);
    return detector->filled;
}
