"""python -m gateway run | check: reads the TOML file, refuses a bad one in one clear line, runs the daemon."""

import argparse
import logging
import os
import signal
import sys
from pathlib import Path

from gateway import config as configuration
from gateway.daemon import Daemon
from gateway.errors import BadInput, GatewayError

EXIT_BAD_INPUT = 2
EXIT_BROKEN = 3


def main(argv: list[str] | None = None) -> int:
    """Run one command. Returns the exit code: 0 done, 2 bad configuration, 3 the outbox cannot be written."""
    parser = argparse.ArgumentParser(prog="python -m gateway", description="The daemon in the home.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, what in (("run", "read devices, keep and publish what they say"), ("check", "only check the configuration file")):
        command = commands.add_parser(name, help=what, description=what)
        command.add_argument("--config", type=Path, required=True, help="gateway TOML file, see deploy/gateway.example.toml")
    arguments = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s", stream=sys.stderr)
    try:
        config = configuration.read(arguments.config)
        if arguments.command == "check":
            print(f"{arguments.config} is good: gateway {config.gateway_id}, {sum(len(port.device) for port in config.port)} devices")
            return 0
        logging.info("gateway starts with %s", config.model_dump_json())
        _run(Daemon(config))
    except GatewayError as error:
        print(f"jiahu gateway: {error}", file=sys.stderr)
        return EXIT_BAD_INPUT if isinstance(error, BadInput) else EXIT_BROKEN
    return 0


def _run(daemon: Daemon) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: daemon.stop())
    daemon.run()


if __name__ == "__main__":
    os.umask(0o077)  # what the daemon writes is health data
    sys.exit(main())
