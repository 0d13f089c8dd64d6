/*
 * The poll loop of a wearable: samples and a button in, frames out, acknowledgements in.
 *
 *     static uint32_t ring[BRIDGE_FALL_WINDOW_SAMPLES(50)];
 *     static uint32_t windows[BRIDGE_FALL_EVENTS_MAX * BRIDGE_FALL_WINDOW_SAMPLES(50)];
 *     static struct bridge bridge;
 *     bridge_init(&bridge, &board_hal, &config);
 *     for (;;)
 *         if (!bridge_poll(&bridge))
 *             sleep_until_interrupt();
 *
 * Vitals go out every `vitals_period_ms`, from the newest sample; without a new sample there are none, for silence is the truth
 * then. Events wait in the queue until the gateway acknowledges them (event_queue.h); an SOS overtakes the chunks of a window, and
 * both overtake vitals. While the UART takes nothing, events wait and no try is counted.
 */
#ifndef BRIDGE_MAIN_H
#define BRIDGE_MAIN_H

#include "bridge_frame.h"
#include "bridge_hal.h"
#include "bridge_link.h"
#include "event_queue.h"
#include "fall_detector.h"
#include "sos_button.h"

#define BRIDGE_VITALS_PERIOD_MS 1000

struct bridge_config {
    uint32_t *ring;                  /* memory of the fall detector, the caller's */
    uint32_t *windows;               /* memory of the windows that wait, the caller's: BRIDGE_FALL_EVENTS_MAX times as much */
    uint32_t vitals_period_ms;       /* BRIDGE_VITALS_PERIOD_MS; not 0 */
    uint16_t space_samples;          /* of `ring`; BRIDGE_FALL_WINDOW_SAMPLES(rate_hz) */
    uint16_t address;                /* 1..65535 */
    uint8_t rate_hz;                 /* 25..50, or an even number up to 100 */
    enum bridge_placement placement; /* where the device is worn */
};

/* All state. The caller owns it and reads the counters in `link` and `events`. */
struct bridge {
    struct bridge_link link;
    struct bridge_event_queue events;
    struct bridge_fall_detector fall_detector;
    struct bridge_sos_button sos_button;
    struct bridge_sample sample;
    bool has_new_sample;
    uint32_t vitals_period_ms;
    uint32_t vitals_ms; /* when vitals were last sent */
};

/*
 * Start. `hal` and the memory that `config` names stay the caller's and must outlive the bridge. Returns BRIDGE_OK,
 * BRIDGE_ERROR_ADDRESS (0), BRIDGE_ERROR_RATE (rate_hz or vitals_period_ms), BRIDGE_ERROR_PLACEMENT or BRIDGE_ERROR_SPACE.
 */
enum bridge_status bridge_init(struct bridge *bridge, const struct bridge_hal *hal, const struct bridge_config *config);

/*
 * One step: at most one sample, BRIDGE_LINK_READ_BYTES_MAX received bytes, and one frame begun or continued. To be called at least
 * `rate_hz` times a second. True: something moved, call again soon. False: there is time to sleep until the next sample, byte or
 * button, at most 10 ms.
 */
bool bridge_poll(struct bridge *bridge);

/* Whether no event waits for its acknowledgement and no frame is half sent. */
bool bridge_is_idle(const struct bridge *bridge);

#endif
