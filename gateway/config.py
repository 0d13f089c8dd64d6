"""The gateway's TOML file. Read once, frozen, unknown keys refused; the broker's password comes from the environment."""

import os
import tomllib
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from contract.message import DeviceId, GatewayId
from contract.status import DEVICES_MAX
from gateway.devices import DRIVERS
from gateway.errors import BadInput

BROKER_PASSWORD = "JIAHU_BROKER_PASSWORD"

Placement = Literal["waist", "chest", "hip", "wrist"]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


def _resolvable(host: str) -> str:
    """A name that no resolver takes would end the thread that connects."""
    try:
        host.encode("idna")
    except UnicodeError as error:
        raise ValueError(f"{host!r} is not the name or address of a machine") from error
    return host


class BrokerConfig(_Section):
    """Where the MQTT broker is. User name is the gateway's id; the password comes from JIAHU_BROKER_PASSWORD."""

    host: Annotated[str, Field(min_length=1), AfterValidator(_resolvable)]
    port: int = Field(default=8883, ge=1, le=65535)
    protocol: Literal["5", "3.1.1"] = "5"
    ca_file: Path | None = None
    keepalive_s: int = Field(default=20, ge=5, le=3600)
    reconnect_max_s: float = Field(default=1, ge=1, le=600)


class OutboxConfig(_Section):
    """The file that holds what the backend has not stored yet."""

    path: Path
    rows_max: int = Field(default=5_000_000, ge=1_000, description="about 60 bytes each; beyond it the oldest readings go, no event")


class SendConfig(_Section):
    """When readings are sent, and when unanswered messages are sent again (DOMAIN 3.2: 5 to 20 s for alarms)."""

    batch_interval_s: float = Field(default=5, gt=0, le=3600)
    batch_readings_max: int = Field(default=2_000, ge=1, le=5_000)
    unanswered_max: int = Field(default=8, ge=1, le=100)
    resend_s: float = Field(default=30, gt=0)
    resend_urgent_s: float = Field(default=10, ge=5, le=20)
    status_interval_s: float = Field(default=30, gt=0)


class DeviceConfig(_Section):
    """One device on a port. `address` only where several share the port through our own bridge firmware."""

    id: DeviceId
    type: str
    address: int | None = Field(default=None, ge=1, le=65535)
    placement: Placement | None = None
    summary_s: float | None = Field(default=None, gt=0, le=300, description="thin fast series to mean, min and max per interval")

    @model_validator(mode="after")
    def _fits_its_type(self) -> Self:
        if self.type not in DRIVERS:
            raise ValueError(f"unknown type {self.type!r}; known are {', '.join(sorted(DRIVERS))}")
        needs_address = DRIVERS[self.type].is_framed
        if needs_address != (self.address is not None):
            raise ValueError(f"a {self.type} {'needs an address, the one set in its firmware' if needs_address else 'has no address'}")
        return self


class PortConfig(_Section):
    """One serial port. Name it by /dev/serial/by-id, which does not change when devices are plugged in another order."""

    path: str = Field(min_length=1)
    baud: int = Field(default=115200, ge=300, le=4_000_000)
    device: list[DeviceConfig] = Field(min_length=1)

    @model_validator(mode="after")
    def _shared_only_by_bridge(self) -> Self:
        is_framed = [device.address is not None for device in self.device]
        if len(self.device) > 1 and not all(is_framed):
            raise ValueError("only devices with an address can share a port")
        if len({device.address for device in self.device}) != len(self.device):
            raise ValueError("two devices on this port have the same address")
        return self


class Config(_Section):
    """The whole file."""

    gateway_id: GatewayId
    broker: BrokerConfig
    outbox: OutboxConfig
    send: SendConfig = SendConfig()
    lost_after_s: float = Field(default=10, gt=0, description="a device quiet for longer, or for its own quiet time, is lost")
    player: list[Annotated[str, Field(min_length=1)]] = Field(default_factory=list, description="command that speaks its standard input")
    port: list[PortConfig] = Field(min_length=1)

    @model_validator(mode="after")
    def _names_are_unique(self) -> Self:
        ids = [device.id for port in self.port for device in port.device]
        if len(ids) > DEVICES_MAX:
            raise ValueError(f"{len(ids)} devices; one gateway serves at most {DEVICES_MAX}")
        if len(set(ids)) != len(ids):
            raise ValueError("two devices have the same id")
        if len({port.path for port in self.port}) != len(self.port):
            raise ValueError("two ports have the same path")
        return self


def read(path: Path) -> Config:
    """Read and check the file. Raises BadInput with one line that names the key and what to do."""
    try:
        return Config.model_validate(tomllib.loads(path.read_text("utf-8")))
    except OSError as error:
        why = f"cannot read {path}: {error.strerror}. Give the path of a gateway TOML file, see deploy/gateway.example.toml"
        raise BadInput(why) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadInput(f"{path} is not TOML: {error}") from error
    except ValidationError as error:
        faults = (f"{'.'.join(map(str, fault['loc'])) or 'file'}: {_say(fault['type'], fault['msg'])}" for fault in error.errors())
        raise BadInput(f"{path}: {'; '.join(faults)}") from error


def _say(kind: str, message: str) -> str:
    if kind == "extra_forbidden":
        return "unknown key, remove it or correct its spelling"
    return message.removeprefix("Value error, ")


def broker_password() -> str | None:
    """The password from the environment; None where it is not set."""
    return os.environ.get(BROKER_PASSWORD) or None
