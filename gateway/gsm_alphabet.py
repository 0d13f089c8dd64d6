"""The 7-bit alphabet of GSM and how it is packed into octets. Pure. Source: 3GPP TS 23.038, 6.1.2.1 and 6.2.1."""

ESCAPE = 0x1B
BASIC = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ\x1bÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
EXTENSION = {0x0A: "\f", 0x14: "^", 0x28: "{", 0x29: "}", 0x2F: "\\", 0x3C: "[", 0x3D: "~", 0x3E: "]", 0x40: "|", 0x65: "€"}
SEPTETS: dict[str, tuple[int, ...]] = {char: (code,) for code, char in enumerate(BASIC) if code != ESCAPE} | {
    char: (ESCAPE, code) for code, char in EXTENSION.items()
}


def pack(septets: list[int], *, fill: int = 0) -> bytes:
    """Seven bits after seven bits, the lowest first, after `fill` (0..6) bits of nothing."""
    bits = sum(septet << (fill + 7 * place) for place, septet in enumerate(septets))
    return bits.to_bytes((fill + 7 * len(septets) + 7) // 8, "little")


def unpack(data: bytes, count: int, *, fill: int = 0) -> list[int]:
    """Inverse of `pack`. Raises ValueError when `data` holds fewer than `count` septets."""
    if len(data) * 8 < fill + 7 * count:
        raise ValueError(f"{len(data)} octets hold no {count} septets")
    bits = int.from_bytes(data, "little") >> fill
    return [bits >> 7 * place & 0x7F for place in range(count)]


def text_of(septets: list[int]) -> str:
    """An escape before a code that the extension has not stands for a space, as the standard asks."""
    text, is_escaped = "", False
    for septet in septets:
        if septet == ESCAPE and not is_escaped:
            is_escaped = True
            continue
        text += EXTENSION.get(septet, " ") if is_escaped else BASIC[septet]
        is_escaped = False
    return text


def septets_of(octets: int) -> int:
    """How many septets so many octets take up."""
    return -(-octets * 8 // 7)
