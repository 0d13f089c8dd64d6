"""`python -m simulators COMMAND ...`: pick the command."""

import importlib
import sys

COMMANDS = {
    "bluetooth": ("simulators.bluetooth.__main__", "Bluetooth health devices behind a dongle on a pseudo terminal"),
    "demo": ("simulators.demo", "the whole chain on this machine: homes, gateways, broker, backend"),
    "faults": ("simulators.faults", "the proof that nothing is lost: the whole chain, and everything that can break in it"),
    "homes": ("simulators.homes", "only the homes of a scenario, on pseudo terminals"),
    "instruments": ("simulators.instruments.__main__", "serial devices as they are sold, each on a pseudo terminal"),
    "replay": ("simulators.replay", "a recording of one's own, through a wearable on a pseudo terminal"),
}
"""Command: module with a function `main(argv) -> exit code`, imported when it is chosen, and what it does."""


def main(argv: list[str]) -> int:
    """Run the command named first. Returns its exit code, 2 for a name that is none."""
    if not argv or argv[0] not in COMMANDS:
        wanted_help = argv[:1] in (["-h"], ["--help"])
        print(_usage(), file=sys.stdout if wanted_help else sys.stderr)
        return 0 if wanted_help else 2
    code: int = importlib.import_module(COMMANDS[argv[0]][0]).main(argv[1:])
    return code


def _usage() -> str:
    lines = [f"  {name:<11} {what}" for name, (_, what) in COMMANDS.items()]
    return "\n".join(["usage: python -m simulators COMMAND ...", "", *lines])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
