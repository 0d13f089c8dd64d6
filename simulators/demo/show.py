"""The demo's hour: starts the chain, lets the story happen, says in plain words what happens, and writes the report."""

import argparse
import json
import os
import shutil
import socket
import sys
import tempfile
import threading
import time
import webbrowser
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from simulators.child_process import ServerError
from simulators.demo.chain import ACCOUNTS, PASSWORD, Chain
from simulators.demo.doctor import Pace, StandIn
from simulators.demo.report import Injected, Outage, accepted_and_waiting, make_report
from simulators.demo.witness import Shown, Witness
from simulators.fleet import Fleet, HomeError
from simulators.keeper import ProgramError, stop_on_signals
from simulators.recording import Recording, find_fall_recording
from simulators.scenario import Fall, Network, Scenario, SignEpisode, Sos, Step, find_scenario, load_scenario

PATIENT = Pace(offered_s=40, accepted_s=10, on_the_way_s=12, at_home_s=12)
"""With a visitor: most of a minute to press the button oneself, and all is over within two minutes."""
BRISK = Pace(offered_s=6, accepted_s=4, on_the_way_s=6, at_home_s=6)
"""Unattended."""
DOCTORS = {"doctor": "doctor-li", "doctor2": "doctor-yang"}
WEB_PORT = 8600
DRAIN_S = 20.0
PULSE_S = 15.0
RULE_OF_SIGN = {"spo2": "spo2_low"}
WORDS = {
    "requested": "a visit is asked for",
    "offered": "a visit is offered to",
    "accepted": "accepted the visit:",
    "on_the_way": "is on the way:",
    "at_home": "is at the home:",
    "done": "has closed the visit with findings:",
    "cancelled": "the visit is cancelled:",
}


@dataclass
class Story:
    """What was done to the homes so far, and what was said of it."""

    scenario: Scenario
    recording: Recording | None
    injected: list[Injected] = field(default_factory=list)
    cut_at: dict[str, datetime] = field(default_factory=dict)
    outage: Outage | None = None
    started_s: float = field(default_factory=time.monotonic)
    _said: set[tuple[str, int, str]] = field(default_factory=set)

    def say(self, text: str) -> None:
        """One line with the seconds since the start."""
        print(f"{time.monotonic() - self.started_s:7.1f} s  {text}", flush=True)

    def perform(self, fleet: Fleet, step: Step) -> None:
        """Let one step happen and remember it. A fall is the recording, where there is one, and counts from its impact."""
        if isinstance(step.action, Fall) and self.recording is not None:
            at = fleet.homes[step.home].drop(self.recording.samples) + timedelta(seconds=self.recording.impact_s)
        else:
            at = fleet.perform(step)
        self._remember(step, at)

    def _remember(self, step: Step, at: datetime) -> None:
        match step.action:
            case Fall():
                self.injected.append(Injected("fall", step.home, at))
                self.say(f"{step.home}: she falls. What the wearable feels is {self.fall_source}")
            case Sos():
                self.injected.append(Injected("sos", step.home, at))
                self.say(f"{step.home}: the SOS button is pressed")
            case SignEpisode():
                if step.action.sign in RULE_OF_SIGN:
                    self.injected.append(Injected(RULE_OF_SIGN[step.action.sign], step.home, at))
                self.say(f"{step.home}: {step.action.sign} sinks slowly to {step.action.target:g}, and stays there for a while")
            case Network(do="network_cut"):
                self.cut_at[step.home] = at
                self.say(f"{step.home}: the network is gone; the gateway keeps everything on its disk")
            case Network():
                self.outage = Outage(step.home, self.cut_at[step.home], at)
                self.say(f"{step.home}: the network is back")

    @property
    def fall_source(self) -> str:
        """Which fall the demo plays, for the page's reader and the report's."""
        if self.recording is None:
            return "a synthetic fall of the simulator"
        return f"a real recording: {self.recording.file.name}, trial {self.recording.trial}"

    def tell(self, shown: Shown) -> None:
        """Say what came through the page's stream, each state once."""
        data = shown.data
        key = (shown.event, int(data["id"]), f"{data['state']}/{data.get('condition')}/{data.get('level')}/{data.get('doctor_id')}")
        if key in self._said:
            return
        self._said.add(key)
        who = data.get("elder_name") or data.get("elder_id") or data.get("gateway_id")
        if shown.event == "alert":
            self.say(f"on the operators' page: {data['rule_id']} ({data['priority']}), {who}: {data['state']}, {data['condition']}")
        else:
            doctor = data.get("doctor_name") or data.get("offered_to_name") or data.get("doctor_id") or ""
            self.say(f"on the operators' page: {doctor} {WORDS[data['state']]} {who}".replace("  ", " "))


def main(argv: Sequence[str]) -> int:
    """Run the demo. Returns 0, or 1 when it could not start, lost something, or an expected alert or visit did not come."""
    arguments = _parser().parse_args(argv)
    stopping = threading.Event()
    stop_on_signals(stopping)
    story = Story(load_scenario(find_scenario("demo_street")), find_fall_recording())
    folder = Path(tempfile.mkdtemp(prefix="jiahu-demo-"))
    chain = Chain(story.scenario, folder, story.say, port=_free_or_any(arguments.port), database_url=arguments.database)
    try:
        story.say("starting; this takes about half a minute")
        chain.start()
        code = _run(chain, story, arguments, stopping)
    except (ProgramError, ServerError, OSError) as error:
        print(f"demo: {error}; the logs stay in {folder}", file=sys.stderr)
        code = 1
    finally:
        story.say("stopping everything")
        chain.stop()
    if code == 0:
        shutil.rmtree(folder, ignore_errors=True)
    return code


def _run(chain: Chain, story: Story, arguments: argparse.Namespace, stopping: threading.Event) -> int:
    is_attended = arguments.seconds is None
    witness = Witness(chain.url, "witness", PASSWORD, on_shown=story.tell)
    stand_ins = [
        StandIn(chain.url, name, PASSWORD, doctor_id=doctor_id, pace=PATIENT if is_attended else BRISK)
        for name, doctor_id in DOCTORS.items()
    ]
    _welcome(chain, story, is_attended=is_attended)
    witness.start()
    for stand_in in stand_ins:
        stand_in.start()
    started_s = time.monotonic()
    _play(chain, story, stopping, None if is_attended else started_s + arguments.seconds)
    report = _finish(chain, story, witness, seconds=round(time.monotonic() - started_s, 1))
    for stand_in in stand_ins:
        stand_in.stop()
    witness.stop()
    if arguments.report:
        arguments.report.write_text(json.dumps(report, ensure_ascii=False, indent=2) + "\n", "utf-8")
    return _judge(report, story, arguments.report)


def _welcome(chain: Chain, story: Story, *, is_attended: bool) -> None:
    firmware = chain.fleet is not None and sum(home.is_firmware for home in chain.fleet.homes.values())
    devices = "all devices are simulated in Python: no C compiler was found"
    if firmware:
        devices = f"{firmware} of them run the C firmware: wearable, mat, pendant and their bridge"
    story.say(f"{len(story.scenario.homes)} homes are on line, each with a gateway process of its own; {devices}")
    print(f"\n    operators:  {chain.url}/operator     name operator   password {PASSWORD}")
    print(f"    doctor:     {chain.url}/doctor       name doctor     password {PASSWORD}   (a private window: one browser, one person)")
    print(f"    others:     {', '.join(one[0] for one in ACCOUNTS[2:])}, same password")
    print(f"    logs:       {chain.folder} (gone when the demo ends well)")
    print(f"    end:        {'Ctrl-C' if is_attended else 'by itself'}\n", flush=True)
    if (
        is_attended
        and not os.environ.get("CI")
        and (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY") or sys.platform == "darwin")
    ):
        webbrowser.open(f"{chain.url}/operator")


def _play(chain: Chain, story: Story, stopping: threading.Event, ends_s: float | None) -> None:
    """All steps of the scenario at their times, then the street goes on living until the end."""
    started_s = time.monotonic()
    assert chain.fleet is not None
    for step in story.scenario.steps:
        due_s = started_s + step.at_s
        if _wait_until(due_s if ends_s is None else min(due_s, ends_s), stopping) or (ends_s is not None and due_s > ends_s):
            break
        try:
            story.perform(chain.fleet, step)
        except HomeError as error:
            story.say(f"{step.home}: {error}")
    while not stopping.is_set() and (ends_s is None or time.monotonic() < ends_s):
        _wait_until(time.monotonic() + PULSE_S if ends_s is None else min(time.monotonic() + PULSE_S, ends_s), stopping)
        accepted, waiting = accepted_and_waiting(chain.outboxes)
        story.say(f"{accepted} readings accepted by the gateways, {waiting} on their way")


def _wait_until(due_s: float, stopping: threading.Event) -> bool:
    """True when the demo is to end."""
    return stopping.wait(max(0.0, due_s - time.monotonic()))


def _finish(chain: Chain, story: Story, witness: Witness, *, seconds: float) -> dict[str, Any]:
    """Silence the devices, mend the network, let the gateways deliver the rest, and count."""
    chain.stop_devices()
    for home, proxy in chain.proxies.items():
        if story.outage is None and home in story.cut_at:
            proxy.restore()
            story.outage = Outage(home, story.cut_at[home], datetime.now(UTC))
    deadline_s = time.monotonic() + DRAIN_S
    while accepted_and_waiting(chain.outboxes)[1] and time.monotonic() < deadline_s:
        time.sleep(0.2)
    report = make_report(chain.database.url, chain.outboxes, witness, seconds=seconds, injected=story.injected, outage=story.outage)
    return report | {"fall_source": story.fall_source, "restarts": chain.keeper.restarts()}


def _judge(report: dict[str, Any], story: Story, file: Path | None) -> int:
    """Say how it went. Nothing may be lost or counted twice, and what was injected long enough ago must have been shown."""
    readings = report["readings"]
    story.say(f"readings: {readings}")
    faults = [f"{readings[name]} readings {name}" for name in ("lost", "duplicated", "waiting") if readings[name]]
    expected = {alert.home for alert in story.scenario.alerts if alert.by_s <= report["seconds"]}
    faults += [
        f"{one['kind']} in {one['home']} was not shown" for one in report["events"] if one["home"] in expected and not one["shown_at"]
    ]
    expects_visit = any(visit.by_s <= report["seconds"] for visit in story.scenario.visits)
    if expects_visit and not any(step["state"] == "done" for visit in report["visits"] for step in visit["states"]):
        faults.append("no visit was closed with findings")
    story.say("; ".join(faults) if faults else "everything that was sent is stored, once, and everything that happened was shown")
    if file:
        story.say(f"report: {file}")
    return 1 if faults else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m simulators demo", description="The whole chain on this machine.")
    parser.add_argument("--seconds", type=float, metavar="S", help="run unattended for so long, then end; default: until Ctrl-C")
    parser.add_argument("--report", type=Path, metavar="FILE", help="write what was injected and what came out as JSON")
    parser.add_argument(
        "--database", metavar="URL", help="an existing PostgreSQL server, administrator's address; default: an embedded one"
    )
    parser.add_argument("--port", type=int, default=WEB_PORT, help=f"of the pages; default: {WEB_PORT}, or a free one where that is taken")
    return parser


def _free_or_any(port: int) -> int:
    """The usual port, so that a bookmark works; 0 (any free one) when somebody has it."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return 0
    return port
