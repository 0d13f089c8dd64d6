"""Python's view of libbridge.so: the C structs, mirrored, and the functions with their types."""

import ctypes
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from gateway.bridges.framing import CONTENT_BYTES_MAX, WIRE_BYTES_MAX, Frame, FrameFault

OK, UNFINISHED = 0, 1
ERROR_SPACE, ERROR_LENGTH, ERROR_ADDRESS, ERROR_RATE = -1, -2, -6, -7
FAULTS = {
    -2: FrameFault.LENGTH,
    -3: FrameFault.COBS,
    -4: FrameFault.CHECKSUM,
    -5: FrameFault.VERSION,
    -6: FrameFault.ADDRESS,
}
TURN_UNKNOWN = 255
SOS_EVENTS_MAX = 4


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
        ("stuffed", ctypes.c_uint8 * (CONTENT_BYTES_MAX + 1)),
        ("stuffed_bytes", ctypes.c_uint8),
        ("is_overlong", ctypes.c_bool),
    )


class FallDetector(ctypes.Structure):
    """struct bridge_fall_detector."""

    _fields_ = (
        ("ring", ctypes.POINTER(Acceleration)),
        ("ring_samples", ctypes.c_uint16),
        ("next", ctypes.c_uint16),
        ("filled", ctypes.c_uint16),
        ("rate_hz", ctypes.c_uint8),
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
        ("was_pressed", ctypes.c_bool),
        ("is_held", ctypes.c_bool),
        ("is_spent", ctypes.c_bool),
        ("is_cancelling", ctypes.c_bool),
        ("can_cancel", ctypes.c_bool),
    )


class Repeat(ctypes.Structure):
    """struct bridge_repeat."""

    _fields_ = (("happened_ms", ctypes.c_uint32), ("sent_ms", ctypes.c_uint32), ("event", ctypes.c_uint16), ("tries", ctypes.c_uint8))


class SosEvent(ctypes.Structure):
    """struct bridge_sos_event."""

    _fields_ = (("repeat", Repeat), ("kind", ctypes.c_int))


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
        ("window", ctypes.POINTER(Acceleration)),
        ("dropped", ctypes.c_uint32),
        ("given_up", ctypes.c_uint32),
        ("boot", ctypes.c_uint16),
        ("next_event", ctypes.c_uint16),
        ("sos_count", ctypes.c_uint8),
        ("sos", SosEvent * SOS_EVENTS_MAX),
        ("fall", FallEvent),
    )


CLOCK = ctypes.CFUNCTYPE(ctypes.c_uint32, ctypes.c_void_p)
UART = ctypes.CFUNCTYPE(ctypes.c_size_t, ctypes.c_void_p, ctypes.POINTER(ctypes.c_uint8), ctypes.c_size_t)
SAMPLE_NEXT = ctypes.CFUNCTYPE(ctypes.c_bool, ctypes.c_void_p, ctypes.POINTER(Sample))
SOS_IS_PRESSED = ctypes.CFUNCTYPE(ctypes.c_bool, ctypes.c_void_p)
RANDOM = ctypes.CFUNCTYPE(ctypes.c_uint16, ctypes.c_void_p)


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
    )


class Config(ctypes.Structure):
    """struct bridge_config."""

    _fields_ = (
        ("ring", ctypes.POINTER(Acceleration)),
        ("window", ctypes.POINTER(Acceleration)),
        ("vitals_period_ms", ctypes.c_uint32),
        ("space_samples", ctypes.c_uint16),
        ("address", ctypes.c_uint16),
        ("rate_hz", ctypes.c_uint8),
    )


class Bridge(ctypes.Structure):
    """struct bridge."""

    _fields_ = (
        ("hal", Hal),
        ("events", EventQueue),
        ("fall_detector", FallDetector),
        ("sos_button", SosButton),
        ("sample", Sample),
        ("frames_rejected", ctypes.c_uint32),
        ("frames_cut_off", ctypes.c_uint32),
        ("vitals_period_ms", ctypes.c_uint32),
        ("vitals_ms", ctypes.c_uint32),
        ("moved_ms", ctypes.c_uint32),
        ("address", ctypes.c_uint16),
        ("next_counter", ctypes.c_uint16),
        ("wire_bytes", ctypes.c_uint16),
        ("wire_sent", ctypes.c_uint16),
        ("has_new_sample", ctypes.c_bool),
        ("reader", Reader),
        ("wire", ctypes.c_uint8 * WIRE_BYTES_MAX),
    )


MIRRORS: dict[str, type[ctypes.Structure]] = {
    "bridge_acceleration": Acceleration,
    "bridge_sample": Sample,
    "bridge_frame": FrameStruct,
    "bridge_frame_reader": Reader,
    "bridge_fall_detector": FallDetector,
    "bridge_fall_candidate": FallCandidate,
    "bridge_sos_button": SosButton,
    "bridge_event_queue": EventQueue,
    "bridge_hal": Hal,
    "bridge_config": Config,
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
    return 11 * rate_hz // 2


def load(path: Path) -> ctypes.CDLL:
    """The library, with the types of what is called here."""
    library = ctypes.CDLL(str(path))
    pointer = ctypes.POINTER
    byte, size = ctypes.c_uint8, ctypes.c_size_t
    library.bridge_frame_checksum.argtypes = [ctypes.c_char_p, size]
    library.bridge_frame_checksum.restype = ctypes.c_uint16
    library.bridge_frame_seal.argtypes = [pointer(FrameStruct), pointer(byte), size]
    library.bridge_frame_feed.argtypes = [pointer(Reader), byte, pointer(FrameStruct)]
    library.bridge_fall_init.argtypes = [pointer(FallDetector), pointer(Acceleration), size, byte]
    library.bridge_fall_feed.argtypes = [pointer(FallDetector), Acceleration, pointer(FallCandidate)]
    library.bridge_fall_feed.restype = ctypes.c_bool
    library.bridge_fall_window.argtypes = [pointer(FallDetector), pointer(Acceleration)]
    library.bridge_fall_window.restype = ctypes.c_uint16
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
    reader, frame = Reader(), FrameStruct()
    found: list[Frame | FrameFault] = []
    for byte in line:
        status = library.bridge_frame_feed(reader, byte, frame)
        if status == OK:
            found.append(Frame(frame.type, frame.address, frame.counter, bytes(frame.payload[: frame.payload_bytes])))
        elif status != UNFINISHED:
            found.append(FAULTS[status])
    return found


def detect(library: ctypes.CDLL, samples: Iterable[tuple[int, int, int]], *, rate_hz: int = 50) -> list[Candidate]:
    """Candidates of a new detector over `samples` (x, y, z in mg)."""
    ring, window = (Acceleration * window_samples(rate_hz))(), (Acceleration * window_samples(rate_hz))()
    detector, candidate = FallDetector(), FallCandidate()
    assert library.bridge_fall_init(detector, ring, len(ring), rate_hz) == OK
    found = []
    for index, (x, y, z) in enumerate(samples):
        if library.bridge_fall_feed(detector, Acceleration(x, y, z), candidate):
            count = library.bridge_fall_window(detector, window)
            kept = [(a.x, a.y, a.z) for a in window[:count]]
            found.append(Candidate(index, candidate.peak_mg, candidate.peak_index, candidate.turn_degrees, kept))
    return found
