"""Simulated homes in one process: each a thread that lives in real time, feeds its devices and speaks on pseudo terminals."""

import queue
import secrets
import select
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from gateway.bridges.framing import Frame, open_sealed, seal
from simulators.bedside import OXIMETER_RATE_HZ, Oximeter, mat_state
from simulators.firmware import FirmwareError, find_program
from simulators.firmware_home import FirmwareHome
from simulators.home import RATE_HZ, Doing, Elder, Samples, synthetic_fall
from simulators.line import LineFaults, LineRates
from simulators.scenario import Action, Cable, Fall, HomeSpec, LineNoise, Move, Network, Scenario, SignEpisode, Sos, Step
from simulators.serial_bridge import SerialBridge
from simulators.vitals import Episode, Vitals
from simulators.wearable import Sensed, Wearable
from simulators.wire import Ack, FrameType, bed_mat, values_in

TICK_S = 0.1
TICKS_PER_S = 10
BEHIND_S_MAX = 2.0
"""A home that lost more time than this (a machine put to sleep) goes on from now instead of catching up."""
WEARABLE_ADDRESS = 1
BED_MAT_ADDRESS = 2
PENDANT_ADDRESS = 3
BLE_BRIDGE_ADDRESS = 4
BRIDGE = "bridge"
OXIMETER = "oximeter"
PRESS_S = 1.3
CANCEL_S = 3.3
"""A little longer than the wearable asks for (1 s and 3 s)."""
ANSWER_S_MAX = 5.0
VALUES_PER_PACKET = 2
BATTERY_PERCENT = 80

NAMED_ACTIONS: dict[str, Action] = {
    "fall": Fall(),
    "sos": Sos(),
    "sos_cancel": Sos(is_cancel=True),
    "pendant_sos": Sos(on="pendant"),
    "get_up": Move(doing=Doing.WALKING),
    "go_to_bed": Move(doing=Doing.ASLEEP),
    "as_planned": Move(),
    "spo2_low": SignEpisode(sign="spo2", target=86, ramp_s=15, hold_s=30, recover_s=10),
    "unplug": Cable(do="unplug"),
    "plug": Cable(do="plug"),
    "line_bad": LineNoise(loss=0.002, noise=0.002, garbage=0.05, repeat=0.05),
    "line_good": LineNoise(),
}
"""Actions that `Home.inject` knows by name."""


class HomeError(Exception):
    """The home is not running, or cannot do what was asked of it."""


@dataclass(frozen=True, slots=True)
class Counters:
    """What a home has sent so far to whoever had its ports open.

    `frames`: whole frames, ten packets of an oximeter counting as one; `frames_lost`: those nobody was there for; `values`: measured
    values in what was sent; `acks`: answers to its wearable.
    """

    frames: int = 0
    frames_lost: int = 0
    values: int = 0
    acks: int = 0


class _Worn(Protocol):
    """A wearable, in Python or in C."""

    def feed(self, samples: Samples, sensed: Sensed) -> None: ...

    def take(self) -> list[bytes]: ...

    def hear(self, data: bytes) -> list[Ack]: ...


class _Line:
    """One serial line of a home: a bridge with faults before it. `values` were sent while somebody had the port open."""

    def __init__(self, link: Path, seed: int) -> None:
        self.bridge = SerialBridge(link)
        self.faults = LineFaults(LineRates(), seed)
        self.values = 0

    def send(self, chunk: bytes, values: int) -> None:
        if self.bridge.is_heard():
            self.values += values
        self.faults.push(chunk, time.monotonic())
        self.flush()

    def flush(self) -> None:
        for chunk in self.faults.pull(time.monotonic()):
            self.bridge.write(chunk)
        self.bridge.flush()


class Home:
    """One home. `links` are the paths a gateway opens: `bridge` (wearable and bed mat) and, where there is one, `oximeter`."""

    def __init__(self, spec: HomeSpec, run_dir: Path, *, starts_s: float = 0.0, program: Path | None = None) -> None:
        """`starts_s`: virtual seconds since midnight at the start. `program`: the C wearable, with the other devices beside it, for homes
        that want them; None: Python."""
        self.spec = spec
        self._starts_s = starts_s
        names = [BRIDGE, OXIMETER] if spec.has_oximeter else [BRIDGE]
        self._lines = {name: _Line(run_dir / spec.name / name, spec.seed) for name in names}
        self.links = {name: line.bridge.link for name, line in self._lines.items()}
        boot = secrets.randbelow(1 << 16)
        self._firmware: FirmwareHome | None = None
        if spec.wearable == "firmware" and program is not None:
            addresses = WEARABLE_ADDRESS, BED_MAT_ADDRESS if spec.has_bed_mat else None, PENDANT_ADDRESS, BLE_BRIDGE_ADDRESS
            self._firmware = FirmwareHome(program.parent, run_dir / spec.name, addresses, boot=boot, placement=spec.placement)
        self._worn: _Worn = self._firmware or Wearable(WEARABLE_ADDRESS, boot=boot, placement=spec.placement)
        self._elder = Elder(spec.seed, placement=spec.placement)
        self._oximeter = Oximeter()
        self._mat_counter = 0
        self._pressed_ticks = 0
        self._pendant_ticks = 0
        self._ticks = 0
        self._acks = 0
        self._asked: queue.SimpleQueue[tuple[Callable[[], None], Future[datetime]]] = queue.SimpleQueue()
        self._is_stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=spec.name, daemon=True)

    @property
    def is_firmware(self) -> bool:
        """True where the devices are the C programs."""
        return self._firmware is not None

    def start(self) -> None:
        """Make the ports and begin to live. On return the links exist. Raises OSError."""
        for line in self._lines.values():
            line.bridge.plug()
        if self._firmware is not None:
            self._firmware.start()
        self._thread.start()

    def stop(self) -> None:
        """Stop living and take the ports away."""
        self._is_stopping.set()
        self._thread.join()
        if self._firmware is not None:
            self._firmware.stop()
        for line in self._lines.values():
            line.bridge.unplug()

    def counters(self) -> Counters:
        """What was sent so far, from any thread."""
        lines = self._lines.values()
        return Counters(
            frames=sum(line.bridge.counts.written for line in lines),
            frames_lost=sum(line.bridge.counts.lost for line in lines),
            values=sum(line.values for line in lines),
            acks=self._acks,
        )

    def inject(self, action: Action | str) -> datetime:
        """Let something happen (an action, or a name of NAMED_ACTIONS), from any thread but the home's.

        Returns the instant, aware UTC, at which it began, before its first sample or byte went out: for a fall the loss of balance, about
        half a second before the impact; for an SOS the touch of the button, a second before the wearable calls it one.
        Raises HomeError for an unknown name, a network action, or a home that does not run.
        """
        if isinstance(action, str) and action not in NAMED_ACTIONS:
            raise HomeError(f"no action is called {action}; there are {', '.join(NAMED_ACTIONS)}")
        chosen = NAMED_ACTIONS[action] if isinstance(action, str) else action
        if isinstance(chosen, Network):
            raise HomeError("the network is not the home's to cut: that is for the fleet")
        if isinstance(chosen, Sos) and chosen.on == "pendant" and self._firmware is None:
            raise HomeError("there is a pendant only where the devices are the firmware's programs")
        return self._ask(lambda: self._perform(chosen))

    def drop(self, samples: Samples) -> datetime:
        """As inject("fall"), but the wearable feels `samples` (N, 3) mg at 50 Hz, a recorded fall for instance."""
        return self._ask(lambda: self._elder.drop(samples, self._now))

    def _ask(self, act: Callable[[], None]) -> datetime:
        began: Future[datetime] = Future()
        self._asked.put((act, began))
        deadline = time.monotonic() + ANSWER_S_MAX
        while time.monotonic() < deadline and self._thread.is_alive():
            try:
                return began.result(TICK_S)
            except TimeoutError:
                continue
        raise HomeError(f"{self.spec.name} does not run")

    def _perform(self, action: Move | Fall | Sos | SignEpisode | LineNoise | Cable | Network) -> None:
        match action:
            case Move():
                self._elder.take_up(action.doing, self._now)
            case Fall():
                self._elder.drop(synthetic_fall(self.spec.seed, self.spec.placement), self._now)
            case Sos(on="pendant"):
                self._pendant_ticks = round((CANCEL_S if action.is_cancel else PRESS_S) / TICK_S)
            case Sos():
                self._pressed_ticks = round((CANCEL_S if action.is_cancel else PRESS_S) / TICK_S)
            case SignEpisode():
                self._elder.suffer(_episode(action, self._now))
            case LineNoise():
                self._set_line(LineRates(action.loss, action.noise, action.garbage, action.repeat, action.delay_s))
            case Cable(do="unplug"):
                for line in self._lines.values():
                    line.bridge.unplug()
            case Cable():
                for line in self._lines.values():
                    line.bridge.plug()

    def _set_line(self, rates: LineRates) -> None:
        for line in self._lines.values():
            line.faults.rates = rates

    @property
    def _now(self) -> float:
        """Virtual seconds since midnight of day 0; they run as fast as real ones."""
        return self._starts_s + self._ticks * TICK_S

    def _run(self) -> None:
        due_s = time.monotonic()
        while not self._is_stopping.is_set():
            self._tick()
            due_s = max(due_s + TICK_S, time.monotonic() - BEHIND_S_MAX)
            self._relay_until(due_s)

    def _tick(self) -> None:
        """A tenth of a second of life: what was asked, then every device."""
        began = self._obey()
        vitals = self._elder.vitals_at(self._now)
        self._wear(vitals)
        if self._ticks % TICKS_PER_S == 0 and self.spec.has_bed_mat and self._firmware is None:
            self._say_mat(vitals)
        if OXIMETER in self._lines:
            count = OXIMETER_RATE_HZ // TICKS_PER_S
            self._lines[OXIMETER].send(self._oximeter.packets(vitals, count), VALUES_PER_PACKET * count)
        self._ticks += 1
        for future, at in began:
            future.set_result(at)

    def _obey(self) -> list[tuple[Future[datetime], datetime]]:
        began = []
        while not self._asked.empty():
            act, future = self._asked.get()
            act()
            began.append((future, datetime.now(UTC)))
        return began

    def _wear(self, vitals: Vitals) -> None:
        samples = self._elder.feel(self._now, RATE_HZ // TICKS_PER_S)
        is_pressed = self._pressed_ticks > 0
        self._pressed_ticks = max(self._pressed_ticks - 1, 0)
        sensed = Sensed(
            heart_rate=round(vitals.heart_rate),
            spo2=round(vitals.spo2),
            skin_temperature=vitals.skin_temperature,
            battery=BATTERY_PERCENT,
            is_pressed=is_pressed,
        )
        try:
            self._worn.feed(samples, sensed)
            self._feel_apart(vitals)
        except FirmwareError:
            self._restart_firmware()
        self._listen()
        self._forward()

    def _feel_apart(self, vitals: Vitals) -> None:
        """What the firmware's other devices feel."""
        if self._firmware is not None:
            self._firmware.press(is_pressed=self._pendant_ticks > 0, battery=BATTERY_PERCENT)
            self._pendant_ticks = max(self._pendant_ticks - 1, 0)
            self._firmware.lie(self._elder.state_at(self._now), vitals, BATTERY_PERCENT)

    def _restart_firmware(self) -> None:
        """Devices of which one was killed start again, as after a reset by their watchdogs."""
        assert self._firmware is not None
        self._firmware.stop()
        self._firmware.start()

    def _forward(self) -> None:
        """What the worn devices have sent goes to the gateway, unless they are out of the bridge's reach."""
        frames = self._worn.take()
        is_home = self._elder.state_at(self._now).is_home
        for frame in frames:
            if is_home or _is_fixed(frame):
                self._send_frame(frame)

    def _say_mat(self, vitals: Vitals) -> None:
        payload = bed_mat(mat_state(self._elder.state_at(self._now), vitals, BATTERY_PERCENT))
        self._send_frame(seal(Frame(FrameType.BED_MAT, BED_MAT_ADDRESS, self._mat_counter, payload)))
        self._mat_counter = self._mat_counter + 1 & 0xFFFF

    def _send_frame(self, sealed: bytes) -> None:
        frame = open_sealed(sealed.strip(b"\0"))
        self._lines[BRIDGE].send(sealed, values_in(frame) if isinstance(frame, Frame) else 0)

    def _relay_until(self, due_s: float) -> None:
        """Until the next tick pass bytes on as they come, both ways."""
        while (wait_s := due_s - time.monotonic()) > 0:
            select.select(self._heard_descriptors(), [], [], wait_s)
            self._listen()
            self._forward()
            for line in self._lines.values():
                line.flush()

    def _heard_descriptors(self) -> list[int]:
        heard = [line.bridge.fileno() for line in self._lines.values() if line.bridge.is_heard()]
        return heard if self._firmware is None else [*heard, *self._firmware.filenos()]

    def _listen(self) -> None:
        for name, line in self._lines.items():
            data = line.bridge.read()
            if name == BRIDGE and data:
                self._acks += len(self._worn.hear(data))


class Cuttable(Protocol):
    """A home's way to the broker, such as `simulators.network.TcpProxy`."""

    def cut(self) -> None: ...

    def restore(self) -> None: ...


class Fleet:
    """All homes of a scenario, and its time line. `networks` are the ways of homes to the broker, for scenarios that cut them."""

    def __init__(self, scenario: Scenario, run_dir: Path, *, networks: Mapping[str, Cuttable] | None = None) -> None:
        self.scenario = scenario
        self.networks = networks or {}
        program = find_program()
        self.homes = {spec.name: Home(spec, run_dir, starts_s=scenario.starts_s, program=program) for spec in scenario.homes}

    def start(self) -> None:
        """Start every home. Raises OSError."""
        for home in self.homes.values():
            home.start()

    def stop(self) -> None:
        """Stop every home."""
        for home in self.homes.values():
            home.stop()

    def perform(self, step: Step) -> datetime:
        """Let one step happen now. Returns when it began, as `Home.inject`. Raises HomeError."""
        if not isinstance(step.action, Network):
            return self.homes[step.home].inject(step.action)
        if step.home not in self.networks:
            raise HomeError(f"{step.home} has no network here")
        at = datetime.now(UTC)
        network = self.networks[step.home]
        (network.cut if step.action.do == "network_cut" else network.restore)()
        return at

    def play(self, stopping: threading.Event, performed: Callable[[Step, datetime | HomeError], None]) -> None:
        """Let all steps happen, second 0 being now, and tell `performed` of each. Returns after the last one or once `stopping` is set."""
        start_s = time.monotonic()
        for step in self.scenario.steps:
            if stopping.wait(max(start_s + step.at_s - time.monotonic(), 0.0)):
                return
            try:
                performed(step, self.perform(step))
            except HomeError as error:
                performed(step, error)


def _is_fixed(sealed: bytes) -> bool:
    """Whether a frame comes from a device that stays at home."""
    frame = open_sealed(sealed.strip(b"\0"))
    return isinstance(frame, Frame) and frame.address in (BED_MAT_ADDRESS, BLE_BRIDGE_ADDRESS)


def _episode(action: SignEpisode, start_s: float) -> Episode:
    hold_s = float("inf") if action.hold_s is None else action.hold_s
    return Episode(action.sign, start_s, action.ramp_s, action.target, hold_s, action.recover_s)
