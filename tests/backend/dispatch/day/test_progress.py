"""What a running day keeps, and when its doctors are free."""

from datetime import UTC, datetime, timedelta

import pytest

from backend.dispatch.day.progress import Driven, free_at, frozen
from backend.dispatch.lifecycle import VisitState as S

EIGHT = datetime(2026, 3, 2, 0, 0, tzinfo=UTC)
KEY = ("doctor-li", "morning")


def at(minutes: float) -> datetime:
    return EIGHT + timedelta(minutes=minutes)


def stop(number: int, state: S | None = None, since: float | None = None, side: int = 0) -> Driven:
    """Stops of 20 min every 30 min, with ten minutes on the way to each."""
    starts = 10.0 + 30 * number
    leg = timedelta(minutes=10)
    return Driven(number, side, at(starts), at(starts + 20), leg, (1.0, float(number)), state, None if since is None else at(since))


@pytest.mark.parametrize(
    ("states", "now", "kept", "free"),
    [
        ({}, 0, 0, None),  # nobody has set out: everything may change
        ({}, 15, 2, 60),  # by the clock the first has begun, and the next is kept
        ({0: (S.DONE, 20)}, 20, 2, 60),  # done early: the next keeps its promised time
        ({0: (S.ON_THE_WAY, 25)}, 30, 2, 85),  # late: there at 35, on to the next at 55, which takes from 65 to 85
        ({0: (S.DONE, 30), 1: (S.AT_HOME, 50)}, 55, 3, 100),
        ({2: (S.DONE, 20)}, 25, 4, 120),  # another order: what was passed over stays with this doctor
        ({3: (S.DONE, 100)}, 140, 4, 140),
    ],
)
def test_begun_and_next_stops_stay(states: dict[int, tuple[S, float]], now: float, kept: int, free: float | None) -> None:
    stops = [stop(number, *states.get(number, ())) for number in range(4)]
    found = list(frozen({KEY: stops}, at(now)))
    assert [one.due_ids for one in found] == ([tuple(range(kept))] if kept else [])
    assert [one.ends_at for one in found] == ([at(free)] if free is not None else [])


def test_a_visit_of_two_is_kept_for_both() -> None:
    tours = {KEY: [stop(0), stop(1)], ("nurse-wu", "morning"): [stop(2), stop(1, side=1), stop(3)]}
    late = {key: [Driven(one.due_id, one.side, one.starts_at + timedelta(hours=3 * (key != KEY)), one.ends_at + timedelta(hours=3), one.leg,
                         one.place) for one in stops] for key, stops in tours.items()}  # fmt: skip
    assert [one.due_ids for one in frozen(late, at(15))] == [(0, 1), (2, 1)]


def test_who_has_nothing_left_is_free_now() -> None:
    assert free_at([stop(0, S.DONE, 20)], at(33)) == at(33)
