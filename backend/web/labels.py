"""English words for the codes in the tables; the pages pass them through the translator. `N_` marks a word for the catalogue."""

import re
from collections.abc import Mapping

from backend.web.language import Translator
from contract.quantities import QUANTITIES, QuantityName


def N_(message: str) -> str:
    """The message itself: it is translated where it is shown."""
    return message


PRIORITY = {"high": N_("High"), "medium": N_("Medium"), "low": N_("Low"), "technical": N_("Technical")}
LEVEL = {
    "technical": N_("Technical"),
    "asked": N_("Asked to measure again"),
    "info": N_("Information"),
    "attention": N_("Attention"),
    "warn": N_("Caution"),
    "warning": N_("Warning"),
    "urgent": N_("Urgent"),
    "crit": N_("Crisis"),
    "critical": N_("Critical"),
    "emergency": N_("Emergency"),
}
CONDITION = {
    "active": N_("Ongoing"),
    "silent": N_("No data since"),
    "recovered": N_("Back to normal"),
    "cancelled": N_("Cancelled by the wearer"),
}
CASE_STATE = {
    "new": N_("Not taken"),
    "taken": N_("Taken"),
    "in_hand": N_("In hand"),
    "resolved": N_("Resolved, not closed yet"),
    "closed": N_("Closed"),
}
DISPOSITION = {
    "real": N_("Real: help was needed"),
    "false": N_("False alarm"),
    "test": N_("Test"),
    "technical": N_("Technical fault"),
    "no_reply": N_("Nobody could be reached"),
}
CALL_RESULT = {
    "reached": N_("Reached"),
    "no_answer": N_("No answer"),
    "busy": N_("Engaged"),
    "switched_off": N_("Phone switched off"),
    "wrong_number": N_("Wrong number"),
    "refused": N_("Refused"),
}
ESCALATION = {
    "second": N_("Not taken for 60 s"),
    "investigate": N_("Not taken for 180 s: to be investigated"),
    "idle": N_("Taken, but nothing has begun for 180 s"),
    "attend": N_("In hand for 45 min"),
    "attend_max": N_("In hand for 60 min: to be investigated"),
    "stale": N_("Open for 24 h"),
}
NEXT_STEP = {
    "second": N_("others are told:"),
    "investigate": N_("flagged:"),
    "idle": N_("to begin:"),
    "attend": N_("to 45 min in hand:"),
    "attend_max": N_("to 60 min in hand:"),
    "stale": N_("to 24 h:"),
    "rearm": N_("rests:"),
}
"""What the timer of an open case counts down to: the steps of backend/cases/escalation.py."""
REST = {"shelved": N_("Shelved"), "maintenance": N_("Maintenance"), "away": N_("Away"), "hospital": N_("In hospital")}
DUTY = {"desk": N_("Desk"), "second": N_("Second operator"), "supervisor": N_("Supervisor"), "on_call": N_("On call at home")}
CHANNEL = {"email": N_("E-mail"), "service": N_("Chat, SMS or voice service"), "webhook": N_("Webhook"), "log": N_("Log of the server")}
PUSH = N_("This browser, also when the page is closed")
VISIT_CLASS = {
    "emergency": N_("Emergency: call 120 first"),
    "urgent": N_("Urgent: within 60 minutes"),
    "same_day": N_("Same day"),
    "by_date": N_("By a date"),
}
"""Classes and the 60 minutes: docs/visits.md."""
VISIT_STATE = {
    "requested": N_("Looking for a doctor"),
    "offered": N_("Waiting for the doctor's answer"),
    "accepted": N_("Accepted"),
    "on_the_way": N_("On the way"),
    "at_home": N_("At the home"),
    "done": N_("Visit done"),
    "cancelled": N_("Visit cancelled"),
}
WHY = {
    "own_doctor": N_("Your own signed patient"),
    "own_team": N_("Signed with your team"),
    "area_team": N_("Not signed with anybody, in your team's area"),
    "fallback_team": N_("Your team stands in for another"),
    "by_hand": N_("Asked for by the operator"),
    "planned": N_("In your plan of the day"),
}
WHY_SHORT = {
    "own_doctor": N_("signed doctor"),
    "own_team": N_("signed team"),
    "area_team": N_("team of the area"),
    "fallback_team": N_("team standing in"),
    "by_hand": N_("by hand"),
    "planned": N_("plan of the day"),
}
DECLINE = {
    "with_patient": N_("With another patient"),
    "too_far": N_("Too far away"),
    "off_duty": N_("Not on duty"),
    "not_my_field": N_("Not my field"),
    "other": N_("Another reason"),
}
SKIP = {
    "not_at_home": N_("Not at home"),
    "refused": N_("Does not want it"),
    "in_hospital": N_("In hospital"),
    "no_time": N_("No time left"),
    "other": N_("Another reason"),
}
SKIPPED = SKIP | {"urgent_visit": N_("An urgent visit came between")}
STOP_PROGRESS = {
    "on_the_way": N_("On the way"),
    "at_home": N_("At the home"),
    "done": N_("Visit done"),
    "elsewhere": N_("Made on another visit"),
    "skipped": N_("Not today"),
}
CONTROL = {
    "satisfied": N_("satisfied"),
    "first_not": N_("not satisfied for the first time"),
    "second_not": N_("not satisfied twice running"),
    "emergency": N_("emergency"),
}
"""Words of records/followup.py."""
REASON = {
    "pressure_emergency": N_("pressure at a danger level"),
    "glucose_emergency": N_("glucose at a danger level"),
    "danger_sign": N_("danger sign"),
    "fever": N_("high fever"),
    "fast_pulse": N_("fast pulse"),
    "pressure_high": N_("pressure above its target"),
    "glucose_high": N_("glucose above its target"),
    "drug_reaction": N_("drug reaction"),
    "reaction_hard": N_("reaction hard to control"),
    "complication": N_("new or worse complication"),
}
"""Why records/followup.py chose a class."""
LEAVES_IN = (0, 10, 20, 30, 60)
"""Minutes until a doctor leaves, as the offer proposes them."""
OUTCOME = {
    "well": N_("Well, nothing needed"),
    "treated": N_("Treated at home"),
    "referred": N_("Referred to hospital"),
    "emergency": N_("120 called"),
    "not_met": N_("Nobody met"),
}
EVENT = {
    "sos": N_("SOS pressed"),
    "sos_cancelled": N_("SOS taken back"),
    "fall": N_("Fall detected"),
    "fall_cancelled": N_("Fall taken back"),
    "fall_asked": N_("Perhaps a fall: the home is asked"),
    "fall_answered": N_("Perhaps a fall: the home answered, all is well"),
    "fall_candidate": N_("Movement like a fall, no alarm"),
    "bed_entry": N_("Went to bed"),
    "bed_exit": N_("Left the bed"),
    "long_stay": N_("Long in one place"),
    "chest_still": N_("Chest not seen to move"),
    "door_opened": N_("Door opened"),
    "door_closed": N_("Door closed"),
    "motion": N_("Somebody moved"),
    "button": N_("Button pressed"),
    "smoke": N_("Smoke"),
    "gas": N_("Gas"),
    "water": N_("Water"),
    "alarm_ended": N_("Alarm is over"),
    "tamper": N_("Device tampered with"),
    "battery_low": N_("Battery low"),
    "device_lost": N_("Device lost"),
    "device_found": N_("Device found"),
    "outbox_damaged": N_("Gateway store damaged"),
    "batch_refused": N_("Message refused"),
    "acted_alone": N_("Nobody answered the home: it acted alone"),
    "alone_sms": N_("SMS of the home"),
    "modem_failed": N_("SMS modem does not work"),
    "modem_works": N_("SMS modem works again"),
    "pairing_needed": N_("Device must be paired again"),
    "paired": N_("Device paired"),
}
PAIRING_REASON = {
    "bond_lost": N_("it has forgotten the gateway"),
    "passkey_needed": N_("its passkey must be typed"),
    "not_authenticated": N_("it did not ask for its passkey"),
    "pairing_refused": N_("it refused"),
}
BLUETOOTH = {
    "glucose": N_("Glucose meter"),
    "thermometer": N_("Thermometer"),
    "heart rate": N_("Heart rate belt"),
    "blood pressure": N_("Cuff"),
    "oximeter": N_("Oximeter"),
    "body composition": N_("Scale"),
    "scale": N_("Scale"),
}
"""Words of gateway/bridges/bluetooth/controller.py."""
SIREN = {"on": N_("siren"), "failed": N_("the siren cannot be run"), "none": N_("no siren")}
ALONE_SMS = {
    "sent": N_("SMS of the home to contact %(number)s: sent"),
    "delivered": N_("SMS of the home to contact %(number)s: delivered"),
    "undelivered": N_("SMS of the home to contact %(number)s: not delivered"),
    "failed": N_("SMS of the home to contact %(number)s: failed (%(reason)s)"),
    "not_sent": N_("SMS of the home to contact %(number)s: no longer needed (%(reason)s)"),
}
ALONE_REASON = {
    "answered": N_("the centre answered"),
    "cancelled": N_("taken back"),
    "port_lost": N_("modem unplugged"),
    "silent": N_("modem silent"),
    "no_sim": N_("no SIM"),
    "sim_locked": N_("SIM asks for its PIN"),
    "sim_failed": N_("SIM broken"),
    "not_registered": N_("no mobile network"),
    "no_service_centre": N_("SIM without message centre"),
    "network": N_("the mobile network refused"),
    "not_allowed": N_("not allowed for this SIM"),
    "unsupported": N_("modem cannot do it"),
    "no_prompt": N_("modem took no message"),
    "unknown": N_("cause unknown"),
}
"""Words of gateway/bridges/modem_fault.py, and why a message was not needed."""
DUE_KIND = {
    "elder_checkup": N_("Yearly check-up, 65 and over"),
    "hypertension_followup": N_("Blood pressure follow-up"),
    "diabetes_followup": N_("Diabetes follow-up"),
    "home_bed_round": N_("Home bed round"),
    "two_week_check": N_("Two-week check"),
    "other": N_("Other visit"),
}
UNSERVED = {
    "no_skill": N_("nobody on duty has the role"),
    "no_second_person": N_("only one person on duty could do its two parts"),
    "outside_hours": N_("its time and the hours of those on duty do not meet"),
    "too_far": N_("too far to go, stay and be back in time"),
    "full": N_("no room left: more urgent visits go first"),
    "not_worth": N_("would fit, but costs more than waiting"),
    "no_place": N_("the home has no coordinates"),
}
PLAN_TERM = {
    "own": N_("own patient"),
    "not_own": N_("not by the own doctor"),
    "other_person": N_("another doctor than planned before"),
    "shifted": N_("moved from its time"),
    "frozen": N_("begun or next: stays"),
}
PLAN_FAULT = {
    "twice": N_("it would be made twice"),
    "skill": N_("this person does not have the role"),
    "too_soon": N_("there is no time to get there"),
    "before_window": N_("it would be before the promised or possible time"),
    "after_window": N_("it would be after the promised or possible time"),
    "too_short": N_("it would be too short"),
    "leaves_early": N_("the shift has not begun"),
    "back_late": N_("the doctor would not be back in time"),
    "too_long": N_("the tour would be too long"),
    "overloaded": N_("the tour would be too full"),
    "incomplete": N_("two people must go, and only one would"),
    "same_person": N_("two different people must go"),
    "gap": N_("the two would not come as far apart as asked"),
    "circular": N_("two people would wait for each other"),
}
PLAN_REFUSALS = (
    N_("Meanwhile a doctor has begun a visit that this plan gives to somebody else. Plan again."),
    N_("This visit has begun or is next: it stays as it is."),
    N_("The day has gone on since this plan was made. Plan again."),
)
"""What dispatch/plan_store.py and dispatch/day/edit.py refuse with."""
ON_BOARD = STOP_PROGRESS | {
    "not_met": N_("Nobody met"),
    "unheard": N_("Its time has come, no word yet"),
    "next": N_("Next: stays as it is"),
}
"""What the planner's board says of a stop."""
PLAN_STATE = {
    "asked": N_("Being planned"),
    "draft": N_("Draft"),
    "published": N_("Published"),
    "replaced": N_("Replaced"),
    "failed": N_("Failed"),
}
TEAM_ROLE = {
    "gp": N_("Family doctor"),
    "nurse": N_("Nurse"),
    "public_health": N_("Public health"),
    "specialist": N_("Specialist"),
}
"""The places of a team "1+1+1+X", X being whoever else."""
TEAM_REFUSALS = (
    N_("A shift must end after it starts."),
    N_("This doctor has another shift at that time; end it first."),
    N_("A team needs a family doctor: put another one in first."),
    N_("This doctor has left the team."),
    N_("A contract runs at least one year."),
)
"""What people/teams.py refuses with."""
ABILITY = {
    "intact": N_("Able"),
    "mild": N_("Mildly disabled"),
    "moderate": N_("Moderately disabled"),
    "severe": N_("Severely disabled"),
    "total": N_("Totally disabled"),
}
"""The five levels of GB/T 42195-2022."""
SEX = {"female": N_("Female"), "male": N_("Male"), "unknown": N_("Sex unknown")}
ROLE = {"operator": N_("Operator"), "doctor": N_("Doctor"), "admin": N_("Administrator"), "family": N_("Family")}
FAMILY_SEES = {
    "state": N_("How things are today"),
    "values": N_("Newest values"),
    "alerts": N_("Alarms and what was done"),
    "visits": N_("Visits"),
    "findings": N_("What visits found"),
    "messages": N_("Messages"),
}
"""What an elder may let the family see."""
FAMILY_OUTCOME = {
    "real": N_("Help was needed, and given"),
    "false": N_("It was a false alarm"),
    "test": N_("It was a test"),
    "technical": N_("A device was at fault"),
    "no_reply": N_("Nobody could be reached"),
}
FAMILY_STANDING = {
    "within": N_("within what is watched for"),
    "above": N_("above what is watched for; if it stays so, the centre is called"),
    "below": N_("below what is watched for; if it stays so, the centre is called"),
}
FAMILY_VISIT_CLASS = {
    "emergency": N_("Emergency visit"),
    "urgent": N_("Urgent visit"),
    "same_day": N_("Visit on the same day"),
    "by_date": N_("Visit by a date"),
}
INSTITUTION_REFUSALS = (N_("Another institution has this number: choose a new one, or change that one from the list."),)
"""What institutions/store.py refuses with."""
FAMILY_REFUSALS = (
    N_("Choose one of the elder's contacts."),
    N_("Choose what may be seen, and write down the elder's words."),
    N_("A consent ends after today, and within three years."),
    N_("A password has at least 8 characters."),
    N_("A name has up to 40 small letters, digits, dots or dashes."),
    N_("This name is taken: choose another one."),
    N_("This name is kept for the system or for a doctor: choose another one."),
    N_("You have written five times within an hour. In an emergency call 120; the centre reads what you wrote."),
    N_("Choose somebody of the family who may read messages."),
    N_("Write something first."),
)
"""What people/families.py and people/accounts.py refuse with."""
DEVICE = {
    "bci_oximeter": N_("Oximeter"),
    "bluetooth": N_("Bluetooth"),
    "bp_beurer_bm65": N_("Cuff"),
    "bp_visomat": N_("Cuff"),
    "contec_v5": N_("Oximeter"),
    "contec_v7": N_("Oximeter"),
    "emfit_qs": N_("Bed sensor"),
    "enocean_esp3": N_("Radio receiver"),
    "hlk_ld1125h": N_("Radar"),
    "hlk_ld2410": N_("Radar"),
    "hlk_ld2450": N_("Radar"),
    "jiahu_bed_mat": N_("Bed mat"),
    "jiahu_ble_bridge": N_("Bluetooth bridge"),
    "jiahu_ble_device": N_("Bluetooth device"),
    "jiahu_pendant": N_("SOS pendant"),
    "jiahu_wearable": N_("Wearable"),
    "nonin_serial": N_("Oximeter"),
    "nonin_spot": N_("Oximeter"),
    "radar_sy": N_("Radar"),
    "radar_tinyframe": N_("Radar"),
    "rflink": N_("Radio receiver"),
    "rfxtrx": N_("Radio receiver"),
    "rtl433_json": N_("Radio receiver"),
    "zigbee2mqtt": N_("Radio receiver"),
}

UNIT = {"/min": "/min", "mm[Hg]": "mmHg", "Cel": "°C", "1": ""}
"""How people write a UCUM unit; one that is not listed is written as it is."""

CONSCIOUSNESS = {
    "A": N_("Alert"),
    "C": N_("Newly confused"),
    "V": N_("Responds to voice"),
    "P": N_("Responds to pain"),
    "U": N_("Unresponsive"),
}
RULE_KIND = {
    "threshold": N_("Limit of a quantity"),
    "trend": N_("Change of a quantity"),
    "absence": N_("Something did not happen"),
    "event": N_("Something happened"),
    "score": N_("Early warning score"),
    "all": N_("Several rules at once"),
}
DRAFT_STATE = {
    "draft": N_("Draft"),
    "submitted": N_("Waits for approval"),
    "approved": N_("Approved"),
    "withdrawn": N_("Withdrawn"),
}
RULE_WORD = {
    "": "—",
    "below": N_("below"),
    "at_most": N_("at most"),
    "above": N_("above"),
    "at_least": N_("at least"),
    "ask_to_remeasure": N_("asks to measure again"),
    "gateway": N_("any message of the gateway"),
    "away": N_("away"),
    "gateway_offline": N_("gateway off line"),
    "away gateway_offline": N_("away or gateway off line"),
    "rise_at_least": N_("risen"),
    "fall_at_least": N_("fallen"),
    "none": N_("none"),
    "total": N_("score (total)"),
    "on_oxygen": N_("on oxygen (1) or air (0)"),
    "consciousness": N_("alert (0) or not (1)"),
    "breached": N_("breached"),
    "held": N_("held: not yet, or between"),
    "clear": N_("clear"),
    "unknown": N_("unknown"),
    "median": N_("median"),
    "mean": N_("mean"),
    "min": N_("lowest"),
    "max": N_("highest"),
    "first": N_("earliest"),
    "news2": "NEWS2",
    "clock_off": N_("Clock off"),
    "clock_right": N_("Clock right again"),
    "rule_failed": N_("Rule failed"),
}


INSTITUTION = {
    "integrated": N_("Medical and elderly care in one"),
    "care_home": N_("Care home"),
    "hospital": N_("Hospital"),
    "health_centre": N_("Community health centre"),
    "clinic": N_("Clinic"),
    "day_care": N_("Day care"),
    "nursing": N_("Home nursing"),
}
WEEKDAY = {
    "Mo": N_("Mo"),
    "Tu": N_("Tu"),
    "We": N_("We"),
    "Th": N_("Th"),
    "Fr": N_("Fr"),
    "Sa": N_("Sa"),
    "Su": N_("Su"),
    "off": N_("closed"),
}


def hours_text(hours: str, say: Translator) -> str:
    """Opening hours (backend/institutions/hours.py) for people."""
    if hours == "24/7":
        return say("Round the clock")
    return re.sub("|".join(WEEKDAY), lambda word: say(WEEKDAY[word[0]]), hours)


def rule_word(code: str, language: str, say: Translator) -> str:
    """A word of a rule's form for people."""
    if code in set(QuantityName):
        quantity = QUANTITIES[QuantityName(code)]
        return quantity.title_zh if language == "zh" else quantity.title_en
    for words in (LEVEL, PRIORITY, VISIT_CLASS, RULE_WORD, EVENT):
        if code in words:
            return say(words[code])
    return code


Q = QuantityName
VITALS = (Q.HEART_RATE, Q.SPO2, Q.RESPIRATION_RATE, Q.SYSTOLIC, Q.DIASTOLIC, Q.BODY_TEMPERATURE, Q.GLUCOSE, Q.WEIGHT, Q.BED_OCCUPIED)
"""What a card shows, in this order."""

STREET = (Q.HEART_RATE, Q.SPO2, Q.RESPIRATION_RATE)
"""What a tile of the street shows."""

DEFAULT_FRESH_S = 60
FRESH_S: Mapping[str, int] = {
    Q.SYSTOLIC: 172_800,
    Q.DIASTOLIC: 172_800,
    Q.GLUCOSE: 172_800,
    Q.BODY_TEMPERATURE: 86_400,
    Q.WEIGHT: 604_800,
}
"""Age in seconds after which a number is greyed: `fresh_s` of the shipped rules; weight, which no rule uses, a week."""
