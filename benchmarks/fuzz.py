"""`python -m benchmarks.fuzz --frames 10000000`: damaged frames and noise into every driver. None may raise, grow, or make values up.

Three kinds of damage, cut at random before the driver gets them:
    one byte   of a frame is another one: with a checksum this must never give a value or an event that no whole frame gives
    pieces     frames are cut off, doubled, swapped, or have noise between them
    noise      bytes at random, with the starts of frames among them
For the last two, and for devices without a checksum, a value that can be is all that can be asked: 8 bits let one of 256 through.
"""

import argparse
import random
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from contract.events import EventKind
from contract.quantities import QUANTITIES, QuantityName
from gateway.devices import DRIVERS
from gateway.devices.driver import Driver, Enrolled, Meaning, Measurement, Options, Signal
from simulators.instruments.cuffs import Bm65, CuffReading, Visomat
from simulators.instruments.hlk import Ld1125h, Ld2410, Ld2450
from simulators.instruments.instrument import Instrument
from simulators.instruments.oximeters import Bci, Contec5, Nonin, contec7, nonin_result
from simulators.instruments.radar_sy import sy_frame
from simulators.instruments.radar_tinyframe import RadarTinyFrame
from simulators.instruments.receivers import EnoceanReceiver, RflinkReceiver, RfxtrxReceiver

AT = datetime(2026, 3, 1, 7, 30)
EMFIT = {"SER": "002177", "PRES": 1, "TS": 0, "TS_R": 84213, "HR": 61, "RR": 14.2, "ACT": 35}
STREAM_FRAMES = 60
CUTS_MAX = 12
NOISE_BYTES_MAX = 40
GROWTH_BYTES_MAX = 64 * 1024 * 1024
SHARES = (0.5, 0.3, 0.2)
"""Of one byte, pieces, noise."""

Said = tuple[QuantityName, float] | EventKind


@dataclass(frozen=True, slots=True)
class Target:
    """A driver and whole frames of its device. `is_checked`: frames have a checksum that shows one changed byte."""

    name: str
    options: Options
    frames: list[bytes]
    is_checked: bool

    def driver(self) -> Driver:
        """A fresh one."""
        return DRIVERS[self.name](self.options)


@dataclass(slots=True)
class Tally:
    """What was fed, and what was said that should not have been."""

    frames: int = 0
    false_values: int = 0
    impossible: int = 0


def targets() -> list[Target]:
    """Every driver of a device that speaks raw bytes, with frames from the simulated device."""
    enrolled = (Enrolled("room-1", "0181b744", Meaning.CLIMATE, eep="A5-02-05"), Enrolled("door-1", "01825dab", Meaning.DOOR))
    receiver, rflink, rfxtrx = EnoceanReceiver(), RflinkReceiver(), RfxtrxReceiver()
    receiver.tell_temperature("0181b744", 21.0)
    enocean = [receiver.write(0.0)]
    rflink.tell("UPM/Esic", "0001", "TEMP=00cf;HUM=16;BAT=OK")
    rfxtrx.security("d3dc54", 0)
    page = b"".join(f"{key}={value}<br>\r\n".encode() for key, value in EMFIT.items()) + b"\x0c"
    room = '{"topic": "zigbee2mqtt/room", "retained": false, "payload": {"temperature": 21.5, "battery": 80}}\n'
    return [
        Target("bci_oximeter", Options(), _frames(Bci(), 5), False),
        Target("bp_beurer_bm65", Options(), [b"\x55", b"\x01", Bm65([CuffReading(AT, 132, 84, 71)]).answer(b"\xa3\x01", 0.0)], False),
        Target("bp_visomat", Options(), [Visomat([CuffReading(AT, 132, 84, 71)]).answer(b"\2R00\3", 0.0)], False),
        Target("contec_v5", Options(), _frames(Contec5(), 5), False),
        Target("contec_v7", Options(), [contec7(0x01, 5, 51, 6, 72, 97, 0xA4, 1), contec7(0x0C), contec7(0x0F, *(97, 70) * 3)], False),
        Target("emfit_qs", Options(), [page], False),
        Target("enocean_esp3", Options(enrolled=enrolled), enocean, True),
        Target("hlk_ld1125h", Options(), [Ld1125h().write(0.0), b"rmax is 6.00\r\n"], False),
        Target("hlk_ld2410", Options(), [Ld2410().write(0.0)], False),
        Target("hlk_ld2450", Options(), [Ld2450().write(0.0)], False),
        Target("nonin_serial", Options({"format": "2"}), [_nonin("2")], True),
        Target("nonin_serial", Options({"format": "7"}), [_nonin("7")], True),
        Target("nonin_serial", Options({"format": "8"}), [bytes((0x80, 72, 97, 0))], False),
        Target("nonin_spot", Options(), [nonin_result(AT, 72, 97)], True),
        Target("radar_sy", Options({"dialect": "2"}), _sy(), True),
        Target("radar_tinyframe", Options({"model": "heart"}), _frames_of_time(RadarTinyFrame()), True),
        Target("radar_tinyframe", Options({"model": "fall"}), _frames_of_time(RadarTinyFrame(model="fall")), True),
        Target("rflink", Options(), [rflink.write(0.0)], False),
        Target("rfxtrx", Options(), [rfxtrx.write(0.0)], False),
        Target("rtl433_json", Options(), [b'{"model":"X10-Security","id":"3133","code":"85","event":"CLOSED","battery_ok":1}\n'], False),
        Target("zigbee2mqtt", Options(), [room.encode()], False),
    ]


def run(frames: int, seed: int, *, chosen: list[Target] | None = None, say: Callable[[str], None] = print) -> dict[str, Tally]:
    """Feed so many frames, shared evenly. Returns the tally of each target; raises what a driver raises, with the seed in the note."""
    every = chosen or targets()
    tallies: dict[str, Tally] = {}
    for number, target in enumerate(every):
        tally = tallies.setdefault(target.name, Tally())
        began_s = time.perf_counter()
        _feed(target, frames // len(every), random.Random(f"{seed}-{number}"), tally, f"{target.name}, seed {seed}-{number}")
        say(f"{target.name:<16} {tally.frames:>10} frames {time.perf_counter() - began_s:8.1f} s  {tally.false_values} false values")
    return tallies


def measure(seconds: float) -> dict[str, float]:
    """Frames per second through all drivers, and what was false among what they said."""
    began_s = time.perf_counter()
    tallies = run(round(seconds * 20_000), 1, say=lambda line: None)
    frames = sum(tally.frames for tally in tallies.values())
    return {
        "frames_per_s": frames / (time.perf_counter() - began_s),
        "false_values": sum(tally.false_values for tally in tallies.values()),
        "impossible_values": sum(tally.impossible for tally in tallies.values()),
    }


def _feed(target: Target, frames: int, source: random.Random, tally: Tally, note: str) -> None:
    whole = set(_said(target.driver(), [b"".join(target.frames * 20)], 0.0))
    driver, now_s, fed = target.driver(), 100.0, 0
    while fed < frames:
        kind = source.choices(range(3), SHARES)[0]
        stream = (_one_byte, _pieces, _noise)[kind](target, source)
        fed += STREAM_FRAMES
        now_s += 3.0  # long enough for a frame that was begun to be given up, and for a press to be another one
        try:
            said = _said(driver, _cut(stream, source), now_s)
        except Exception as error:
            error.add_note(f"{note}: {stream.hex()}")
            raise
        if kind == 0 and target.is_checked:
            tally.false_values += sum(one not in whole for one in said)
        tally.impossible += sum(not _can_be(one) for one in said)
        if kind:
            driver = target.driver()  # what pieces and noise have left behind is no part of the next stream
    tally.frames += fed


def _said(driver: Driver, pieces: list[bytes], now_s: float) -> list[Said]:
    outputs = [output for piece in pieces for output in driver.feed(piece, now_s)]
    outputs += driver.tick(now_s + 2.0)
    values: list[Said] = [(one.quantity, one.value) for one in outputs if isinstance(one, Measurement)]
    return values + [one.kind for one in outputs if isinstance(one, Signal)]


def _can_be(said: Said) -> bool:
    """False for what even the pipeline's range would not explain: no number at all, or 0 where 0 is unknown."""
    if isinstance(said, EventKind):
        return True
    name, value = said
    return value == value and abs(value) < 1e9 and (value != 0 or QUANTITIES[name].low <= 0)


def _one_byte(target: Target, source: random.Random) -> bytes:
    stream = bytearray()
    for _ in range(STREAM_FRAMES):
        frame = bytearray(source.choice(target.frames))
        if source.random() < 0.5:
            frame[source.randrange(len(frame))] ^= source.randrange(1, 256)
        stream += frame
        stream += source.choice(target.frames) if source.random() < 0.3 else b""
    return bytes(stream)


def _pieces(target: Target, source: random.Random) -> bytes:
    stream = bytearray()
    for _ in range(STREAM_FRAMES):
        frame = source.choice(target.frames)
        begin, end = sorted(source.choices(range(len(frame) + 1), k=2))
        noise = source.randbytes(begin % 7)
        stream += source.choice((frame, frame[:end], frame[begin:], frame[begin:end], frame + frame[:end], noise + frame))
    return bytes(stream)


def _noise(target: Target, source: random.Random) -> bytes:
    starts = [frame[: source.randrange(1, 8)] for frame in target.frames]
    return b"".join(source.randbytes(source.randrange(NOISE_BYTES_MAX)) + source.choice(starts) for _ in range(STREAM_FRAMES))


def _cut(stream: bytes, source: random.Random) -> list[bytes]:
    edges = sorted(source.randrange(len(stream) + 1) for _ in range(source.randrange(CUTS_MAX)))
    return [stream[begin:end] for begin, end in zip([0, *edges], [*edges, len(stream)], strict=True)]


def _frames(instrument: Instrument, frame_bytes: int) -> list[bytes]:
    said = instrument.write(0.0)
    return [said[at : at + frame_bytes] for at in range(0, len(said), frame_bytes)]


def _frames_of_time(instrument: Instrument) -> list[bytes]:
    said = [instrument.write(step / 10) for step in range(40)]
    return [one for one in said if one]


def _sy() -> list[bytes]:
    wave = (128,) * 5
    return [
        *(sy_frame(0x85, 0x02, 68), sy_frame(0x81, 0x02, 15), sy_frame(0x80, 0x03, 3), sy_frame(0x80, 0x04, 0, 120)),
        *(sy_frame(0x80, 0x01, 1), sy_frame(0x84, 0x01, 1), sy_frame(0x85, 0x05, *wave), sy_frame(0x81, 0x05, *wave)),
    ]


def _nonin(number: str) -> bytes:
    oximeter = Nonin(data_format=int(number))
    packet = b"".join(oximeter.write(step / 75) for step in range(26))
    return packet[:125]


def main(argv: list[str]) -> int:
    """Returns 1 where something false was said, or memory has grown."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fuzz", description="Damaged frames into every driver.")
    parser.add_argument("--frames", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000))
    arguments = parser.parse_args(argv)
    run(2_000 * len(targets()), 0, say=lambda line: None)
    before = _peak_bytes()
    tallies = run(arguments.frames, arguments.seed)
    grown = _peak_bytes() - before
    false = sum(tally.false_values + tally.impossible for tally in tallies.values())
    frames = sum(tally.frames for tally in tallies.values())
    print(f"seed {arguments.seed}: {frames} frames, {false} false values, memory grew by {grown / 1e6:.1f} MB")
    return 1 if false or grown > GROWTH_BYTES_MAX else 0


def _peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
