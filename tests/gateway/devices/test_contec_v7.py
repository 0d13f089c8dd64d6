"""Contec's protocol V7: packets are found in any stream, no value is none, and the oximeter is kept talking."""

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.quantities import QuantityName
from gateway.bridges.framing import Frame
from gateway.devices.contec_v7 import ANSWER_S, COMMANDS, KEEP_ALIVE_S, ContecV7, Packet, Reader, command, decode, describe
from gateway.devices.driver import Alive, Command, Measurement, Output, Reason, Refusal
from simulators.instruments.oximeters import Contec7, contec7

# Captured by headrotor/contec_data:stream_data.py: pulse 65, SpO2 97, no perfusion index.
CAPTURED = bytes.fromhex("01e085b396c1e1ffff")
VALUES = [Measurement(QuantityName.SPO2, 97), Measurement(QuantityName.HEART_RATE, 65)]
# Captured by MarkMLl/Contec_cms50dplus: zeros while the finger is out.
FINGER_OUT = bytes.fromhex("01e184c0908080ffff")


def outputs(*pieces: bytes) -> list[Output]:
    driver = ContecV7()
    return [output for piece in pieces for output in driver.feed(piece, 0.0)]


def items(stream: bytes) -> list[Packet | Reason]:
    reader = Reader()
    return [*reader.feed(stream), *reader.end()]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("01e085b396c1e1ffff", VALUES),
        ("01e085d59abde3ffff", [Measurement(QuantityName.SPO2, 99), Measurement(QuantityName.HEART_RATE, 61)]),
        ("01e184c0908080ffff", [Refusal(Reason.NO_CONTACT)]),
        ("01e980c090ffffffff", [Refusal(Reason.NO_CONTACT)]),
        ("01e085b3968080ffff", [Refusal(Reason.SEARCHING)]),
        ("01e285b396c1e1ffff", [Refusal(Reason.SEARCHING)]),
        ("01e095b396c1e1ffff", [Refusal(Reason.SEARCHING)]),
        ("01e085b396c1ffffff", [Measurement(QuantityName.HEART_RATE, 65)]),
    ],
)
def test_what_has_no_value_gives_its_reason_instead(text: str, wanted: list[Output]) -> None:
    assert outputs(bytes.fromhex(text)) == wanted


def test_the_perfusion_index_is_in_hundredths() -> None:
    assert outputs(contec7(0x01, 5, 51, 6, 130, 97, 0xA4, 0x01)) == [
        Measurement(QuantityName.SPO2, 97),
        Measurement(QuantityName.HEART_RATE, 130),
        Measurement(QuantityName.PERFUSION_INDEX, 4.20),
    ]


@pytest.mark.parametrize("length", range(1, 9))
def test_no_truncation_is_taken_for_a_packet_and_the_next_one_is_whole(length: int) -> None:
    assert outputs(CAPTURED[:length] + CAPTURED) == [Refusal(Reason.TRUNCATED), *VALUES]
    assert items(CAPTURED[:length]) == [Reason.TRUNCATED]


@pytest.mark.parametrize(
    ("packet", "reason"), [(b"", Reason.LENGTH), (CAPTURED[:-1], Reason.LENGTH), (b"\x0c\x00", Reason.SYNC), (b"\x13\x80", Reason.LENGTH)]
)
def test_what_is_no_packet_is_refused(packet: bytes, reason: Reason) -> None:
    assert decode(packet) is reason


def test_the_text_of_a_port_that_was_closed_is_passed_over() -> None:
    assert items(b"105" + CAPTURED + b"105") == [Reason.SYNC, decode(CAPTURED), Reason.SYNC]


@given(st.binary(max_size=300), st.integers(0, 300))
def test_any_bytes_however_cut_give_the_same(stream: bytes, at: int) -> None:
    reader = Reader()
    assert [*reader.feed(stream[:at]), *reader.feed(stream[at:]), *reader.end()] == items(stream)


@given(st.binary(max_size=300))
def test_noise_never_costs_the_packet_behind_it(noise: bytes) -> None:
    assert items(noise + CAPTURED)[-1] == decode(CAPTURED)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_can_be_made_and_read(name: str) -> None:
    [packet] = items(command(name))
    assert isinstance(packet, Packet)
    assert {"command": name, "direction": "to_device"}.items() <= describe(packet).items()


# -- the conversation --------------------------------------------------------------------------------------------------------------------


class Talk:
    """The driver and a simulated oximeter, with a clock that a test turns."""

    def __init__(self, oximeter: Contec7) -> None:
        self.now_s = 100.0
        self.oximeter = oximeter
        self.driver = ContecV7()
        self.heard: list[Output] = []

    def plug(self) -> "Talk":
        self._pass_on(list(self.driver.start(self.now_s)))
        return self

    def run(self, seconds: float) -> "Talk":
        for _ in range(round(seconds * 10)):
            self.now_s += 0.1
            self._pass_on([*self.driver.feed(self.oximeter.write(self.now_s), self.now_s), *self.driver.tick(self.now_s)])
        return self

    def history(self) -> list[tuple[QuantityName, float, datetime | None]]:
        return [(one.quantity, one.value, one.measured_at) for one in self.heard if isinstance(one, Measurement) and one.is_history]

    def live(self) -> set[tuple[QuantityName, float]]:
        return {(one.quantity, one.value) for one in self.heard if isinstance(one, Measurement) and not one.is_history}

    def _pass_on(self, said: list[Output]) -> None:
        while said:
            self.heard += said
            answer = b"".join(self.oximeter.answer(one.data, self.now_s) for one in said if isinstance(one, Command))
            said = list(self.driver.feed(answer, self.now_s))


STORED_AT = datetime(2026, 2, 28, 23, 0)


def test_it_streams_after_its_start_and_for_as_long_as_it_is_kept_alive() -> None:
    talk = Talk(Contec7()).plug().run(120)
    assert talk.live() == {(QuantityName.SPO2, 97), (QuantityName.HEART_RATE, 72), (QuantityName.PERFUSION_INDEX, 4.2)}
    assert talk.oximeter.commands.count(COMMANDS["keep_alive"]) in (23, round(120 / KEEP_ALIVE_S))
    assert talk.oximeter.commands.count(COMMANDS["start_realtime"]) == 1


def test_what_was_stored_comes_in_as_history_second_by_second_before_the_live_stream() -> None:
    stored = [(97, 70), (0, 0), (96, 71), (95, 130)]
    talk = Talk(Contec7(stored_at=STORED_AT, stored=stored)).plug().run(3)
    assert talk.history() == [
        (QuantityName.SPO2, 97, datetime(2026, 2, 28, 23, 0, 0)),
        (QuantityName.HEART_RATE, 70, datetime(2026, 2, 28, 23, 0, 0)),
        (QuantityName.SPO2, 96, datetime(2026, 2, 28, 23, 0, 2)),
        (QuantityName.HEART_RATE, 71, datetime(2026, 2, 28, 23, 0, 2)),
        (QuantityName.SPO2, 95, datetime(2026, 2, 28, 23, 0, 3)),
        (QuantityName.HEART_RATE, 130, datetime(2026, 2, 28, 23, 0, 3)),
    ]
    assert len(talk.live()) == 3


def test_the_same_stored_session_is_copied_once() -> None:
    talk = Talk(Contec7(stored_at=STORED_AT, stored=[(97, 70)])).plug().run(3).plug().run(3)
    assert len(talk.history()) == 2
    assert talk.oximeter.commands.count(COMMANDS["query_stored"]) == 1


def test_a_stored_session_without_a_possible_date_is_refused() -> None:
    talk = Talk(Contec7(stored_at=None, stored=[(97, 70)])).plug().run(3)
    assert Refusal(Reason.CLOCK) in talk.heard
    assert talk.history() == [] and talk.live()


def test_an_oximeter_that_is_switched_on_later_is_started_then() -> None:
    talk = Talk(Contec7())
    talk.driver.start(talk.now_s)  # nobody hears this
    talk.run(ANSWER_S + 2)
    assert talk.live()


def test_what_carries_no_value_is_a_sign_of_life() -> None:
    assert outputs(bytes.fromhex("0480f5f3e5f2a0a0a0")) == [Alive()]


def test_an_oximeter_owns_its_port_and_takes_no_frames() -> None:
    with pytest.raises(NotImplementedError):
        ContecV7().take(Frame(1, 1, 1, b""), 0.0)
