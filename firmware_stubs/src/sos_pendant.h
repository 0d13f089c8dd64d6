/*
 * An SOS pendant: one button, a battery, and nothing else. sos_button.h says what a hold means, event_queue.h how long a press is kept.
 *
 * Every minute it says how its battery is, so that a pendant in a drawer with an empty battery is missed before it is needed: our
 * choice, one frame of 12 bytes; and at once when a battery becomes known. A press goes out at once and overtakes that.
 */
#ifndef SOS_PENDANT_H
#define SOS_PENDANT_H

#include "bridge_link.h"
#include "event_queue.h"
#include "sos_button.h"

#define SOS_PENDANT_STATUS_MS 60000

/* All state. The caller owns it. */
struct sos_pendant {
    struct bridge_link link;
    struct bridge_event_queue events;
    struct bridge_sos_button button;
    uint32_t status_ms;   /* when the battery was last told */
    uint8_t told_percent; /* what was told then */
};

/* Start. `hal` stays the caller's and must outlive the pendant. BRIDGE_ERROR_ADDRESS for 0. */
enum bridge_status sos_pendant_init(struct sos_pendant *pendant, const struct bridge_hal *hal, uint16_t address);

/*
 * One step, never blocking. True: something moved, call again soon. False: sleep until the button moves or a byte comes, at most
 * 10 ms while the button is down or bouncing or an event waits, else until the next status.
 */
bool sos_pendant_poll(struct sos_pendant *pendant);

/* Whether no press waits for its acknowledgement and no frame is half sent. */
bool sos_pendant_is_idle(const struct sos_pendant *pendant);

#endif
