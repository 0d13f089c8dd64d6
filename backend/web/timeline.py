"""The story of a case in sentences: its steps and its alerts', the events of the home, the visits' steps and the messages sent. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from backend.web import labels
from backend.web.labels import N_
from backend.web.language import Translator
from backend.web.read import Row
from contract.events import read_remark

ALERT_STEP = {
    "opened": N_("Alert opened"),
    "repeated": N_("Happened again"),
    "raised": N_("Got worse"),
    "reopened": N_("Happened again: to be taken anew"),
    "silent": N_("No data any more; the alert stays open"),
    "recovered": N_("Back to normal; the alert stays open until somebody closes it"),
    "cancelled": N_("Cancelled by the wearer; please check all the same"),
    "acknowledged": N_("Alert taken"),
    "noted": N_("Note: %(text)s"),
    "dispatched": N_("Family doctor asked for"),
    "closed": N_("Closed: %(disposition)s"),
}
"""Those of people belong to alerts from before there were cases."""
CASE_STEP = {
    "opened": N_("Case opened"),
    "joined": N_("Belongs to the same case: %(alert)s"),
    "raised": N_("More urgent now: %(priority)s"),
    "reopened": N_("Waits for somebody again"),
    "taken": N_("Case taken"),
    "begun": N_("In hand"),
    "resolved": N_("Nobody needs help any more"),
    "given_back": N_("Put back into the queue"),
    "handed_over": N_("Handed over to %(to)s"),
    "noted": N_("Note: %(text)s"),
    "dispatched": N_("Family doctor asked for"),
    "called": N_("%(name)s called at %(called_at)s: %(result)s"),
    "escalated": N_("%(step)s; told: %(told)s"),
    "watched": N_("Live view until %(until_clock)s"),
    "rested": N_("Rests until %(until)s"),
    "rearmed": N_("Armed again"),
    "closed": N_("Closed: %(disposition)s"),
}
WORSE = frozenset({"opened", "joined", "repeated", "raised", "reopened"})
VISIT = {
    "requested": N_("Visit asked for: %(reason)s"),
    "accepted": N_("%(doctor)s accepts the visit"),
    "on_the_way": N_("%(doctor)s is on the way"),
    "at_home": N_("%(doctor)s is at the home"),
    "done": N_("%(doctor)s ends the visit: %(outcome)s"),
    "cancelled": N_("Visit called off: %(reason)s"),
}
RUNG = {
    1: N_("More doctors are asked"),
    2: N_("No doctor after two minutes: the operators call by telephone"),
    3: N_("No doctor after three minutes: the backup team, the supervisor and the family are told"),
}
"""What a search that widens means, by its rung."""
SENT = {
    "sent": N_("Message sent to %(person)s"),
    "failed": N_("Message to %(person)s failed"),
    "waiting": N_("Message to %(person)s: trying again"),
}


CENTRE = ZoneInfo("Asia/Shanghai")
"""The clock of the centre: a call's time inside a sentence is on it."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One line: when, who (empty for the system), what, a further text, and its tone: `alert`, `person`, `visit`, `event` or `message`."""

    at: datetime
    who: str
    text: str
    more: str
    tone: str


def compose(
    alert_steps: list[Row], events: list[Row], visits: list[Row], messages: list[Row], *, say: Translator, case_steps: Sequence[Row] = ()
) -> list[Entry]:
    """All lines, newest first; of lines of the same instant the later written first. Where there is a case, its closing says it all."""
    shown = [row for row in alert_steps if row["action"] != "closed" or not case_steps]
    entries = [_of_step(row, ALERT_STEP, say) for row in shown] + [_of_step(row, CASE_STEP, say) for row in case_steps]
    entries += [_of_event(row, say) for row in events]
    entries += [_of_visit(row, say) for row in visits] + [_of_message(row, say) for row in messages]
    return sorted(reversed(entries), key=lambda entry: entry.at, reverse=True)


def _of_step(row: Row, sentences: dict[str, str], say: Translator) -> Entry:
    detail = row["detail"]
    words = {
        "text": detail.get("text", ""),
        "disposition": say(labels.DISPOSITION[detail["disposition"]]) if "disposition" in detail else "",
        "priority": say(labels.PRIORITY[detail["priority"]]) if "priority" in detail else "",
        "to": row.get("to_title") or detail.get("to", ""),
        "name": detail.get("name", ""),
        "result": say(labels.CALL_RESULT[detail["result"]]) if "result" in detail else "",
        "called_at": _clock(detail.get("called_at")),
        "until": _clock(detail.get("until"), is_day=True),
        "until_clock": _clock(detail.get("until")),
        "step": say(labels.ESCALATION[detail["step"]]) if "step" in detail else "",
        "told": say(", ").join(row.get("told") or []) or say("nobody is on duty"),
        "alert": (row.get("alert_title") or {}).get(say.language, ""),
    }
    more = str(detail.get("text", "")) if row["action"] in ("closed", "resolved", "handed_over") else _evidence(detail)
    tone = "person" if _who(row) else "alert" if row["action"] in WORSE else "event"
    return Entry(row["at"], _who(row), say(sentences[row["action"]], **words), more, tone)


def _clock(at: str | None, *, is_day: bool = False) -> str:
    """An instant of a detail on the centre's clock."""
    if not at:
        return ""
    return datetime.fromisoformat(at).astimezone(CENTRE).strftime("%m-%d %H:%M" if is_day else "%H:%M:%S")


def _of_event(row: Row, say: Translator) -> Entry:
    confidence = "" if row["confidence"] is None else say("confidence %(percent)s %%", percent=round(row["confidence"] * 100))
    text, remark = _happened(str(row["kind"]), read_remark(row["detail"]), say)
    return Entry(row["at"], "", text, " · ".join(filter(None, [row["device_id"], confidence, remark])), "event")


def _happened(kind: str, words: dict[str, str], say: Translator) -> tuple[str, str]:
    """Sentence and remark of an event. What a newer gateway says in words that are not known here is left out."""
    reason = say(labels.ALONE_REASON[words["reason"]]) if words.get("reason") in labels.ALONE_REASON else words.get("reason", "")
    if kind == "pairing_needed":
        return say(labels.EVENT[kind]), say(labels.PAIRING_REASON[words["reason"]]) if words.get(
            "reason"
        ) in labels.PAIRING_REASON else reason
    if kind == "alone_sms" and words.get("result") in labels.ALONE_SMS:
        return say(labels.ALONE_SMS[words["result"]], number=words.get("contact", "?"), reason=reason), ""
    if kind == "acted_alone":
        siren = say(labels.SIREN[words["siren"]]) if words.get("siren") in labels.SIREN else ""
        contacts = say("SMS to %(count)s contacts", count=words["contacts"]) if words.get("contacts", "0") != "0" else ""
        return say(labels.EVENT[kind]), " · ".join(filter(None, [siren, contacts]))
    return say(labels.EVENT.get(kind, kind)), reason if kind == "modem_failed" else ""


def _of_visit(row: Row, say: Translator) -> Entry:
    detail = row["detail"]
    if "offered_to" in detail:
        text = say("Offered to %(doctor)s (%(why)s)", doctor=row["asked_name"], why=say(labels.WHY_SHORT[detail["why"]]))
    elif "declined_by" in detail:
        text = say("%(doctor)s cannot come: %(reason)s", doctor=row["asked_name"], reason=say(labels.DECLINE[detail["reason"]]))
    elif "not_left_by" in detail:
        text = say("%(doctor)s has not left in time: others are asked", doctor=row["asked_name"])
    elif "released" in detail:
        text = say("%(doctor)s cannot come after all: %(reason)s", doctor=row["asked_name"], reason=say(labels.DECLINE[detail["reason"]]))
    elif "note" in detail:
        return Entry(row["at"], _who(row), say("%(doctor)s writes down", doctor=row["doctor_name"]), str(detail["note"]), "visit")
    elif "called" in detail:
        text = say("120 was called")
    elif detail.get("by_hand"):
        text = say("%(doctor)s said yes by telephone", doctor=row["doctor_name"])
    elif "rung" in detail and not detail.get("nobody"):
        text = say(RUNG[detail["rung"]])
    elif detail.get("nobody"):
        text = say("All doctors on duty were asked and nobody accepted: call by hand")
    else:
        outcome = say(labels.OUTCOME[detail["outcome"]]) if "outcome" in detail else ""
        text = say(VISIT.get(row["state"], str(row["state"])), doctor=row["doctor_name"], outcome=outcome, reason=detail.get("reason", ""))
    return Entry(row["at"], _who(row), text, "", "visit")


def _of_message(row: Row, say: Translator) -> Entry:
    read_at = row.get("read_at")
    said = [say("read at %(at)s", at=read_at.astimezone(CENTRE).strftime("%H:%M:%S"))] if read_at else []
    said += [say("may have gone out more than once")] if row["doubts"] else []
    more = say(", ").join(said)
    return Entry(row["at"], "", say(SENT[row["state"]], person=row["person"]), more, "message")


def _who(row: Row) -> str:
    return "" if row["by"] == "system" else str(row["who"])


def _evidence(detail: dict[str, Any]) -> str:
    value = detail.get("value")
    label = f" ({detail['label']})" if "label" in detail else ""
    return f"{value:g}{label}" if isinstance(value, int | float) else str(detail.get("detail", ""))
