"""Radio receivers on a serial line, and the pendants and contacts they hear: EnOcean ESP3, RFLink and RFXtrx, from their layouts.

ESP3    55 len u16 BE, optional len, type, CRC-8 | data | optional | CRC-8     answers 05 08 (base id) and 05 03 (version)
RFLink  20;counter;Name;ID=..;LABEL=..;CR LF                                   answers 10;PING;
RFXtrx  length, type, subtype, sequence ..                                     answers 0D 00 .. 02 (status), deaf for 0.5 s after a reset

A press is sent as often as such devices send it: EnOcean 3 times, the others 5 times.
"""

from dataclasses import dataclass, field

PAUSE_S = 0.2
RESET_S = 0.5
_TIMES_ENOCEAN = 3
_TIMES_433 = 5


def esp3_frame(kind: int, data: bytes, optional: bytes = b"") -> bytes:
    """One ESP3 frame."""
    head = len(data).to_bytes(2, "big") + bytes((len(optional), kind))
    return b"\x55" + head + _crc8(head) + data + optional + _crc8(data + optional)


def _crc8(data: bytes) -> bytes:
    """Polynomial x^8 + x^2 + x + 1, start 0, most significant bit first: long division of the whole message."""
    rest = int.from_bytes(data, "big") << 8
    for shift in range(8 * len(data) - 1, -1, -1):
        if rest >> (shift + 8) & 1:
            rest ^= 0x107 << shift
    return bytes((rest,))


@dataclass(slots=True)
class EnoceanReceiver:
    """A USB stick; what its devices send waits until the line is written."""

    base_id: bytes = bytes.fromhex("ff87ca00")
    _said: bytearray = field(default_factory=bytearray)
    _asked: bytearray = field(default_factory=bytearray)

    def press(self, sender: str) -> None:
        """A call button is pressed and let go."""
        for keys, status in ((0x50, 0x30), (0x00, 0x20)):
            self._telegram(bytes((0xF6, keys)), sender, status, _TIMES_ENOCEAN)

    def move_door(self, sender: str, *, is_open: bool) -> None:
        """A contact opens or closes."""
        self._telegram(bytes((0xD5, 0x08 if is_open else 0x09)), sender, 0, 1)

    def tell_temperature(self, sender: str, degrees: float) -> None:
        """A room sensor of profile A5-02-05: 0 to 40 degrees, 255 to 0."""
        self._telegram(bytes((0xA5, 0, 0, round((40 - degrees) * 255 / 40), 0x08)), sender, 0, 1)

    def write(self, now_s: float) -> bytes:
        """What the receiver has heard since the last call."""
        said = bytes(self._said)
        self._said.clear()
        return said

    def answer(self, data: bytes, now_s: float) -> bytes:
        """What it answers to these bytes, which may be part of a command."""
        self._asked += data
        answers = b""
        for code, reply in ((8, b"\0" + self.base_id), (3, b"\0" + bytes((2, 11, 1, 0, 2, 6, 3, 0)) + bytes(8) + b"GATEWAYCTRL\0\0\0\0\0")):
            question = esp3_frame(5, bytes((code,)))
            if question in self._asked:
                self._asked = bytearray(self._asked.replace(question, b""))
                answers += esp3_frame(2, reply)
        del self._asked[:-64]
        return answers

    def _telegram(self, content: bytes, sender: str, status: int, times: int) -> None:
        data = content + bytes.fromhex(sender) + bytes((status,))
        for subtelegram in range(times):
            self._said += esp3_frame(1, data, bytes((subtelegram + 1, 0xFF, 0xFF, 0xFF, 0xFF, 54, 0)))


@dataclass(slots=True)
class RflinkReceiver:
    """An Arduino board; what it hears waits until the line is written."""

    _counter: int = 0
    _said: bytearray = field(default_factory=lambda: bytearray(b"20;00;Nodo RadioFrequencyLink - RFLink Gateway V1.1 - R46;\r\n"))
    _asked: bytearray = field(default_factory=bytearray)

    def press(self, name: str, number: str, switch: str = "1") -> None:
        """A button of a sender is pressed."""
        for _ in range(_TIMES_433):
            self._say(f"{name};ID={number};SWITCH={switch};CMD=ON")

    def tell(self, name: str, number: str, labels: str) -> None:
        """Anything else, e.g. `TEMP=00cf;HUM=16;BAT=OK`."""
        self._say(f"{name};ID={number};{labels}")

    def write(self, now_s: float) -> bytes:
        """What the receiver has heard since the last call."""
        said = bytes(self._said)
        self._said.clear()
        return said

    def answer(self, data: bytes, now_s: float) -> bytes:
        """PONG for each PING in these bytes, which may end within one."""
        self._asked += data
        *lines, rest = self._asked.split(b"\n")
        self._asked = bytearray(rest[-64:])
        for line in lines:
            self._say("PONG" if line.strip() == b"10;PING;" else "CMD UNKNOWN")
        return self.write(now_s)

    def _say(self, text: str) -> None:
        self._counter = (self._counter + 1) & 0xFF
        self._said += f"20;{self._counter:02X};{text};\r\n".encode()


@dataclass(slots=True)
class RfxtrxReceiver:
    """A USB receiver; what it hears waits until the line is written, and is lost while it starts. `is_asked`: its status was."""

    is_asked: bool = False
    _counter: int = 0
    _deaf_until_s: float = 0.0
    _asked_s: float = 0.0
    _said: bytearray = field(default_factory=bytearray)
    _asked: bytearray = field(default_factory=bytearray)

    def security(self, number: str, status: int, *, battery: int = 9, subtype: int = 2) -> None:
        """A Security1 device sends its status: 0 normal, 2 alarm, 4 motion, 6 panic, 7 end of panic."""
        for _ in range(_TIMES_433):
            self._counter = (self._counter + 1) & 0xFF
            self._said += bytes((8, 0x20, subtype, self._counter)) + bytes.fromhex(number) + bytes((status, 0x80 | battery))

    def write(self, now_s: float) -> bytes:
        """What the receiver has heard since the last call."""
        said = bytes(self._said)
        self._said.clear()
        return said if now_s >= self._deaf_until_s else b""

    def answer(self, data: bytes, now_s: float) -> bytes:
        """Its status to a question that does not come too soon after the reset. A command cut off is forgotten after a pause."""
        if now_s - self._asked_s > PAUSE_S:
            self._asked.clear()
        self._asked_s = now_s
        self._asked += data
        del self._asked[: self._asked.find(0x0D) if 0x0D in self._asked else len(self._asked)]
        answers = b""
        while len(self._asked) >= 14:
            command = bytes(self._asked[:14])
            del self._asked[:14]
            if command == b"\x0d" + bytes(13):
                self._deaf_until_s = now_s + RESET_S
                self.is_asked = False
            elif command[4] == 2 and now_s >= self._deaf_until_s:
                self.is_asked = True
                answers += bytes((0x0D, 0x01, 0x00, command[3], 0x02, 0x53, 0x45, 0x00, 0x0C, 0x2F, 0x01, 0x01, 0x00, 0x00))
        return answers
