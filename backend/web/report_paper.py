"""The report as tables of text, in one language: what page, CSV and PDF show. Pure; the figures come from `backend.cases`."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from backend.cases import attendance, report, tested
from backend.cases.attendance import Attendance
from backend.cases.report import CENTRE, Answers, Row
from backend.web import labels
from backend.web.language import Translator
from backend.web.tables import Paper, Table

NOTHING = "—"
TOP = 20


@dataclass(frozen=True, slots=True)
class Figures:
    """Everything that is reported about a span, from `backend.cases`. `until` is its end, or now while it is not over."""

    from_at: datetime
    to_at: datetime
    until: datetime
    now: datetime
    area: str | None
    calls: list[Row]
    alarms: list[Row]
    watched: list[Row]
    areas: list[Row]
    dispositions: list[Row]
    attendance: Mapping[str, Attendance]
    outcomes: Mapping[str, list[Row]]
    chatter: Mapping[str, list[Row]]
    untested: list[Row]
    untested_total: int

    @property
    def answers(self) -> Answers:
        """How all calls of the span were answered."""
        return report.count(self.calls, now=self.now)


def compose(figures: Figures, say: Translator) -> Paper:
    """The whole report."""
    first, last = figures.from_at.astimezone(CENTRE), (figures.to_at - timedelta(seconds=1)).astimezone(CENTRE)
    names = {row["id"]: row["name"] for row in figures.areas}
    about = [
        f"{first:%Y-%m-%d} – {last:%Y-%m-%d}",
        names[figures.area] if figures.area else say("All areas"),
        say("As of %(at)s", at=f"{figures.now.astimezone(CENTRE):%Y-%m-%d %H:%M:%S}"),
    ]
    tables = [
        _answer_times(figures.answers, say),
        _calls(figures.answers, say),
        _rate(figures, say),
        _dispositions(figures.dispositions, say),
        _attendance(figures.attendance, say),
        _by(figures, say("Day"), say("By day"), _day, lambda day: str(day), say),
        _by(figures, say("Area"), say("By area"), lambda row: row["area_id"], lambda area: names.get(area) or say("No area"), say),
        *_outcomes(figures.outcomes, say),
        *_noisiest(figures.chatter, say),
        _untested(figures, say),
    ]
    return Paper(f"{say('Jiahu')} · {say('Report')}", " · ".join(about), tables, say("Nothing so far"))


def percent(share: float | None) -> str:
    """A share in percent with two decimals."""
    return NOTHING if share is None else f"{100 * share:.2f} %"


def judged(share: float | None, target: float) -> str:
    """A share with the sign of its target: reached or missed."""
    return NOTHING if share is None else f"{'✓' if share >= target else '×'} {percent(share)}"


def _answer_times(answers: Answers, say: Translator) -> Table:
    rows = [
        (f"≤ {seconds} s", str(answers.within[seconds]), judged(answers.share(seconds), target), f"{100 * target:.1f} %", source)
        for seconds, target, source in report.TARGETS
    ]
    return Table(say("How calls were answered"), [say("Within"), say("Calls"), say("Share"), say("Target"), say("Source")], rows)


def _calls(answers: Answers, say: Translator) -> Table:
    rows = [
        (say("Calls"), str(answers.calls)),
        (say("Taken"), str(answers.answered)),
        (say("Still waiting"), str(answers.waiting)),
        (say("Ended by themselves, left out"), str(answers.ended_by_themselves)),
        (say("Tests, left out"), str(answers.tests)),
        (say("Slowest"), NOTHING if answers.slowest_s is None else f"{answers.slowest_s:.1f} s"),
        (say("Later than 180 s, to be investigated"), ", ".join(map(str, answers.late_cases)) or "0"),
    ]
    return Table(say("Calls"), [say("What"), say("Number")], rows)


def _rate(figures: Figures, say: Translator) -> Table:
    days = report.elder_days(figures.watched, from_at=figures.from_at, to_at=figures.until)
    rows = [(str(len(figures.alarms)), f"{days:.1f}", _per_day(len(figures.alarms), days))]
    note = say("Alarms about elders, without technical ones and tests; an elder counts from the first gateway on.")
    return Table(say("Alarms per elder-day"), [say("Alarms"), say("Elder-days"), say("Alarms per elder-day")], rows, note)


def _per_day(alarms: int, days: float) -> str:
    """Of less than an elder-day no rate is said: a single alarm would look like hundreds a day."""
    return f"{alarms / days:.3f}" if days >= 1 else NOTHING


def _dispositions(found: Sequence[Row], say: Translator) -> Table:
    rows = [(say(labels.DISPOSITION[row["disposition"]]), str(row["cases"])) for row in found]
    return Table(say("What cases turned out to be"), [say("Code"), say("Cases")], rows)


def _attendance(found: Mapping[str, Attendance], say: Translator) -> Table:
    head = [say("Class"), say("Asked for"), say("Called off"), say("Arrived")]
    head += [f"≤ {minutes} min" for minutes, _, _ in attendance.TARGETS] + [say("Median"), say("Longest")]
    rows = []
    for name, one in found.items():
        shares = [judged(one.share(minutes), target) for minutes, target, _ in attendance.TARGETS]
        if name not in attendance.JUDGED:
            shares = [NOTHING for _ in shares]
        rows.append(
            (
                say(labels.VISIT_CLASS[name]),
                *map(str, (one.asked, one.cancelled, one.arrived)),
                *shares,
                _min(one.median_min),
                _min(one.longest_min),
            )
        )
    targets = ", ".join(f"≤ {minutes} min {100 * target:.0f} % ({source})" for minutes, target, source in attendance.TARGETS)
    note = say("From the request to the home, of visits that are emergencies or urgent: %(targets)s", targets=targets)
    return Table(say("When somebody was at the home"), head, rows, note)


def _min(minutes: float | None) -> str:
    return NOTHING if minutes is None else f"{minutes:.1f} min"


def _day(row: Row) -> Any:
    return row["at"].astimezone(CENTRE).date()


def _by(figures: Figures, head: str, title: str, key: Callable[[Row], Any], name: Callable[[Any], str], say: Translator) -> Table:
    """One row for each day or area with calls, alarms or watched elders."""
    calls, alarms = report.split(figures.calls, key), report.split(figures.alarms, key)
    days = _elder_days_by(figures, key is _day)
    rows = []
    for one in sorted(calls.keys() | alarms.keys() | {one for one, count in days.items() if count > 0}, key=lambda one: (one is None, one)):
        answers, count = report.count(calls.get(one, []), now=figures.now), len(alarms.get(one, []))
        shares = [percent(answers.share(seconds)) for seconds, _, _ in report.TARGETS]
        rows.append(
            (
                name(one),
                str(answers.calls),
                *shares,
                str(count),
                f"{days.get(one, 0):.1f}",
                _per_day(count, days.get(one, 0)),
            )
        )
    limits = [f"≤ {seconds} s" for seconds, _, _ in report.TARGETS]
    return Table(title, [head, say("Calls"), *limits, say("Alarms"), say("Elder-days"), say("Alarms per elder-day")], rows)


def _elder_days_by(figures: Figures, is_day: bool) -> dict[Any, float]:
    if not is_day:
        of_area = report.split(figures.watched, lambda row: row["area_id"])
        return {area: report.elder_days(rows, from_at=figures.from_at, to_at=figures.until) for area, rows in of_area.items()}
    found, day = {}, figures.from_at.astimezone(CENTRE)
    while day < figures.until:
        following = day + timedelta(days=1)
        found[day.date()] = report.elder_days(figures.watched, from_at=max(day, figures.from_at), to_at=min(following, figures.until))
        day = following
    return found


def _outcomes(found: Mapping[str, Sequence[Row]], say: Translator) -> list[Table]:
    head = [say("Alerts"), say("False alarm"), say("Technical"), say("Real")]
    numbers = ("alerts", "false_alarms", "technical", "real")
    return [
        Table(
            say("False and technical: %(kind)s", kind=word), [word, *head],
            [(_named(row, say), *(str(row[name]) for name in numbers)) for row in found[kind][:TOP]],
        )
        for kind, word in _words(say).items() if kind in found
    ]  # fmt: skip


def _noisiest(found: Mapping[str, Sequence[Row]], say: Translator) -> list[Table]:
    return [
        Table(
            say("The ten noisiest: %(kind)s", kind=word), [word, say("Times")],
            [(f"{row['place']}. {_named(row, say)}", str(row["times"])) for row in found[kind]],
        )
        for kind, word in _words(say).items() if kind in found
    ]  # fmt: skip


def _words(say: Translator) -> dict[str, str]:
    return {"rule": say("Rule"), "device": say("Device"), "elder": say("Elder")}


def _named(row: Row, say: Translator) -> str:
    title: Mapping[str, str] | None = row.get("title")
    return title[say.language] if title else row.get("name") or row["id"]


def _untested(figures: Figures, say: Translator) -> Table:
    rows = [
        (
            row["elder_name"], say(labels.DEVICE.get(row["type"]) or row["type"] or NOTHING), f"{row['gateway_id']} {row['device_id']}",
            f"{row['tested_at'].astimezone(CENTRE):%Y-%m-%d %H:%M}" if row["tested_at"] else say("never"),
        )
        for row in figures.untested
    ]  # fmt: skip
    days, more = tested.UNTESTED_AFTER.days, figures.untested_total - len(rows)
    title = say("Alarm devices untested for %(days)s days: %(count)s", days=days, count=figures.untested_total)
    note = say("%(count)s more are not listed.", count=more) if more else ""
    return Table(title, [say("Elder"), say("Device"), say("Device number"), say("Last test")], rows, note)
