"""SMS as the GSM network carries them: encodes what is to be sent, decodes submissions, deliveries and status reports. Pure.

Source of every layout and table: 3GPP TS 23.040 (9.2.2 messages, 9.2.3 fields, 9.1.2.5 addresses) and TS 23.038 (4 coding schemes). In
hexadecimal, as a modem takes and gives it, with the service centre's address (SMSC) before the message:

    SUBMIT         SMSC  FO  MR  address  PID  DCS  [VP: 0, 1 or 7]   UDL  user data
    DELIVER        SMSC  FO      address  PID  DCS  SCTS: 7           UDL  user data
    STATUS-REPORT  SMSC  FO  MR  address  SCTS: 7   discharge: 7      ST

    FO first octet: bits 0-1 message type, 3-4 form of VP, 5 status report asked for, 6 user data begin with a header
    MR reference given by the modem    PID protocol, 00    DCS alphabet and class    VP how long the network tries
    UDL length of the user data, in septets for the 7-bit alphabet, else in octets
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from enum import StrEnum

from gateway.gsm_alphabet import SEPTETS, pack, septets_of, text_of, unpack

SEPTETS_MAX, SEPTETS_JOINED_MAX = 160, 153
UNITS_MAX, UNITS_JOINED_MAX = 70, 67
"""One message holds 140 octets; a header that joins several takes six of them. A unit is two octets of UCS-2."""
PARTS_MAX = 255
SUBMIT, HAS_VALIDITY, WANTS_REPORT, HAS_HEADER = 0x01, 0x10, 0x20, 0x40
GSM7, UCS2 = 0x00, 0x08
JOINED, JOINED_WIDE = 0x00, 0x08
"""Elements of the header that join messages, with a reference of 8 and of 16 bits."""
INTERNATIONAL, NATIONAL, ALPHANUMERIC = 0x91, 0x81, 0x50
KIND_OF_NUMBER, NUMBER_IS_INTERNATIONAL = 0x70, 0x10
DIGITS = "0123456789*#abc"
FILLER = 0xF
MINUTES_PER_DAY = 1440


class PduFault(StrEnum):
    """Why a PDU is refused."""

    FORMAT = "format"
    LENGTH = "length"
    TRUNCATED = "truncated"


class BadPdu(Exception):
    """Not a PDU, or one of a kind that nobody sends us."""

    def __init__(self, fault: PduFault) -> None:
        super().__init__(fault.value)
        self.fault = fault


@dataclass(frozen=True, slots=True)
class Part:
    """One PDU for AT+CMGS: hexadecimal digits, and the octets after the service centre's address, which the command names."""

    pdu: str
    length: int


@dataclass(frozen=True, slots=True)
class UserData:
    """Text with its alphabet (`gsm7`, `ucs2`, or `8bit`, whose text is None) and its header, where there is one, without its length."""

    text: str | None
    alphabet: str
    header: bytes = b""

    def joined(self) -> tuple[int, int, int] | None:
        """(reference, total, part) of a message that is one of several; None for one that stands alone."""
        rest = self.header
        while len(rest) >= 2:
            element, body = rest[0], rest[2 : 2 + rest[1]]
            if element == JOINED and len(body) == 3:
                return body[0], body[1], body[2]
            if element == JOINED_WIDE and len(body) == 4:
                return int.from_bytes(body[:2]), body[2], body[3]
            rest = rest[2 + rest[1] :]
        return None


@dataclass(frozen=True, slots=True)
class Submit:
    """A message on its way to the network."""

    smsc: str | None
    reference: int
    number: str
    validity_minutes: int | None
    wants_report: bool
    is_flash: bool
    data: UserData


@dataclass(frozen=True, slots=True)
class Deliver:
    """A message that has come. `at` is the service centre's time; None where it says none that a calendar has."""

    smsc: str | None
    number: str
    at: datetime | None
    is_flash: bool
    data: UserData


@dataclass(frozen=True, slots=True)
class StatusReport:
    """What became of message `reference`. `status`: 00..1F done, 20..3F the network still tries, 40.. it has failed."""

    smsc: str | None
    reference: int
    number: str
    at: datetime | None
    discharged_at: datetime | None
    status: int

    @property
    def is_delivered(self) -> bool | None:
        """None while the network still tries."""
        return None if 0x20 <= self.status < 0x40 else self.status < 0x20


Pdu = Submit | Deliver | StatusReport


# -- to the network ----------------------------------------------------------------------------------------------------------------------


def encode(number: str, text: str, *, validity_minutes: int = MINUTES_PER_DAY, wants_report: bool = True, joint: int = 0) -> list[Part]:
    """The submissions that carry `text`: one, or several joined by reference `joint` (0..255). The modem's own service centre is used.

    The 7-bit alphabet where it has every character, else UCS-2; neither an escaped character nor a surrogate pair is cut in two.
    `validity_minutes` is rounded up to what the relative form can say (5 min to 63 weeks). Raises ValueError for a text of too many parts.
    """
    bodies = _bodies(text, joint)
    first_octet = SUBMIT | HAS_VALIDITY | (WANTS_REPORT if wants_report else 0) | (HAS_HEADER if len(bodies) > 1 else 0)
    coding = GSM7 if _fits_gsm7(text) else UCS2
    head = bytes([first_octet, 0]) + _address(number) + bytes([0, coding, _validity(validity_minutes)])
    return [Part((b"\x00" + head + body).hex().upper(), len(head) + len(body)) for body in bodies]


def _fits_gsm7(text: str) -> bool:
    return all(char in SEPTETS for char in text)


def _bodies(text: str, joint: int) -> list[bytes]:
    """Length and user data of each part."""
    is_gsm7 = _fits_gsm7(text)
    units: list[tuple[int, ...]] = [SEPTETS[char] if is_gsm7 else _utf16(char) for char in text]
    alone_max, joined_max = (SEPTETS_MAX, SEPTETS_JOINED_MAX) if is_gsm7 else (UNITS_MAX, UNITS_JOINED_MAX)
    groups = [units] if sum(map(len, units)) <= alone_max else _groups(units, joined_max)
    if len(groups) > PARTS_MAX:
        raise ValueError(f"the text needs {len(groups)} messages")
    bodies = []
    for part, group in enumerate(groups, 1):
        header = bytes([5, JOINED, 3, joint, len(groups), part]) if len(groups) > 1 else b""
        flat = [unit for units_of_char in group for unit in units_of_char]
        bodies.append(_gsm7_body(flat, header) if is_gsm7 else _ucs2_body(flat, header))
    return bodies


def _utf16(char: str) -> tuple[int, ...]:
    data = char.encode("utf-16-be")
    return tuple(int.from_bytes(data[at : at + 2]) for at in range(0, len(data), 2))


def _groups(units: list[tuple[int, ...]], units_max: int) -> list[list[tuple[int, ...]]]:
    groups: list[list[tuple[int, ...]]] = [[]]
    room = units_max
    for unit in units:
        if len(unit) > room:
            groups.append([])
            room = units_max
        groups[-1].append(unit)
        room -= len(unit)
    return groups


def _gsm7_body(septets: list[int], header: bytes) -> bytes:
    before = septets_of(len(header))
    return bytes([before + len(septets)]) + header + pack(septets, fill=before * 7 - len(header) * 8)


def _ucs2_body(units: list[int], header: bytes) -> bytes:
    return bytes([len(header) + 2 * len(units)]) + header + b"".join(unit.to_bytes(2) for unit in units)


def _address(number: str) -> bytes:
    """Count of digits, kind of number, digits in pairs with the second in the upper half."""
    digits = number.removeprefix("+")
    kind = INTERNATIONAL if number.startswith("+") else NATIONAL
    codes = [DIGITS.index(digit) for digit in digits] + [FILLER] * (len(digits) % 2)
    return bytes([len(digits), kind]) + bytes(low | high << 4 for low, high in zip(codes[::2], codes[1::2], strict=True))


def _validity(minutes: int) -> int:
    """The smallest relative validity period that is at least so long."""
    return next((code for code in range(256) if _validity_minutes(code) >= minutes), 255)


def _validity_minutes(code: int) -> int:
    """TS 23.040, 9.2.3.12.1: steps of 5 min to 12 h, of 30 min to 24 h, of a day to 30 days, of a week to 63 weeks."""
    if code <= 143:
        return (code + 1) * 5
    if code <= 167:
        return 720 + (code - 143) * 30
    return (code - 166) * MINUTES_PER_DAY if code <= 196 else (code - 192) * 7 * MINUTES_PER_DAY


# -- from the network --------------------------------------------------------------------------------------------------------------------


class _Octets:
    """Octets not read yet."""

    def __init__(self, data: bytes) -> None:
        self.rest = data

    def take(self, count: int) -> bytes:
        if len(self.rest) < count:
            raise BadPdu(PduFault.TRUNCATED)
        taken, self.rest = self.rest[:count], self.rest[count:]
        return taken

    def octet(self) -> int:
        return self.take(1)[0]


def decode(line: str) -> Pdu:
    """Decode one line of hexadecimal digits. Raises BadPdu."""
    try:
        octets = _Octets(bytes.fromhex(line.strip()))
    except ValueError as error:
        raise BadPdu(PduFault.FORMAT) from error
    smsc = _smsc(octets)
    first_octet = octets.octet()
    match first_octet & 0x03:
        case 0:
            return _deliver(octets, smsc, first_octet)
        case 1:
            return _submit(octets, smsc, first_octet)
        case 2:
            return _status_report(octets, smsc)
    raise BadPdu(PduFault.FORMAT)


def describe(line: str, context: Mapping[str, object] | None = None) -> dict[str, object]:
    """What a line says, in words that outlive this program: the keys of a captured PDU's record. Raises BadPdu. `context` is not needed."""
    match decode(line):
        case StatusReport() as report:
            return {
                "type": "status_report",
                "smsc": report.smsc,
                "reference": report.reference,
                "number": report.number,
                "time": _iso(report.at),
                "discharge": _iso(report.discharged_at),
                "status": report.status,
            }
        case Deliver() as deliver:
            head: dict[str, object] = {
                "type": "deliver",
                "smsc": deliver.smsc,
                "number": deliver.number,
                "time": _iso(deliver.at),
                "flash": deliver.is_flash,
            }
            return head | _describe_data(deliver.data)
        case Submit() as submit:
            head = {
                "type": "submit",
                "smsc": submit.smsc,
                "reference": submit.reference,
                "number": submit.number,
                "validity_minutes": submit.validity_minutes,
                "status_report": submit.wants_report,
                "flash": submit.is_flash,
            }
            return head | _describe_data(submit.data)


def _describe_data(data: UserData) -> dict[str, object]:
    said: dict[str, object] = {"text": data.text, "alphabet": data.alphabet}
    if data.header:
        said["udh"] = data.header.hex()
    if (joined := data.joined()) is not None:
        said |= dict(zip(("concat_ref", "concat_total", "concat_part"), joined, strict=True))
    return said


def _iso(at: datetime | None) -> str | None:
    return at.isoformat() if at else None


def _submit(octets: _Octets, smsc: str | None, first_octet: int) -> Submit:
    reference = octets.octet()
    number = _read_address(octets)
    octets.octet()
    coding = octets.octet()
    validity = first_octet >> 3 & 0x03
    minutes = _validity_minutes(octets.octet()) if validity == 2 else None
    if validity in (1, 3):
        octets.take(7)  # enhanced or absolute: nobody here asks for these
    data = _user_data(octets, coding, has_header=bool(first_octet & HAS_HEADER))
    return Submit(smsc, reference, number, minutes, bool(first_octet & WANTS_REPORT), _is_flash(coding), data)


def _deliver(octets: _Octets, smsc: str | None, first_octet: int) -> Deliver:
    number = _read_address(octets)
    octets.octet()
    coding = octets.octet()
    at = _read_time(octets.take(7))
    return Deliver(smsc, number, at, _is_flash(coding), _user_data(octets, coding, has_header=bool(first_octet & HAS_HEADER)))


def _status_report(octets: _Octets, smsc: str | None) -> StatusReport:
    """What may follow the status is optional and not needed."""
    reference = octets.octet()
    number = _read_address(octets)
    at, discharged_at = _read_time(octets.take(7)), _read_time(octets.take(7))
    return StatusReport(smsc, reference, number, at, discharged_at, octets.octet())


def _smsc(octets: _Octets) -> str | None:
    """Here the length counts octets, the kind of number included; 0: the modem's own."""
    length = octets.octet()
    if length == 0:
        return None
    kind, *digits = octets.take(length)
    return _number(kind, bytes(digits), 2 * len(digits))


def _read_address(octets: _Octets) -> str:
    """Here the length counts digits; of an alphanumeric sender, half octets."""
    length, kind = octets.octet(), octets.octet()
    data = octets.take((length + 1) // 2)
    if kind & KIND_OF_NUMBER == ALPHANUMERIC:
        return text_of(_unpack(data, length * 4 // 7))
    return _number(kind, data, length)


def _number(kind: int, data: bytes, length: int) -> str:
    codes = [code for octet in data for code in (octet & 0xF, octet >> 4)][:length]
    while codes and codes[-1] == FILLER:
        codes.pop()
    if FILLER in codes:
        raise BadPdu(PduFault.FORMAT)
    return ("+" if kind & KIND_OF_NUMBER == NUMBER_IS_INTERNATIONAL else "") + "".join(DIGITS[code] for code in codes)


def _read_time(data: bytes) -> datetime | None:
    """YY MM DD hh mm ss, digits swapped, then quarters of an hour from UTC with the sign in bit 3."""
    year, month, day, hour, minute, second = ((octet & 0xF) * 10 + (octet >> 4) for octet in data[:6])
    quarters = (data[6] & 0x7) * 10 + (data[6] >> 4)
    offset = timedelta(minutes=15 * quarters) * (-1 if data[6] & 0x8 else 1)
    try:
        return datetime(year + (1900 if year >= 90 else 2000), month, day, hour, minute, second, tzinfo=timezone(offset))
    except ValueError:
        return None


def _alphabet(coding: int) -> str:
    """TS 23.038, section 4. Raises BadPdu(FORMAT) for compressed text, which nobody sends."""
    group = coding >> 4
    if group < 0x8:
        if coding & 0x20:
            raise BadPdu(PduFault.FORMAT)
        return ("gsm7", "8bit", "ucs2", "gsm7")[coding >> 2 & 0x03]
    if group == 0xF:
        return "8bit" if coding & 0x04 else "gsm7"
    return "ucs2" if group == 0xE else "gsm7"


def _is_flash(coding: int) -> bool:
    """Class 0: to be shown at once."""
    has_class = coding >> 4 == 0xF or (coding >> 4 < 0x8 and bool(coding & 0x10))
    return has_class and coding & 0x03 == 0


def _user_data(octets: _Octets, coding: int, *, has_header: bool) -> UserData:
    length, data = octets.octet(), octets.rest
    alphabet = _alphabet(coding)
    size = (length * 7 + 7) // 8 if alphabet == "gsm7" else length
    if len(data) != size:
        raise BadPdu(PduFault.TRUNCATED if len(data) < size else PduFault.LENGTH)
    header_size = data[0] + 1 if has_header and data else 0
    if header_size > size:
        raise BadPdu(PduFault.LENGTH)
    header, body = data[1:header_size], data[header_size:]
    if alphabet == "8bit":
        return UserData(None, alphabet, header)
    return UserData(_ucs2(body) if alphabet == "ucs2" else _gsm7(body, length, header_size), alphabet, header)


def _gsm7(body: bytes, length: int, header_size: int) -> str:
    before = septets_of(header_size)
    return text_of(_unpack(body, max(0, length - before), fill=before * 7 - header_size * 8))


def _unpack(data: bytes, count: int, *, fill: int = 0) -> list[int]:
    try:
        return unpack(data, count, fill=fill)
    except ValueError as error:
        raise BadPdu(PduFault.LENGTH) from error


def _ucs2(body: bytes) -> str:
    """Phones write UTF-16 into it; half a pair, as a careless sender cuts it, becomes a replacement character."""
    if len(body) % 2:
        raise BadPdu(PduFault.LENGTH)
    return body.decode("utf-16-be", "replace")
