"""What the driver makes of the radio's lines: whose value it is, what is a record, what is a repeat, what is on disk."""

from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.events import EventKind
from contract.quantities import QUANTITIES, QuantityName
from gateway.bridges.bluetooth import words
from gateway.bridges.bluetooth.words import State
from gateway.bridges.serial_port import Chunk
from gateway.config import RADIO
from gateway.devices.bluetooth import REPEAT_S, Bluetooth
from gateway.devices.driver import Alive, ClockTold, Command, Heard, Measurement, Named, Output, Reason, Refusal, SetClock, Signal
from gateway.devices.gatt import CHARACTERISTICS
from gateway.harvest import Harvest
from gateway.pipeline import Pipeline
from tests.gateway.home import NOW, config

CUFF_RESULT = "02a8006200ff07ea07030e07053b"  # with a time; arithmetic from the layout
PLAIN_WEIGHT = "00b036"
STREAM = "1648330333"  # heart rate 72, with one beat interval


def said(driver: Bluetooth, now_s: float = 0.0, **told: Any) -> list[Output]:
    return list(driver.feed(words.line(**told), now_s))


def value(driver: Bluetooth, characteristic: str, digits: str, now_s: float = 0.0, **more: Any) -> list[Output]:
    return said(driver, now_s, device="d-1", characteristic=characteristic, value=digits, **more)


def records(outputs: list[Output]) -> set[str | None]:
    return {one.record for one in outputs if isinstance(one, Measurement)}


def test_a_result_with_a_time_is_one_record_whenever_it_comes() -> None:
    driver = Bluetooth()
    first, again = value(driver, "2a35", CUFF_RESULT, 0), value(driver, "2a35", CUFF_RESULT, 1)
    (name,) = records(first)
    assert name
    assert records(again) == {name}
    assert {one.member for one in first if isinstance(one, Measurement)} == {"d-1"}
    assert records(value(Bluetooth(), "2a35", CUFF_RESULT)) == {name}
    assert records(value(driver, "2a35", CUFF_RESULT.replace("a8", "a9"))) != {name}


def test_a_result_without_a_time_is_a_repeat_for_a_while() -> None:
    driver = Bluetooth()
    assert records(value(driver, "2a9d", PLAIN_WEIGHT, 0)) == {""}
    assert value(driver, "2a9d", PLAIN_WEIGHT, REPEAT_S) == [Alive("d-1")]
    assert records(value(driver, "2a9d", PLAIN_WEIGHT, 3 * REPEAT_S)) == {""}


def test_samples_of_a_stream_are_no_records() -> None:
    assert records(value(Bluetooth(), "2a37", "0048")) == {None}


def test_what_is_on_disk_is_said_after_the_values() -> None:
    assert value(Bluetooth(), "2a35", CUFF_RESULT, n=7)[-1] == Command(b'{"stored":7}\n')
    assert value(Bluetooth(), "2a35", "010203", n=8) == [Refusal(Reason.TRUNCATED, "d-1"), Command(b'{"stored":8}\n')]


def test_clock_names_and_the_home_s_time() -> None:
    driver = Bluetooth()
    assert value(driver, "2a2b", "e907010f0e1e2d032101") == [ClockTold(datetime(2025, 1, 15, 14, 30, 45), "d-1")]
    assert value(driver, "2a08", "00000000121a20") == [ClockTold(None, "d-1")]
    value(driver, "2a29", b"ACME".hex())
    assert value(driver, "2a24", b"Cuff 7\0".hex()) == [Named("ACME Cuff 7", "d-1")]
    (asked,) = said(driver, device="d-1", state=State.CLOCK)
    assert isinstance(asked, SetClock)
    assert asked.build(datetime(2026, 3, 1, 11, 12)) == b'{"device":"d-1","time":"2026-03-01T11:12:00.000"}\n'


def test_trouble_and_its_end_are_events() -> None:
    driver = Bluetooth()
    assert said(driver, device="d-1", state=State.BOND_LOST, n=1) == [
        Signal(EventKind.PAIRING_NEEDED, "", detail="reason=bond_lost", member="d-1"),
        Command(b'{"stored":1}\n'),
    ]
    assert said(driver, device="d-1", state=State.PAIRED) == [Signal(EventKind.PAIRED, "", member="d-1")]


@pytest.mark.parametrize("line", [b"{}\n", b"nonsense\n", b'{"device":"d-1"}\n', b'{"device":"d","characteristic":"2a35","value":"xy"}\n'])
def test_what_is_no_line_of_the_radio_is_refused(line: bytes) -> None:
    assert list(Bluetooth().feed(line, 0)) == [Refusal(Reason.FORMAT)]


@given(characteristic=st.sampled_from(sorted(CHARACTERISTICS)), whole=st.binary(max_size=40), at=st.floats(0, 100))
def test_no_value_at_all_can_stop_the_pipeline(characteristic: str, whole: bytes, at: float) -> None:
    section = {"transport": "serial:/dev/null", "device": [{"id": "d-1", "address": "C1:00:00:00:00:01"}]}
    home = config(port=[], bluetooth=section)
    assert home.bluetooth is not None
    pipeline, harvest = Pipeline(home, now_s=0.0), Harvest()
    pipeline.enrol(RADIO, home.bluetooth.device[0], now_s=0.0)
    line = words.line(device="d-1", characteristic=characteristic, value=whole.hex(), n=1)
    pipeline.feed(Chunk(RADIO, line), harvest, now=NOW, now_s=at)
    assert all(QUANTITIES[QuantityName(one.quantity)].is_plausible(one.value) for one in harvest.readings)
    assert harvest.replies == [(RADIO, b'{"stored":1}\n')]


def test_signs_of_life_and_strangers() -> None:
    driver = Bluetooth()
    assert list(driver.feed(b"\n", 0)) == [Alive()]
    assert said(driver, stranger="C1:00:00:00:00:09", name="S", services=["scale"]) == [
        Heard("C1:00:00:00:00:09", "S", ("scale",)),
        Refusal(Reason.STRANGER, detail="C1:00:00:00:00:09"),
    ]
    assert said(driver, device="d-1", state=State.VISITED) == [Alive("d-1")]
    assert value(driver, "2a36", "00d7f000000000") == [Alive("d-1")]
    assert value(driver, "2aff", "00") == [Refusal(Reason.UNKNOWN_TYPE, "d-1")]
    assert QuantityName.BATTERY in {one.quantity for one in value(driver, "2a19", "4b") if isinstance(one, Measurement)}
