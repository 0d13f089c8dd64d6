"""What many ask for at once is read once."""

import asyncio
from datetime import timedelta

import pytest

from backend.web.kept import Kept
from tests.backend.street import NOW, seconds


async def test_it_is_read_once_for_all_and_anew_when_it_is_old() -> None:
    kept: Kept[int] = Kept(timedelta(seconds=10))
    reads = 0

    async def read() -> int:
        nonlocal reads
        reads += 1
        await asyncio.sleep(0)
        return reads

    assert await asyncio.gather(*(kept.get(read, NOW + seconds(after_s)) for after_s in range(10))) == [1] * 10
    assert await kept.get(read, NOW + seconds(10)) == 2
    assert await kept.get(read, NOW) == 3  # a clock that was set back keeps nothing alive


async def test_a_read_that_failed_is_not_kept() -> None:
    kept: Kept[int] = Kept(timedelta(seconds=10))

    async def fail() -> int:
        raise OSError

    async def read() -> int:
        return 1

    with pytest.raises(OSError):
        await kept.get(fail, NOW)
    assert await kept.get(read, NOW) == 1
