"""Named stories: homes with their devices, what happens when, and the alerts and visits it must cause. TOML, refused when wrong."""

import tomllib
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from contract.events import EventKind
from contract.message import GatewayId
from contract.quantities import QuantityName
from simulators.home import Doing, Placement
from simulators.vitals import Sign

SCENARIOS = Path(__file__).parent / "scenarios"
HOMES_MAX = 200
STEPS_MAX = 1000

Chance = Annotated[float, Field(ge=0, le=1)]
Seconds = Annotated[float, Field(ge=0, le=7 * 24 * 3600)]


class ScenarioError(ValueError):
    """A scenario file that cannot be played; the message is one line and names file and key."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Move(_Part):
    """The elder does this from now on; without `doing` goes back to the plan of the day."""

    do: Literal["move"] = "move"
    doing: Doing | None = None


class Fall(_Part):
    """The elder falls and stays on the floor until a `move`."""

    do: Literal["fall"] = "fall"


class Sos(_Part):
    """The button is held long enough to call; `is_cancel`: held long enough to take a call back. A pendant is there with the firmware."""

    do: Literal["sos"] = "sos"
    is_cancel: bool = False
    on: Literal["wearable", "pendant"] = "wearable"


class SignEpisode(_Part):
    """One vital sign leaves its course: `ramp_s` to `target`, `hold_s` there (absent: for good), `recover_s` back."""

    do: Literal["episode"] = "episode"
    sign: Sign
    target: Annotated[float, Field(ge=0, le=250)]
    ramp_s: Seconds = 0
    hold_s: Seconds | None = None
    recover_s: Seconds = 0


class LineNoise(_Part):
    """How bad the home's serial lines are from now on; without values: good. Chances per byte, `garbage` and `repeat` per frame."""

    do: Literal["line"] = "line"
    loss: Chance = 0
    noise: Chance = 0
    garbage: Chance = 0
    repeat: Chance = 0
    delay_s: Annotated[float, Field(ge=0, le=60)] = 0


class Cable(_Part):
    """The serial adapters of the home are pulled out of its gateway, or put back."""

    do: Literal["unplug", "plug"]


class Network(_Part):
    """The home's way to the broker is cut, or good again."""

    do: Literal["network_cut", "network_restore"]


Action = Annotated[Move | Fall | Sos | SignEpisode | LineNoise | Cable | Network, Field(discriminator="do")]


class HomeSpec(_Part):
    """One home. `wearable`: `firmware` are the C programs where they are built (wearable, mat, a pendant, and the bridge they are
    heard through), else the Python wearable and mat. The mat shares the wearable's line."""

    name: GatewayId
    seed: Annotated[int, Field(ge=0, le=2**32 - 1)]
    wearable: Literal["python", "firmware"] = "python"
    placement: Placement = Placement.WAIST
    has_bed_mat: bool = False
    has_oximeter: bool = False


class Step(_Part):
    """At `at_s` seconds from the start `action` happens in `home`."""

    at_s: Seconds
    home: GatewayId
    action: Action


class ExpectedAlert(_Part):
    """`about` (an event or a quantity) must be an open alert of `home` at most `by_s` seconds from the start."""

    home: GatewayId
    about: EventKind | QuantityName
    by_s: Seconds


class ExpectedVisit(_Part):
    """A visit to `home` must be asked for at most `by_s` seconds from the start."""

    home: GatewayId
    by_s: Seconds


class Scenario(_Part):
    """A story. `clock` is the virtual local time at its start, hh:mm:ss; steps are in order of time."""

    title: str
    clock: Annotated[str, Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d:[0-5]\d$")] = "12:00:00"
    homes: Annotated[tuple[HomeSpec, ...], Field(min_length=1, max_length=HOMES_MAX)]
    steps: Annotated[tuple[Step, ...], Field(max_length=STEPS_MAX)] = ()
    alerts: tuple[ExpectedAlert, ...] = ()
    visits: tuple[ExpectedVisit, ...] = ()

    @model_validator(mode="after")
    def _names_agree(self) -> Self:
        names = [home.name for home in self.homes]
        if len(set(names)) != len(names):
            raise ValueError("two homes have the same name")
        for named in [step.home for step in self.steps] + [alert.home for alert in self.alerts] + [visit.home for visit in self.visits]:
            if named not in names:
                raise ValueError(f"no home is called {named}")
        if sorted(self.steps, key=lambda step: step.at_s) != list(self.steps):
            raise ValueError("steps must be in order of at_s")
        return self

    @property
    def starts_s(self) -> int:
        """`clock` as seconds since midnight."""
        hours, minutes, seconds = (int(part) for part in self.clock.split(":"))
        return (hours * 60 + minutes) * 60 + seconds


def load_scenario(file: Path) -> Scenario:
    """Read and check a scenario. Raises ScenarioError for a file that is absent, not TOML, or not a scenario."""
    try:
        return Scenario.model_validate(tomllib.loads(file.read_text("utf-8")))
    except OSError as error:
        raise ScenarioError(f"{file}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ScenarioError(f"{file}: not TOML: {error}") from error
    except ValidationError as error:
        raise ScenarioError(f"{file}: {_first_fault(error)}") from error


def find_scenario(name: str) -> Path:
    """File of a scenario given by path, or by the name of one that is shipped (`demo_street`)."""
    shipped = SCENARIOS / f"{name}.toml"
    return shipped if shipped.exists() else Path(name)


def _first_fault(error: ValidationError) -> str:
    """One fault of several: an unknown key before others, for a misspelt one makes the right one missing."""
    faults = error.errors(include_url=False)
    fault = next((fault for fault in faults if fault["type"] == "extra_forbidden"), faults[0])
    place = ".".join(str(part) for part in fault["loc"])
    told = "no such key" if fault["type"] == "extra_forbidden" else fault["msg"]
    more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
    return f"{place}: {told}{more}" if place else f"{told}{more}"
