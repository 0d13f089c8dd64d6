"""kill -9 at each step of an offer: before its commit nothing has happened, after it everything has, and a timer always stands."""

import asyncio
import sys
from datetime import datetime

import pytest

from backend.db.pool import Connection
from backend.dispatch import store as dispatch
from backend.dispatch.ladder import URGENT
from backend.dispatch.store import DEPART_GRACE
from tests.backend.dispatch.test_store import BACKUP_S, BOARD_S, SECOND_S, accept, ask
from tests.backend.street import NOW, rows, seconds

STEPS_MIN = 5
SNAPSHOT = """
SELECT state, rung, rounds, next_at, (SELECT count(*) FROM visit_offer) AS offers FROM visit
"""


async def kill_at_each_step(url: str, now: datetime) -> int:
    """Returns how many times the worker died before it could commit."""
    words = [sys.executable, "-m", "tests.backend.dispatch.dying_worker", url, now.isoformat()]
    process = await asyncio.create_subprocess_exec(*words, stdout=asyncio.subprocess.PIPE)
    said, _ = await process.communicate()
    return int(said)


@pytest.mark.system
async def test_a_worker_killed_at_any_step_of_an_offer_loses_no_timer_and_asks_nobody_twice(street: Connection, database_url: str) -> None:
    visit_id = await ask(street)
    expected = [(0.0, "offered", 0, 1), (SECOND_S, "offered", 1, 2), (BOARD_S, "offered", 2, 2), (BACKUP_S, "offered", 3, 3)]
    for after_s, state, rung, offers in expected:
        assert await kill_at_each_step(database_url, NOW + seconds(after_s)) >= STEPS_MIN
        [found] = await rows(street, SNAPSHOT)
        assert (found["state"], found["rung"], found["offers"], found["rounds"]) == (state, rung, offers, 0)
        assert found["next_at"] > NOW + seconds(after_s), "exactly one next timer"
    await accept(street, visit_id, "doctor-li", NOW + seconds(BACKUP_S))
    late = NOW + seconds(BACKUP_S) + DEPART_GRACE
    assert await kill_at_each_step(database_url, late) >= STEPS_MIN
    [found] = await rows(street, SNAPSHOT)
    assert (found["rounds"], found["next_at"] is not None) == (1, True), "who did not leave is replaced, once"
    assert len(await rows(street, "SELECT id FROM visit_offer GROUP BY id, visit_id, round, doctor_id HAVING count(*) > 1")) == 0
    assert URGENT.next_s(BACKUP_S) is None
    assert await dispatch.next_due(street, now=late) is None
