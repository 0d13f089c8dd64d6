"""Emfit QS: an empty bed has no pulse, no value is not zero, and a page cut off is none."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.events import EventKind
from contract.quantities import QuantityName
from gateway.bridges import http_poll
from gateway.bridges.framing import Frame
from gateway.devices.driver import Alive, Measurement, Output, Reason, Refusal, Signal
from gateway.devices.emfit_qs import PAGE_BYTES_MAX, PAGE_END, EmfitQs, Packet, decode, reader


def page(pres: object = 1, hr: object = 61, rr: object = 14.2, act: object = 35, ts: object = 0) -> bytes:
    """The documented keys, xyvyx1/ha-emfitqs."""
    values = {"SER": "002177", "PRES": pres, "TS": ts, "TS_R": 84213, "HR": hr, "RR": rr, "ACT": act}
    return "".join(f"{key}={value}<br>\r\n" for key, value in values.items()).encode()


IN_BED = page()
DECODED = Packet("002177", True, 61.0, 14.2, 35, 84213, None)


def items(*pieces: bytes) -> list[Packet | Reason]:
    one = reader({})
    return [item for piece in pieces for item in one.feed(piece)] + list(one.end())


def outputs(*pages: bytes) -> list[Output]:
    driver = EmfitQs()
    return [output for one in pages for output in driver.feed(one + PAGE_END, 0.0)]


def test_a_page_says_what_its_keys_say() -> None:
    assert decode(IN_BED) == DECODED
    assert decode(page(ts=1773471900)) == Packet("002177", True, 61.0, 14.2, 35, 84213, datetime(2026, 3, 14, 7, 5, tzinfo=UTC))


@pytest.mark.parametrize("none", ["0", " ---", " --.-", "", "nan", "-inf", "-5", "1e999"])
def test_no_value_is_none_and_not_zero(none: str) -> None:
    packet = decode(page(hr=none, rr=none))
    assert isinstance(packet, Packet)
    assert (packet.heart_rate_bpm, packet.resp_rate_bpm) == (None, None)


@pytest.mark.parametrize("length", range(1, len(IN_BED) - 2))
def test_no_truncation_is_taken_for_a_page(length: int) -> None:
    packet = decode(IN_BED[:length])
    assert packet in (Reason.FORMAT, Reason.TRUNCATED) or IN_BED[:length].rstrip().endswith(b"<br>")


def test_other_pages_are_refused() -> None:
    assert items(b"<html>login</html>\r\n") == [Reason.FORMAT]
    assert items(b"x" * (PAGE_BYTES_MAX + 1), b"y" * PAGE_BYTES_MAX + PAGE_END, IN_BED + PAGE_END) == [Reason.LENGTH, DECODED]


def test_two_pages_in_one_capture_are_two() -> None:
    assert items(IN_BED + IN_BED) == [DECODED, DECODED]


@given(st.binary(max_size=300), st.integers(0, 300))
def test_any_bytes_however_cut_give_the_same(noise: bytes, at: int) -> None:
    stream = noise + PAGE_END + IN_BED
    assert items(stream[:at], stream[at:]) == items(stream)
    assert items(stream)[-1] == DECODED


def test_a_page_in_bed_gives_its_values_and_an_empty_bed_no_rates() -> None:
    assert outputs(IN_BED) == [
        Alive(),
        Measurement(QuantityName.BED_OCCUPIED, 1),
        Measurement(QuantityName.ACTIVITY, 35),
        Measurement(QuantityName.HEART_RATE, 61.0),
        Measurement(QuantityName.RESPIRATION_RATE, 14.2),
    ]
    assert outputs(page(pres=0)) == [Alive(), Measurement(QuantityName.BED_OCCUPIED, 0), Measurement(QuantityName.ACTIVITY, 35)]


def test_just_after_getting_in_the_rates_are_still_searched() -> None:
    assert outputs(page(hr=0, rr=0))[-1] == Refusal(Reason.SEARCHING)


def test_a_page_that_does_not_say_who_lies_there_gives_no_occupancy() -> None:
    assert outputs(page(pres="?")) == [Alive(), Refusal(Reason.NO_CONTACT)]


def test_getting_up_and_lying_down_are_one_event_each() -> None:
    heard = outputs(page(1), page(1), page(0), page(0), page(1))
    assert [output.kind for output in heard if isinstance(output, Signal)] == [EventKind.BED_EXIT, EventKind.BED_ENTRY]


def test_the_bridge_ends_pages_as_the_driver_expects() -> None:
    assert http_poll.PAGE_END == PAGE_END


def test_what_was_cut_off_is_forgotten_at_a_new_start() -> None:
    driver = EmfitQs()
    assert list(driver.feed(IN_BED[:20], 0.0)) == list(driver.start(0.0)) == list(driver.tick(9.0)) == []
    assert Measurement(QuantityName.HEART_RATE, 61.0) in list(driver.feed(IN_BED + PAGE_END, 0.0))


def test_a_bed_sensor_is_alone_at_its_address() -> None:
    with pytest.raises(NotImplementedError):
        EmfitQs().take(Frame(1, 1, 1, b""), 0.0)
