"""Python's view of libbridge.so: the C structs, mirrored, and the functions with their types."""

import ctypes
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from gateway.bridges.framing import CONTENT_BYTES_MAX, WIRE_BYTES_MAX, Frame, FrameFault

OK, UNFINISHED = 0, 1
ERROR_SPACE, ERROR_LENGTH, ERROR_ADDRESS, ERROR_RATE, ERROR_PLACEMENT = -1, -2, -6, -7, -8
FAULTS = {
    -2: FrameFault.LENGTH,
    -3: FrameFault.COBS,
    -4: FrameFault.CHECKSUM,
    -5: FrameFault.VERSION,
    -6: FrameFault.ADDRESS,
}
TURN_UNKNOWN = 255
SOS_EVENTS_MAX = 4
FALL_EVENTS_MAX = 2
WAIST, CHEST, HIP, WRIST = range(4)
BONDS_MAX, PEERS_MAX = 16, 8
ACK_STUFFED_BYTES = 14
LINK_WIRE_BYTES = 97


class Acceleration(ctypes.Structure):
    """struct bridge_acceleration."""

    _fields_ = (("x", ctypes.c_int16), ("y", ctypes.c_int16), ("z", ctypes.c_int16))


class Sample(ctypes.Structure):
    """struct bridge_sample."""

    _fields_ = (
        ("acceleration", Acceleration),
        ("skin_temperature_centi_c", ctypes.c_int16),
        ("steps", ctypes.c_uint16),
        ("heart_rate_per_min", ctypes.c_uint8),
        ("spo2_percent", ctypes.c_uint8),
        ("battery_percent", ctypes.c_uint8),
        ("is_worn", ctypes.c_bool),
    )


class FrameStruct(ctypes.Structure):
    """struct bridge_frame."""

    _fields_ = (
        ("payload", ctypes.POINTER(ctypes.c_uint8)),
        ("address", ctypes.c_uint16),
        ("counter", ctypes.c_uint16),
        ("payload_bytes", ctypes.c_uint8),
        ("type", ctypes.c_uint8),
    )


class Reader(ctypes.Structure):
    """struct bridge_frame_reader."""

    _fields_ = (
        ("stuffed", ctypes.POINTER(ctypes.c_uint8)),
        ("space", ctypes.c_uint8),
        ("stuffed_bytes", ctypes.c_uint8),
        ("is_overlong", ctypes.c_bool),
    )


class FallParameters(ctypes.Structure):
    """struct bridge_fall_parameters."""

    _fields_ = (
        ("peak_mg", ctypes.c_uint16),
        ("turn_degrees", ctypes.c_uint8),
        ("after_centi_s", ctypes.c_uint8),
        ("piece_centi_s", ctypes.c_uint8),
    )


class FallDetector(ctypes.Structure):
    """struct bridge_fall_detector."""

    _fields_ = (
        ("ring", ctypes.POINTER(ctypes.c_uint32)),
        ("parameters", ctypes.POINTER(FallParameters)),
        ("ring_samples", ctypes.c_uint16),
        ("next", ctypes.c_uint16),
        ("filled", ctypes.c_uint16),
        ("peak_square", ctypes.c_uint32),
        ("ring_rate_hz", ctypes.c_uint8),
        ("judged_age", ctypes.c_uint8),
        ("is_halved", ctypes.c_bool),
        ("has_half", ctypes.c_bool),
        ("half", Acceleration),
    )


class FallCandidate(ctypes.Structure):
    """struct bridge_fall_candidate."""

    _fields_ = (("peak_mg", ctypes.c_uint16), ("peak_index", ctypes.c_uint16), ("turn_degrees", ctypes.c_uint8))


class SosButton(ctypes.Structure):
    """struct bridge_sos_button."""

    _fields_ = (
        ("changed_ms", ctypes.c_uint32),
        ("held_ms", ctypes.c_uint32),
        ("sos_ms", ctypes.c_uint32),
        ("fell_ms", ctypes.c_uint32),
        ("tapped_ms", ctypes.c_uint32),
        ("was_pressed", ctypes.c_bool),
        ("is_held", ctypes.c_bool),
        ("is_spent", ctypes.c_bool),
        ("is_cancelling", ctypes.c_bool),
        ("can_cancel", ctypes.c_bool),
        ("can_be_well", ctypes.c_bool),
        ("has_tapped", ctypes.c_bool),
    )


class Repeat(ctypes.Structure):
    """struct bridge_repeat."""

    _fields_ = (("happened_ms", ctypes.c_uint32), ("sent_ms", ctypes.c_uint32), ("event", ctypes.c_uint16), ("tries", ctypes.c_uint8))


class SosEvent(ctypes.Structure):
    """struct bridge_sos_event."""

    _fields_ = (("repeat", Repeat), ("kind", ctypes.c_uint8))


class FallEvent(ctypes.Structure):
    """struct bridge_fall_event."""

    _fields_ = (
        ("repeat", Repeat),
        ("candidate", FallCandidate),
        ("window_samples", ctypes.c_uint16),
        ("rate_hz", ctypes.c_uint8),
        ("chunks", ctypes.c_uint8),
        ("next_chunk", ctypes.c_uint8),
        ("is_waiting", ctypes.c_bool),
    )


class EventQueue(ctypes.Structure):
    """struct bridge_event_queue."""

    _fields_ = (
        ("windows", ctypes.POINTER(ctypes.c_uint32)),
        ("dropped", ctypes.c_uint32),
        ("given_up", ctypes.c_uint32),
        ("window_space", ctypes.c_uint16),
        ("boot", ctypes.c_uint16),
        ("next_event", ctypes.c_uint16),
        ("sos_count", ctypes.c_uint8),
        ("sos", SosEvent * SOS_EVENTS_MAX),
        ("falls", FallEvent * FALL_EVENTS_MAX),
    )


CLOCK = ctypes.CFUNCTYPE(ctypes.c_uint32, ctypes.c_void_p)
UART = ctypes.CFUNCTYPE(ctypes.c_size_t, ctypes.c_void_p, ctypes.POINTER(ctypes.c_uint8), ctypes.c_size_t)
SAMPLE_NEXT = ctypes.CFUNCTYPE(ctypes.c_bool, ctypes.c_void_p, ctypes.POINTER(Sample))
SOS_IS_PRESSED = ctypes.CFUNCTYPE(ctypes.c_bool, ctypes.c_void_p)
RANDOM = ctypes.CFUNCTYPE(ctypes.c_uint16, ctypes.c_void_p)
BATTERY = ctypes.CFUNCTYPE(ctypes.c_uint8, ctypes.c_void_p)
LOAD_NEXT = ctypes.CFUNCTYPE(ctypes.c_bool, ctypes.c_void_p, ctypes.POINTER(ctypes.c_uint16))


class RadioPacket(ctypes.Structure):
    """struct bridge_radio_packet."""

    _fields_ = (
        ("peer", ctypes.c_uint8 * 6),
        ("characteristic", ctypes.c_uint16),
        ("bytes", ctypes.c_uint8),
        ("value", ctypes.c_uint8 * 244),
    )


RADIO_READ = ctypes.CFUNCTYPE(ctypes.c_bool, ctypes.c_void_p, ctypes.POINTER(RadioPacket))
RADIO_WRITE = ctypes.CFUNCTYPE(
    ctypes.c_bool, ctypes.c_void_p, ctypes.POINTER(ctypes.c_uint8), ctypes.POINTER(ctypes.c_uint8), ctypes.c_size_t
)


class Hal(ctypes.Structure):
    """struct bridge_hal."""

    _fields_ = (
        ("context", ctypes.c_void_p),
        ("clock_ms", CLOCK),
        ("uart_read", UART),
        ("uart_write", UART),
        ("sample_next", SAMPLE_NEXT),
        ("sos_is_pressed", SOS_IS_PRESSED),
        ("random_u16", RANDOM),
        ("battery_percent", BATTERY),
        ("load_next", LOAD_NEXT),
        ("radio_read", RADIO_READ),
        ("radio_write", RADIO_WRITE),
    )


class Config(ctypes.Structure):
    """struct bridge_config."""

    _fields_ = (
        ("ring", ctypes.POINTER(ctypes.c_uint32)),
        ("windows", ctypes.POINTER(ctypes.c_uint32)),
        ("vitals_period_ms", ctypes.c_uint32),
        ("space_samples", ctypes.c_uint16),
        ("address", ctypes.c_uint16),
        ("rate_hz", ctypes.c_uint8),
        ("placement", ctypes.c_int),
    )


class Link(ctypes.Structure):
    """struct bridge_link."""

    _fields_ = (
        ("hal", ctypes.POINTER(Hal)),
        ("frames_rejected", ctypes.c_uint32),
        ("frames_cut_off", ctypes.c_uint32),
        ("moved_ms", ctypes.c_uint32),
        ("address", ctypes.c_uint16),
        ("next_counter", ctypes.c_uint16),
        ("wire_bytes", ctypes.c_uint16),
        ("wire_sent", ctypes.c_uint16),
        ("reader", Reader),
        ("stuffed", ctypes.c_uint8 * ACK_STUFFED_BYTES),
        ("wire", ctypes.c_uint8 * LINK_WIRE_BYTES),
    )


class Bridge(ctypes.Structure):
    """struct bridge."""

    _fields_ = (
        ("link", Link),
        ("events", EventQueue),
        ("fall_detector", FallDetector),
        ("sos_button", SosButton),
        ("sample", Sample),
        ("has_new_sample", ctypes.c_bool),
        ("vitals_period_ms", ctypes.c_uint32),
        ("vitals_ms", ctypes.c_uint32),
    )


MIRRORS: dict[str, type[ctypes.Structure]] = {
    "bridge_acceleration": Acceleration,
    "bridge_sample": Sample,
    "bridge_frame": FrameStruct,
    "bridge_frame_reader": Reader,
    "bridge_fall_parameters": FallParameters,
    "bridge_fall_detector": FallDetector,
    "bridge_fall_candidate": FallCandidate,
    "bridge_sos_button": SosButton,
    "bridge_event_queue": EventQueue,
    "bridge_hal": Hal,
    "bridge_radio_packet": RadioPacket,
    "bridge_config": Config,
    "bridge_link": Link,
    "bridge": Bridge,
}


@dataclass(frozen=True, slots=True)
class Candidate:
    """One candidate: at which sample it was given, and what it says."""

    decided_index: int
    peak_mg: int
    peak_index: int
    turn_degrees: int
    window: list[tuple[int, int, int]]


def window_samples(rate_hz: int) -> int:
    """BRIDGE_FALL_WINDOW_SAMPLES."""
    return 11 * (rate_hz // 2 if rate_hz > 50 else rate_hz) // 2


def unpack(packed: int) -> tuple[int, int, int]:
    """A packed sample as mg."""
    half_mg = (2, 4, 8, 32)[packed >> 30]
    x, y, z = (((packed >> at & 0x3FF) ^ 0x200) - 0x200 for at in (0, 10, 20))
    return (2 * x + 1) * half_mg, (2 * y + 1) * half_mg, (2 * z + 1) * half_mg


def rounded(samples: Iterable[tuple[int, int, int]]) -> list[tuple[int, int, int]]:
    """Samples in mg as they come back from packing: the middle of the finest step with which all axes fit ten bits."""
    kept = []
    for axes in samples:
        step_mg = next((step for step in (4, 8, 16) if all(-512 * step <= value < 512 * step for value in axes)), 64)
        x, y, z = (value // step_mg * step_mg + step_mg // 2 for value in axes)
        kept.append((x, y, z))
    return kept


def load(path: Path) -> ctypes.CDLL:
    """The library, with the types of what is called here."""
    library = ctypes.CDLL(str(path))
    pointer = ctypes.POINTER
    byte, size = ctypes.c_uint8, ctypes.c_size_t
    library.bridge_frame_checksum.argtypes = [ctypes.c_char_p, size]
    library.bridge_frame_checksum.restype = ctypes.c_uint16
    library.bridge_frame_seal.argtypes = [pointer(FrameStruct), pointer(byte), size]
    library.bridge_frame_feed.argtypes = [pointer(Reader), byte, pointer(FrameStruct)]
    library.bridge_fall_init.argtypes = [pointer(FallDetector), pointer(ctypes.c_uint32), size, byte, ctypes.c_int]
    library.bridge_fall_feed.argtypes = [pointer(FallDetector), Acceleration, pointer(FallCandidate)]
    library.bridge_fall_feed.restype = ctypes.c_bool
    library.bridge_fall_window.argtypes = [pointer(FallDetector), pointer(ctypes.c_uint32)]
    library.bridge_fall_window.restype = ctypes.c_uint16
    library.bridge_sos_note_fall.argtypes = [pointer(SosButton), ctypes.c_uint32]
    library.bridge_sos_note_fall.restype = None
    library.bridge_sos_feed.argtypes = [pointer(SosButton), ctypes.c_bool, ctypes.c_uint32]
    library.bridge_init.argtypes = [pointer(Bridge), pointer(Hal), pointer(Config)]
    library.bridge_poll.argtypes = [pointer(Bridge)]
    library.bridge_poll.restype = ctypes.c_bool
    library.bridge_is_idle.argtypes = [pointer(Bridge)]
    library.bridge_is_idle.restype = ctypes.c_bool
    return library


def seal(library: ctypes.CDLL, frame: Frame, *, space: int = WIRE_BYTES_MAX) -> bytes | int:
    """What bridge_frame_seal writes, or its error."""
    payload = (ctypes.c_uint8 * max(1, len(frame.payload))).from_buffer_copy(frame.payload or b"\0")
    struct = FrameStruct(payload, frame.address, frame.counter, len(frame.payload), frame.type)
    wire = (ctypes.c_uint8 * WIRE_BYTES_MAX)()
    written: int = library.bridge_frame_seal(struct, wire, space)
    return written if written < 0 else bytes(wire[:written])


def read(library: ctypes.CDLL, line: bytes) -> list[Frame | FrameFault]:
    """Frames and faults that bridge_frame_feed finds, in order."""
    memory = (ctypes.c_uint8 * (CONTENT_BYTES_MAX + 1))()
    reader, frame = Reader(memory, len(memory)), FrameStruct()
    found: list[Frame | FrameFault] = []
    for byte in line:
        status = library.bridge_frame_feed(reader, byte, frame)
        if status == OK:
            found.append(Frame(frame.type, frame.address, frame.counter, bytes(frame.payload[: frame.payload_bytes])))
        elif status != UNFINISHED:
            found.append(FAULTS[status])
    return found


def detect(library: ctypes.CDLL, samples: Iterable[tuple[int, int, int]], *, rate_hz: int = 50, placement: int = WAIST) -> list[Candidate]:
    """Candidates of a new detector over `samples` (x, y, z in mg)."""
    ring, window = ((ctypes.c_uint32 * window_samples(rate_hz))() for _ in range(2))
    detector, candidate = FallDetector(), FallCandidate()
    assert library.bridge_fall_init(detector, ring, len(ring), rate_hz, placement) == OK
    found = []
    for index, (x, y, z) in enumerate(samples):
        if library.bridge_fall_feed(detector, Acceleration(x, y, z), candidate):
            count = library.bridge_fall_window(detector, window)
            kept = [unpack(packed) for packed in window[:count]]
            found.append(Candidate(index, candidate.peak_mg, candidate.peak_index, candidate.turn_degrees, kept))
    return found
