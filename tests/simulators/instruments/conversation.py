"""A driver and a simulated instrument talk in virtual time, as the pipeline and a port would let them."""

from collections.abc import Callable

from gateway.devices.driver import Command, Driver, Output
from simulators.instruments.instrument import Instrument

STEP_S = 0.1


def converse(driver: Driver, instrument: Instrument, until_s: float, change: Callable[[float], None] | None = None) -> list[Output]:
    """All outputs of the driver but its commands, which the instrument hears. `change` may alter the instrument before each step."""
    heard: list[Output] = []
    waiting = list(driver.start(0.0))
    now_s = 0.0
    while now_s <= until_s:
        if change is not None:
            change(now_s)
        waiting += [*driver.feed(instrument.write(now_s), now_s), *driver.tick(now_s)]
        while waiting:
            output = waiting.pop(0)
            if isinstance(output, Command):
                waiting += driver.feed(instrument.answer(output.data, now_s), now_s)
            else:
                heard.append(output)
        now_s = round(now_s + STEP_S, 3)
    return heard
