"""Dialogues with a modem as lines sent and received: cut anywhere, with other lines in between, and with the errors modems give."""

import json
import random
from pathlib import Path
from typing import Any, TypeVar

import pytest

from gateway.bridges import at_dialogue
from gateway.bridges.at_dialogue import Answer, AtLine, Command, Dialogue, Notice, Outcome, Readiness, describe
from gateway.bridges.modem_fault import ModemFault, ModemTrouble, fault_of

T = TypeVar("T")

VECTORS = Path(__file__).parents[4] / "shared" / "vectors" / "gsm_at_dialogue.json"
REPORT = "0006D60B911326880736F4111011719551401110117195714000"
PDU = "0011000B914316565811F90000AA04E8373B0C"


def vectors() -> list[dict[str, Any]]:
    return list(json.loads(VECTORS.read_text("utf-8"))) if VECTORS.exists() else []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"> AT+CMGS=18\r\n< \\r\\n> \n> {PDU}<1A>\n< \\r\\n+CMGS: 42\\r\\n\\r\\nOK\\r\\n", {"sent": True, "reference": 42}),
        (
            f"> AT+CMGS=18\r\n< \\r\\n> \n> {PDU}<1A>\n< \\r\\n+CMS ERROR: 310\\r\\n",
            {"sent": False, "cms_error": 310, "meaning": "SIM not inserted"},
        ),
        (f"< \\r\\n+CDS: 24\\r\\n{REPORT}\\r\\n", {"reference": 214, "delivered": True}),
        ("< \\r\\n+CSQ: 20,99\\r\\n\\r\\nOK\\r\\n", {"rssi_dbm": -73}),
        ("< \\r\\n+CSQ: 99,99\\r\\n\\r\\nOK\\r\\n", {"rssi_dbm": None}),
        ("< \\r\\n+CREG: 0,5\\r\\n\\r\\nOK\\r\\n", {"registered": True, "roaming": True}),
        ("< \\r\\n+CREG: 0,2\\r\\n\\r\\nOK\\r\\n", {"registered": False, "roaming": False}),
        ("< \\r\\n+CPIN: SIM PIN\\r\\n\\r\\nOK\\r\\n", {"sim": "pin"}),
        ("> AT+CPIN?\r\n< \\r\\n+CPIN: READY\\r\\n", {"sim": "ready"}),
        ("> AT+CNMI=2,1,0,1,0\r\n< \\r\\nCOMMAND NOT SUPPORT\\r\\n", {"error": "unsupported"}),
        ("> AT+CPIN?\r\n< \\r\\n+CME ERROR: 10\\r\\n", {"cme_error": 10, "meaning": "SIM not inserted"}),
    ],
)
def test_a_dialogue_says_what_became_of_it(text: str, said: dict[str, Any]) -> None:
    described = describe(text)
    assert {key: described[key] for key in said} == said


@pytest.mark.skipif(not VECTORS.exists(), reason=f"the vectors are not here: {VECTORS}")
@pytest.mark.parametrize("vector", vectors(), ids=lambda vector: vector["name"])
def test_vectors_say_what_they_should(vector: dict[str, Any]) -> None:
    described, expected = describe(vector["text"], vector.get("context")), vector["expect"]
    assert {key: described[key] for key in expected} == expected


SEND = Command(f"{PDU}\x1a".encode(), "+CMGS:")
HEARD = f"{PDU}\x1a\r\n\r\n+CREG: 1\r\n\r\n+CMGS: 42\r\n+CDS: 24\r\n{REPORT}\r\nRING\r\n\r\nOK\r\n^RSSI:18\r\n".encode()


def hear(line: AtLine, chunks: list[bytes]) -> list[Answer]:
    answers = [line.feed(chunk) for chunk in [*chunks, b"", b""]]
    return [answer for answer in answers if answer is not None]


@pytest.mark.parametrize("seed", range(20))
def test_however_bytes_are_cut_the_answer_and_what_came_between_are_the_same(seed: int) -> None:
    chance = random.Random(seed)
    cuts = sorted(chance.sample(range(1, len(HEARD)), chance.randrange(1, 40))) if seed else list(range(1, len(HEARD)))
    chunks = [HEARD[start:end] for start, end in zip([0, *cuts], [*cuts, len(HEARD)], strict=True)]
    line = AtLine()
    line.begin(SEND)
    assert hear(line, chunks) == [Answer(Outcome.OK, ("+CMGS: 42",))]
    assert line.notices == [Notice("+CREG: 1"), Notice("+CDS: 24", REPORT), Notice("RING"), Notice("^RSSI:18")]


@pytest.mark.parametrize("prompt", [b"\r\n> ", b">", b"\r\n+CREG: 1\r\n\r\n> ", b"AT+CMGS=18\r\r\n> "])
def test_a_prompt_has_no_line_end(prompt: bytes) -> None:
    line = AtLine()
    line.begin(Command(b"AT+CMGS=18\r", wants_prompt=True))
    answers = hear(line, [prompt[at : at + 1] for at in range(len(prompt))])
    assert answers == [Answer(Outcome.PROMPT)]


def test_noise_without_an_end_is_kept_to_a_limit() -> None:
    line = AtLine()
    line.begin(Command(b"AT\r"))
    for _ in range(100):
        assert line.feed(b"x" * 1000) is None
    assert line.feed(b"\r\nOK\r\n") == Answer(Outcome.OK)


def test_an_answer_that_comes_to_nobody_is_not_taken_for_the_next_one() -> None:
    line = AtLine()
    assert line.feed(b"OK\r\n") is None
    assert line.begin(Command(b"AT\r")) == b"AT\r"
    assert line.feed(b"\r\nERROR\r\n") == Answer(Outcome.ERROR, error="ERROR")


# -- dialogues ---------------------------------------------------------------------------------------------------------------------------

OK = Answer(Outcome.OK)
READY = {
    b"AT+CPIN?\r": Answer(Outcome.OK, ("+CPIN: READY",)),
    b"AT+CREG?\r": Answer(Outcome.OK, ("+CREG: 0,1",)),
    b"AT+CSQ\r": Answer(Outcome.OK, ("+CSQ: 20,99",)),
}


def play(dialogue: Dialogue[T], answers: dict[bytes, Answer]) -> tuple[T, list[bytes]]:
    """What the dialogue returns and what it said; a command that `answers` does not name is answered OK."""
    said: list[bytes] = []
    try:
        command = next(dialogue)
        while True:
            said.append(command.data)
            command = dialogue.send(answers.get(command.data, OK))
    except StopIteration as end:
        return end.value, said


def test_a_modem_is_started_step_by_step() -> None:
    ready, said = play(at_dialogue.start_up(), READY)
    assert ready == Readiness(is_text=False, rssi_dbm=-73)
    steps = [b"AT", b"ATE0", b"AT+CMEE=1", b"AT+CPIN?", b"AT+CREG?", b"AT+CSQ", b"AT+CMGF=0", b"AT+CNMI=2,1,0,1,0"]
    assert said == [b"\x1b", *(step + b"\r" for step in steps)]


@pytest.mark.parametrize(
    ("answers", "fault"),
    [
        ({b"AT\r": Answer(Outcome.TIMEOUT)}, ModemFault.SILENT),
        ({b"AT+CPIN?\r": Answer(Outcome.ERROR, error="+CME ERROR: 10")}, ModemFault.NO_SIM),
        ({b"AT+CPIN?\r": Answer(Outcome.ERROR, error="+CMS ERROR: 310")}, ModemFault.NO_SIM),
        ({b"AT+CPIN?\r": Answer(Outcome.OK, ("+CPIN: SIM PIN",))}, ModemFault.SIM_LOCKED),
        ({b"AT+CPIN?\r": Answer(Outcome.TIMEOUT)}, ModemFault.SILENT),
        ({b"AT+CPIN?\r": OK}, ModemFault.SIM_FAILED),
        ({b"AT+CREG?\r": Answer(Outcome.OK, ("+CREG: 0,2",))}, ModemFault.NOT_REGISTERED),
        ({b"AT+CMGF=0\r": Answer(Outcome.ERROR), b"AT+CMGF=1\r": Answer(Outcome.ERROR, error="ERROR")}, ModemFault.UNKNOWN),
    ],
)
def test_a_modem_that_cannot_send_says_why(answers: dict[bytes, Answer], fault: ModemFault) -> None:
    with pytest.raises(ModemTrouble) as caught:
        play(at_dialogue.start_up(), READY | answers)
    assert caught.value.fault is fault


def test_a_modem_of_the_newest_networks_is_asked_a_second_way() -> None:
    answers = {b"AT+CREG?\r": Answer(Outcome.OK, ("+CREG: 0,0",)), b"AT+CEREG?\r": Answer(Outcome.OK, ("+CEREG: 0,5",))}
    assert play(at_dialogue.start_up(), READY | answers)[0] == Readiness(is_text=False, rssi_dbm=-73)


def test_text_mode_is_for_a_modem_that_refuses_pdus() -> None:
    ready, said = play(at_dialogue.start_up(), READY | {b"AT+CMGF=0\r": Answer(Outcome.ERROR, error="ERROR")})
    assert ready.is_text and b"AT+CMGF=1\r" in said


def test_a_prompt_that_does_not_come_is_freed_by_escape() -> None:
    with pytest.raises(ModemTrouble) as caught:
        play(at_dialogue.send_text("+8613800138000", "x"), {b'AT+CMGS="+8613800138000"\r': OK})
    assert caught.value.fault is ModemFault.NO_PROMPT
    said: list[bytes] = []
    dialogue = at_dialogue.send_text("1", "x")
    said.append(next(dialogue).data)
    said.append(dialogue.send(OK).data)
    said.append(dialogue.send(Answer(Outcome.TIMEOUT)).data)
    assert said == [b"AT+CMGF=1\r", b'AT+CMGS="1"\r', b"\x1b"]


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("+CMS ERROR: 310", (ModemFault.NO_SIM, 310)),
        ("+CMS ERROR: 330", (ModemFault.NO_SERVICE_CENTRE, 330)),
        ("+CMS ERROR: 38", (ModemFault.NETWORK, 38)),
        ("+CMS ERROR: 302", (ModemFault.NOT_ALLOWED, 302)),
        ("+CMS ERROR: 500", (ModemFault.UNKNOWN, 500)),
        ("+CMS ERROR: 9999", (ModemFault.UNKNOWN, 9999)),
        ("+CME ERROR: 13", (ModemFault.SIM_FAILED, 13)),
        ("+CME ERROR: 30", (ModemFault.NOT_REGISTERED, 30)),
        ("+CME ERROR: SIM not inserted", (ModemFault.UNKNOWN, None)),
        ("COMMAND NOT SUPPORT", (ModemFault.UNSUPPORTED, None)),
        ("ERROR", (ModemFault.UNKNOWN, None)),
    ],
)
def test_an_error_has_a_meaning(line: str, fault: tuple[ModemFault, int | None]) -> None:
    assert fault_of(line) == fault


def test_a_report_that_cannot_be_read_is_no_report() -> None:
    assert at_dialogue.report_of(Notice("+CDS: 24", "zz")) is None
    assert at_dialogue.report_of(Notice("+CMT: ,24", REPORT)) is None
    assert at_dialogue.report_of(Notice("RING")) is None
