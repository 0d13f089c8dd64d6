"""Homes live, speak on their ports, and do what is injected."""

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from serial import Serial, SerialException

from gateway.bridges.framing import Frame, FrameReader, seal
from simulators.firmware import find_program
from simulators.fleet import NAMED_ACTIONS, PENDANT_ADDRESS, Fleet, Home, HomeError
from simulators.home import Placement
from simulators.scenario import HomeSpec, LineNoise, Network, Scenario, Step
from simulators.wire import FrameType, ack, parse_event_key

OpenPort = Callable[[Path], Serial]
Eventually = Callable[[Callable[[], bool]], None]

NIGHT_S = 3600.0
SPEC = HomeSpec(name="home-01", seed=1, placement=Placement.WAIST, has_bed_mat=True, has_oximeter=True)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    running = Home(SPEC, tmp_path, starts_s=NIGHT_S)
    running.start()
    yield running
    running.stop()


class Listener:
    """Reads frames from a port."""

    def __init__(self, port: Serial) -> None:
        self._port = port
        self._reader = FrameReader()

    def next(self, kind: FrameType) -> Frame:
        """The next frame of a type."""
        while True:
            data = self._port.read(1)
            assert data, f"no frame of type {kind.name} came"
            # One byte completes at most one frame; the reader must be exhausted all the same.
            for item in list(self._reader.feed(data)):
                if isinstance(item, Frame) and item.type == kind:
                    return item


def test_a_home_sends_vitals_of_a_sleeper(home: Home, open_port: OpenPort) -> None:
    listener = Listener(open_port(home.links["bridge"]))
    vitals, mat = listener.next(FrameType.WEARABLE_VITALS), listener.next(FrameType.BED_MAT)
    assert (vitals.address, mat.address) == (1, 2)
    assert 51 <= vitals.payload[0] <= 90
    assert 96 <= vitals.payload[1] <= 100
    assert mat.payload[0] == 1


def test_the_oximeter_has_a_port_of_its_own(home: Home, open_port: OpenPort) -> None:
    packets = open_port(home.links["oximeter"]).read(100)
    assert {byte >> 7 for byte in packets[::5]} == {1}
    assert all(96 <= byte <= 100 for byte in packets[4::5])


def test_a_home_without_an_oximeter_has_one_port(tmp_path: Path) -> None:
    assert list(Home(HomeSpec(name="home-02", seed=2), tmp_path).links) == ["bridge"]


def test_an_injected_sos_is_sent_until_it_is_answered(home: Home, open_port: OpenPort, eventually: Eventually) -> None:
    port = open_port(home.links["bridge"])
    asked_at = datetime.now(UTC)
    began_at = home.inject("sos")
    assert asked_at <= began_at <= datetime.now(UTC)
    key = parse_event_key(Listener(port).next(FrameType.SOS))
    assert key is not None
    port.write(seal(Frame(FrameType.ACK, 1, 0, ack(key, FrameType.SOS))))
    eventually(lambda: home.counters().acks == 1)


def test_an_injected_fall_becomes_a_candidate_with_its_window(home: Home, open_port: OpenPort) -> None:
    listener = Listener(open_port(home.links["bridge"]))
    home.inject("get_up")
    home.inject("fall")
    candidate = listener.next(FrameType.FALL_CANDIDATE)
    assert int.from_bytes(candidate.payload[6:8], "little") > 2500
    assert [listener.next(FrameType.PACKED_CHUNK).payload[4] for _ in range(candidate.payload[10])] == list(range(candidate.payload[10]))


def test_an_injected_episode_shows_in_the_oximeter(home: Home, open_port: OpenPort) -> None:
    home.inject(NAMED_ACTIONS["spo2_low"].model_copy(update={"ramp_s": 0}))
    assert set(open_port(home.links["oximeter"]).read(50)[4::5]) == {86}


def test_getting_up_empties_the_bed(home: Home, open_port: OpenPort) -> None:
    home.inject("get_up")
    assert Listener(open_port(home.links["bridge"])).next(FrameType.BED_MAT).payload[:3] == bytes(3)


def test_who_is_out_is_not_heard(home: Home, open_port: OpenPort) -> None:
    home.inject(NAMED_ACTIONS["get_up"].model_copy(update={"doing": "out"}))
    listener = Listener(open_port(home.links["bridge"]))
    for _ in range(2):
        listener.next(FrameType.BED_MAT)
    home.inject("as_planned")
    assert listener.next(FrameType.WEARABLE_VITALS).counter >= 2


def test_unplugging_hangs_up_all_ports_and_plugging_brings_new_ones(home: Home, open_port: OpenPort) -> None:
    ports = [open_port(link) for link in home.links.values()]
    home.inject("unplug")
    for port in ports:
        with pytest.raises(SerialException):
            while True:
                port.read(1)
    home.inject("plug")
    assert Listener(open_port(home.links["bridge"])).next(FrameType.WEARABLE_VITALS).address == 1


def test_a_bad_line_damages_bytes(home: Home, open_port: OpenPort) -> None:
    home.inject(LineNoise(loss=0.3))
    packets = open_port(home.links["oximeter"]).read(200)
    assert {byte >> 7 for byte in packets[::5]} == {0, 1}


def test_counters_tell_what_was_sent_and_what_nobody_heard(home: Home, open_port: OpenPort, eventually: Eventually) -> None:
    eventually(lambda: home.counters().frames_lost > 0)
    assert home.counters().frames == home.counters().values == 0
    Listener(open_port(home.links["bridge"])).next(FrameType.WEARABLE_VITALS)
    eventually(lambda: home.counters().frames >= 1 and home.counters().values >= 4)


@pytest.mark.parametrize("action", ["flood", Network(do="network_cut")])
def test_what_a_home_cannot_do_is_refused(home: Home, action: str | Network) -> None:
    with pytest.raises(HomeError):
        home.inject(action)


def test_a_stopped_home_takes_no_orders(tmp_path: Path) -> None:
    home = Home(SPEC, tmp_path)
    home.start()
    home.stop()
    with pytest.raises(HomeError, match="does not run"):
        home.inject("fall")


def test_a_home_with_the_c_wearable_reports_a_fall_and_hears_its_ack(tmp_path: Path, open_port: OpenPort, eventually: Eventually) -> None:
    program = find_program()
    if program is None:
        pytest.skip("firmware_stubs/build/wearable_host is not built: make -C firmware_stubs")
    home = Home(HomeSpec(name="home-03", seed=3, wearable="firmware", has_bed_mat=True), tmp_path, starts_s=NIGHT_S, program=program)
    home.start()
    port = open_port(home.links["bridge"])
    home.inject("get_up")
    home.inject("fall")
    key = parse_event_key(Listener(port).next(FrameType.FALL_CANDIDATE))
    assert key is not None
    port.write(seal(Frame(FrameType.ACK, 1, 0, ack(key, FrameType.FALL_CANDIDATE))))
    eventually(lambda: home.counters().acks == 1)
    home.inject("pendant_sos")
    assert Listener(port).next(FrameType.SOS).address == PENDANT_ADDRESS
    home.stop()
    assert home.is_firmware


def test_a_pendant_is_there_only_with_the_firmware(home: Home) -> None:
    with pytest.raises(HomeError, match="pendant"):
        home.inject("pendant_sos")


class Switch:
    """A network that remembers what was done to it."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def cut(self) -> None:
        self.calls.append("cut")

    def restore(self) -> None:
        self.calls.append("restore")


def test_a_fleet_plays_its_steps_in_time_and_tells_of_each(tmp_path: Path) -> None:
    steps = (
        Step(at_s=0, home="home-01", action=Network(do="network_cut")),
        Step(at_s=0.1, home="home-02", action=NAMED_ACTIONS["sos"]),
        Step(at_s=0.2, home="home-01", action=Network(do="network_restore")),
        Step(at_s=0.2, home="home-02", action=Network(do="network_cut")),
    )
    homes = (HomeSpec(name="home-01", seed=1), HomeSpec(name="home-02", seed=2))
    network = Switch()
    fleet = Fleet(Scenario(title="two homes", homes=homes, steps=steps), tmp_path, networks={"home-01": network})
    fleet.start()
    told: list[tuple[Step, datetime | HomeError]] = []
    fleet.play(threading.Event(), lambda step, outcome: told.append((step, outcome)))
    fleet.stop()
    assert [step for step, _ in told] == list(steps)
    assert [isinstance(outcome, HomeError) for _, outcome in told] == [False, False, False, True]
    assert network.calls == ["cut", "restore"]


def test_a_fleet_stops_playing_when_asked(tmp_path: Path) -> None:
    step = Step(at_s=1000, home="home-01", action=NAMED_ACTIONS["sos"])
    fleet = Fleet(Scenario(title="later", homes=(HomeSpec(name="home-01", seed=1),), steps=(step,)), tmp_path)
    stopping = threading.Event()
    stopping.set()
    fleet.play(stopping, lambda step, outcome: pytest.fail(f"{step} was played"))
