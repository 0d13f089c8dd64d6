"""`python -m gateway decode TYPE`: what a captured frame or stream says, as JSON lines. The readers are the drivers' own.

The input is hexadecimal digits with any white space between, or, for protocols of text, the text itself. It is taken as one stream, except
for Bluetooth characteristics and bare numbers: there each line is one value. What is refused becomes {"error": reason}.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any

from gateway import gsm_formats
from gateway.devices import (
    bci_oximeter,
    bp_beurer_bm65,
    bp_visomat,
    contec_v5,
    contec_v7,
    emfit_qs,
    enocean_esp3,
    hlk_ld1125h,
    hlk_ld2410,
    hlk_ld2450,
    nonin_serial,
    radar_sy,
    radar_tinyframe,
    rflink,
    rfxtrx,
    rtl433_json,
    zigbee,
)
from gateway.devices.driver import JSON, Reader, Reason
from gateway.devices.gatt import blood_pressure, body_composition, glucose, heart_rate, housekeeping, ieee11073, plx, thermometer, weight
from gateway.errors import BadInput

_HEX = re.compile(r"(?:[0-9A-Fa-f]{2}|\s)*")


@dataclass(frozen=True, slots=True)
class Format:
    """One protocol. `is_text`: devices speak text, so the input may be text too. `is_value`: each line is a value of its own.

    `gathered`: what a whole input says is told as one list under this name, since only the whole shows which lines are repeats.
    """

    reader: Callable[[Mapping[str, str]], Reader[Any]]
    describe: Callable[[Any], dict[str, JSON]]
    is_text: bool = False
    is_value: bool = False
    gathered: str = ""


TYPES: dict[str, Format] = {
    "bci_oximeter": Format(bci_oximeter.reader, bci_oximeter.describe),
    "bp_beurer_bm65": Format(bp_beurer_bm65.reader, bp_beurer_bm65.describe),
    "bp_visomat": Format(bp_visomat.reader, bp_visomat.describe, is_text=True),
    "contec_v5": Format(contec_v5.reader, contec_v5.describe),
    "contec_v7": Format(contec_v7.reader, contec_v7.describe),
    "emfit_qs": Format(emfit_qs.reader, emfit_qs.describe, is_text=True),
    "enocean_esp3": Format(enocean_esp3.reader, enocean_esp3.describe),
    "gsm_at_dialogue": Format(gsm_formats.Whole, gsm_formats.describe_dialogue, is_text=True),
    "gsm_sms_pdu": Format(gsm_formats.Whole, gsm_formats.describe_pdu, is_text=True, is_value=True),
    "hlk_ld1125h": Format(hlk_ld1125h.reader, hlk_ld1125h.describe, is_text=True),
    "hlk_ld2410": Format(hlk_ld2410.reader, hlk_ld2410.describe),
    "hlk_ld2450": Format(hlk_ld2450.reader, hlk_ld2450.describe),
    "nonin_serial": Format(nonin_serial.reader, nonin_serial.describe),
    "radar_sy": Format(radar_sy.reader, radar_sy.describe),
    "radar_tinyframe": Format(radar_tinyframe.reader, radar_tinyframe.describe),
    "rflink": Format(rflink.reader, rflink.describe, is_text=True),
    "rfxtrx": Format(rfxtrx.reader, rfxtrx.describe),
    "rtl433_json": Format(rtl433_json.reader, rtl433_json.describe, is_text=True, gathered="events"),
    "zigbee_ias": Format(zigbee.reader, zigbee.describe),
    "ble_blood_pressure": Format(blood_pressure.reader, blood_pressure.describe, is_value=True),
    "ble_body_composition": Format(body_composition.reader, body_composition.describe, is_value=True),
    "ble_glucose": Format(glucose.reader, glucose.describe, is_value=True),
    "ble_heart_rate": Format(heart_rate.reader, heart_rate.describe, is_value=True),
    "ble_misc": Format(housekeeping.reader, housekeeping.describe, is_value=True),
    "ble_plx": Format(plx.reader, plx.describe, is_value=True),
    "ble_thermometer": Format(thermometer.reader, thermometer.describe, is_value=True),
    "ble_weight": Format(weight.reader, weight.describe, is_value=True),
    "ieee11073_floats": Format(ieee11073.reader, ieee11073.describe, is_value=True),
}
"""Name of a protocol, as the files of captured frames are called. A new driver adds its row."""


def decode(name: str, pieces: Iterable[bytes], context: Mapping[str, str]) -> Iterator[dict[str, JSON]]:
    """What a stream says, cut into `pieces` as it was read. Raises BadInput for an unknown name or a context its reader cannot use."""
    if name not in TYPES:
        raise BadInput(f"unknown type {name!r}; known are {', '.join(sorted(TYPES))}")
    try:
        reader = TYPES[name].reader(context)
    except (KeyError, ValueError) as error:
        raise BadInput(f"{name} cannot use --context {_shown(context)}: {error}") from error
    lines = _lines(TYPES[name].describe, reader, pieces)
    yield from _gather(TYPES[name].gathered, lines) if TYPES[name].gathered else lines


def decode_input(name: str, text: bytes, context: Mapping[str, str]) -> Iterator[str]:
    """JSON lines for what was piped in. Raises BadInput for what is neither hexadecimal nor text of a protocol of text."""
    for stream in _streams(name, text):
        for said in decode(name, [stream], context):
            yield json.dumps(said, ensure_ascii=False)


def context_of(words: Iterable[str]) -> dict[str, str]:
    """`key=value` words as a mapping. Raises BadInput for a word without both."""
    pairs = [word.partition("=") for word in words]
    for key, _, value in pairs:
        if not key or not value:
            raise BadInput(f"--context takes key=value, not {key!r}")
    return {key: value for key, _, value in pairs}


def _lines(describe: Callable[[Any], dict[str, JSON]], reader: Reader[Any], pieces: Iterable[bytes]) -> Iterator[dict[str, JSON]]:
    for item in chain((item for piece in pieces for item in reader.feed(piece)), reader.end()):
        yield {"error": str(item)} if isinstance(item, Reason) else describe(item)


def _gather(name: str, lines: Iterable[dict[str, JSON]]) -> Iterator[dict[str, JSON]]:
    told: list[JSON] = []
    for line in lines:
        if line.keys() == {"error"}:
            yield line
        else:
            told.append(line)
    yield {name: told}


def _streams(name: str, text: bytes) -> list[bytes]:
    known = TYPES.get(name)
    if known is None:
        return [b""]
    shown = text.decode("utf-8", "replace")
    if _HEX.fullmatch(shown):
        return [bytes.fromhex(line) for line in shown.splitlines() if line.strip()] if known.is_value else [bytes.fromhex(shown)]
    if known.is_text:
        return [text]
    raise BadInput(f"{name} takes hexadecimal digits on its standard input, such as 01 e0 85")


def _shown(context: Mapping[str, str]) -> str:
    return " ".join(f"{key}={value}" for key, value in context.items()) or "(none)"
