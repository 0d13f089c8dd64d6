"""The table of a visit, and who is asked next."""

from itertools import product

import pytest

from backend.dispatch.lifecycle import NEXT, Candidate, VisitMove, VisitState, Why, next_doctor

S, M = VisitState, VisitMove
MOVES = {
    # state: what may happen, and what it is then
    S.REQUESTED: {M.OFFER: S.OFFERED, M.LAPSE: S.REQUESTED, M.CANCEL: S.CANCELLED},
    S.OFFERED: {M.OFFER: S.OFFERED, M.LAPSE: S.REQUESTED, M.ACCEPT: S.ACCEPTED, M.CANCEL: S.CANCELLED},
    S.ACCEPTED: {M.DEPART: S.ON_THE_WAY, M.CANCEL: S.CANCELLED},
    S.ON_THE_WAY: {M.ARRIVE: S.AT_HOME, M.CANCEL: S.CANCELLED},
    S.AT_HOME: {M.FINISH: S.DONE},
    S.DONE: {},
    S.CANCELLED: {},
}
OWN = Candidate("doctor-li", Why.OWN_DOCTOR, 2)
TEAM = Candidate("doctor-yang", Why.OWN_TEAM, 0)
OTHER = Candidate("doctor-cao", Why.FALLBACK_TEAM, 0)


@pytest.mark.parametrize(("state", "move"), list(product(VisitState, VisitMove)))
def test_a_visit_moves_as_the_table_says_and_no_other_way(state: VisitState, move: VisitMove) -> None:
    assert NEXT.get((state, move)) == MOVES[state].get(move)


@pytest.mark.parametrize(
    ("candidates", "asked", "next_id"),
    [
        ([OTHER, TEAM, OWN], [], "doctor-li"),
        ([OTHER, TEAM, OWN], ["doctor-li"], "doctor-yang"),
        ([OTHER, TEAM, OWN], ["doctor-li", "doctor-yang"], "doctor-cao"),
        ([OTHER, TEAM, OWN], ["doctor-li", "doctor-yang", "doctor-cao"], None),
        ([OTHER, TEAM], [], "doctor-yang"),
        ([], [], None),
    ],
)
def test_the_own_doctor_is_asked_first_then_the_team_then_the_neighbours(
    candidates: list[Candidate], asked: list[str], next_id: str | None
) -> None:
    found = next_doctor(candidates, frozenset(asked))
    assert (found.doctor_id if found else None) == next_id


def test_among_equals_the_one_with_fewer_open_visits_is_asked() -> None:
    busy, idle = Candidate("doctor-a", Why.OWN_TEAM, 1), Candidate("doctor-z", Why.OWN_TEAM, 0)
    assert next_doctor([busy, idle], frozenset()) is idle


def test_the_order_of_candidates_does_not_matter() -> None:
    twins = [Candidate("doctor-b", Why.OWN_TEAM, 0), Candidate("doctor-a", Why.OWN_TEAM, 0)]
    assert next_doctor(twins, frozenset()) == next_doctor(twins[::-1], frozenset()) == twins[1]
