"""Our own wearable: vitals, SOS, and falls whose windows come in pieces, in any order, some of them never. Bytes by hand."""

import itertools
import random
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.events import AccelerationWindow, EventKind
from contract.quantities import QuantityName
from gateway.bridges.framing import Frame, FrameReader
from gateway.devices.driver import Measurement, Output, Reason, Refusal, Signal
from gateway.devices.jiahu_wearable import CANDIDATES_MAX, CHUNKS_MAX, WINDOW_WAIT_S, Wearable

ADDRESS = 513
VITALS, CANDIDATE, CHUNK, SOS, PACKED, ACK = 0x01, 0x02, 0x03, 0x04, 0x06, 0x7F
BOOT, EVENT = 0xBEEF, 3
RATE_HZ = 50
ROWS = [(row, -row, 1000 + row) for row in range(100)]
BATTERY, HEART_RATE, SPO2, SKIN = QuantityName.BATTERY, QuantityName.HEART_RATE, QuantityName.SPO2, QuantityName.SKIN_TEMPERATURE


def frame(kind: int, payload: bytes) -> Frame:
    return Frame(kind, ADDRESS, 9, payload)


def vitals(heart_rate: int = 72, spo2: int = 97, temperature: int = 3345, battery: int = 81, flags: int = 1) -> Frame:
    return frame(VITALS, struct.pack("<BBhHBB", heart_rate, spo2, temperature, 4711, battery, flags))


def candidate(event: int = EVENT, *, age_ms: int = 2500, rate_hz: int = RATE_HZ, chunks: int = 3, peak_index: int = 60) -> Frame:
    return frame(CANDIDATE, struct.pack("<HHHHBBBH", BOOT, event, age_ms, 3200, 80, rate_hz, chunks, peak_index))


def chunk(index: int, *, event: int = EVENT, chunks: int = 3, rows: list[tuple[int, int, int]] | None = None) -> Frame:
    rows = ROWS[40 * index : 40 * index + 40] if rows is None else rows
    return frame(CHUNK, struct.pack("<HHBB", BOOT, event, index, chunks) + b"".join(struct.pack("<hhh", *row) for row in rows))


def whole_window(event: int = EVENT) -> list[Frame]:
    return [candidate(event), *(chunk(index, event=event) for index in range(3))]


def take(*frames: Frame, wearable: Wearable | None = None, now_s: float = 100.0) -> list[Output]:
    driver = wearable or Wearable()
    return [output for one in frames for output in driver.take(one, now_s)]


def acknowledged(signal: Output) -> tuple[int, tuple[int, ...]]:
    """Address, and boot, event and type that an acknowledgement names."""
    assert isinstance(signal, Signal)
    [sent] = FrameReader().feed(signal.acknowledgement)
    assert isinstance(sent, Frame) and sent.type == ACK
    return sent.address, struct.unpack("<HHB", sent.payload)


def test_vitals_become_measurements_in_their_units() -> None:
    assert take(vitals()) == [Measurement(BATTERY, 81), Measurement(HEART_RATE, 72), Measurement(SPO2, 97), Measurement(SKIN, 33.45)]


@pytest.mark.parametrize(
    ("frame", "wanted"),
    [
        (vitals(heart_rate=0), {BATTERY, SPO2, SKIN}),
        (vitals(spo2=0), {BATTERY, HEART_RATE, SKIN}),
        (vitals(temperature=0x7FFF), {BATTERY, HEART_RATE, SPO2}),
        (vitals(battery=255), {HEART_RATE, SPO2, SKIN}),
        (vitals(0, 0, 0x7FFF, 255), set()),
        (vitals(battery=0), {BATTERY, HEART_RATE, SPO2, SKIN}),
    ],
)
def test_a_missing_value_is_no_measurement(frame: Frame, wanted: set[QuantityName]) -> None:
    assert {one.quantity for one in take(frame) if isinstance(one, Measurement)} == wanted


def test_cold_skin_is_a_negative_number() -> None:
    assert Measurement(SKIN, -1.5) in take(vitals(temperature=-150))


@pytest.mark.parametrize("flags", [0x00, 0xFE])
def test_off_the_body_only_the_battery_is_believed(flags: int) -> None:
    assert take(vitals(flags=flags)) == [Measurement(BATTERY, 81), Refusal(Reason.NO_CONTACT)]


@pytest.mark.parametrize(("kind", "meaning"), [(1, EventKind.SOS), (2, EventKind.SOS_CANCELLED)])
def test_a_press_is_a_signal_with_its_age_and_acknowledgement(kind: int, meaning: EventKind) -> None:
    [signal] = take(frame(SOS, struct.pack("<HHHB", BOOT, EVENT, 1500, kind)))
    assert isinstance(signal, Signal)
    assert (signal.kind, signal.key, signal.age_s) == (meaning, "beef-3", 1.5)
    assert acknowledged(signal) == (ADDRESS, (BOOT, EVENT, SOS))


@pytest.mark.parametrize(("boot", "event", "key"), [(0, 0, "0000-0"), (1, 65535, "0001-65535"), (65535, 1, "ffff-1")])
def test_the_key_names_the_press_for_ever(boot: int, event: int, key: str) -> None:
    [signal] = take(frame(SOS, struct.pack("<HHHB", boot, event, 0, 1)))
    assert isinstance(signal, Signal) and signal.key == key


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_chunks_in_any_order_make_one_window_in_the_right_order(order: tuple[int, ...]) -> None:
    [signal] = take(candidate(), *(chunk(index) for index in order))
    assert isinstance(signal, Signal)
    x, y, z = ([row[axis] for row in ROWS] for axis in range(3))
    assert signal.window == AccelerationWindow(rate_hz=RATE_HZ, x=x, y=y, z=z)
    assert (signal.kind, signal.key, signal.peak_index) == (EventKind.FALL, "beef-3", 60)
    assert acknowledged(signal) == (ADDRESS, (BOOT, EVENT, CANDIDATE))


@pytest.mark.parametrize(
    ("packed", "row"),
    [
        (0x00000000, (2, 2, 2)),
        (0x000FFC01, (6, -2, 2)),
        (0x200001FF, (2046, 2, -2046)),
        (0x7FF00100, (2052, 4, -4)),
        (0x80100100, (4104, 8, 24)),
        (0xC01801FF, (32736, -32736, 96)),
    ],
)
def test_a_packed_row_is_three_axes_in_the_step_it_names(packed: int, row: tuple[int, int, int]) -> None:
    words = struct.pack("<HHBB", BOOT, EVENT, 0, 1) + struct.pack("<I", packed)
    [signal] = take(candidate(chunks=1), frame(PACKED, words))
    assert isinstance(signal, Signal) and signal.window is not None
    assert (signal.window.x, signal.window.y, signal.window.z) == ([row[0]], [row[1]], [row[2]])


@pytest.mark.parametrize("length", [0, 5, 6, 7, 9, 11])
def test_a_packed_chunk_of_broken_rows_or_none_is_refused(length: int) -> None:
    assert take(candidate(), frame(PACKED, bytes(length))) == [Refusal(Reason.LENGTH)]


def test_repeated_chunks_change_nothing() -> None:
    assert len(take(candidate(), chunk(0), chunk(0), candidate(), chunk(1), chunk(1), chunk(2))) == 1


@given(st.integers(0, 2**32))
def test_holes_of_one_sending_are_filled_by_the_next(seed: int) -> None:
    source = random.Random(seed)
    wearable, found = Wearable(), list[Output]()
    for sending in range(3):
        kept = [one for one in whole_window() if sending == 2 or source.random() < 0.6]
        found += take(*kept, wearable=wearable, now_s=100.0 + 2 * sending)
    signals = [one for one in found if isinstance(one, Signal)]
    assert signals and all(one.window and len(one.window.x) == 100 for one in signals)


def test_chunks_whose_candidate_is_missing_are_kept_for_nobody() -> None:
    assert take(chunk(0), chunk(1), chunk(2)) == []


def test_the_age_counts_from_the_impact_to_the_last_chunk() -> None:
    wearable = Wearable()
    take(candidate(age_ms=2500), chunk(0), chunk(1), wearable=wearable, now_s=100.0)
    [signal] = take(chunk(2), wearable=wearable, now_s=102.0)
    assert isinstance(signal, Signal) and signal.age_s == pytest.approx(4.5)


def test_a_window_that_stays_incomplete_is_given_up_after_its_time() -> None:
    wearable = Wearable()
    take(candidate(age_ms=1000), chunk(0), chunk(2), wearable=wearable, now_s=100.0)
    assert list(wearable.tick(100.0 + WINDOW_WAIT_S - 0.01)) == []
    [signal] = wearable.tick(100.0 + WINDOW_WAIT_S)
    assert isinstance(signal, Signal)
    assert (signal.kind, signal.key, signal.window) == (EventKind.FALL, "beef-3", None)
    assert signal.age_s == pytest.approx(1.0 + WINDOW_WAIT_S)
    assert acknowledged(signal) == (ADDRESS, (BOOT, EVENT, CANDIDATE))
    assert list(wearable.tick(1000.0)) == []


def test_repeats_do_not_put_off_the_giving_up() -> None:
    wearable = Wearable()
    for repeat in range(4):
        take(candidate(), wearable=wearable, now_s=100.0 + 2 * repeat)
    assert len(list(wearable.tick(100.0 + WINDOW_WAIT_S))) == 1


def test_two_falls_at_once_keep_their_windows_apart() -> None:
    mixed = [frame for pair in zip(whole_window(1), whole_window(2), strict=True) for frame in pair]
    assert [one.key for one in take(*mixed) if isinstance(one, Signal)] == ["beef-1", "beef-2"]


def test_of_too_many_falls_at_once_the_oldest_is_said_without_its_window_not_lost() -> None:
    found = take(*(candidate(event) for event in range(CANDIDATES_MAX + 1)))
    assert [(one.key, one.window) for one in found if isinstance(one, Signal)] == [("beef-0", None)]


@pytest.mark.parametrize(("kind", "length"), [(VITALS, 8), (CANDIDATE, 13), (SOS, 7)])
def test_any_other_length_is_refused(kind: int, length: int) -> None:
    for wrong in {*range(20)} - {length}:
        assert take(frame(kind, bytes(wrong))) == [Refusal(Reason.LENGTH)]


@pytest.mark.parametrize("length", [0, 5, 6, 7, 11, 13])
def test_a_chunk_of_broken_rows_or_none_is_refused(length: int) -> None:
    assert take(candidate(), frame(CHUNK, chunk(0).payload[:length])) == [Refusal(Reason.LENGTH)]


@pytest.mark.parametrize(
    "frames",
    [
        [candidate(rate_hz=0)],
        [candidate(chunks=0)],
        [candidate(chunks=CHUNKS_MAX + 1)],
        [candidate(), chunk(3, rows=ROWS[:40])],
        [candidate(), chunk(5, chunks=9, rows=ROWS[:40])],
        [candidate(), chunk(0, chunks=2)],
        [frame(SOS, struct.pack("<HHHB", BOOT, EVENT, 0, 0))],
        [frame(SOS, struct.pack("<HHHB", BOOT, EVENT, 0, 3))],
    ],
)
def test_what_the_layout_does_not_know_is_refused(frames: list[Frame]) -> None:
    assert take(*frames) == [Refusal(Reason.FORMAT)]


@pytest.mark.parametrize("kind", [0x00, 0x05, 0x10, ACK, 0xFF])
def test_frames_of_other_types_are_refused(kind: int) -> None:
    assert take(frame(kind, bytes(8))) == [Refusal(Reason.UNKNOWN_TYPE)]


@given(st.lists(st.tuples(st.integers(0, 6), st.binary(max_size=246)), max_size=20))
def test_no_frames_at_all_can_stop_it(pieces: list[tuple[int, bytes]]) -> None:
    wearable = Wearable()
    take(*(frame(kind, payload) for kind, payload in pieces), wearable=wearable)
    list(wearable.tick(1e9))


def test_the_largest_window_that_can_be_announced_fits_a_message() -> None:
    rows = [(-32768, 32767, 0)] * 40
    chunks = [chunk(index, chunks=CHUNKS_MAX, rows=rows) for index in range(CHUNKS_MAX)]
    [signal] = take(candidate(chunks=CHUNKS_MAX, rate_hz=255), *chunks)
    assert isinstance(signal, Signal) and signal.window and len(signal.window.x) == 40 * CHUNKS_MAX


def test_a_wearable_sits_behind_a_bridge_and_takes_no_raw_bytes() -> None:
    with pytest.raises(NotImplementedError):
        Wearable().feed(b"", 0.0)
