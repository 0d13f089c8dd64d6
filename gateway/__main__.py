"""python -m gateway run | check | decode | probe: the daemon, and what an installer needs beside it."""

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
    """Run one command. Returns the exit code: 0 done, 1 a port is missing or silent, 2 bad input, 3 the outbox cannot be written."""
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
    print(f"{arguments.config} is good: gateway {config.gateway_id}, {sum(len(port.device) for port in config.port)} devices")
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


COMMANDS = {"run": _run_daemon, "check": _check, "decode": _decode, "probe": _probe}


if __name__ == "__main__":
    os.umask(0o077)  # what the daemon writes is health data
    sys.exit(main())
