/*
 * A bed mat: a load sensor under the mattress becomes "occupied or empty", breaths per minute, and movement. Integers only.
 *
 *     load      ADC counts, 10 a second, 0..65535. What an empty bed weighs and how much more somebody is, is set when it is fitted.
 *     occupied  after 2 s above `empty_load + occupied_load`; empty after 3 s below half of that. A gap between the two thresholds and
 *               the two times, so that turning over is no exit; our choices of use, not medical figures. A load at the end of the ADC's
 *               range for 1 s is a torn cable: unknown, never "empty".
 *     movement  range of the load in the last second, in % of what the body weighs, at most 100
 *     breaths   the chest moves the load by some per mille. The period is the lag of the first peak of the autocorrelation of the last
 *               20 s over lags of 1.5 to 10 s, 6 to 40 a minute, refined by a parabola through its neighbours. Given only if the peak is
 *               at least 0.5 of the power, has a trough below zero before it as every swing has and no drift, the power is more than the
 *               ADC's own noise, and nobody moved for 30 s; otherwise none, never a guess. Method: autocorrelation of ballistocardiographic signals, Bruser et al., IEEE Trans. Inf. Technol. Biomed.
 *               15(5), 2011; range: contract/quantities.py.
 *     heart     none: 10 samples a second do not show it.
 *
 * BED_MAT goes out every second, and at once when somebody gets in or out. It is not acknowledged: the next one says the same.
 */
#ifndef BED_MAT_H
#define BED_MAT_H

#include "bridge_link.h"

#define BED_MAT_RATE_HZ 10
#define BED_MAT_PERIOD_MS 1000
#define BED_MAT_SAMPLES 300 /* 30 s: 20 s and the longest lag */
#define BED_MAT_OCCUPIED_AFTER 20
#define BED_MAT_EMPTY_AFTER 30
#define BED_MAT_FAULT_AFTER 10
#define BED_MAT_FAULT_MARGIN 4 /* counts from either end of the range */
#define BED_MAT_STILL_PERCENT 5
#define BED_MAT_VARIANCE_MIN 2 /* counts^2: above the noise of the ADC */
#define BED_MAT_LAG_MIN 15
#define BED_MAT_LAG_MAX 100

#define BED_MAT_UNKNOWN 255
#define BED_MAT_NO_MOVEMENT 255

struct bed_mat_config {
    uint16_t address;       /* 1..65535 */
    uint16_t load_max;      /* largest count of the ADC */
    uint16_t empty_load;    /* of the empty bed */
    uint16_t occupied_load; /* above that, least load of a person; not 0 */
};

/* What the mat knows now. */
struct bed_mat_state {
    uint8_t occupied; /* 1, 0, BED_MAT_UNKNOWN */
    uint8_t movement_percent;
    uint8_t respiration_per_min; /* 0 none */
};

/* All state. The caller owns it. */
struct bed_mat {
    struct bridge_link link;
    struct bridge_event_queue events; /* always empty: the link's other half */
    struct bed_mat_config config;
    struct bed_mat_state state;
    uint32_t sent_ms;
    uint16_t loads[BED_MAT_SAMPLES]; /* a ring */
    uint16_t next;
    uint16_t still;   /* samples since anybody moved, got in, or the sensor was torn; at most BED_MAT_SAMPLES */
    uint16_t heavy;   /* samples in a row above the upper threshold */
    uint16_t light;   /* below the lower one */
    uint16_t faulty;  /* at an end of the range */
    bool is_news;     /* occupied has changed since it was sent */
    bool has_sample;
};

/* Start: nothing is known. BRIDGE_ERROR_ADDRESS (0), BRIDGE_ERROR_RATE for loads that do not fit the range of the ADC. */
enum bridge_status bed_mat_init(struct bed_mat *mat, const struct bridge_hal *hal, const struct bed_mat_config *config);

/* Take the next load, whether or not anything is sent. */
void bed_mat_feed(struct bed_mat *mat, uint16_t load);

/* One step: at most one load, and one frame begun or continued. Once a second it takes up to 19000 multiplications. As bridge_poll. */
bool bed_mat_poll(struct bed_mat *mat);

/* Whether no frame is half sent. */
bool bed_mat_is_idle(const struct bed_mat *mat);

#endif
