/* First stage of fall detection: a peak and a turn, in integers; fall_detector.h is the manual. */
#include "fall_detector.h"
#include "packed_sample.h"

#include "memory.h"

/* Inlined into bridge_fall_feed, these would keep their temporaries on the stack under every sample. */
#define OUT_OF_LINE __attribute__((noinline))

#define ONE_Q30 INT64_C(1073741824)
#define COS_1_DEGREE_Q30 INT64_C(1073578288) /* cos(pi / 180) * 2^30 = 1073578287.9... */

struct mean {
    int32_t x;
    int32_t y;
    int32_t z;
};

static const struct bridge_fall_parameters PARAMETERS[BRIDGE_PLACEMENTS] = {
    [BRIDGE_WAIST] = {.peak_mg = 1700, .turn_degrees = 20, .after_centi_s = 100, .piece_centi_s = 150},
    [BRIDGE_CHEST] = {.peak_mg = 1700, .turn_degrees = 20, .after_centi_s = 100, .piece_centi_s = 150},
    [BRIDGE_HIP] = {.peak_mg = 1700, .turn_degrees = 20, .after_centi_s = 100, .piece_centi_s = 150},
    [BRIDGE_WRIST] = {.peak_mg = 1600, .turn_degrees = 15, .after_centi_s = 24, .piece_centi_s = 50},
};

const struct bridge_fall_parameters *bridge_fall_parameters_of(enum bridge_placement placement)
{
    return (unsigned)placement < BRIDGE_PLACEMENTS ? &PARAMETERS[placement] : NULL;
}

static bool is_rate(uint8_t rate_hz)
{
    const bool is_halvable = rate_hz <= BRIDGE_FALL_RING_RATE_HZ_MAX || rate_hz % 2 == 0;
    return rate_hz >= BRIDGE_FALL_RATE_HZ_MIN && rate_hz <= BRIDGE_FALL_RATE_HZ_MAX && is_halvable;
}

enum bridge_status bridge_fall_init(
    struct bridge_fall_detector *detector, uint32_t *ring, size_t space, uint8_t rate_hz, enum bridge_placement placement)
{
    const struct bridge_fall_parameters *const parameters = bridge_fall_parameters_of(placement);
    if (parameters == NULL) {
        return BRIDGE_ERROR_PLACEMENT;
    }
    if (!is_rate(rate_hz)) {
        return BRIDGE_ERROR_RATE;
    }
    const uint16_t ring_samples = (uint16_t)BRIDGE_FALL_WINDOW_SAMPLES(rate_hz);
    const uint32_t ring_rate_hz = BRIDGE_FALL_RING_RATE_HZ((uint32_t)rate_hz);
    if (ring == NULL || space < ring_samples) {
        return BRIDGE_ERROR_SPACE;
    }
    *detector = (struct bridge_fall_detector){
        .ring = ring,
        .parameters = parameters,
        .ring_samples = ring_samples,
        .peak_square = (uint32_t)parameters->peak_mg * parameters->peak_mg,
        .ring_rate_hz = (uint8_t)ring_rate_hz,
        .judged_age = (uint8_t)(5U * ring_rate_hz / 2U - 1U),
        .is_halved = rate_hz > BRIDGE_FALL_RING_RATE_HZ_MAX,
    };
    return BRIDGE_OK;
}

uint32_t bridge_fall_delay_ms(const struct bridge_fall_detector *detector)
{
    return detector->judged_age * 1000U / detector->ring_rate_hz;
}

static void store(struct bridge_fall_detector *detector, struct bridge_acceleration sample)
{
    detector->ring[detector->next] = bridge_pack(sample);
    detector->next++;
    if (detector->next == detector->ring_samples) {
        detector->next = 0;
    }
    if (detector->filled < detector->ring_samples) {
        detector->filled++;
    }
}

/* Where the sample is that was taken `age` ticks before the newest one; age < filled. */
static inline const uint32_t *place(const struct bridge_fall_detector *detector, uint32_t age)
{
    const uint32_t back = age + 1;
    return detector->ring + (detector->next >= back ? detector->next - back : detector->next + detector->ring_samples - back);
}

/* Whether no sample within 1 s is larger; of equal ones (a clipping sensor) the first is the peak. Walks both ways at once. */
static bool is_largest(const struct bridge_fall_detector *detector, uint32_t age, uint32_t peak)
{
    const uint32_t *const end = detector->ring + detector->ring_samples;
    const uint32_t *newer = place(detector, age);
    const uint32_t *older = newer;
    uint32_t left = detector->filled - 1U - age; /* samples before the peak */
    for (uint32_t step = detector->ring_rate_hz; step > 0; step--) {
        newer = newer + 1 == end ? detector->ring : newer + 1;
        if (bridge_packed_square(*newer) > peak) {
            return false;
        }
        if (left > 0) {
            left--;
            older = (older == detector->ring ? end : older) - 1;
            if (bridge_packed_square(*older) >= peak) {
                return false;
            }
        }
    }
    return true;
}

/* Mean of the samples of these ages, both included, as far as there are any; false for none. */
static bool take_mean(const struct bridge_fall_detector *detector, uint32_t newest, uint32_t oldest, struct mean *mean)
{
    if (newest >= detector->filled) {
        return false;
    }
    struct mean sum = {0, 0, 0};
    const int32_t count = (int32_t)((oldest < detector->filled ? oldest : detector->filled - 1U) - newest + 1U);
    const uint32_t *at = place(detector, newest);
    for (int32_t left = count; left > 0; left--) {
        const struct bridge_acceleration a = bridge_unpack(*at);
        sum.x += a.x;
        sum.y += a.y;
        sum.z += a.z;
        at = (at == detector->ring ? detector->ring + detector->ring_samples : at) - 1;
    }
    *mean = (struct mean){sum.x / count, sum.y / count, sum.z / count};
    return true;
}

static int64_t dot(const struct mean *a, const struct mean *b)
{
    return (int64_t)a->x * b->x + (int64_t)a->y * b->y + (int64_t)a->z * b->z;
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
static OUT_OF_LINE uint8_t degrees_of(int64_t cosine_q30)
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
static OUT_OF_LINE uint8_t angle(const struct mean *a, const struct mean *b)
{
    const uint32_t lengths = root((uint64_t)dot(a, a) * (uint64_t)dot(b, b));
    return lengths == 0 ? BRIDGE_TURN_UNKNOWN : degrees_of(dot(a, b) * ONE_Q30 / lengths);
}

/*
 * How far the direction turned over the peak of this age: the largest turn of any piece after it. A loop over pieces from old to new;
 * `from` is the age of the oldest sample of a piece.
 */
static OUT_OF_LINE uint8_t turn_over(const struct bridge_fall_detector *detector, uint32_t age)
{
    const uint32_t rate_hz = detector->ring_rate_hz;
    struct mean before;
    if (!take_mean(detector, age + 3 * rate_hz / 2 + 1, age + 3 * rate_hz, &before)) {
        return BRIDGE_TURN_UNKNOWN;
    }
    const uint32_t piece = detector->parameters->piece_centi_s * rate_hz / 100U;
    uint8_t largest = 0;
    for (uint32_t from = age - detector->parameters->after_centi_s * rate_hz / 100U; from + 1 >= piece; from -= piece / 2U) {
        struct mean after;
        take_mean(detector, from + 1 - piece, from, &after);
        const uint8_t turn = angle(&before, &after);
        if (turn > largest) {
            largest = turn;
        }
        if (from < piece / 2U) {
            break;
        }
    }
    return largest;
}

/* Judge a sample over the threshold. */
static OUT_OF_LINE bool judge(
    const struct bridge_fall_detector *detector, uint32_t age, uint32_t peak, struct bridge_fall_candidate *candidate)
{
    if (!is_largest(detector, age, peak)) {
        return false;
    }
    const uint8_t turn_degrees = turn_over(detector, age);
    if (turn_degrees < detector->parameters->turn_degrees) {
        return false;
    }
    candidate->peak_mg = (uint16_t)root(peak);
    candidate->peak_index = (uint16_t)(detector->filled - 1U - age);
    candidate->turn_degrees = turn_degrees;
    return true;
}

static int16_t middle(int16_t a, int16_t b)
{
    return (int16_t)((a + b) / 2);
}

bool bridge_fall_feed(
    struct bridge_fall_detector *detector, struct bridge_acceleration sample, struct bridge_fall_candidate *candidate)
{
    if (detector->is_halved) {
        const struct bridge_acceleration half = detector->half;
        detector->half = sample;
        detector->has_half = !detector->has_half;
        if (detector->has_half) {
            return false;
        }
        sample = (struct bridge_acceleration){middle(half.x, sample.x), middle(half.y, sample.y), middle(half.z, sample.z)};
    }
    store(detector, sample);
    const uint32_t age = detector->judged_age;
    if (detector->filled <= age) {
        return false;
    }
    const uint32_t peak = bridge_packed_square(*place(detector, age));
    return peak > detector->peak_square && judge(detector, age, peak, candidate);
}

uint16_t bridge_fall_window(const struct bridge_fall_detector *detector, uint32_t *window)
{
    const size_t newer = detector->next;
    const size_t older = (size_t)detector->filled - newer;
    memcpy(window, detector->ring + newer, older * sizeof *window);
    memcpy(window + older, detector->ring, newer * sizeof *window);
    return detector->filled;
}
