"""The backend's TOML file: one shape for its three processes. Read once, frozen, unknown keys refused; secrets are in the environment."""

import os
import tomllib
from collections.abc import Mapping
from datetime import time
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import httpx
from pydantic import BaseModel, ConfigDict, Field, FilePath, ValidationError, field_validator, model_validator

from backend.errors import BadInput
from contract.topics import SHARD_COUNT

DATABASE_PASSWORD = "JIAHU_DATABASE_PASSWORD"
BROKER_PASSWORD = "JIAHU_BROKER_PASSWORD"
SMTP_PASSWORD = "JIAHU_SMTP_PASSWORD"
VAPID_KEY = "JIAHU_VAPID_KEY"


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class DatabaseConfig(_Section):
    """Where PostgreSQL is. `url` without a password; that comes from JIAHU_DATABASE_PASSWORD."""

    url: str = Field(pattern=r"^postgres(ql)?://")
    pool_max: int = Field(default=8, ge=2, le=100)
    connect_timeout_s: float = Field(default=10, ge=1)


class BrokerConfig(_Section):
    """Where the MQTT broker is. The password comes from JIAHU_BROKER_PASSWORD."""

    host: str = "127.0.0.1"
    port: int = Field(default=1883, ge=1, le=65535)
    username: str = "backend"
    protocol: Literal["5", "3.1.1"] = Field(default="3.1.1", description="5 costs twice the time for each message, and brings nothing here")
    ca_file: FilePath | None = None
    keepalive_s: int = Field(default=20, ge=5, le=3600)


class IngestConfig(_Section):
    """Which homes this ingest process serves, and how much it holds in memory."""

    first_shard: int = Field(default=0, ge=0, lt=SHARD_COUNT)
    last_shard: int = Field(default=SHARD_COUNT - 1, ge=0, lt=SHARD_COUNT)
    queue_max: int = Field(default=20_000, ge=10, description="messages waiting; what does not fit is sent again by its gateway")
    group_max: int = Field(default=250, ge=2, description="messages in one transaction")
    message_bytes_max: int = Field(default=1_000_000, ge=10_000)

    @model_validator(mode="after")
    def _shards_in_order(self) -> Self:
        if self.first_shard > self.last_shard:
            raise ValueError("first_shard must not be above last_shard")
        return self


class WorkerConfig(_Section):
    """Periods of the worker's ticks. How long doctors are waited for stands in dispatch/ladder.py."""

    silence_tick_s: float = Field(default=5, gt=0)
    offer_tick_s: float = Field(default=1, gt=0)
    send_tick_s: float = Field(default=1, gt=0)
    escalate_tick_s: float = Field(default=1, gt=0)
    retry_s: float = Field(default=60, gt=0, description="all were asked: how long until the round begins anew")


class NotifyConfig(_Section):
    """How messages go out. The mail server's password comes from JIAHU_SMTP_PASSWORD, the key of Web Push from JIAHU_VAPID_KEY."""

    public_url: str | None = Field(
        default=None, pattern=r"^https?://", description="where receivers reach the pages, for the link in a message"
    )
    smtp_host: str | None = None
    smtp_port: int = Field(default=587, ge=1, le=65535)
    smtp_starttls: bool = True
    smtp_user: str | None = None
    smtp_from: str = Field(default="jiahu@localhost", pattern=r"^[^@\s]+@[^@\s]+$")
    push_hosts: list[str] = Field(
        default=["fcm.googleapis.com", "push.services.mozilla.com", "push.apple.com", "notify.windows.com"],
        description="push services of browsers that messages may be sent to, each with all hosts below it",
    )


class DemoAccount(_Section):
    """An account that the sign-in page offers. Only a demo has any."""

    name: str
    password: str
    title_zh: str
    title_en: str
    home: str = "/"


class WebConfig(_Section):
    """Where pages are served."""

    host: str = "127.0.0.1"
    port: int = Field(default=8600, ge=0, le=65535)
    secure_cookie: bool = False
    print_font: str | None = Field(default=None, description="font file with Chinese for PDF; else the one of fonts-noto-cjk is found")
    demo_accounts: list[DemoAccount] = Field(default_factory=list)


class MapConfig(_Section):
    """Where map pictures come from, and what opens a route. Places are WGS 84, so the pictures must be too.

    Without `tiles` places stand on a plain grid and nobody outside learns which home is looked at. The default of `route` is a geo: link
    (RFC 5870), which a telephone's own map program opens.
    """

    tiles: str | None = Field(
        default=None, pattern=r"^https?://[A-Za-z0-9.{}:-]+/\S*$", description="with {z}, {x} and {y}; {s} is one of `subdomains`"
    )
    subdomains: list[Annotated[str, Field(pattern=r"^[a-z0-9-]{1,40}$")]] = Field(default_factory=list, max_length=16)
    attribution: str = Field(default="", max_length=200, description="whose map it is, as plain text; most sources demand it")
    zoom_max: int = Field(default=18, ge=1, le=24)
    route: str = Field(
        default="geo:{latitude},{longitude}?q={latitude},{longitude}",
        pattern=r"^[a-z][a-z0-9+.-]*:\S+$",
        description="with {latitude} and {longitude} of the place; {name}, {from_latitude} and {from_longitude} if wanted",
    )

    @model_validator(mode="after")
    def _templates_fit(self) -> Self:
        if self.tiles is not None:
            missing = [name for name in ("{z}", "{x}", "{y}") if name not in self.tiles]
            if missing:
                raise ValueError(f"tiles lacks {', '.join(missing)}")
            if ("{s}" in self.tiles) != bool(self.subdomains):
                raise ValueError("{s} in tiles and subdomains need each other")
            if not self.attribution:
                raise ValueError("say in attribution whose map it is")
        if self.route.partition(":")[0] in ("javascript", "data", "vbscript"):
            raise ValueError("route must be the link of a map")
        if "{latitude}" not in self.route or "{longitude}" not in self.route:
            raise ValueError("route needs {latitude} and {longitude}")
        return self

    @property
    def origins(self) -> list[str]:
        """Scheme and host of every address that pictures come from: the only strangers whom a page may ask."""
        if self.tiles is None:
            return []
        origin = "/".join(self.tiles.split("/", 3)[:3])
        return [origin.replace("{s}", name) for name in self.subdomains] or [origin]


class MetricsConfig(_Section):
    """Where each process answers /metrics, /healthz and /readyz; without its port it does not. Two ingests need a file each."""

    host: str = "127.0.0.1"
    ingest_port: int | None = Field(default=None, ge=1, le=65535)
    worker_port: int | None = Field(default=None, ge=1, le=65535)
    web_port: int | None = Field(default=None, ge=1, le=65535)

    @model_validator(mode="after")
    def _ports_differ(self) -> Self:
        ports = [port for port in (self.ingest_port, self.worker_port, self.web_port) if port is not None]
        if len(set(ports)) != len(ports):
            raise ValueError("ingest_port, worker_port and web_port must differ")
        return self


class RouterConfig(_Section):
    """An own router for travel times. Without one, and whenever it does not answer in time, the fitted curves serve."""

    kind: Literal["osrm", "valhalla"] = "osrm"
    url: str = Field(pattern=r"^https?://")
    profile: str = Field(default="driving", pattern=r"^[a-z_]+$", description="OSRM: driving; Valhalla: auto, motor_scooter, bicycle ...")
    limit_s: float = Field(default=1.5, gt=0, le=10)

    @field_validator("url")
    @classmethod
    def _a_url(cls, url: str) -> str:
        try:
            httpx.URL(url)
        except httpx.InvalidURL as error:
            raise ValueError(f"not a URL: {error}") from error
        return url


class LengthConfig(_Section):
    """How long a due visit of each kind takes, where its row says nothing else: habits of ours, no rules of the 规范."""

    elder_checkup: int = Field(default=45, ge=5, le=240)
    hypertension_followup: int = Field(default=20, ge=5, le=240)
    diabetes_followup: int = Field(default=20, ge=5, le=240)
    home_bed_round: int = Field(default=30, ge=5, le=240)
    two_week_check: int = Field(default=20, ge=5, le=240)
    other: int = Field(default=20, ge=5, le=240)


class PlanConfig(_Section):
    """Half-days, lengths of visits and prices of the plan of the day. Defaults: habits and measurements, see docs/planning.md."""

    morning: tuple[time, time] = (time(8), time(12))
    afternoon: tuple[time, time] = (time(13, 30), time(17, 30))
    not_own_min: float = Field(default=12, ge=0, le=240, description="of travel that a visit by another than the own doctor may save")
    other_person_min: float = Field(default=15, ge=0, le=240, description="planned anew: for another doctor than before")
    shift_min_per_min: float = Field(default=0.2, ge=0, le=10, description="planned anew: for each minute away from the time before")
    fairness_min_per_min: float = Field(default=0.1, ge=0, le=10, description="for each minute of work above the mean of the week")
    promise_min: float = Field(default=30, ge=0, le=240, description="a promised visit starts at most so much away from what was said")
    lasts_min: LengthConfig = LengthConfig()
    router: RouterConfig | None = None

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        instants = [*self.morning, *self.afternoon]
        if instants[0] >= instants[1] or instants[2] >= instants[3] or instants[1] > instants[2]:
            raise ValueError("morning and afternoon must begin before they end, and the morning end before the afternoon begins")
        return self

    def halves(self) -> dict[str, tuple[float, float]]:
        """Begin and end of each half-day, minutes of the day."""
        sides = {"morning": self.morning, "afternoon": self.afternoon}
        return {half: (60.0 * one.hour + one.minute, 60.0 * other.hour + other.minute) for half, (one, other) in sides.items()}

    def lasts(self, kind: str) -> int:
        """Minutes that a due visit of this kind takes."""
        minutes: int = getattr(self.lasts_min, kind)
        return minutes


class Config(_Section):
    """The whole file."""

    database: DatabaseConfig
    broker: BrokerConfig = BrokerConfig()
    ingest: IngestConfig = IngestConfig()
    worker: WorkerConfig = WorkerConfig()
    web: WebConfig = WebConfig()
    notify: NotifyConfig = NotifyConfig()
    map: MapConfig = MapConfig()
    metrics: MetricsConfig = MetricsConfig()
    plan: PlanConfig = PlanConfig()


def read(path: Path) -> Config:
    """Read and check the file. Raises BadInput with one line that names the key and what to do."""
    try:
        return Config.model_validate(tomllib.loads(path.read_text("utf-8")))
    except OSError as error:
        raise BadInput(
            f"cannot read {path}: {error.strerror}. Give the path of a backend TOML file, see deploy/backend.example.toml"
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadInput(f"{path} is not TOML: {error}") from error
    except ValidationError as error:
        raise BadInput(f"{path}: {explain(error)}") from error


def explain(error: ValidationError, *, whole: str = "file") -> str:
    """All faults of a validation in one line: `key: what is wrong; key: what is wrong`. `whole`: what a fault of no single key is of."""
    faults = error.errors()
    return "; ".join(f"{'.'.join(map(str, one['loc'])) or whole}: {_say(one['type'], one['msg'], one.get('ctx'))}" for one in faults)


def _say(kind: str, message: str, about: Mapping[str, Any] | None) -> str:
    if kind == "union_tag_not_found" and about:
        return f"{about['discriminator']} is missing: it says what sort of table this is"
    if kind in ("model_type", "dict_type"):
        return "must be keys and values between { and }"
    if kind == "list_type":
        return "must be a list, between [ and ]"
    if kind == "extra_forbidden":
        return "unknown key, remove it or correct its spelling"
    message = message.removeprefix("Value error, ")
    return message[:1].lower() + message[1:]


def secret(name: str) -> str | None:
    """A secret from the environment; None where it is not set."""
    return os.environ.get(name) or None
