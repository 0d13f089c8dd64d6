"""The demo's stand-in for a family doctor: acts through the public HTTP API, but only after a while, so that a visitor can be faster."""

import threading
import time
from dataclasses import dataclass
from typing import Any

import httpx

from simulators.demo.witness import signed_in

LOOK_S = 0.5
FALL_WORD = "跌倒"
"""In the reason of a visit that a fall has asked for."""
FALL_FINDINGS = "神志清楚，右髋部软组织挫伤，无骨折征象。血压 142/86 mmHg，血氧 97 %。已冰敷，嘱卧床休息，明日复诊。"
OTHER_FINDINGS = "神志清楚，能正常交谈。已复测血压、心率、血氧，均平稳。嘱按时服药、继续监测，有不适随时呼叫。"
NEXT_STEP = {"offered": "accept", "accepted": "depart", "on_the_way": "arrive", "at_home": "finish"}


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds that a visit stays in each state before the stand-in takes the next step."""

    offered_s: float
    accepted_s: float
    on_the_way_s: float
    at_home_s: float

    def wait_s(self, state: str) -> float:
        """How long the stand-in leaves a state to the visitor."""
        return float(getattr(self, f"{state}_s"))


class StandIn:
    """One doctor's account, watched."""

    def __init__(self, url: str, name: str, password: str, *, doctor_id: str, pace: Pace) -> None:
        self._url = url
        self._doctor_id = doctor_id
        self._login = (name, password)
        self._pace = pace
        self._since: dict[tuple[int, str], float] = {}
        self._is_stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"doctor {name}", daemon=True)

    def start(self) -> None:
        """Begin to watch in the background."""
        self._thread.start()

    def stop(self) -> None:
        """Stop acting."""
        self._is_stopping.set()

    def _run(self) -> None:
        while not self._is_stopping.is_set():
            try:
                with signed_in(self._url, *self._login) as client:
                    while not self._is_stopping.wait(LOOK_S):
                        self._look(client)
            except (httpx.HTTPError, ValueError):
                self._is_stopping.wait(LOOK_S)

    def _look(self, client: httpx.Client) -> None:
        for visit in client.get("/api/visits").raise_for_status().json():
            is_ours = visit["state"] == "offered" or visit["doctor_id"] == self._doctor_id
            if visit["state"] in NEXT_STEP and is_ours:
                self._consider(client, visit)

    def _consider(self, client: httpx.Client, visit: dict[str, Any]) -> None:
        key = (visit["id"], visit["state"])
        since_s = self._since.setdefault(key, time.monotonic())
        if time.monotonic() - since_s < self._pace.wait_s(visit["state"]):
            return
        step = NEXT_STEP[visit["state"]]
        findings = FALL_FINDINGS if FALL_WORD in visit["reason"] else OTHER_FINDINGS
        body = {"findings": findings, "outcome": "treated"} if step == "finish" else None
        answer = client.post(f"/api/visits/{visit['id']}/{step}", json=body)
        if answer.status_code == httpx.codes.CONFLICT:  # somebody was faster, or the offer was another doctor's
            return
        answer.raise_for_status()
