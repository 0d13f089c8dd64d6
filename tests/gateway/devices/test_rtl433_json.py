"""Lines of rtl_433: one press is one event however often it is sent, and what a model is called means nothing."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.events import EventKind
from contract.quantities import QuantityName
from gateway.bridges.framing import Frame
from gateway.devices.driver import JSON, Alive, Enrolled, Meaning, Measurement, Options, Output, Reason, Refusal, Signal
from gateway.devices.rtl433_json import KNOWN_MAX, Packet, Rtl433, decode, describe, reader

# Lines of merbanan/rtl_433_tests (x10_sec, generic_remote, EV1527), the panic from src/devices/x10_sec.c of merbanan/rtl_433.
CLOSED = '{"model":"X10-Security","id":"3133","code":"85","event":"DS10A DOOR/WINDOW CLOSED","battery_ok":0}'
OPEN = '{"model":"X10-Security","id":"3133","code":"05","event":"DS10A DOOR/WINDOW OPEN","battery_ok":0}'
PANIC = '{"model":"X10-Security","id":"a1b2","code":"26","event":"KR18 PANIC","battery_ok":1}'
REMOTE = '{"model":"Generic-Remote","id":5069,"cmd":192,"tristate":"0Z01101Z1000"}'
PENDANT = '{"model":"Smoke-GS558","id":27111,"unit":22,"learn":0,"code":"8d3cf6"}'
TOWER = '{"model":"Acurite-Tower","id":12494,"channel":"A","battery_ok":1,"temperature_C":23.5,"humidity":52}'
HOME = Options(
    enrolled=(
        Enrolled("front-door", "X10-Security/3133", Meaning.DOOR),
        Enrolled("pendant", "Smoke-GS558/27111/8d3cf6", Meaning.SOS),
        Enrolled("remote", "Generic-Remote/5069", Meaning.BUTTON),
        Enrolled("bedroom", "Acurite-Tower/12494", Meaning.CLIMATE),
    )
)


def told(*lines: str) -> list[dict[str, JSON] | Reason]:
    one = reader({})
    items = [*one.feed("\n".join(lines).encode()), *one.end()]
    return [describe(item) if isinstance(item, Packet) else item for item in items]


def outputs(*lines: str, at_s: float = 0.0) -> list[Output]:
    driver = Rtl433(HOME)
    return [found for line in lines for found in driver.feed(f"{line}\n".encode(), at_s) if not isinstance(found, Alive)]


@pytest.mark.parametrize(
    ("lines", "wanted"),
    [
        (
            [CLOSED] * 4 + [OPEN] * 5,
            [
                {"device": "X10-Security/3133", "kind": "door", "open": False, "battery_low": True},
                {"device": "X10-Security/3133", "kind": "door", "open": True, "battery_low": True},
            ],
        ),
        ([PANIC] * 3, [{"device": "X10-Security/a1b2", "kind": "panic", "battery_low": False}]),
        ([REMOTE] * 4, [{"device": "Generic-Remote/5069", "kind": "button", "code": 192, "battery_low": None}]),
        ([PENDANT], [{"device": "Smoke-GS558/27111", "kind": "code", "code": "8d3cf6", "battery_low": None}]),
        (
            [PANIC, OPEN, PANIC],
            [
                {"device": "X10-Security/a1b2", "kind": "panic", "battery_low": False},
                {"device": "X10-Security/3133", "kind": "door", "open": True, "battery_low": True},
            ],
        ),
        ([TOWER], []),
        (["rtl_433 version 22.11", "[1]", '{"model":"X"}', "{"], [Reason.FORMAT, Reason.FORMAT, Reason.FORMAT]),
    ],
)
def test_repeats_are_one_and_what_is_no_event_is_none(lines: list[str], wanted: list[dict[str, JSON] | Reason]) -> None:
    assert told(*lines) == wanted


@pytest.mark.parametrize(
    ("said", "kind", "is_open"),
    [
        ({"opened": 1}, "door", True),
        ({"reed_open": 0, "contact_open": 0}, "door", False),
        ({"closed": 1, "event": 1}, "door", False),
        ({"state": "open"}, "door", True),
        ({"state": "on", "button": 4}, "button", None),
        ({"event": "MOTION READY"}, "motion", None),
        ({"motion": 1}, "motion", None),
        ({"code": True}, None, None),
        ({"cmd": None, "code": 1.5}, None, None),
    ],
)
def test_other_models_have_other_words(said: dict[str, JSON], kind: str | None, is_open: bool | None) -> None:
    packet = decode(json.dumps({"model": "M", "id": 1} | said))
    assert isinstance(packet, Packet)
    assert (packet.kind, packet.open) == (kind, is_open)


def test_the_same_press_later_is_another_one_where_the_lines_have_times() -> None:
    pressed = [PANIC[:-1] + f',"time":"2026-03-01 03:12:{second:02d}"}}' for second in (0, 1, 2, 10)]
    assert len(told(*pressed)) == 2


@pytest.mark.parametrize(
    ("lines", "wanted"),
    [
        (
            [CLOSED, CLOSED, OPEN],
            [
                Signal(EventKind.DOOR_CLOSED, "", member="front-door"),
                Signal(EventKind.BATTERY_LOW, "", member="front-door"),
                Signal(EventKind.DOOR_OPENED, "", member="front-door"),
            ],
        ),
        ([PENDANT] * 6, [Signal(EventKind.SOS, "", member="pendant")]),
        ([PENDANT.replace("8d3cf6", "8d3cf7")], [Refusal(Reason.STRANGER, detail="Smoke-GS558/27111")]),
        ([REMOTE], [Signal(EventKind.BUTTON, "", member="remote")]),
        ([PANIC], [Refusal(Reason.STRANGER, detail="X10-Security/a1b2")]),
        (
            [TOWER],
            [Measurement(QuantityName.ROOM_TEMPERATURE, 23.5, member="bedroom"), Measurement(QuantityName.HUMIDITY, 52, member="bedroom")],
        ),
        ([TOWER.replace("23.5", "NaN").replace("52", "1e999")], []),
        (["no json"], [Refusal(Reason.FORMAT)]),
    ],
)
def test_what_was_enrolled_gives_events_once(lines: list[str], wanted: list[Output]) -> None:
    assert outputs(*lines) == wanted


def test_an_empty_line_is_a_sign_of_life_and_half_a_line_is_none() -> None:
    driver = Rtl433()
    assert list(driver.start(0.0)) == [] == list(driver.tick(0.0))
    assert list(driver.feed(b"\n", 0.0)) == [Alive()]
    assert list(driver.feed(PANIC.encode(), 0.0)) == []


def test_only_so_many_devices_are_remembered() -> None:
    lines = [PANIC.replace("a1b2", f"{number:04x}") for number in range(KNOWN_MAX + 1)]
    assert len(told(*lines, lines[0], lines[-1])) == KNOWN_MAX + 2


@given(st.binary(max_size=200), st.integers(0, 200))
def test_any_cut_gives_the_same(stream: bytes, at: int) -> None:
    whole, cut = reader({}), reader({})
    assert [*cut.feed(stream[:at]), *cut.feed(stream[at:]), *cut.end()] == [*whole.feed(stream), *whole.end()]


_WORDS = st.text("OPEN DR/1", max_size=9)
_VALUES = st.none() | st.booleans() | st.integers() | st.floats() | _WORDS | st.lists(_WORDS, max_size=2)


@given(
    st.dictionaries(
        st.sampled_from(["event", "opened", "state", "cmd", "code", "battery_ok", "temperature_C", "humidity", "time"]), _VALUES
    )
)
def test_any_object_is_decoded(said: dict[str, object]) -> None:
    packet = decode(json.dumps({"model": "M", "id": 1} | said))
    assert isinstance(packet, Packet)
    assert describe(packet)


def test_deeply_nested_brackets_are_refused() -> None:
    assert decode("[" * 8000) is Reason.FORMAT


def test_a_receiver_owns_its_port_and_takes_no_frames() -> None:
    with pytest.raises(NotImplementedError):
        Rtl433().take(Frame(1, 1, 1, b""), 0.0)
