"""`python -m gateway probe PORT`: which device is at this port, for the installer: tries the line settings of every driver and listens.

First it only listens at each setting, with the drivers of all devices that are sold with it; then, where nobody speaks, it asks with their
own start-up commands, one after another. A device is believed by whole frames without false ones between them: one where frames come
now and then, ten where they come all the time.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from contract.quantities import QUANTITIES, QuantityName
from gateway.bridges.framing import Frame, FrameReader
from gateway.bridges.serial_port import TROUBLE, SerialLine, open_line, stable_name
from gateway.devices import DRIVERS
from gateway.devices.driver import ALIVE, Alive, Command, Driver, Measurement, Options, Output, Reason, Refusal, Setting, Signal
from gateway.errors import BadInput

LISTEN_S = 1.2
LISTEN_LONGER_S: Mapping[str, float] = {"nonin_serial": 2.5}
"""Format 8 of Nonin comes once a second."""
SPEAK_S = 2.0
"""RFXtrx needs 0.5 s after its reset; a radar answers within 0.1 s."""
SHOW_S = 3.0
READ_BYTES_MAX = 4096
PROOF: Mapping[str, int] = {"bci_oximeter": 10, "contec_v5": 10, "contec_v7": 10, "nonin_serial": 4}
"""Values or signs of life that prove a device, where frames have no checksum (Nonin: two frames with two values); else 1 will do."""
BCI_PACKETS_PER_S = 80
"""BCI sends 100 packets a second, Contec V5 60: their bytes look the same."""

VARIANTS: Mapping[str, tuple[dict[str, str], ...]] = {"nonin_serial": ({"format": "2"}, {"format": "7"}, {"format": "8"})}
"""Settings of a driver that change what it hears; the first is what it is told when it is spoken to."""

Say = Callable[[str], None]


@dataclass(slots=True)
class Suspect:
    """A kind of device that may be at the port, and what speaks for it."""

    type: str
    settings: dict[str, str]
    driver: Driver
    address: int | None = None
    good: int = 0
    bad: int = 0
    values: dict[QuantityName, float] = field(default_factory=dict)
    events: list[str] = field(default_factory=list)
    is_doubtful: bool = False

    def weigh(self, outputs: Iterable[Output]) -> bytes:
        """Count what a driver made of some bytes. Returns what it wants to say."""
        said = b""
        for output in outputs:
            match output:
                case Command(data):
                    said += data
                case Refusal(reason) if reason not in ALIVE:
                    self.bad += 1
                case Measurement():
                    self.good += 1
                    self._keep(output)
                case Signal(kind):
                    self.good += 1
                    self.events.append(kind)
                case Alive() | Refusal():
                    self.good += 1
        return said

    def _keep(self, output: Measurement) -> None:
        if QUANTITIES[output.quantity].is_plausible(output.value):
            self.values[output.quantity] = output.value
        else:
            self.bad += 1

    @property
    def is_proven(self) -> bool:
        """True for enough whole frames, with next to no false ones: the first one may be cut."""
        return self.good >= PROOF.get(self.type, 1) and self.good > 5 * max(0, self.bad - 1)


def run(port: str, types: Iterable[str], say: Say) -> bool:
    """Probe a port, for all types or those named; whether a device was found. Raises BadInput for an unknown type or a port in use."""
    wanted = tuple(types) or tuple(DRIVERS)
    if unknown := [name for name in wanted if name not in DRIVERS]:
        raise BadInput(f"unknown type {unknown[0]!r}; known are {', '.join(sorted(DRIVERS))}")
    settings = settings_of(wanted)
    doubtful: list[tuple[Setting, Suspect]] = []
    for act, verb in ((_listen, "听 listening"), (_speak_to_each, "问 asking")):
        for setting in settings:
            say(f"{verb}: {_shown(setting)}")
            found = _with_line(port, setting, [name for name in wanted if setting in DRIVERS[name].line.settings()], act)
            doubtful += [(setting, suspect) for suspect in found if suspect.is_doubtful]
            if sure := [suspect for suspect in found if not suspect.is_doubtful]:
                return _tell(say, port, setting, sure)
    if doubtful:
        return _tell(say, port, doubtful[0][0], [doubtful[0][1]])
    say("没有认出设备；请检查电源、接线和是否在测量 no device was recognised; check power, cable, and that it is measuring")
    return False


def _tell(say: Say, port: str, setting: Setting, found: list[Suspect]) -> bool:
    for line in _report(port, setting, found):
        say(line)
    return True


def settings_of(types: Iterable[str]) -> list[Setting]:
    """Every line setting of these types once: the usual one of each first, then what else they are sold with."""
    each = [DRIVERS[name].line.settings() for name in types]
    longest = max((len(settings) for settings in each), default=0)
    return list(dict.fromkeys(settings[rank] for rank in range(longest) for settings in each if rank < len(settings)))


def _with_line(port: str, setting: Setting, types: list[str], act: Callable[[SerialLine, list[str]], list[Suspect]]) -> list[Suspect]:
    try:
        line = open_line(port, setting)
    except (*TROUBLE, ValueError) as error:
        raise BadInput(f"cannot open {port}: {error}. Is the path right, and is the gateway stopped? 请先停止网关") from error
    with line:
        return act(line, types)


def _suspects(types: Iterable[str]) -> list[Suspect]:
    return [
        Suspect(name, settings, DRIVERS[name](Options(settings)))
        for name in types
        if not DRIVERS[name].is_framed
        for settings in VARIANTS.get(name, ({},))
    ]


def _listen(line: SerialLine, types: list[str]) -> list[Suspect]:
    """Hear without a word what is said by itself. Frames of our own bridge show their devices by type and address."""
    suspects = _suspects(types)
    ours = _Bridge(types)
    began_s = time.monotonic()
    for data, now_s in _pieces(line, max(LISTEN_LONGER_S.get(name, LISTEN_S) for name in types)):
        for suspect in suspects:
            suspect.weigh(suspect.driver.feed(data, now_s))
        ours.feed(data, now_s)
    proven = [suspect for suspect in suspects if suspect.is_proven]
    for suspect in _likeliest(proven, time.monotonic() - began_s):
        for data, now_s in _pieces(line, SHOW_S):
            suspect.weigh(suspect.driver.feed(data, now_s))
        return [suspect]
    return ours.devices()


def _likeliest(proven: list[Suspect], passed_s: float) -> list[Suspect]:
    """Most frames first. Contec V5 and BCI hear the same packets: how many a second tells which of them it is."""
    names = {suspect.type: suspect for suspect in proven}
    if bci := names.get("bci_oximeter"):
        bci.is_doubtful = bci.good / max(1, len(bci.values)) / passed_s < BCI_PACKETS_PER_S
        if "contec_v5" in names:
            del names["bci_oximeter" if bci.is_doubtful else "contec_v5"]
    return sorted(names.values(), key=lambda suspect: suspect.good, reverse=True)


def _speak_to_each(line: SerialLine, types: list[str]) -> list[Suspect]:
    for name in types:
        if not DRIVERS[name].is_framed and (suspect := _speak(line, name)) is not None:
            return [suspect]
    return []


def _speak(line: SerialLine, name: str) -> Suspect | None:
    """Start a device as the gateway does, and go on talking with it as long as it answers."""
    settings = VARIANTS.get(name, ({},))[0]
    suspect = Suspect(name, settings, DRIVERS[name](Options(settings)))
    opening = suspect.weigh(suspect.driver.start(time.monotonic()))
    if not opening:
        return None
    line.write(opening)
    for show_s in (SPEAK_S, SHOW_S):
        for data, now_s in _pieces(line, show_s):
            said = suspect.weigh(suspect.driver.feed(data, now_s)) + suspect.weigh(suspect.driver.tick(now_s))
            if said:
                line.write(said)
        if not suspect.is_proven:
            return None
    return suspect


def _pieces(line: SerialLine, seconds: float) -> Iterator[tuple[bytes, float]]:
    """What is heard within `seconds`, also nothing, and when."""
    until_s = time.monotonic() + seconds
    while (now_s := time.monotonic()) < until_s:
        yield line.read(min(max(1, line.in_waiting), READ_BYTES_MAX)), now_s


class _Bridge:
    """State: devices of our own firmware heard so far, by type and address."""

    def __init__(self, types: list[str]) -> None:
        self._types = [name for name in types if DRIVERS[name].is_framed]
        self._reader = FrameReader()
        self._heard: dict[tuple[str, int], Suspect] = {}

    def feed(self, data: bytes, now_s: float) -> None:
        """Take bytes of the line."""
        for frame in self._reader.feed(data):
            if isinstance(frame, Frame):
                self._take(frame, now_s)

    def devices(self) -> list[Suspect]:
        """All that were understood: of each address the type that understood most, for wearable and pendant have the same press."""
        best: dict[int | None, Suspect] = {}
        for suspect in self._heard.values():
            if suspect.good > (best[suspect.address].good if suspect.address in best else 0):
                best[suspect.address] = suspect
        return list(best.values())

    def _take(self, frame: Frame, now_s: float) -> None:
        for name in self._types:
            suspect = self._heard.get((name, frame.address)) or Suspect(name, {}, DRIVERS[name](), frame.address)
            outputs = list(suspect.driver.take(frame, now_s))
            if Refusal(Reason.UNKNOWN_TYPE) not in outputs:
                self._heard[name, frame.address] = suspect
                suspect.weigh(outputs)


def _report(port: str, setting: Setting, found: list[Suspect]) -> Iterator[str]:
    for suspect in found:
        yield f"找到 found: {suspect.type} ({_shown(setting)})"
        if suspect.address is not None:
            yield f"  地址 address {suspect.address}"
        for name, value in suspect.values.items():
            row = QUANTITIES[name]
            yield f"  {row.title_zh} {row.title_en}: {value:.{row.decimals}f} {row.unit}"
        yield from (f"  事件 event: {event}" for event in dict.fromkeys(suspect.events))
        if not suspect.values and not suspect.events:
            yield "  设备在说话，但还没有数值 it speaks, but has no value yet"
    yield "配置 for gateway.toml:"
    yield from _toml(port, setting, found)


def _toml(port: str, setting: Setting, found: list[Suspect]) -> Iterator[str]:
    yield "[[port]]"
    yield f'path = "{stable_name(port)}"'
    usual = DRIVERS[found[0].type].line.settings()[0]
    if setting != usual:
        yield f"baud = {setting.baud}"
        yield f'parity = "{setting.parity}"'
    for suspect in found:
        yield "[[port.device]]"
        yield f'id = "{suspect.type.replace("_", "-")}-1"'
        yield f'type = "{suspect.type}"'
        if suspect.address is not None:
            yield f"address = {suspect.address}"
        if suspect.settings:
            words = ", ".join(f'{key} = "{value}"' for key, value in suspect.settings.items())
            yield f"settings = {{{words}}}"


def _shown(setting: Setting) -> str:
    return f"{setting.baud} 8{setting.parity}{setting.stop_bits}" + ("" if setting.dtr else ", DTR off")
