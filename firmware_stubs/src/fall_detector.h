/*
 * First stage of fall detection, integers only: which 5.5 s of acceleration are worth sending to the gateway, which decides.
 *
 *                    peak > 1.8 g, the largest within 1 s either way
 *      mean before     |     mean after
 *     |===========|    |   |=============|
 *     -3.0     -1.5    0   1.0         2.5 s      directions of the two means more than 20 degrees apart
 *     |<------------- window ----------->|
 *
 * Source of the numbers: our trigger table (docs/falls.md, first stage): at the waist it keeps all of 1048 recorded falls for an
 * estimated 15 windows per elder-day; the peak alone would send 113 to 803 windows a day.
 *
 * The ring is exactly one window long, so a sample is judged when it is 2.5 s old, and at that moment the ring is its window.
 * Nothing is carried from sample to sample but the ring: there is no trigger state to get stuck in. The caller copies the window
 * out at once (bridge_fall_window) and goes on feeding: the detector is never blind, not even while a window waits for its
 * acknowledgement. The price is a second window of memory: at 50 Hz 1650 bytes beside the 1650 of the ring.
 *
 * Start: with less than 3 s before the impact, the mean is taken of what there is and the window is that much shorter. With
 * nothing before it (impact in the first 1.5 s) the turn is not known and the candidate is kept: unknown is not "did not fall".
 */
#ifndef FALL_DETECTOR_H
#define FALL_DETECTOR_H

#include "bridge_frame.h"
#include "bridge_hal.h"

#define BRIDGE_FALL_RATE_HZ_MIN 25
#define BRIDGE_FALL_RATE_HZ_MAX 100
#define BRIDGE_FALL_PEAK_MG 1800
#define BRIDGE_FALL_TURN_DEGREES 20

/* Samples of a window: 3 s before the impact and 2.5 s from it on, half samples cut off. 275 at 50 Hz. */
#define BRIDGE_FALL_WINDOW_SAMPLES(rate_hz) (11 * (rate_hz) / 2)

struct bridge_fall_detector {
    struct bridge_acceleration *ring; /* BRIDGE_FALL_WINDOW_SAMPLES(rate_hz), the caller's */
    uint16_t ring_samples;
    uint16_t next;   /* index of the oldest sample, once the ring is full */
    uint16_t filled; /* samples in the ring */
    uint8_t rate_hz;
};

/* A peak with a turn. The impact was 2.5 s before the sample that gave it. */
struct bridge_fall_candidate {
    uint16_t peak_mg;
    uint16_t peak_index; /* in the window */
    uint8_t turn_degrees; /* rounded down; BRIDGE_TURN_UNKNOWN */
};

/*
 * Start with an empty ring of the caller's `space` samples. BRIDGE_ERROR_RATE outside 25..100 Hz; BRIDGE_ERROR_SPACE for less
 * than one window.
 */
enum bridge_status bridge_fall_init(
    struct bridge_fall_detector *detector, struct bridge_acceleration *ring, size_t space, uint8_t rate_hz);

/*
 * Take the next sample. True: `candidate` is filled, and bridge_fall_window gives its window until the next call. A peak costs
 * 7 * rate_hz / 2 more looks at the ring, any other sample one.
 */
bool bridge_fall_feed(
    struct bridge_fall_detector *detector, struct bridge_acceleration sample, struct bridge_fall_candidate *candidate);

/* Copy the samples in the ring, oldest first, to `window` with room for a whole one. Returns how many. */
uint16_t bridge_fall_window(const struct bridge_fall_detector *detector, struct bridge_acceleration *window);

/* Milliseconds from an impact to the sample that gives its candidate. */
uint32_t bridge_fall_delay_ms(const struct bridge_fall_detector *detector);

#endif
