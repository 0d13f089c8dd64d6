"""The table of a case, pair by pair. A pair that is added or taken away must be added or taken away here too."""

from itertools import product

import pytest

from backend.cases.lifecycle import NEXT, Move, State

N, T, H, R, C = State.NEW, State.TAKEN, State.IN_HAND, State.RESOLVED, State.CLOSED
ROWS: list[tuple[State, dict[Move, State]]] = [
    (N, {Move.TAKE: T, Move.WITHDRAW: C}),
    (T, {Move.BEGIN: H, Move.RESOLVE: R, Move.GIVE_BACK: N, Move.REOPEN: N, Move.WITHDRAW: C}),
    (H, {Move.RESOLVE: R, Move.GIVE_BACK: N, Move.REOPEN: N, Move.WITHDRAW: C}),
    (R, {Move.BEGIN: H, Move.CLOSE: C, Move.REOPEN: N, Move.WITHDRAW: C}),
    (C, {}),
]


@pytest.mark.parametrize(("state", "move"), list(product(State, Move)))
def test_a_move_leads_where_the_table_says_or_nowhere(state: State, move: Move) -> None:
    assert NEXT.get((state, move)) is dict(ROWS)[state].get(move)
