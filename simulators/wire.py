"""Payload bytes of every simulated device, written from the layouts and not from the gateway's drivers: an independent second opinion.

Numbers are little-endian in our own frames (`gateway.bridges.framing`). None is "no value" and becomes the layout's own mark for it.
Values that do not fit their field raise struct.error: a simulator that means them has a bug.
"""

import struct
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from gateway.bridges.framing import Frame
from simulators.home import Samples

CHUNK_SAMPLES_MAX = 20
PACKED_STEPS_MG = (4, 8, 16, 64)
AGE_MS_MAX = 0xFFFF
_NO_BYTE = 0
_NO_BATTERY = 255
_NO_LEVEL = 255
_NO_TEMPERATURE = 0x7FFF
_NO_TURN = 255
_NO_STEPS = 0xFFFF
_EVENT = struct.Struct("<HH")
_VITALS = struct.Struct("<BBhHBB")
_CANDIDATE = struct.Struct("<HHHHBBBH")
_CHUNK = struct.Struct("<HHBB")
_SOS = struct.Struct("<HHHB")
_BED_MAT = struct.Struct("<BBBBB")
_ACK = struct.Struct("<HHB")


class FrameType(IntEnum):
    """Types of our own frames."""

    WEARABLE_VITALS = 0x01
    FALL_CANDIDATE = 0x02
    WINDOW_CHUNK = 0x03
    SOS = 0x04
    PACKED_CHUNK = 0x06
    BED_MAT = 0x10
    PENDANT_STATUS = 0x11
    BLE_NOTIFICATION = 0x20
    BLE_BRIDGE_STATUS = 0x21
    ACK = 0x7F


EVENT_FRAMES = frozenset({FrameType.FALL_CANDIDATE, FrameType.WINDOW_CHUNK, FrameType.PACKED_CHUNK, FrameType.SOS})


class SosKind(IntEnum):
    """What the button said."""

    PRESSED = 1
    CANCELLED = 2


@dataclass(frozen=True, slots=True)
class EventKey:
    """Names an event of one device: `boot` is drawn at each start of the device, `event` counts within it."""

    boot: int
    event: int


@dataclass(frozen=True, slots=True)
class Ack:
    """The gateway has this event safe; `type` is that of the frame it answers."""

    key: EventKey
    type: int


@dataclass(frozen=True, slots=True)
class WearableVitals:
    """What the wearable measures each second: beats/min, percent, degrees Celsius, steps since its start, percent. None is unknown."""

    heart_rate: int | None
    spo2: int | None
    skin_temperature: float | None
    steps: int | None
    battery: int | None
    is_worn: bool


@dataclass(frozen=True, slots=True)
class FallCandidate:
    """An impact: its size in mg, how far the body turned in degrees (None: not known), and the window that follows in chunks."""

    peak_mg: int
    turn_degrees: int | None
    rate_hz: int
    peak_index: int


@dataclass(frozen=True, slots=True)
class BedMatState:
    """What the mat says: None for unknown. `movement` is 0..100."""

    is_occupied: bool | None
    respiration_rate: int | None
    heart_rate: int | None
    movement: int | None
    battery: int | None


@dataclass(frozen=True, slots=True)
class OximeterState:
    """One BCI packet: `pleth` 0..100, `signal` 0..15; without a finger there is no pulse, SpO2 or pleth."""

    pulse: int | None
    spo2: int | None
    pleth: int
    signal: int = 8
    is_beat: bool = False
    has_finger: bool = True


def wearable_vitals(vitals: WearableVitals) -> bytes:
    """Payload of WEARABLE_VITALS.

        HH OO TT TT SS SS BB FF
        HH heart rate, 0 none    SS steps, wraps after 65534; 65535 none
        OO SpO2 %, 0 none        BB battery %, 255 unknown
        TT skin temperature, signed, 0.01 C, 0x7FFF none    FF bit 0 worn

    Source: firmware_stubs/include/bridge_frame.h.
    """
    temperature = vitals.skin_temperature
    return _VITALS.pack(
        vitals.heart_rate or _NO_BYTE,
        vitals.spo2 or _NO_BYTE,
        _NO_TEMPERATURE if temperature is None else round(temperature * 100),
        _NO_STEPS if vitals.steps is None else vitals.steps % _NO_STEPS,
        _NO_BATTERY if vitals.battery is None else vitals.battery,
        int(vitals.is_worn),
    )


def fall_candidate(key: EventKey, age_ms: int, candidate: FallCandidate, chunks: int) -> bytes:
    """Payload of FALL_CANDIDATE.

        BB BB EE EE AA AA PP PP TT RR CC II II
        BB boot    EE event    AA age, ms since the impact, at most 65535    PP peak, mg    TT turn, degrees, 255 unknown
        RR samples per second  CC number of chunks    II index of the peak in the window

    Source: firmware_stubs/include/bridge_frame.h.
    """
    turn = _NO_TURN if candidate.turn_degrees is None else candidate.turn_degrees
    age_ms = min(age_ms, AGE_MS_MAX)
    return _CANDIDATE.pack(key.boot, key.event, age_ms, candidate.peak_mg, turn, candidate.rate_hz, chunks, candidate.peak_index)


def packed_scales(samples: Samples) -> NDArray[np.int64]:
    """Of each row of `samples` (N, 3) mg the finest step, mg, with which all three fit ten signed bits: 4, 8, 16 or 64."""
    wide = samples.astype(np.int64)
    largest = np.where(wide < 0, -wide - 1, wide).max(axis=1, initial=0)
    scales: NDArray[np.int64] = np.array(PACKED_STEPS_MG)[np.searchsorted((2048, 4096, 8192), largest, side="right")]
    return scales


def packed(samples: Samples) -> Samples:
    """`samples` (N, 3) mg as they come back from packing: the middle of the step in which each value lies."""
    steps = packed_scales(samples)[:, None]
    kept: Samples = (samples.astype(np.int64) // steps * steps + steps // 2).astype(np.int16)
    return kept


def packed_chunks(key: EventKey, samples: Samples) -> list[bytes]:
    """Payloads of PACKED_CHUNK that carry `samples` (N, 3) mg in order, CHUNK_SAMPLES_MAX in each but the last.

        BB BB EE EE II CC then n x (SS SS SS SS)
        BB boot    EE event    II index of this chunk    CC number of chunks
        SS bits 0-9 x, 10-19 y, 20-29 z, signed: the step in which the value lies; bits 30-31 the step of all three: 0 4 mg, 1 8 mg,
           2 16 mg, 3 64 mg

    Source: firmware_stubs/include/bridge_frame.h.
    """
    scales = packed_scales(samples)
    fields = samples.astype(np.int64) // scales[:, None] & 0x3FF
    scale = np.searchsorted(PACKED_STEPS_MG, scales)
    words = (fields[:, 0] | fields[:, 1] << 10 | fields[:, 2] << 20 | scale << 30).astype("<u4")
    parts = [words[at : at + CHUNK_SAMPLES_MAX] for at in range(0, len(words), CHUNK_SAMPLES_MAX)]
    return [_CHUNK.pack(key.boot, key.event, index, len(parts)) + part.tobytes() for index, part in enumerate(parts)]


def sos(key: EventKey, age_ms: int, kind: SosKind) -> bytes:
    """Payload of SOS: boot u16, event u16, age u16 in ms (at most 65535), kind u8."""
    return _SOS.pack(key.boot, key.event, min(age_ms, AGE_MS_MAX), kind)


def bed_mat(state: BedMatState) -> bytes:
    """Payload of BED_MAT.

        OO RR HH MM BB
        OO occupied 0, 1, 255 unknown    RR respiration, 0 none    HH heart rate, 0 none
        MM movement 0..100, 255 none     BB battery %, 255 unknown

    Source: firmware_stubs/include/bridge_frame.h.
    """
    return _BED_MAT.pack(
        _NO_LEVEL if state.is_occupied is None else int(state.is_occupied),
        state.respiration_rate or _NO_BYTE,
        state.heart_rate or _NO_BYTE,
        _NO_LEVEL if state.movement is None else state.movement,
        _NO_BATTERY if state.battery is None else state.battery,
    )


def ack(key: EventKey, answered: FrameType) -> bytes:
    """Payload of ACK: boot u16, event u16, type u8 of the frame it answers."""
    return _ACK.pack(key.boot, key.event, answered)


def parse_ack(frame: Frame) -> Ack | None:
    """The acknowledgement in a frame; None for any other frame and for an ACK of a wrong length."""
    if frame.type != FrameType.ACK or len(frame.payload) != _ACK.size:
        return None
    boot, event, answered = _ACK.unpack(frame.payload)
    return Ack(EventKey(boot, event), answered)


def parse_event_key(frame: Frame) -> EventKey | None:
    """Key of the event a frame of a wearable reports; None for frames without one."""
    if frame.type not in EVENT_FRAMES or len(frame.payload) < _EVENT.size:
        return None
    return EventKey(*_EVENT.unpack_from(frame.payload))


def bci_packet(state: OximeterState) -> bytes:
    """One packet of an oximeter that speaks the BCI protocol; 100 in a second.

        1 B U N SSSS | 0 PPPPPPP | 0 H F S GGGG | 0 hhhhhhh | 0 OOOOOOO      bits, most significant first
        B beat    U probe unplugged    N no signal    S signal    P pleth 1..100, 0 invalid
        Hh pulse, 8 bits, 255 invalid    F finger is out: bit 4, searching: bit 5    G bar    O SpO2, 127 invalid

    Source: BCI Protocol V1.2 (vendor document in zh2x/BCI_Protocol).
    """
    pulse = 255 if state.pulse is None else state.pulse
    out = 0 if state.has_finger else 0x10
    return bytes(
        (
            0x80 | state.is_beat << 6 | state.signal,
            state.pleth,
            (pulse & 0x80) >> 1 | out | state.pleth // 10,
            pulse & 0x7F,
            127 if state.spo2 is None else state.spo2,
        )
    )


def values_in(frame: Frame) -> int:
    """How many measured values a frame carries: what a gateway could make readings of. 0 for events."""
    if frame.type == FrameType.WEARABLE_VITALS and len(frame.payload) == _VITALS.size:
        heart_rate, spo2, temperature, _, battery, _ = _VITALS.unpack(frame.payload)
        return sum((heart_rate > 0, spo2 > 0, temperature != _NO_TEMPERATURE, battery != _NO_BATTERY))
    if frame.type == FrameType.BED_MAT and len(frame.payload) == _BED_MAT.size:
        occupied, respiration, heart_rate, movement, battery = _BED_MAT.unpack(frame.payload)
        return sum((occupied != _NO_LEVEL, respiration > 0, heart_rate > 0, movement != _NO_LEVEL, battery != _NO_BATTERY))
    return 0
