/*
 * The poll loop of a wearable: samples and a button in, frames out, acknowledgements in.
 *
 *     static struct bridge_acceleration ring[BRIDGE_FALL_WINDOW_SAMPLES(50)], window[BRIDGE_FALL_WINDOW_SAMPLES(50)];
 *     static struct bridge bridge;
 *     bridge_init(&bridge, &board_hal, &config);
 *     for (;;)
 *         if (!bridge_poll(&bridge))
 *             sleep_until_interrupt();
 *
 * Vitals go out every `vitals_period_ms`, from the newest sample; without a new sample there are none, for silence is the truth
 * then. Events wait in the queue until the gateway acknowledges them (event_queue.h). A frame is built at the moment the UART
 * takes its first byte, so that ages are true when they leave; an SOS overtakes the chunks of a window, and both overtake vitals.
 * While the UART takes nothing, events wait and no try is counted.
 */
#ifndef BRIDGE_MAIN_H
#define BRIDGE_MAIN_H

#include "bridge_frame.h"
#include "bridge_hal.h"
#include "event_queue.h"
#include "fall_detector.h"
#include "sos_button.h"

#define BRIDGE_VITALS_PERIOD_MS 1000
#define BRIDGE_READ_BYTES_MAX 64 /* per poll: four acknowledgements */
#define BRIDGE_STALL_MS 2000     /* a frame that stands half sent for so long is cut off: the ages in it have become wrong */

struct bridge_config {
    struct bridge_acceleration *ring;   /* memory of the fall detector, the caller's */
    struct bridge_acceleration *window; /* memory of the window that is being sent, the caller's */
    uint32_t vitals_period_ms;          /* BRIDGE_VITALS_PERIOD_MS; not 0 */
    uint16_t space_samples;             /* of `ring` and of `window` each; BRIDGE_FALL_WINDOW_SAMPLES(rate_hz) */
    uint16_t address;                   /* 1..65535 */
    uint8_t rate_hz;                    /* 25..100 */
};

/* All state. The caller owns it and reads the counters here and in `events`. */
struct bridge {
    struct bridge_hal hal;
    struct bridge_event_queue events;
    struct bridge_fall_detector fall_detector;
    struct bridge_sos_button sos_button;
    struct bridge_sample sample;
    uint32_t frames_rejected; /* received, broken; wraps */
    uint32_t frames_cut_off;  /* half sent, then stalled; wraps */
    uint32_t vitals_period_ms;
    uint32_t vitals_ms; /* when vitals were last sent */
    uint32_t moved_ms;  /* when the UART last took a byte */
    uint16_t address;
    uint16_t next_counter;
    uint16_t wire_bytes;
    uint16_t wire_sent; /* equals wire_bytes when nothing is half sent */
    bool has_new_sample;
    struct bridge_frame_reader reader;
    uint8_t wire[BRIDGE_WIRE_BYTES_MAX];
};

/*
 * Start. `hal` is copied; the memory that `config` names stays the caller's and must outlive the bridge. Returns BRIDGE_OK,
 * BRIDGE_ERROR_ADDRESS (0), BRIDGE_ERROR_RATE (rate_hz or vitals_period_ms) or BRIDGE_ERROR_SPACE.
 */
enum bridge_status bridge_init(struct bridge *bridge, const struct bridge_hal *hal, const struct bridge_config *config);

/*
 * One step: at most one sample, BRIDGE_READ_BYTES_MAX received bytes, and one frame begun or continued; 500 bytes of stack. To be
 * called at least `rate_hz` times a second. True: something moved, call again soon. False: there is time to sleep until the next
 * sample, byte or button, at most 10 ms.
 */
bool bridge_poll(struct bridge *bridge);

/* Whether no event waits for its acknowledgement and no frame is half sent. */
bool bridge_is_idle(const struct bridge *bridge);

#endif
