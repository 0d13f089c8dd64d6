"""What only ingest writes: here, since when homes are listened to."""

import pytest

from backend.db.pool import Connection
from backend.ingest import store
from tests.backend.street import NOW, one, seconds

pytestmark = pytest.mark.store


@pytest.mark.parametrize(
    ("again_s", "since_s"),
    [
        pytest.param(20, 0, id="a short break is none: homes that were silent before it are not waited for anew"),
        pytest.param(21, 21, id="after a longer one homes have their time to come back"),
    ],
)
async def test_a_restart_of_ingest_delays_no_silence(street: Connection, again_s: int, since_s: int) -> None:
    shards = {"first_shard": 0, "last_shard": 63}
    await store.listen(street, **shards, since=NOW, now=NOW)
    for tick_s in (0, 5, 60):
        await store.listen(street, **shards, since=NOW + seconds(again_s), now=NOW + seconds(again_s + tick_s))
    said = await one(street, "SELECT since, at FROM listener")
    assert (said["since"], said["at"]) == (NOW + seconds(since_s), NOW + seconds(again_s + 60))
