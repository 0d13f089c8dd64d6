"""Bytes of the simulated devices against the layouts and against frames that others state."""

import numpy as np
import pytest

from gateway.bridges.framing import Frame
from simulators.wire import (
    Ack,
    BedMatState,
    EventKey,
    FallCandidate,
    FrameType,
    OximeterState,
    SosKind,
    WearableVitals,
    ack,
    bci_packet,
    bed_mat,
    fall_candidate,
    packed_chunks,
    parse_ack,
    parse_event_key,
    sos,
    values_in,
    wearable_vitals,
)

KEY = EventKey(boot=0x1234, event=0x0102)


@pytest.mark.parametrize(
    ("vitals", "payload"),
    [
        (WearableVitals(72, 98, 33.25, 258, 80, True), "48 62 fd 0c 02 01 50 01"),
        (WearableVitals(None, None, None, None, None, False), "00 00 ff 7f ff ff ff 00"),
        (WearableVitals(40, 100, -0.5, 65_535, 0, True), "28 64 ce ff 00 00 00 01"),
    ],
)
def test_wearable_vitals_follow_their_layout(vitals: WearableVitals, payload: str) -> None:
    assert wearable_vitals(vitals) == bytes.fromhex(payload)


@pytest.mark.parametrize(
    ("age_ms", "turn", "payload"),
    [(2480, 90, "34 12 02 01 b0 09 c7 0d 5a 32 07 96 00"), (70_000, None, "34 12 02 01 ff ff c7 0d ff 32 07 96 00")],
)
def test_a_fall_candidate_follows_its_layout(age_ms: int, turn: int | None, payload: str) -> None:
    assert fall_candidate(KEY, age_ms, FallCandidate(3527, turn, 50, 150), chunks=7) == bytes.fromhex(payload)


def test_a_window_goes_in_chunks_of_20_packed_samples_and_a_rest() -> None:
    samples = np.arange(-75, 75, dtype=np.int16).reshape(50, 3)
    chunks = packed_chunks(KEY, samples)
    assert [len(chunk) for chunk in chunks] == [6 + 80, 6 + 80, 6 + 40]
    assert chunks[1][:6] == bytes.fromhex("34 12 02 01 01 03")


@pytest.mark.parametrize(
    ("axes", "packed"),
    [
        ((4, -1, 0), "01 fc 0f 00"),
        ((2047, 3, -2048), "ff 01 00 20"),  # the ends of steps of 4 mg
        ((2048, -8, -9), "00 fd ef 7f"),  # steps of 8 mg: a value belongs to the step it lies in
        ((4096, -16, 16), "00 fd 1f 80"),  # steps of 16 mg
        ((32767, -32768, 64), "ff 01 18 c0"),  # steps of 64 mg
    ],
)
def test_a_sample_is_packed_with_the_finest_step_that_holds_it(axes: tuple[int, int, int], packed: str) -> None:
    assert packed_chunks(KEY, np.array([axes], np.int16))[0][6:] == bytes.fromhex(packed)


def test_sos_follows_its_layout() -> None:
    assert sos(KEY, 1000, SosKind.PRESSED) == bytes.fromhex("34 12 02 01 e8 03 01")
    assert sos(KEY, 65_536, SosKind.CANCELLED) == bytes.fromhex("34 12 02 01 ff ff 02")


@pytest.mark.parametrize(
    ("state", "payload"),
    [
        (BedMatState(True, 14, 62, 3, 90), "01 0e 3e 03 5a"),
        (BedMatState(False, None, None, 0, 90), "00 00 00 00 5a"),
        (BedMatState(None, None, None, None, None), "ff 00 00 ff ff"),
    ],
)
def test_the_bed_mat_follows_its_layout(state: BedMatState, payload: str) -> None:
    assert bed_mat(state) == bytes.fromhex(payload)


@pytest.mark.parametrize(
    ("state", "packet"),
    [
        (OximeterState(72, 98, pleth=50, signal=7), "8732054862"),  # atick-faisal/berry-oximeter:tests/test_berry_oximeter.py
        (OximeterState(75, 97, pleth=40, signal=8), "8828044b61"),  # the same
        (OximeterState(None, None, pleth=0, signal=0, has_finger=False), "8000507f7f"),  # arithmetic on BCI Protocol V1.2
    ],
)
def test_oximeter_packets_are_those_that_others_state(state: OximeterState, packet: str) -> None:
    assert bci_packet(state) == bytes.fromhex(packet)


def test_a_pulse_above_127_needs_the_bit_in_byte_3() -> None:
    packet = bci_packet(OximeterState(140, 96, pleth=90, signal=6, is_beat=True))
    assert packet[0] == 0xC6
    assert (packet[2] & 0x40, packet[3]) == (0x40, 140 - 128)


def test_only_the_first_byte_of_an_oximeter_packet_has_bit_7() -> None:
    for pulse in (1, 127, 128, 254, None):
        packet = bci_packet(OximeterState(pulse, 100, pleth=100, signal=15, is_beat=True))
        assert [byte >> 7 for byte in packet] == [1, 0, 0, 0, 0]


def test_an_ack_is_understood() -> None:
    assert parse_ack(Frame(FrameType.ACK, 1, 0, ack(KEY, FrameType.SOS))) == Ack(KEY, FrameType.SOS)


@pytest.mark.parametrize(
    "frame", [Frame(FrameType.ACK, 1, 0, bytes(4)), Frame(FrameType.ACK, 1, 0, bytes(6)), Frame(FrameType.SOS, 1, 0, bytes(5))]
)
def test_other_frames_are_no_acks(frame: Frame) -> None:
    assert parse_ack(frame) is None


def test_only_events_have_a_key() -> None:
    assert parse_event_key(Frame(FrameType.SOS, 1, 0, sos(KEY, 0, SosKind.PRESSED))) == KEY
    assert parse_event_key(Frame(FrameType.BED_MAT, 2, 0, bytes(5))) is None


@pytest.mark.parametrize(
    ("kind", "payload", "count"),
    [
        (FrameType.WEARABLE_VITALS, "48 62 fd 0c 02 01 50 01", 4),
        (FrameType.WEARABLE_VITALS, "00 00 ff 7f ff ff ff 00", 0),
        (FrameType.BED_MAT, "01 0e 3e 03 5a", 5),
        (FrameType.BED_MAT, "00 00 00 00 5a", 3),
        (FrameType.SOS, "34 12 02 01 e8 03 01", 0),
    ],
)
def test_missing_values_are_not_counted(kind: FrameType, payload: str, count: int) -> None:
    assert values_in(Frame(kind, 1, 0, bytes.fromhex(payload))) == count
