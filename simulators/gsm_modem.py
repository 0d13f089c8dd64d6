"""A GSM modem on a pseudo terminal, with the manners and faults of real ones. It keeps the messages it was given, read by code of its own.

    python -m simulators.gsm_modem LINK [--sim none] [--refuse 3]     plays one until it is ended, and prints what it is given

Source of commands and answers: 3GPP TS 27.005 and TS 27.007; of the faults: what is known of real modems (swallowed first AT, an echo that
stays, an unasked line in the middle of an answer, +CPIN without OK, Huawei's COMMAND NOT SUPPORT).
"""

import argparse
import re
import select
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

from simulators.serial_bridge import SerialBridge

WAIT_S = 0.02
ESC, END = 0x1B, 0x1A
NOISE = "\r\n^RSSI:18\r\n\r\n+CREG: 1\r\n"
UNLIKE_ASCII = {0: "@", 2: "$", 17: "_"}
"""Of the 7-bit alphabet; its letters, digits and most signs stand where ASCII has them."""


@dataclass(slots=True)
class Manners:
    """How the modem behaves; may be changed at any time. `refusals`: so many messages are refused first, with +CMS ERROR `refusal`.

    `swallows`: so many commands are lost first, as after power-on. `takes_pdus`: false for one that knows text mode only.
    """

    sim: Literal["ready", "pin", "none"] = "ready"
    registration: int = 1
    refusals: int = 0
    refusal: int = 38
    is_silent: bool = False
    keeps_echo: bool = False
    is_noisy: bool = False
    swallows: int = 0
    takes_pdus: bool = True
    says_ok_after_pin: bool = True
    reports: bool = True
    accept_s: float = 0.0
    has_prompt: bool = True


@dataclass(frozen=True, slots=True)
class Taken:
    """A message the network has taken. `is_ucs2` tells how it was coded; `is_text` that it came in text mode."""

    number: str
    text: str
    is_ucs2: bool = False
    wants_report: bool = False
    is_text: bool = False


@dataclass(slots=True)
class _Talk:
    """Where the talk stands: what has come of a line, and of which message the body is awaited."""

    part: bytes = b""
    body_for: str | None = None
    has_echo: bool = True
    is_text: bool = False


class SimulatedModem:
    """The modem and its thread; `link` is the path that a gateway opens."""

    def __init__(self, link: Path, manners: Manners | None = None) -> None:
        self.manners = manners or Manners()
        self.taken: list[Taken] = []
        self.commands: list[str] = []
        self._line = SerialBridge(link)
        self._talk = _Talk()
        self._reference = 0
        self._is_plugged = threading.Event()
        self._is_stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"simulated modem {link}", daemon=True)

    def __enter__(self) -> Self:
        self._line.plug()
        self._is_plugged.set()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_stopping.set()
        self._thread.join()
        self._line.unplug()

    def unplug(self) -> None:
        """Pull it out of its socket."""
        self._is_plugged.clear()

    def plug(self) -> None:
        """Plug it in again: it starts anew."""
        self._is_plugged.set()

    def _run(self) -> None:
        while not self._is_stopping.is_set():
            if self._is_plugged.is_set() != self._line.is_plugged:
                self._talk = _Talk()
                self._line.plug() if self._is_plugged.is_set() else self._line.unplug()
            if self._line.is_heard():
                select.select([self._line], [], [], WAIT_S)
                for octet in self._line.read():
                    self._take(octet)
                self._line.flush()
            else:
                time.sleep(WAIT_S)

    def _take(self, octet: int) -> None:
        talk = self._talk
        if self.manners.is_silent:
            return
        if talk.has_echo or self.manners.keeps_echo:
            self._line.write(bytes([octet]))
        if octet == ESC:
            talk.part, talk.body_for = b"", None
        elif talk.body_for is not None and octet == END:
            self._take_body(talk.body_for, talk.part.decode("ascii").strip())
            talk.part, talk.body_for = b"", None
        elif talk.body_for is None and octet in b"\r\n":
            command, talk.part = talk.part.decode("ascii", "replace").strip(), b""
            if command:
                self._take_command(command)
        else:
            talk.part += bytes([octet])

    def _take_command(self, command: str) -> None:
        self.commands.append(command)
        if self.manners.swallows:
            self.manners.swallows -= 1
        elif command.startswith("AT+CMGS="):
            self._talk.body_for = command.removeprefix("AT+CMGS=")
            if self.manners.has_prompt:
                self._line.write((NOISE if self.manners.is_noisy else "").encode() + b"\r\n> ")
        else:
            self._answer(*self._reply(command))

    def _reply(self, command: str) -> tuple[str, str]:
        """(information line, final line)."""
        manners, ok = self.manners, "OK"
        match command:
            case "AT" | "AT+CMEE=1" | "AT+CNMI=2,1,0,1,0" | 'AT+CSCS="GSM"':
                return "", ok
            case "ATE0":
                self._talk.has_echo = False
                return "", ok
            case "AT+CPIN?" if manners.sim == "none":
                return "", "+CME ERROR: 10"
            case "AT+CPIN?":
                state = "READY" if manners.sim == "ready" else "SIM PIN"
                return f"+CPIN: {state}", ok if manners.says_ok_after_pin else ""
            case "AT+CREG?":
                return f"+CREG: 0,{manners.registration}", ok
            case "AT+CSQ":
                return "+CSQ: 20,99", ok
            case "AT+CMGF=0" if manners.takes_pdus:
                self._talk.is_text = False
                return "", ok
            case "AT+CMGF=1":
                self._talk.is_text = True
                return "", ok
        return "", "ERROR" if command.startswith("AT+CMGF") else "COMMAND NOT SUPPORT"

    def _answer(self, information: str, final: str) -> None:
        noise = NOISE if self.manners.is_noisy else ""
        lines = [f"\r\n{one}\r\n" for one in (information, final) if one]
        self._line.write(noise.join(["", *lines]).encode())

    def _take_body(self, what: str, body: str) -> None:
        manners = self.manners
        time.sleep(manners.accept_s)
        if manners.sim != "ready":
            self._answer("", "+CMS ERROR: 310" if manners.sim == "none" else "+CMS ERROR: 311")
        elif manners.registration not in (1, 5):
            self._answer("", "+CMS ERROR: 331")
        elif manners.refusals:
            manners.refusals -= 1
            self._answer("", f"+CMS ERROR: {manners.refusal}")
        elif not self._talk.is_text and (not what.isdecimal() or len(body) != 2 * int(what) + 2 + 2 * int(body[:2], 16)):
            self._answer("", "+CMS ERROR: 304")
        else:
            self._accept(what, body)

    def _accept(self, what: str, body: str) -> None:
        self._reference = (self._reference + 1) % 256
        taken = Taken(what.strip('"'), body, is_text=True) if self._talk.is_text else read_submission(body)
        self.taken.append(taken)
        self._answer(f"+CMGS: {self._reference}", "OK")
        if taken.wants_report and self.manners.reports:
            self._line.write(f"\r\n+CDS: 24\r\n{self._report(body)}\r\n".encode())

    def _report(self, body: str) -> str:
        """Delivered, to the address of the submission, at some time."""
        address = body[6 : 10 + int(body[6:8], 16) + int(body[6:8], 16) % 2]
        return f"0006{self._reference:02X}{address}1110117195514011101171957140" + "00"


@dataclass(slots=True)
class _Digits:
    """Hexadecimal digits not read yet."""

    rest: str

    def octets(self, count: int) -> list[int]:
        taken, self.rest = self.rest[: 2 * count], self.rest[2 * count :]
        return [int(pair, 16) for pair in re.findall("..", taken)]

    def octet(self) -> int:
        return self.octets(1)[0]


def read_submission(pdu: str) -> Taken:
    """What an SMS-SUBMIT says (3GPP TS 23.040, 9.2.2.2): one part, text in UCS-2 or in the part of the 7-bit alphabet that ASCII shares."""
    digits = _Digits(pdu)
    digits.octets(digits.octet())
    first_octet, _, length, kind = digits.octets(4)
    pairs = "".join(f"{octet & 15:X}{octet >> 4:X}" for octet in digits.octets((length + 1) // 2))
    _, coding = digits.octets(2)
    digits.octets({0x00: 0, 0x10: 1}.get(first_octet & 0x18, 7))
    size = digits.octet()
    body = digits.octets(len(digits.rest) // 2)
    if first_octet & 0x40:
        raise ValueError("a message of several parts")
    number = ("+" if kind == 0x91 else "") + pairs[:length]
    text = bytes(body).decode("utf-16-be") if coding == 8 else _from_bits(body, size)
    return Taken(number, text, is_ucs2=coding == 8, wants_report=bool(first_octet & 0x20))


def _from_bits(octets: list[int], count: int) -> str:
    bits = "".join(f"{octet:08b}"[::-1] for octet in octets)
    codes = [int(bits[7 * place : 7 * place + 7][::-1], 2) for place in range(count)]
    return "".join(UNLIKE_ASCII.get(code, chr(code)) for code in codes)


def main() -> None:
    """Play one modem by hand until it is ended."""
    parser = argparse.ArgumentParser(description="A GSM modem on a pseudo terminal.")
    parser.add_argument("link", type=Path, help="path that the gateway's modem_path names")
    parser.add_argument("--sim", choices=("ready", "pin", "none"), default="ready")
    parser.add_argument("--registration", type=int, default=1, help="1 at home, 5 roaming, 0 or 2 none")
    parser.add_argument("--refuse", type=int, default=0, help="refuse so many messages first")
    parser.add_argument("--silent", action="store_true")
    given = parser.parse_args()
    manners = Manners(sim=given.sim, registration=given.registration, refusals=given.refuse, is_silent=given.silent)
    shown = 0
    with SimulatedModem(given.link, manners) as modem:
        while True:
            time.sleep(0.2)
            for taken in modem.taken[shown:]:
                print(taken, flush=True)
            shown = len(modem.taken)


if __name__ == "__main__":
    main()
