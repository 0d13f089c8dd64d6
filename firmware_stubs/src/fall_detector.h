/*
 * First stage of fall detection, integers only: which 5.5 s of acceleration are worth sending to the gateway, which decides.
 *
 *                    peak, the largest within 1 s either way
 *      mean before     |  means after, in pieces
 *     |===========|    |   |=====|=====|=|
 *     -3.0     -1.5    0                2.5 s      the direction of any piece is turned from the mean before
 *     |<------------- window ----------->|
 *
 * Deliberately over-sensitive: what this stage loses nobody gets back. One row of numbers per place on the body:
 *
 *     place   peak >   turned >=   pieces after        of the recorded falls that can be judged   windows per elder-day
 *     waist   1.7 g    20 deg      1.0..2.5 s whole    1143 of 1143 (1048 SisFall, 95 UMAFall)     17 (SisFall), 12 (UMAFall)
 *     hip     1.7 g    20 deg      as the waist        no recorded falls                           156 (SmartFallMM, clips at 2 g)
 *     chest   1.7 g    20 deg      as the waist        93 of 93 (UMAFall)                          4 (UMAFall)
 *     wrist   1.6 g    15 deg      0.24 s on, pieces   323 of 324 (199 WEDA, 92 UMAFall,           299 (WEDA), 405 (UMAFall),
 *                                  of 0.5 s            32 of 33 SmartFallMM)                       429 (SmartFallMM)
 *
 * A fall "can be judged" when its recording goes on for 2.5 s after the impact; 5 of 1566 do not. Windows per elder-day are estimated
 * from scripted activities (docs/falls.md says how), and are what a day costs on the air: 429 of them are 0.5 MB. A hand comes to rest
 * as it was more often than a trunk does, so at the wrist any half second that points elsewhere will do, and it costs more windows.
 *
 * Source of the numbers: the recordings named in docs/falls.md, at 50 Hz. `tests/firmware/test_fall_recordings.py` keeps them true.
 *
 * The ring is one window of packed samples (packed_sample.h), so a sample is judged when it is 2.5 s old, and at that moment the ring
 * is its window: 1100 bytes at 50 Hz. At more than 50 samples a second each two become their mean first, so that 100 Hz needs no more
 * memory and costs no more to send. Nothing is carried from sample to sample but the ring: there is no trigger state to get stuck in.
 * The caller copies the window out at once (bridge_fall_window) and goes on feeding: the detector is never blind.
 *
 * Start: with less than 3 s before the impact, the mean is taken of what there is and the window is that much shorter. With
 * nothing before it (impact in the first 1.5 s) the turn is not known and the candidate is kept: unknown is not "did not fall".
 */
#ifndef FALL_DETECTOR_H
#define FALL_DETECTOR_H

#include "bridge_frame.h"
#include "bridge_hal.h"

#define BRIDGE_FALL_RATE_HZ_MIN 25
#define BRIDGE_FALL_RATE_HZ_MAX 100 /* above 50 even numbers only: they are halved */
#define BRIDGE_FALL_RING_RATE_HZ_MAX 50

/* Samples per second in the ring and the window. */
#define BRIDGE_FALL_RING_RATE_HZ(rate_hz) ((rate_hz) > BRIDGE_FALL_RING_RATE_HZ_MAX ? (rate_hz) / 2 : (rate_hz))

/* Samples of a window: 3 s before the impact and 2.5 s from it on, half samples cut off. 275 at 50 and at 100 Hz. */
#define BRIDGE_FALL_WINDOW_SAMPLES(rate_hz) (11 * BRIDGE_FALL_RING_RATE_HZ(rate_hz) / 2)

enum bridge_placement {
    BRIDGE_WAIST = 0,
    BRIDGE_CHEST = 1,
    BRIDGE_HIP = 2,
    BRIDGE_WRIST = 3,
};

#define BRIDGE_PLACEMENTS 4

/* The numbers of one place on the body. */
struct bridge_fall_parameters {
    uint16_t peak_mg;
    uint8_t turn_degrees;
    uint8_t after_centi_s; /* from so long after the impact on, 0.01 s */
    uint8_t piece_centi_s; /* means of pieces so long, each beginning in the middle of the one before, 0.01 s */
};

struct bridge_fall_detector {
    uint32_t *ring; /* BRIDGE_FALL_WINDOW_SAMPLES(rate_hz) packed samples, the caller's */
    const struct bridge_fall_parameters *parameters;
    uint16_t ring_samples;
    uint16_t next;   /* index of the oldest sample, once the ring is full */
    uint16_t filled; /* samples in the ring */
    uint32_t peak_square; /* of the threshold, mg^2 */
    uint8_t ring_rate_hz;
    uint8_t judged_age; /* samples from the peak to the newest one when it is judged: 2.5 s less one, for the peak is one of them */
    bool is_halved;  /* each two samples become one */
    bool has_half;   /* `half` waits for the second of the two */
    struct bridge_acceleration half;
};

/* A peak with a turn. The impact was 2.5 s before the sample that gave it. */
struct bridge_fall_candidate {
    uint16_t peak_mg;
    uint16_t peak_index;  /* in the window */
    uint8_t turn_degrees; /* rounded down; BRIDGE_TURN_UNKNOWN */
};

/* The numbers of a place; NULL for a number that is none. */
const struct bridge_fall_parameters *bridge_fall_parameters_of(enum bridge_placement placement);

/*
 * Start with an empty ring of the caller's `space` samples. BRIDGE_ERROR_RATE outside 25..50 and the even numbers 52..100 Hz;
 * BRIDGE_ERROR_SPACE for less than one window; BRIDGE_ERROR_PLACEMENT.
 */
enum bridge_status bridge_fall_init(
    struct bridge_fall_detector *detector, uint32_t *ring, size_t space, uint8_t rate_hz, enum bridge_placement placement);

/*
 * Take the next sample. True: `candidate` is filled, and bridge_fall_window gives its window until the next call. A peak costs some
 * 6 * rate_hz more looks at the ring, any other sample one.
 */
bool bridge_fall_feed(
    struct bridge_fall_detector *detector, struct bridge_acceleration sample, struct bridge_fall_candidate *candidate);

/* Copy the packed samples in the ring, oldest first, to `window` with room for a whole one. Returns how many. */
uint16_t bridge_fall_window(const struct bridge_fall_detector *detector, uint32_t *window);

/* Milliseconds from an impact to the sample that gives its candidate. */
uint32_t bridge_fall_delay_ms(const struct bridge_fall_detector *detector);

#endif
