"""A stream's answer: whoever was let in leaves again, whatever becomes of the answer."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import pytest
from starlette.requests import ClientDisconnect

from backend.web.events import EventStream


async def messages() -> AsyncIterator[str]:
    yield "event: hello\n\n"


async def stands_still(_: Any) -> None:
    await asyncio.Event().wait()


async def breaks(_: Any) -> None:
    raise OSError("the line is cut")


async def receive() -> Any:
    await asyncio.Event().wait()


@pytest.mark.parametrize("send", [stands_still, breaks])
async def test_a_page_that_never_read_a_word_leaves_all_the_same(send: Any) -> None:
    left: list[bool] = []
    answer = EventStream(messages(), lambda: left.append(True), lasts_s=0.01)
    async with asyncio.timeout(10):
        with suppress(OSError, ClientDisconnect):
            await answer({"type": "http", "asgi": {"spec_version": "2.4"}}, receive, send)
    assert left == [True]
