"""The table of a visit."""

from itertools import product

import pytest

from backend.dispatch.lifecycle import NEXT, VisitMove, VisitState

S, M = VisitState, VisitMove
MOVES = {
    # state: what may happen, and what it is then
    S.REQUESTED: {M.OFFER: S.OFFERED, M.LAPSE: S.REQUESTED, M.ASSIGN: S.ACCEPTED, M.CANCEL: S.CANCELLED},
    S.OFFERED: {M.OFFER: S.OFFERED, M.LAPSE: S.REQUESTED, M.ACCEPT: S.ACCEPTED, M.ASSIGN: S.ACCEPTED, M.CANCEL: S.CANCELLED},
    S.ACCEPTED: {M.DEPART: S.ON_THE_WAY, M.ASSIGN: S.ACCEPTED, M.RELEASE: S.REQUESTED, M.CANCEL: S.CANCELLED},
    S.ON_THE_WAY: {M.ARRIVE: S.AT_HOME, M.RELEASE: S.REQUESTED, M.CANCEL: S.CANCELLED},
    S.AT_HOME: {M.FINISH: S.DONE},
    S.DONE: {},
    S.CANCELLED: {},
}


@pytest.mark.parametrize(("state", "move"), list(product(VisitState, VisitMove)))
def test_a_visit_moves_as_the_table_says_and_no_other_way(state: VisitState, move: VisitMove) -> None:
    assert NEXT.get((state, move)) == MOVES[state].get(move)
