"""`python -m simulators demo`: the whole chain on this machine, for a visitor or, with --seconds, unattended."""

from simulators.demo.show import main

__all__ = ["main"]
