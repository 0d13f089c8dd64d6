"""The worker of the doctor's page in Chromium: a push is shown though no page of offers is open, and one sent again replaces the first."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from fastapi import FastAPI

from backend.config import VAPID_KEY
from backend.notify import webpush
from tests.backend.web.conftest import PASSWORD, serving
from tests.backend.web.in_browser import IN_BROWSER, chromium, playwright

assert playwright
from playwright.async_api import Page, expect  # noqa: E402

pytestmark = IN_BROWSER


@pytest.fixture
async def page(app: FastAPI, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Page]:
    """A telephone on which Dr Li is signed in and notifications are allowed."""
    monkeypatch.setenv(VAPID_KEY, webpush.new_key())
    async with serving(app) as url, chromium() as browser:
        context = await browser.new_context(viewport={"width": 390, "height": 844})
        await context.grant_permissions(["notifications"], origin=url)
        await context.request.post(f"{url}/api/session", data={"name": "li", "password": PASSWORD})
        page = await context.new_page()
        await page.goto(f"{url}/operator/channels")
        yield page


async def test_a_push_is_shown_and_one_sent_again_replaces_it(page: Page) -> None:
    await expect(page.locator("#push-on")).to_be_visible()
    worker = await page.context.new_cdp_session(page)
    registered: list[str] = []
    worker.on(
        "ServiceWorker.workerRegistrationUpdated", lambda event: registered.extend(one["registrationId"] for one in event["registrations"])
    )
    await worker.send("ServiceWorker.enable")
    await page.evaluate("navigator.serviceWorker.ready")
    origin = page.url.removesuffix("/operator/channels")
    shown: asyncio.Queue[tuple[str, str]] = asyncio.Queue()

    def heard(event: dict[str, Any]) -> None:
        what = event["backgroundServiceEvent"]
        if what["eventName"] == "Notification displayed":
            shown.put_nowait((what["instanceId"], {one["key"]: one["value"] for one in what["eventMetadata"]}["Title"]))

    worker.on("BackgroundService.backgroundServiceEventReceived", heard)
    await worker.send("BackgroundService.startObserving", {"service": "notifications"})
    await worker.send("BackgroundService.setRecording", {"service": "notifications", "shouldRecord": True})
    # Both bear one tag, so the second takes the first one's place. (A browser without a screen may drop from its own list what nobody saw.)
    for title in ("first", "家护 Jiahu: 紧急上门派单"):  # the second, sent again after a crash, has the same key
        data = json.dumps({"key": "k1", "title": title, "at": ""})
        await worker.send("ServiceWorker.deliverPushMessage", {"origin": origin, "registrationId": registered[0], "data": data})
        assert await asyncio.wait_for(shown.get(), 30) == ("k1", title)
