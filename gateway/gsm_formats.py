"""What `gateway decode` shows of a GSM modem: one PDU a line, and whole dialogues of AT commands. The decoders are the modem's own."""

import string
from collections.abc import Iterator, Mapping

from gateway import sms_pdu
from gateway.bridges import at_dialogue
from gateway.devices.driver import JSON, Reason

_PDU_CHARACTERS = frozenset((string.hexdigits + string.whitespace).encode())


class Whole:
    """Gathers an input, which says something only as a whole, and gives it at the end."""

    def __init__(self, context: Mapping[str, str]) -> None:
        self._data = bytearray()

    def feed(self, data: bytes) -> Iterator[bytes | Reason]:
        """Nothing yet."""
        self._data += data
        return iter(())

    def end(self) -> Iterator[bytes | Reason]:
        """All there was, if there was anything."""
        if self._data:
            yield bytes(self._data)


def describe_pdu(data: bytes) -> dict[str, JSON]:
    """A PDU as octets, or as the line of hexadecimal digits that modems write."""
    line = data.decode("ascii").strip() if _PDU_CHARACTERS.issuperset(data) else data.hex()
    try:
        return dict(sms_pdu.describe(line))  # type: ignore[arg-type]
    except sms_pdu.BadPdu as error:
        return {"error": str(error.fault)}


def describe_dialogue(data: bytes) -> dict[str, JSON]:
    """Lines `> sent` and `< received`, in which \\r, \\n and <1A> are written out."""
    return dict(at_dialogue.describe(data.decode("utf-8", "replace")))  # type: ignore[arg-type]
