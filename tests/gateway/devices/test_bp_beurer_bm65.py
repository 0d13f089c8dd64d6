"""Beurer BM65 cuffs: a dialogue of questions and answers that survives lost, cut and false answers."""

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.quantities import QuantityName
from gateway.bridges.framing import Frame
from gateway.devices.bp_beurer_bm65 import ANSWER_S, POLL_S, Answer, BpBeurerBm65, Empty, Packet, Record, describe, reader
from gateway.devices.driver import Command, Measurement, Output, Reason, Refusal

# By arithmetic from the layout of atbrask/BM65DataDownloader:beurer.py.
RECORD = bytes.fromhex("ac6b3b47030e07051a")
DECODED = Record(132, 84, 71, datetime(2026, 3, 14, 7, 5))
OLDER = bytes.fromhex("aca34d5f0b1e173b19")


class Cuff:
    """Answers as the cuff does; `records` is its memory, newest first."""

    def __init__(self, *records: bytes) -> None:
        self.records = list(records)

    def answer(self, question: bytes) -> bytes:
        if question[0] == 0xA3:
            return self.records[question[1] - 1]
        return {0xAA: b"\x55", 0xA4: b"BM65 U".ljust(32), 0xA2: bytes((len(self.records),))}[question[0]]


def talk(driver: BpBeurerBm65, cuff: Cuff, outputs: list[Output], now_s: float) -> list[Output]:
    """Let the driver ask until it has no more questions. All that came out but the questions."""
    heard: list[Output] = []
    while outputs:
        output = outputs.pop(0)
        if isinstance(output, Command):
            outputs += driver.feed(cuff.answer(output.data), now_s)
        else:
            heard.append(output)
    return heard


def values(outputs: list[Output]) -> list[tuple[QuantityName, float, bool]]:
    return [(output.quantity, output.value, output.is_history) for output in outputs if isinstance(output, Measurement)]


def items(stream: bytes, asked: str | None = None) -> list[Packet | Reason]:
    one = reader({"reply_to": asked} if asked else {})
    return [*one.feed(stream), *one.end()]


@pytest.mark.parametrize(
    ("text", "asked", "wanted"),
    [
        ("ac6b3b47030e07051a", None, DECODED),
        ("ac00003c000000000 0".replace(" ", ""), "a3", Record(None, None, 60, None)),
        ("ac6b3b47021e07051a", "a3", Record(132, 84, 71, None)),
        ("acff3b00030e07051a", None, Record(280, 84, None, datetime(2026, 3, 14, 7, 5))),
        ("a9", "a3", Empty()),
        ("55", "aa", Answer(0xAA)),
        ("ac", "a2", Answer(0xA2, count=172)),
        ("424d3635" + "20" * 28, "a4", Answer(0xA4, name="BM65")),
    ],
)
def test_answers_are_read_as_their_question_says(text: str, asked: str | None, wanted: Packet) -> None:
    assert items(bytes.fromhex(text), asked) == [wanted]


@pytest.mark.parametrize(
    "text", ["ac6b3b470d0e07051a", "ac6b3b47032007051a", "ac6b3b47030e18051a", "ac6b3b47030e073c1a", "ac6b3b47030e070564"]
)
def test_what_has_no_possible_date_is_no_record(text: str) -> None:
    assert not any(isinstance(item, Record) for item in items(bytes.fromhex(text)))


@pytest.mark.parametrize("text", ["ad6b3b55030e07051a", "6b3b55a9030e07", "acac5555a9a9"])
def test_the_rest_of_a_record_without_its_head_says_nothing(text: str) -> None:
    assert {type(item) for item in items(bytes.fromhex(text))} == {Reason}


def test_a_record_is_found_behind_any_noise() -> None:
    assert items(bytes.fromhex("5500a9") + RECORD + b"\xa9\x55") == [Answer(0xAA), Reason.FORMAT, DECODED, Empty(), Answer(0xAA)]


@pytest.mark.parametrize("length", range(1, len(RECORD)))
def test_no_truncation_is_taken_for_a_record(length: int) -> None:
    assert items(RECORD[:length])[0] is Reason.TRUNCATED
    assert not any(isinstance(item, Record) for item in items(RECORD[:length]))


@given(st.binary(max_size=100), st.integers(0, 100))
def test_any_bytes_however_cut_give_the_same(stream: bytes, at: int) -> None:
    one = reader({})
    assert [*one.feed(stream[:at]), *one.feed(stream[at:]), *one.end()] == items(stream)


def test_the_whole_memory_is_read_once_and_what_is_added_is_new() -> None:
    driver, cuff = BpBeurerBm65(), Cuff(RECORD, b"\xa9", OLDER)
    first = talk(driver, cuff, list(driver.start(0.0)), 1.0)
    assert [value for _, value, is_history in values(first) if is_history] == [132, 84, 71, 188, 102, 95]
    assert list(driver.tick(POLL_S)) == []
    assert values(talk(driver, cuff, list(driver.tick(1 + POLL_S)), POLL_S)) == []
    cuff.records.insert(0, bytes.fromhex("ac50324803100900 1a".replace(" ", "")))
    added = talk(driver, cuff, list(driver.tick(99 + 2 * POLL_S)), 2 * POLL_S)
    assert values(added) == [
        (QuantityName.SYSTOLIC, 105, False),
        (QuantityName.DIASTOLIC, 75, False),
        (QuantityName.HEART_RATE, 72, False),
    ]


def test_the_time_is_the_cuffs_own() -> None:
    driver = BpBeurerBm65()
    heard = talk(driver, Cuff(RECORD), list(driver.start(0.0)), 0.0)
    assert {output.measured_at for output in heard if isinstance(output, Measurement)} == {DECODED.time}


def test_an_answer_that_stays_away_ends_the_round_and_the_next_one_reads_everything() -> None:
    driver = BpBeurerBm65()
    assert list(driver.start(0.0)) == [Command(b"\xaa")]
    assert Command(b"\xa4") in list(driver.feed(b"\x55", 0.1))
    assert list(driver.feed(b"BM65", 0.2)) == []
    assert list(driver.tick(0.1 + ANSWER_S)) == [Refusal(Reason.TRUNCATED)]
    assert list(driver.feed(b"\x55\x55", 5.0)) == []
    assert values(talk(driver, Cuff(RECORD), list(driver.tick(0.1 + POLL_S)), POLL_S))[0] == (QuantityName.SYSTOLIC, 132, True)


def test_an_empty_memory_gives_nothing() -> None:
    driver = BpBeurerBm65()
    assert values(talk(driver, Cuff(), list(driver.start(0.0)), 0.0)) == []


def test_answers_are_described_as_they_were_asked() -> None:
    assert describe(Answer(0xAA)) == {"reply_to": "AA", "ok": True}
    assert describe(Answer(0xA2, count=3)) == {"reply_to": "A2", "ok": True, "count": 3}
    assert describe(Empty()) == {"record": None}


def test_a_cuff_owns_its_port_and_takes_no_frames() -> None:
    with pytest.raises(NotImplementedError):
        BpBeurerBm65().take(Frame(1, 1, 1, b""), 0.0)
