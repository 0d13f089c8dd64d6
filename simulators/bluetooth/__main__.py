"""`python -m simulators bluetooth LINK`: a simulated dongle at LINK and one device of each profile in the air, until interrupted."""

import argparse
import random
import signal
import sys
import threading
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from simulators.bluetooth import values
from simulators.bluetooth.air import Air
from simulators.bluetooth.devices import Belt, Cuff, GlucoseMeter, Memory, Oximeter, Scale, Thermometer
from simulators.bluetooth.peripheral import BONDED, Peripheral, Security

MEASURE_S = 15.0
PASSKEY = 4217


def main(argv: list[str]) -> int:
    """Keep them going. Returns 0 when interrupted or terminated."""
    what = "Simulated Bluetooth health devices behind a simulated dongle."
    parser = argparse.ArgumentParser(prog="python -m simulators bluetooth", description=what)
    parser.add_argument("link", type=Path, help="where the dongle's port appears")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--timezone", type=ZoneInfo, default=ZoneInfo("Asia/Shanghai"), help="what the devices' clocks show")
    arguments = parser.parse_args(argv)
    random.seed(arguments.seed)
    with Air(arguments.link) as air:
        devices = _devices(_clock(arguments.timezone))
        air.add(*devices.values())
        print(_section(arguments.link, devices), flush=True)
        _measure_until_interrupted(air, devices, arguments.timezone)
    return 0


def _devices(now: datetime) -> dict[str, Peripheral]:
    """The cuff has three old records, the meter ten; the cuff and the meter want to be paired with."""
    cuff, meter = Cuff("C1:00:00:00:00:01", BONDED), GlucoseMeter("C1:00:00:00:00:05", Security(True, passkey=PASSKEY))
    cuff.stored = [values.blood_pressure(140 + days, 85, None, 70, now - timedelta(days=days)) for days in (3, 2, 1)]
    meter.records = {number: values.glucose(number, now - timedelta(hours=12 * (10 - number)), 5 + number / 10) for number in range(1, 11)}
    return {
        "cuff-1": cuff,
        "oximeter-1": Oximeter("C1:00:00:00:00:02"),
        "belt-1": Belt("C1:00:00:00:00:03"),
        "thermometer-1": Thermometer("C1:00:00:00:00:04"),
        "meter-1": meter,
        "scale-1": Scale("C1:00:00:00:00:06"),
    }


def _section(link: Path, devices: dict[str, Peripheral]) -> str:
    lines = ["[bluetooth]", f'transport = "serial:{link},115200"', f"links_max = {len(devices)}", "device = ["]
    for name, device in devices.items():
        passkey = f', passkey = "{device.security.passkey:06}"' if device.security.passkey is not None else ""
        lines.append(f'    {{ id = "{name}", address = "{device.address}"{passkey} }},')
    return "\n".join([*lines, "]"])


def _clock(zone: ZoneInfo) -> datetime:
    return datetime.now(zone).replace(tzinfo=None)


def _measure_until_interrupted(air: Air, devices: dict[str, Peripheral], zone: ZoneInfo) -> None:
    is_over = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: is_over.set())
    while not is_over.wait(MEASURE_S):
        now = _clock(zone)
        results = {
            "cuff-1": values.blood_pressure(random.randint(118, 150), random.randint(70, 92), None, random.randint(60, 85), now),
            "thermometer-1": values.temperature(random.randint(3620, 3720) / 100, now),
            "scale-1": values.weight(random.randint(6100, 6200) / 100, now),
        }
        for name, value in results.items():
            device = devices[name]
            if isinstance(device, Memory):
                air.start(device.measure(value))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
