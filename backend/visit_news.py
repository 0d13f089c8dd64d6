"""What people hear of a visit: the doctors who are asked, and home and family that one is coming, or that nobody could be found yet."""

from datetime import datetime
from math import ceil

from backend.cases import duty
from backend.cases import store as cases
from backend.commands import store as commands
from backend.db.pool import Connection
from backend.dispatch import store as dispatch
from backend.notify import outbox

NOBODY_YET_TEXT = "还在为您联系医生，请不要着急。"
"""Said at the ladder's last rung at 180 s (docs/visits.md)."""
COMING_TEXT = "{doctor}正在赶来，大约{minutes}分钟到。"
COMING_SOON_TEXT = "{doctor}正在赶来。"
OFFERED = {
    "emergency": ("危急上门派单，请立即查看", "An emergency visit is offered"),
    "urgent": ("紧急上门派单（60 分钟内到家），请查看", "An urgent visit is offered"),
    "same_day": ("当日上门派单，请查看", "A visit on the same day is offered"),
    "by_date": ("限期上门派单，请查看", "A visit by a date is offered"),
}
"""Titles in Chinese and English by class of visit: a lock screen shows them, so they name nobody."""
OFFER_PRIORITY = {"emergency": "high", "urgent": "high", "same_day": "medium", "by_date": "low"}
"""By which of their channels doctors hear of it, and whether quiet hours hold it back."""


async def offered(conn: Connection, *, visit_id: int, now: datetime) -> None:
    """Ring the doctors who are asked, by their own channels: once for each round of the search, whoever calls this how often."""
    for asked in await dispatch.asking(conn, visit_id):
        title_zh, title_en = OFFERED[asked["visit_class"]]
        priority = OFFER_PRIORITY[asked["visit_class"]]
        step = f"offer:{asked['round']}"
        body = {"visit_id": visit_id, "step": step, "at": now.isoformat(), "priority": priority, "title_zh": title_zh, "title_en": title_en}
        people = [f"account:{asked['name']}"]
        await outbox.add_for_visit(conn, visit_id=visit_id, people=people, step=step, body=body, priority=priority, now=now)


async def nobody_yet(conn: Connection, *, visit_id: int, elder_id: str, alert_id: int | None, now: datetime) -> None:
    """No doctor has accepted so far: the home hears that the search goes on, the contacts are told, and the supervisor on duty must act."""
    await commands.speak(conn, elder_id=elder_id, text=NOBODY_YET_TEXT, now=now)
    titles = {"title_zh": "医生尚未确定，仍在联系", "title_en": "No doctor has accepted yet"}
    await _tell(conn, visit_id, elder_id, alert_id, step="nobody_yet", titles=titles, now=now)
    if alert_id is not None:
        await _tell_supervisor(conn, visit_id, alert_id, step=f"nobody_yet:{now.isoformat()}", titles=titles, now=now)


async def not_offered(conn: Connection, *, visit_id: int, alert_id: int | None, now: datetime) -> None:
    """The program fails to offer this visit: whoever supervises hears once that a doctor must be called by telephone."""
    titles = {"title_zh": "系统无法派单，请电话联系医生", "title_en": "A visit cannot be offered: call a doctor by telephone"}
    if alert_id is not None:
        await _tell_supervisor(conn, visit_id, alert_id, step="not_offered", titles=titles, now=now)


async def _tell_supervisor(conn: Connection, visit_id: int, alert_id: int, *, step: str, titles: dict[str, str], now: datetime) -> None:
    """Whoever supervises now, and who is on call at home (administrators where nobody supervises): one message for each `step`."""
    case = await cases.of_alert(conn, alert_id)
    if case is None:
        return
    case_id, priority = case
    told = duty.people(await duty.on_duty(conn, now=now), ("supervisor", "on_call"), holder=None, asked=())
    step = f"visit:{visit_id}:{step}"
    body = {"case_id": case_id, "step": step, "at": now.isoformat(timespec="seconds")} | titles
    people = [f"account:{name}" for name in told]
    await outbox.add_for_case(conn, case_id=case_id, people=people, step=step, body=body, priority=priority, now=now)


async def coming(
    conn: Connection, *, visit_id: int, elder_id: str, alert_id: int | None, doctor: str, way_s: float | None, now: datetime
) -> None:
    """A doctor is on the way. `way_s`: expected travel time in seconds, None when unknown."""
    text = COMING_TEXT.format(doctor=doctor, minutes=ceil(way_s / 60)) if way_s else COMING_SOON_TEXT.format(doctor=doctor)
    await commands.speak(conn, elder_id=elder_id, text=text, now=now)
    titles = {"title_zh": f"{doctor}已出发", "title_en": f"{doctor} is on the way"}
    await _tell(conn, visit_id, elder_id, alert_id, step="coming", titles=titles, now=now)


async def _tell(
    conn: Connection, visit_id: int, elder_id: str, alert_id: int | None, *, step: str, titles: dict[str, str], now: datetime
) -> None:
    """Write the messages; a visit without an alert was planned with the family, and brings none."""
    if alert_id is None:
        return
    step = f"visit:{visit_id}:{step}"
    body = {"alert_id": alert_id, "step": step, "at": now.isoformat()} | titles
    await outbox.add(conn, alert_id=alert_id, elder_id=elder_id, step=step, body=body, now=now)
