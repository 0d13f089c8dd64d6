"""python -m gateway run | check | decode | probe | pair: the daemon, and what an installer needs beside it."""

import argparse
import logging
import os
import signal
import sys
from pathlib import Path

from gateway import config as configuration
from gateway.bridges.serial_port import stable_name
from gateway.daemon import Daemon
from gateway.errors import BadInput, GatewayError

EXIT_SILENT = 1
EXIT_BAD_INPUT = 2
EXIT_BROKEN = 3


def main(argv: list[str] | None = None) -> int:
    """Run one command. Returns the exit code: 0 done, 1 a port or device is silent, 2 bad input, 3 the outbox cannot be written."""
    arguments = _parser().parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s", stream=sys.stderr)
    try:
        return COMMANDS[arguments.command](arguments)
    except GatewayError as error:
        print(f"jiahu gateway: {error}", file=sys.stderr)
        return EXIT_BAD_INPUT if isinstance(error, BadInput) else EXIT_BROKEN


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m gateway", description="The daemon in the home, and the installer's tools.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, what in (
        ("run", "read devices, keep and publish what they say"),
        ("check", "check the configuration file, and say which ports are missing"),
    ):
        command = commands.add_parser(name, help=what, description=what)
        command.add_argument("--config", type=Path, required=True, help="gateway TOML file, see deploy/gateway.example.toml")
    what = "say as JSON lines what captured bytes mean"
    command = commands.add_parser("decode", help=what, description=f"{what}: hexadecimal digits (or text) on the standard input")
    command.add_argument("type", metavar="TYPE", help="of the device; any other word names them all")
    command.add_argument("--context", action="append", default=[], metavar="KEY=VALUE", help="what the bytes do not say, e.g. format=8")
    what = "listen to a port and say which device this is 识别串口设备"
    command = commands.add_parser("probe", help=what, description=what)
    command.add_argument("port", metavar="PORT", help="a serial port, best by /dev/serial/by-id")
    command.add_argument("--type", action="append", default=[], metavar="TYPE", help="try only this type; may be repeated")
    what = "list the Bluetooth devices that are heard, or enrol one 蓝牙设备配对"
    command = commands.add_parser("pair", help=what, description=f"{what}. The gateway must not run meanwhile.")
    command.add_argument("address", metavar="ADDRESS", nargs="?", help="of the device, e.g. C1:22:33:44:55:66; without it, a list")
    command.add_argument("--config", type=Path, required=True, help="gateway TOML file with a section [bluetooth]")
    command.add_argument("--id", help="name of the device in this home, e.g. cuff-1; not needed if the file names it")
    command.add_argument("--passkey", metavar="DIGITS", help="the six digits on its label")
    command.add_argument("--wait", type=float, metavar="SECONDS", help="how long to listen; usual: 20 for a list, 60 for a device")
    return parser


def _run_daemon(arguments: argparse.Namespace) -> int:
    config = configuration.read(arguments.config)
    logging.info("gateway starts with %s", config.model_dump_json())
    daemon = Daemon(config)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: daemon.stop())
    daemon.run()
    return 0


def _check(arguments: argparse.Namespace) -> int:
    config = configuration.read(arguments.config)
    count = sum(len(port.device) for port in config.port) + (len(config.bluetooth.device) if config.bluetooth else 0)
    print(f"{arguments.config} is good: gateway {config.gateway_id}, {count} devices")
    if config.bluetooth is not None and (dongle := config.bluetooth.serial_path) is not None and not Path(dongle).exists():
        print(f"缺少蓝牙适配器 missing: {dongle} ([bluetooth] transport)")
    for port in config.port:
        if port.is_serial and not Path(port.path).exists():
            print(f"缺少端口 missing: {port.path} ({', '.join(device.id for device in port.device)})")
        elif port.is_serial and (better := stable_name(port.path)) != port.path:
            print(f"请改用固定的名字 use the name that stays: {better} instead of {port.path}")
    return 0


def _decode(arguments: argparse.Namespace) -> int:
    from gateway import decode  # with probe, what the daemon needs not and would keep in memory

    for line in decode.decode_input(arguments.type, sys.stdin.buffer.read(), decode.context_of(arguments.context)):
        print(line)
    return 0


def _probe(arguments: argparse.Namespace) -> int:
    from gateway import probe

    return EXIT_SILENT if not probe.run(arguments.port, arguments.type, print) else 0


def _pair(arguments: argparse.Namespace) -> int:
    home = configuration.read(arguments.config)
    if home.bluetooth is None:
        raise BadInput(f"{arguments.config} has no section [bluetooth]; see docs/bluetooth.md")
    from gateway import pair

    if arguments.address is None:
        is_done = pair.search(home, arguments.wait, _say)
    else:
        wanted = pair.wanted_of(home, arguments.address, arguments.id, arguments.passkey)
        is_done = pair.pair(home, wanted, arguments.wait, _say)
    return 0 if is_done else EXIT_SILENT


def _say(text: str) -> None:
    print(text, flush=True)


COMMANDS = {"run": _run_daemon, "check": _check, "decode": _decode, "probe": _probe, "pair": _pair}


if __name__ == "__main__":
    os.umask(0o077)  # what the daemon writes is health data
    sys.exit(main())
