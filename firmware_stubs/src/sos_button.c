/* Debounce the SOS button and tell a call from its cancellation; sos_button.h is the manual. */
#include "sos_button.h"

/* Follow the level; a hold starts when the level first rose, not when the bouncing was over. */
static void debounce(struct bridge_sos_button *button, bool is_pressed, uint32_t now_ms)
{
    if (is_pressed != button->was_pressed) {
        button->was_pressed = is_pressed;
        button->changed_ms = now_ms;
    }
    if (is_pressed == button->is_held || now_ms - button->changed_ms < BRIDGE_SOS_DEBOUNCE_MS) {
        return;
    }
    button->is_held = is_pressed;
    button->held_ms = button->changed_ms;
    button->is_spent = false;
    button->is_cancelling = button->can_cancel;
}

void bridge_sos_note_fall(struct bridge_sos_button *button, uint32_t now_ms)
{
    button->fell_ms = now_ms;
    button->can_be_well = !button->can_cancel; /* whoever has just called for help does not say that all is well */
    button->has_tapped = false;
}

/* A press shorter than an SOS has ended. */
static enum bridge_sos_kind tap(struct bridge_sos_button *button, uint32_t now_ms)
{
    const bool is_second = button->has_tapped && now_ms - button->tapped_ms <= BRIDGE_SOS_WELL_APART_MS;
    button->has_tapped = button->can_be_well && !is_second;
    button->tapped_ms = now_ms;
    if (!is_second) {
        return BRIDGE_SOS_NONE;
    }
    button->can_be_well = false;
    return BRIDGE_SOS_CANCELLED;
}

static enum bridge_sos_kind recognise(struct bridge_sos_button *button, uint32_t now_ms)
{
    button->is_spent = true;
    button->can_be_well = false;
    button->has_tapped = false;
    button->can_cancel = !button->is_cancelling;
    button->sos_ms = now_ms;
    return button->is_cancelling ? BRIDGE_SOS_CANCELLED : BRIDGE_SOS_PRESSED;
}

enum bridge_sos_kind bridge_sos_feed(struct bridge_sos_button *button, bool is_pressed, uint32_t now_ms)
{
    if (now_ms - button->sos_ms > BRIDGE_SOS_CANCEL_WITHIN_MS) {
        button->can_cancel = false;
    }
    if (now_ms - button->fell_ms > BRIDGE_SOS_WELL_WITHIN_MS) {
        button->can_be_well = false;
        button->has_tapped = false;
    }
    const bool was_open = button->is_held && !button->is_spent;
    const uint32_t began_ms = button->held_ms;
    debounce(button, is_pressed, now_ms);
    if (was_open && !button->is_held && button->changed_ms - began_ms < BRIDGE_SOS_HOLD_MS) {
        return tap(button, now_ms);
    }
    if (!button->is_held || button->is_spent) {
        return BRIDGE_SOS_NONE;
    }
    const uint32_t needed_ms = button->is_cancelling ? BRIDGE_SOS_CANCEL_HOLD_MS : BRIDGE_SOS_HOLD_MS;
    return now_ms - button->held_ms < needed_ms ? BRIDGE_SOS_NONE : recognise(button, now_ms);
}
