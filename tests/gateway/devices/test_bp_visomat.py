"""Visomat cuffs: the whole memory in one answer, taken once, whatever the cuff's clock says."""

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.quantities import QuantityName
from gateway.bridges.framing import Frame
from gateway.devices.bp_visomat import ANSWER_BYTES_MAX, COMMANDS, POLL_S, BpVisomat, Packet, Record, decode, reader
from gateway.devices.driver import Alive, Command, Measurement, Options, Output, Reason, Refusal

# By arithmetic from the payload read from a device, README of visomat-utils.
ONE = b"M10126031407050142088077M2001"
OF_BOTH = b"M101" + b"26031407050142088077" + b"M201" + b"26031507060121080072"
RECORD = Record(1, datetime(2026, 3, 14, 7, 5), 0, 142, 88, 77)


def framed(answer: bytes) -> bytes:
    return b"\x02" + answer + b"\x03"


def items(*pieces: bytes) -> list[Packet | Reason]:
    one = reader({})
    return [item for piece in pieces for item in one.feed(piece)] + list(one.end())


def systolic(outputs: list[Output]) -> list[float]:
    return [output.value for output in outputs if isinstance(output, Measurement) and output.quantity is QuantityName.SYSTOLIC]


def test_the_digit_behind_an_empty_block_means_nothing() -> None:
    assert decode(ONE) == Packet((RECORD,))
    assert decode(b"M2001M10126031407050142088077") == Packet((RECORD,))
    assert decode(b"M1000M2001") == Packet(())


@pytest.mark.parametrize(
    ("answer", "record"),
    [
        (b"M10100000000000142088077", Record(1, None, 0, 142, 88, 77)),
        (b"M10126023007051142088077", Record(1, None, 1, 142, 88, 77)),
        (b"M20126031407050000000000", Record(2, datetime(2026, 3, 14, 7, 5), 0, None, None, None)),
    ],
)
def test_a_clock_never_set_and_a_value_never_measured_are_none(answer: bytes, record: Record) -> None:
    assert decode(answer) == Packet((record,))


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"", Reason.FORMAT),
        (b"M3001", Reason.FORMAT),
        (b"E1", Reason.FORMAT),
        (ONE[:-6], Reason.LENGTH),
        (ONE.replace(b"M101", b"M102"), Reason.LENGTH),
        (ONE.replace(b"7", b"\xff"), Reason.LENGTH),
        (ONE + b"X", Reason.FORMAT),
    ],
)
def test_an_answer_that_is_not_what_it_states_gives_no_record(answer: bytes, reason: Reason) -> None:
    assert decode(answer) is reason


@pytest.mark.parametrize(
    ("stream", "wanted"),
    [
        (b"noise" + framed(ONE), [Reason.SYNC, Packet((RECORD,))]),
        (framed(ONE) + b"noise", [Packet((RECORD,)), Reason.SYNC]),
        (framed(ONE)[:9] + framed(ONE), [Reason.TRUNCATED, Packet((RECORD,))]),
        (framed(ONE)[:-1], [Reason.TRUNCATED]),
        (b"\x02" + b"1" * (ANSWER_BYTES_MAX + 1) + framed(ONE), [Reason.LENGTH, Packet((RECORD,))]),
    ],
)
def test_answers_are_found_between_their_marks(stream: bytes, wanted: list[Packet | Reason]) -> None:
    assert items(stream) == items(*(bytes((byte,)) for byte in stream)) == wanted


@given(st.binary(max_size=300))
def test_noise_never_costs_the_answer_behind_it(noise: bytes) -> None:
    assert items(noise + framed(ONE))[-1] == Packet((RECORD,))


def test_what_the_memory_holds_at_first_is_history() -> None:
    cuff = BpVisomat()
    assert list(cuff.start(0.0)) == [Command(b"\x02R00\x03")]
    assert list(cuff.feed(framed(ONE), 1.0)) == [
        Alive(),
        Measurement(QuantityName.SYSTOLIC, 142, RECORD.time, is_history=True),
        Measurement(QuantityName.DIASTOLIC, 88, RECORD.time, is_history=True),
        Measurement(QuantityName.HEART_RATE, 77, RECORD.time, is_history=True),
    ]


def test_the_memory_is_asked_for_every_minute_and_what_is_added_is_new() -> None:
    cuff = BpVisomat()
    list(cuff.start(0.0))
    list(cuff.feed(framed(ONE), 1.0))
    assert [list(cuff.tick(POLL_S - 1)), list(cuff.tick(POLL_S)), list(cuff.tick(POLL_S + 1))] == [[], [Command(COMMANDS["read_all"])], []]
    added = [output for output in cuff.feed(framed(OF_BOTH), POLL_S + 1) if isinstance(output, Measurement)]
    assert [(output.value, output.is_history) for output in added] == [(121, False), (80, False), (72, False)]


def test_an_answer_cut_off_by_pulling_the_plug_is_asked_for_again() -> None:
    cuff = BpVisomat()
    list(cuff.start(0.0))
    assert list(cuff.feed(framed(ONE)[:20], 1.0)) == []
    assert list(cuff.start(2.0)) == [Command(COMMANDS["read_all"])]
    assert systolic(list(cuff.feed(framed(ONE), 3.0))) == [142]


@pytest.mark.parametrize(("user", "wanted"), [({}, [142, 121]), ({"user": "1"}, [142]), ({"user": "2"}, [121])])
def test_only_the_configured_user_counts(user: dict[str, str], wanted: list[float]) -> None:
    assert systolic(list(BpVisomat(Options(user)).feed(framed(OF_BOTH), 0.0))) == wanted


def test_a_user_that_the_cuff_does_not_have_is_refused() -> None:
    with pytest.raises(ValueError, match="user is 1 or 2"):
        BpVisomat(Options({"user": "3"}))


def test_bad_answers_are_counted_and_a_cuff_owns_its_port() -> None:
    assert list(BpVisomat().feed(framed(b"M3"), 0.0)) == [Refusal(Reason.FORMAT)]
    with pytest.raises(NotImplementedError):
        BpVisomat().take(Frame(1, 1, 1, b""), 0.0)
