"""RFLink receivers: lines are read whole, a field that cannot be read costs no other, and one press is one event."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.events import EventKind
from contract.quantities import QuantityName
from gateway.bridges.framing import Frame
from gateway.devices.driver import JSON, Alive, Command, Enrolled, Meaning, Measurement, Options, Output, Reason, Refusal, Signal
from gateway.devices.rflink import PING, Packet, Rflink, decode, describe, reader

HOME = Options(
    enrolled=(
        Enrolled("hall", "Pir/aa66", Meaning.MOTION),
        Enrolled("kitchen", "SmokeAlert/123456", Meaning.SMOKE),
        Enrolled("pendant", "newkaku/000005/2", Meaning.SOS),
        Enrolled("bell", "SelectPlus/1bb4", Meaning.BUTTON),
        Enrolled("bedroom", "UPM/Esic/0001", Meaning.CLIMATE),
    )
)


def outputs(*lines: str) -> list[Output]:
    driver = Rflink(HOME)
    stream = "".join(f"{line}\r\n" for line in lines).encode()
    return [found for found in driver.feed(stream, 0.0) if not isinstance(found, Alive)]


# Lines of the RFLink Protocol Reference and of aequitas/python-rflink's tests; the last three changed by hand.
@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("20;12;Pir;ID=aa66;PIR=ON;", {"device": "Pir/aa66", "kind": "motion", "on": True}),
        ("20;63;SmokeAlert;ID=123456;SMOKEALERT=OFF;", {"device": "SmokeAlert/123456", "kind": "smoke", "on": False}),
        ("20;06;NewKaku;ID=008440e6;SWITCH=a;CMD=OFF;", {"kind": "switch", "switch": "a", "command": "OFF", "on": None}),
        ("20;04;NewKaku;ID=000007;SWITCH=2;CMD=SET_LEVEL=14;", {"switch": "2", "command": "SET_LEVEL=14"}),
        ("20;36;Alecto V1;ID=0334;TEMP=800d;HUM=33;BAT=OK;", {"temperature_c": -1.3, "humidity_pct": 33, "battery_low": False}),
        ("20;A2;Auriol V2;ID=008f;TEMP=00a3;BAT=LOW;", {"temperature_c": 16.3, "humidity_pct": None, "battery_low": True}),
        ("20;00;Nodo RadioFrequencyLink - RFLink Gateway V1.1 - R46;", {"reply": "version", "version": "1.1", "revision": "46"}),
        ("20;01;VER=1.1;REV=45;BUILD=04;", {"reply": "version", "version": "1.1", "revision": "45"}),
        ("20;02;STATUS;setRF433=ON;setNodoNRF=OFF;", {"reply": "status", "ok": True}),
        ("20;01;MySensors=OFF;NO NRF24L01;", {"reply": "status", "ok": True}),
        ("20;D3;OK;", {"reply": "ok", "ok": True}),
        ("20;01;CMD UNKNOWN;", {"reply": "unknown_command", "ok": False}),
        ("10;PING;", {"direction": "to_device", "command": "PING"}),
        ("10;NewKaku;00c142;1;ON;", {"direction": "to_device", "command": "NewKaku;00c142;1;ON"}),
        ("20;36;Alecto V1;ID=0334;TEMP=warm;HUM=50;BAT=?;", {"temperature_c": None, "humidity_pct": 50, "battery_low": None}),
        ("20;36;Alecto V1;ID=0334;TEMP=00d1;HUM=101", {"temperature_c": 20.9, "humidity_pct": None}),
        ("20;36;Alecto V1;ID=0334;;=;nonsense;TEMP=00d1;", {"temperature_c": 20.9}),
    ],
)
def test_a_line_says_what_the_reference_says(line: str, wanted: dict[str, JSON]) -> None:
    packet = decode(line)
    assert isinstance(packet, Packet)
    shown = describe(packet)
    assert {key: shown[key] for key in wanted} == wanted


@pytest.mark.parametrize(
    "line", ["hello world", "20;", "20;12;", "20;zz;Pir;ID=aa66;PIR=ON;", "20;12;Pir;PIR", "30;12;PONG;", "٢0;12;PONG;"]
)
def test_what_is_no_line_of_the_receiver_is_refused(line: str) -> None:
    assert decode(line) is Reason.FORMAT


@pytest.mark.parametrize(
    ("lines", "wanted"),
    [
        (["20;12;Pir;ID=aa66;PIR=ON;"] * 3, [Signal(EventKind.MOTION, "", member="hall")]),
        (["20;63;SmokeAlert;ID=123456;SMOKEALERT=ON;"] * 4, [Signal(EventKind.SMOKE, "", member="kitchen")]),
        (["20;0B;NewKaku;ID=000005;SWITCH=2;CMD=ON;"] * 5, [Signal(EventKind.SOS, "", member="pendant")]),
        (["20;0B;NewKaku;ID=000005;SWITCH=2;CMD=UNKOWN;"], [Signal(EventKind.SOS, "", member="pendant")]),
        (["20;0E;NewKaku;ID=000005;SWITCH=2;CMD=OFF;"], []),
        (["20;0B;NewKaku;ID=000005;SWITCH=3;CMD=ON;"], [Refusal(Reason.STRANGER, detail="NewKaku/000005/3")]),
        (["20;AF;SelectPlus;ID=1bb4;CHIME=01;"], [Signal(EventKind.BUTTON, "", member="bell")]),
        (["20;03;SelectPlus;ID=1bb4;BAT=LOW;"] * 2, [Signal(EventKind.BATTERY_LOW, "", member="bell")]),
        (["20;33;Cresta;ID=3001;TEMP=00b0;"], [Refusal(Reason.STRANGER, detail="Cresta/3001")]),
        (
            ["20;2D;UPM/Esic;ID=0001;TEMP=00cf;HUM=16;BAT=OK;"],
            [
                Measurement(QuantityName.ROOM_TEMPERATURE, 20.7, member="bedroom"),
                Measurement(QuantityName.HUMIDITY, 16, member="bedroom"),
            ],
        ),
        (["20;01;PONG;"], []),
        (["x" * 600, "20;01;PONG;"], [Refusal(Reason.LENGTH)]),
    ],
)
def test_what_was_enrolled_gives_events_once(lines: list[str], wanted: list[Output]) -> None:
    assert outputs(*lines) == wanted


def test_the_board_is_not_reset_and_is_asked_each_minute() -> None:
    driver = Rflink()
    assert [(setting.baud, setting.dtr) for setting in driver.line.settings()] == [(57_600, False)]
    assert list(driver.start(5.0)) == [Command(PING)]
    assert list(driver.tick(64.0)) == []
    assert list(driver.tick(65.0)) == [Command(PING)]
    assert list(driver.feed(b"20;01;PONG;\r\n", 66.0)) == [Alive()]


@given(st.binary(max_size=200), st.integers(0, 200))
def test_any_cut_gives_the_same(stream: bytes, at: int) -> None:
    whole, cut = reader({}), reader({})
    assert [*cut.feed(stream[:at]), *cut.feed(stream[at:]), *cut.end()] == [*whole.feed(stream), *whole.end()]


@given(st.text(max_size=80))
def test_any_line_is_decoded_or_refused(line: str) -> None:
    packet = decode(f"20;01;{line}")
    assert packet is Reason.FORMAT or (isinstance(packet, Packet) and describe(packet))


def test_a_receiver_owns_its_port_and_takes_no_frames() -> None:
    with pytest.raises(NotImplementedError):
        Rflink().take(Frame(1, 1, 1, b""), 0.0)
