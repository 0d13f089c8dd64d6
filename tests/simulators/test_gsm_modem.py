"""The played modem, as a terminal sees it: its answers, its faults, and what it says it was given."""

import os
import select
import time
import tty
from collections.abc import Iterator
from pathlib import Path

import pytest

from simulators.gsm_modem import Manners, SimulatedModem, Taken, read_submission

PDU = "0011000B914316565811F90000AA04E8373B0C"
READ_S = 0.3


class Terminal:
    """Somebody who types at the modem."""

    def __init__(self, path: Path) -> None:
        self._port = os.open(path, os.O_RDWR | os.O_NOCTTY)
        tty.setraw(self._port)

    def say(self, text: str, until: str) -> str:
        """Type, and read until `until` has come; without it, all that comes within READ_S."""
        os.write(self._port, text.encode())
        heard, deadline_s = "", time.monotonic() + (10 if until else READ_S)
        while time.monotonic() < deadline_s and not (until and until in heard):
            if select.select([self._port], [], [], 0.05)[0]:
                heard += os.read(self._port, 1000).decode()
        assert until in heard
        return heard

    def close(self) -> None:
        os.close(self._port)


@pytest.fixture
def modem(tmp_path: Path) -> Iterator[SimulatedModem]:
    with SimulatedModem(tmp_path / "modem") as played:
        yield played


@pytest.fixture
def terminal(modem: SimulatedModem, tmp_path: Path) -> Iterator[Terminal]:
    opened = Terminal(tmp_path / "modem")
    opened.say("ATE0\r", "OK\r\n")
    yield opened
    opened.close()


@pytest.mark.parametrize(
    ("manners", "command", "answer"),
    [
        (Manners(), "AT", "\r\nOK\r\n"),
        (Manners(), "AT+CPIN?", "\r\n+CPIN: READY\r\n\r\nOK\r\n"),
        (Manners(sim="none"), "AT+CPIN?", "\r\n+CME ERROR: 10\r\n"),
        (Manners(sim="pin"), "AT+CPIN?", "\r\n+CPIN: SIM PIN\r\n\r\nOK\r\n"),
        (Manners(registration=2), "AT+CREG?", "\r\n+CREG: 0,2\r\n\r\nOK\r\n"),
        (Manners(), "AT+CSQ", "\r\n+CSQ: 20,99\r\n\r\nOK\r\n"),
        (Manners(), "AT+WHAT", "\r\nCOMMAND NOT SUPPORT\r\n"),
        (Manners(takes_pdus=False), "AT+CMGF=0", "\r\nERROR\r\n"),
    ],
)
def test_it_answers_as_the_standard_says(modem: SimulatedModem, terminal: Terminal, manners: Manners, command: str, answer: str) -> None:
    modem.manners = manners
    assert terminal.say(f"{command}\r", answer[-6:]) == answer


def test_it_takes_a_message_and_reports_its_delivery(modem: SimulatedModem, terminal: Terminal) -> None:
    assert terminal.say("AT+CMGS=18\r", "> ") == "\r\n> "
    assert terminal.say(f"{PDU}\x1a", "OK\r\n") == "\r\n+CMGS: 1\r\n\r\nOK\r\n"
    assert modem.taken == [Taken("+34616585119", "hola")]
    wanted = PDU.replace("0011", "0031", 1)
    terminal.say("AT+CMGS=18\r", "> ")
    assert "+CDS: 24\r\n0006020B914316565811F9" in terminal.say(f"{wanted}\x1a", "714000\r\n")


def test_it_refuses_as_often_as_it_is_told(modem: SimulatedModem, terminal: Terminal) -> None:
    modem.manners = Manners(refusals=1, refusal=330)
    terminal.say("AT+CMGS=18\r", "> ")
    assert terminal.say(f"{PDU}\x1a", "330\r\n") == "\r\n+CMS ERROR: 330\r\n"
    terminal.say("AT+CMGS=18\r", "> ")
    terminal.say(f"{PDU}\x1a", "OK\r\n")


def test_a_wrong_length_is_refused(modem: SimulatedModem, terminal: Terminal) -> None:
    terminal.say("AT+CMGS=17\r", "> ")
    terminal.say(f"{PDU}\x1a", "+CMS ERROR: 304\r\n")
    assert modem.taken == []


def test_a_silent_modem_says_nothing_and_one_that_swallows_only_the_first_time(modem: SimulatedModem, terminal: Terminal) -> None:
    modem.manners = Manners(is_silent=True)
    assert terminal.say("AT\r", "") == ""
    modem.manners = Manners(swallows=1)
    assert terminal.say("AT\r", "") == ""
    terminal.say("AT\r", "OK\r\n")


def test_escape_leaves_the_prompt(modem: SimulatedModem, terminal: Terminal) -> None:
    terminal.say("AT+CMGS=18\r", "> ")
    terminal.say("\x1bAT\r", "OK\r\n")


def test_chinese_is_read_by_code_of_its_own() -> None:
    pdu = "0031000d91683108108300f00008aa2430105bb662a43011738b5976597600300033003a003100328dcc5012ff0c8bf756de7535"
    assert read_submission(pdu) == Taken("+8613800138000", "【家护】王奶奶03:12跌倒，请回电", is_ucs2=True, wants_report=True)
