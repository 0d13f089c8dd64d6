/*
 * The SOS button: a level over time becomes "pressed" or "cancelled".
 *
 *     hold >= 1 s                                            SOS, while the button is still down
 *     release, then hold >= 3 s, begun <= 30 s after the SOS   cancelled
 *     two presses < 1 s, released <= 1.5 s apart, both within 90 s after a fall candidate     cancelled
 *
 * The two short presses are how a wearer says "I am well" when the home asks about a fall (60 s at most); they mean nothing at any other
 * time, and nothing once an SOS has been given. One press could be the fall itself, or a hand that closes.
 *
 * In those 30 s a hold shorter than 3 s does nothing: the SOS stands already, and asking for help twice must not take it back.
 * After 30 s, or after a cancellation, a hold of 1 s is an SOS again. A button stuck down gives one SOS, not a stream. A level
 * counts once it has lasted 30 ms, so a trembling finger does not start its hold anew. The times are our choices of use, not
 * medical figures: 1 s keeps a bump from calling, and cancelling is three times as hard as calling.
 */
#ifndef SOS_BUTTON_H
#define SOS_BUTTON_H

#include <stdbool.h>
#include <stdint.h>

#define BRIDGE_SOS_DEBOUNCE_MS 30
#define BRIDGE_SOS_HOLD_MS 1000
#define BRIDGE_SOS_CANCEL_HOLD_MS 3000
#define BRIDGE_SOS_CANCEL_WITHIN_MS 30000
#define BRIDGE_SOS_WELL_WITHIN_MS 90000
#define BRIDGE_SOS_WELL_APART_MS 1500

/* Values 1 and 2 are those of the SOS payload. */
enum bridge_sos_kind {
    BRIDGE_SOS_NONE = 0,
    BRIDGE_SOS_PRESSED = 1,
    BRIDGE_SOS_CANCELLED = 2,
};

/* All zero is the start: released, no SOS yet. */
struct bridge_sos_button {
    uint32_t changed_ms; /* when the raw level last changed */
    uint32_t held_ms;    /* when this hold began, while is_held */
    uint32_t sos_ms;     /* when the last SOS was recognised, while can_cancel */
    uint32_t fell_ms;    /* when the last fall candidate was given, while can_be_well */
    uint32_t tapped_ms;  /* when the last short press ended, while has_tapped */
    bool was_pressed;    /* raw level at the last call */
    bool is_held;        /* debounced level */
    bool is_spent;       /* this hold has given its event */
    bool is_cancelling;  /* this hold began while can_cancel */
    bool can_cancel;     /* an SOS was recognised at most 30 s ago */
    bool can_be_well;    /* a fall candidate was given at most 90 s ago, and no SOS since */
    bool has_tapped;     /* one short press since then */
};

/* A fall candidate has just been given: for a while two short presses take it back. */
void bridge_sos_note_fall(struct bridge_sos_button *button, uint32_t now_ms);

/* Take the level at `now_ms`, at every poll. Returns what has just been recognised. */
enum bridge_sos_kind bridge_sos_feed(struct bridge_sos_button *button, bool is_pressed, uint32_t now_ms);

#endif
