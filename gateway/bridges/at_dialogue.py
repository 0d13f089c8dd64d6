"""What is said to a GSM modem and how its answers are cut and read. No I/O, no clock: bytes and answers in, bytes and commands out.

A dialogue is a generator: it yields a Command and is sent its Answer, so that it reads from the top as the modem hears it. AtLine turns
bytes into that answer, whatever else the modem says in between.

Source: 3GPP TS 27.005 (messages) and TS 27.007 (everything else). The manners of real modems that differ from them are named where they
are met.
"""

from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeVar

from gateway import sms_pdu
from gateway.bridges.modem_fault import ModemFault, ModemTrouble, fault_of, is_error, meaning_of
from gateway.sms_pdu import BadPdu, Part, StatusReport

T = TypeVar("T")

LINE_BYTES_MAX = 1024
"""The longest PDU has 352 digits; more without a line end is noise."""
NOTICES_MAX = 64
ESC, END_OF_PDU = b"\x1b", b"\x1a"
ATTENTION_TRIES = 4
"""The first AT after power-on is swallowed, and a modem that finds the line's speed by itself may need another one."""
ATTENTION_WAIT_S, ANSWER_WAIT_S, PROMPT_WAIT_S, SEND_WAIT_S = 1.0, 5.0, 10.0, 60.0
"""Limits of each step; TS 27.005 names none, and networks take up to a minute to accept a message."""
HOME, ROAMING = 1, 5
SIM_STATES = {"READY": "ready", "SIM PIN": "pin", "SIM PUK": "puk", "SIM PIN2": "pin", "SIM PUK2": "puk"}


@dataclass(frozen=True, slots=True)
class Command:
    """Bytes for the modem. `expects`: how the line begins that carries its answer; without it only OK counts."""

    data: bytes
    expects: str = ""
    wait_s: float = ANSWER_WAIT_S
    wants_prompt: bool = False
    is_shout: bool = False
    """Nothing it brings about is of interest: whatever comes meanwhile is dropped."""


class Outcome(StrEnum):
    """How a command ended."""

    OK = "ok"
    ERROR = "error"
    PROMPT = "prompt"
    TIMEOUT = "timeout"


@dataclass(frozen=True, slots=True)
class Answer:
    """How a command ended, the lines it asked for, and of an error its line."""

    outcome: Outcome
    lines: tuple[str, ...] = ()
    error: str = ""


@dataclass(frozen=True, slots=True)
class Notice:
    """What the modem said unasked; `pdu` is the line that followed a +CDS or +CMT."""

    line: str
    pdu: str | None = None


Dialogue = Generator[Command, Answer, T]


@dataclass(slots=True)
class AtLine:
    """Cuts what the modem says into answers and notices. One command at a time."""

    notices: list[Notice] = field(default_factory=list)
    _rest: bytes = b""
    _command: Command | None = None
    _lines: list[str] = field(default_factory=list)
    _headline: str | None = None

    def begin(self, command: Command) -> bytes:
        """Expect the answer to `command`. Returns what is to be written."""
        self._command = command
        self._lines.clear()
        return command.data

    def feed(self, data: bytes) -> Answer | None:
        """Take bytes, cut anywhere. Returns the answer once it is whole."""
        self._rest += data
        answer = None
        while answer is None:
            if self._command is not None and self._command.wants_prompt and self._rest.lstrip(b"\r\n ").startswith(b">"):
                self._rest = self._rest.lstrip(b"\r\n ")[1:]
                return self._end(Outcome.PROMPT)
            line, is_whole = self._next_line()
            if not is_whole:
                break
            answer = self._take(line) if line else None
        return answer

    def give_up(self) -> Answer:
        """Nothing more came in time. A query whose line has come is answered: some modems forget the OK after +CPIN."""
        return self._end(Outcome.OK if self._lines else Outcome.TIMEOUT)

    def _next_line(self) -> tuple[str, bool]:
        ends = [at for at in (self._rest.find(b"\r"), self._rest.find(b"\n")) if at >= 0]
        if not ends:
            self._rest = self._rest[-LINE_BYTES_MAX:]
            return "", False
        line, self._rest = self._rest[: min(ends)], self._rest[min(ends) + 1 :]
        return line.decode("ascii", "replace").strip(" \x00\x1a\x1b"), True

    def _take(self, line: str) -> Answer | None:
        if self._headline is not None:
            self._note(Notice(self._headline, line))
            self._headline = None
            return None
        if line.startswith(("+CDS:", "+CMT:")):
            self._headline = line
            return None
        command = self._command
        if command is None or command.is_shout:
            self._note(Notice(line))
        elif line == "OK":
            return self._end(Outcome.OK)
        elif is_error(line):
            return self._end(Outcome.ERROR, line)
        elif command.expects and line.startswith(command.expects) and _is_answer(command, line):
            self._lines.append(line)
        elif line != command.data.decode("ascii", "replace").strip("\r\x1a"):  # else it is our own echo
            self._note(Notice(line))
        return None

    def _note(self, notice: Notice) -> None:
        if len(self.notices) < NOTICES_MAX:
            self.notices.append(notice)

    def _end(self, outcome: Outcome, error: str = "") -> Answer:
        answer = Answer(outcome, tuple(self._lines), error)
        self._command = None
        self._lines.clear()
        return answer


def _is_answer(command: Command, line: str) -> bool:
    """`+CREG: 5` comes unasked; the answer is `+CREG: 0,5`."""
    return not command.expects.startswith(("+CREG", "+CEREG")) or "," in line


# -- dialogues ---------------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Readiness:
    """A modem that can send. `is_text`: it refuses PDUs and takes plain ASCII only. `rssi_dbm` None: it does not know."""

    is_text: bool
    rssi_dbm: int | None


def start_up() -> Dialogue[Readiness]:
    """From whatever state the modem was left in to one that can send. Raises ModemTrouble."""
    yield Command(ESC, wait_s=0.3, is_shout=True)  # it may still wait for the PDU of a gateway that was killed
    yield from _attention(ATTENTION_TRIES)
    yield Command(b"ATE0\r")
    yield Command(b"AT+CMEE=1\r")
    yield from _ready()
    rssi_dbm = yield from _signal()
    is_text = not (yield from _takes_pdus())
    yield Command(b"AT+CNMI=2,1,0,1,0\r")  # refused: then nobody hears that a message was delivered, and it is sent all the same
    return Readiness(is_text, rssi_dbm)


def check(is_text: bool) -> Dialogue[Readiness]:
    """The minute's question whether all is still well. Raises ModemTrouble."""
    yield from _attention(2)
    yield from _ready()
    return Readiness(is_text, (yield from _signal()))


def send_parts(parts: list[Part]) -> Dialogue[list[int]]:
    """Send all parts of one message. Returns their references; raises ModemTrouble at the first that is refused.

    The mode is set anew each time: a modem that has started again by itself would take the length for a telephone number.
    """
    _refuse_error((yield Command(b"AT+CMGF=0\r")))
    references = []
    for part in parts:
        references.append((yield from _send(f"AT+CMGS={part.length}\r".encode(), part.pdu.encode())))
    return references


def send_text(number: str, text: str) -> Dialogue[list[int]]:
    """Send plain ASCII in text mode. Returns the reference; raises ModemTrouble."""
    _refuse_error((yield Command(b"AT+CMGF=1\r")))
    return [(yield from _send(f'AT+CMGS="{number}"\r'.encode(), text.encode("ascii", "replace")))]


def _attention(tries: int) -> Dialogue[None]:
    for _ in range(tries):
        answer = yield Command(b"AT\r", wait_s=ATTENTION_WAIT_S)
        if answer.outcome is Outcome.OK:
            return
    raise ModemTrouble(ModemFault.SILENT)


def _ready() -> Dialogue[None]:
    """SIM open, network joined. Modems of the newest networks say so by +CEREG only."""
    answer = yield Command(b"AT+CPIN?\r", "+CPIN:")
    _refuse_error(answer)
    sim = facts(answer.lines).get("sim")
    if sim != "ready":
        raise ModemTrouble(ModemFault.SIM_LOCKED if sim in ("pin", "puk") else ModemFault.SIM_FAILED)
    for query, expects in ((b"AT+CREG?\r", "+CREG:"), (b"AT+CEREG?\r", "+CEREG:")):
        answer = yield Command(query, expects)
        if facts(answer.lines).get("registered"):
            return
    raise ModemTrouble(ModemFault.NOT_REGISTERED)


def _signal() -> Dialogue[int | None]:
    answer = yield Command(b"AT+CSQ\r", "+CSQ:")
    rssi_dbm = facts(answer.lines).get("rssi_dbm")
    return rssi_dbm if isinstance(rssi_dbm, int) else None


def _takes_pdus() -> Dialogue[bool]:
    answer = yield Command(b"AT+CMGF=0\r")
    if answer.outcome is Outcome.OK:
        return True
    answer = yield Command(b"AT+CMGF=1\r")
    _refuse_error(answer)
    yield Command(b'AT+CSCS="GSM"\r')
    return False


def _send(command: bytes, body: bytes) -> Dialogue[int]:
    """Command, prompt, body; at a prompt that does not come the modem is freed by ESC."""
    answer = yield Command(command, wait_s=PROMPT_WAIT_S, wants_prompt=True)
    if answer.outcome is not Outcome.PROMPT:
        yield Command(ESC, wait_s=0.3, is_shout=True)
        _refuse_error(answer)
        raise ModemTrouble(ModemFault.NO_PROMPT)
    answer = yield Command(body + END_OF_PDU, "+CMGS:", wait_s=SEND_WAIT_S)
    _refuse_error(answer)
    reference = facts(answer.lines).get("reference")
    if not isinstance(reference, int):
        raise ModemTrouble(ModemFault.UNKNOWN)
    return reference


def _refuse_error(answer: Answer) -> None:
    if answer.outcome is Outcome.TIMEOUT:
        raise ModemTrouble(ModemFault.SILENT)
    if answer.outcome is Outcome.ERROR:
        raise ModemTrouble(*fault_of(answer.error))


# -- lines -------------------------------------------------------------------------------------------------------------------------------


def report_of(notice: Notice) -> StatusReport | None:
    """The status report that a notice carries; None for any other notice, and for a report that cannot be read."""
    if notice.pdu is None or not notice.line.startswith("+CDS:"):
        return None
    try:
        pdu = sms_pdu.decode(notice.pdu)
    except BadPdu:
        return None
    return pdu if isinstance(pdu, StatusReport) else None


def facts(lines: tuple[str, ...]) -> dict[str, object]:
    """What lines of answers say: sim, registered and roaming, rssi_dbm, reference. A line that cannot be read says nothing."""
    said: dict[str, object] = {}
    for line in lines:
        name, _, rest = line.partition(":")
        fields = [one.strip() for one in rest.split(",")]
        if name == "+CPIN":
            said["sim"] = SIM_STATES.get(rest.strip(), rest.strip().lower())
        elif name in ("+CREG", "+CEREG") and (state := fields[min(1, len(fields) - 1)]).isdecimal():
            said |= {"registered": int(state) in (HOME, ROAMING), "roaming": int(state) == ROAMING}
        elif name == "+CSQ" and fields[0].isdecimal():
            said["rssi_dbm"] = -113 + 2 * int(fields[0]) if int(fields[0]) <= 31 else None
        elif name == "+CMGS" and fields[0].isdecimal():
            said["reference"] = int(fields[0])
    return said


def describe(text: str, context: Mapping[str, object] | None = None) -> dict[str, object]:
    """What a recorded dialogue says: lines `> sent` and `< received`, in which \\r, \\n and <1A> are written out.

    Keys: sent, reference, cms_error or cme_error with its meaning, delivered, rssi_dbm, registered, roaming, sim, error. `context` is
    not needed. It is read by the AtLine that reads a real modem.
    """
    line, said = AtLine(), dict[str, object]()
    for recorded in text.split("\n"):
        way, data = recorded[:2], recorded[2:].rstrip("\r")
        if way == "> ":
            said |= _describe_answer(line.give_up())
            line.begin(_recorded_command(data))
        elif way == "< ":
            received = data.replace("\\r", "\r").replace("\\n", "\n").encode()
            while (answer := line.feed(received)) is not None:
                said |= _describe_answer(answer)
                received = b""
    said |= _describe_answer(line.give_up())
    for notice in line.notices:
        said |= _describe_notice(notice)
    return said


def _recorded_command(data: str) -> Command:
    if data.endswith("<1A>"):
        return Command(data.removesuffix("<1A>").encode() + END_OF_PDU, "+CMGS:")
    name = data.removeprefix("AT").rstrip("?").partition("=")[0]
    return Command(f"{data}\r".encode(), f"{name}:" if name.startswith("+") else "", wants_prompt=name == "+CMGS")


def _describe_answer(answer: Answer) -> dict[str, object]:
    said = facts(answer.lines)
    if "reference" in said:
        said["sent"] = answer.outcome is Outcome.OK
    return said | (_describe_error(answer.error) if answer.outcome is Outcome.ERROR else {})


def _describe_error(line: str) -> dict[str, object]:
    fault, code = fault_of(line)
    if code is None:
        return {"sent": False, "error": fault.value}
    return {"sent": False, "cms_error" if line.startswith("+CMS") else "cme_error": code, "meaning": meaning_of(line)}


def _describe_notice(notice: Notice) -> dict[str, object]:
    if (report := report_of(notice)) is not None:
        return {"reference": report.reference, "delivered": report.is_delivered}
    if is_error(notice.line):
        return _describe_error(notice.line)
    return facts((notice.line,))
