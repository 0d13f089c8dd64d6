"""The gateway's TOML file. Read once, frozen, unknown keys refused; the broker's password comes from the environment."""

import os
import re
import shlex
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, ValidationError, model_validator

from contract.message import DeviceId, GatewayId
from contract.status import DEVICES_MAX, HEARTBEAT_S
from gateway.devices import DRIVERS, RECEIVERS
from gateway.devices.driver import Enrolled, Meaning, Options, Parity, Setting
from gateway.errors import BadInput

BROKER_PASSWORD = "JIAHU_BROKER_PASSWORD"
HOME_BROKER_PASSWORD = "JIAHU_HOME_BROKER_PASSWORD"

RADIO = "bluetooth"
"""Path of the port that is the Bluetooth radio, and id and type of the device that stands for the radio itself."""
NOT_SERIAL = ("exec:", "http://", "mqtt://")
BAUD = 115_200

PLACE_MAX = 20
"""Characters of the place's name, so that the Chinese message with all it says fits into the 70 of one SMS."""

REJECTED_PER_DAY_SHADOW = 200

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
    """When readings are sent, and when unanswered messages are sent again (CLC/TS 50134-9: 5 to 20 s for alarms)."""

    batch_interval_s: float = Field(default=5, gt=0, le=3600)
    batch_readings_max: int = Field(default=2_000, ge=1, le=5_000)
    unanswered_max: int = Field(default=8, ge=1, le=100)
    resend_s: float = Field(default=30, gt=0)
    resend_urgent_s: float = Field(default=10, ge=5, le=20)
    status_interval_s: float = Field(default=300, gt=0, description="the state goes out so often though nothing has changed")
    heartbeat_s: float = Field(
        default=HEARTBEAT_S, gt=0, description="... and as a sign of life when the backend has answered nothing for so long"
    )


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f"there is no time zone {name!r}; give one such as Asia/Shanghai, and is the package tzdata installed?") from error
    return name


def _phone(number: SecretStr) -> SecretStr:
    """E.164, or as it is dialled in the country of the SIM."""
    if not re.fullmatch(r"\+[1-9][0-9]{6,14}|[0-9]{3,15}", number.get_secret_value()):
        raise ValueError("not a telephone number: digits only, with + and the country first, e.g. +8613800138000")
    return number


def _one_line(place: SecretStr) -> SecretStr:
    if not place.get_secret_value().isprintable() or len(place.get_secret_value()) > PLACE_MAX:
        raise ValueError(f"at most {PLACE_MAX} characters on one line, so that the message stays one")
    return place


Phone = Annotated[SecretStr, AfterValidator(_phone)]
"""Never logged: whatever prints the configuration prints stars."""


class LocalAlarmConfig(_Section):
    """What the home does alone when nobody answers a press or a fall. Who the contacts are is not written here: their order is enough."""

    answer_wait_s: float = Field(default=60, gt=0, le=60, description="no `Stored` for so long, and the home acts alone")
    siren: list[Annotated[str, Field(min_length=1)]] = Field(default_factory=list, description="command that sounds until it is ended")
    siren_max_s: float = Field(default=300, gt=0, le=3600)
    contacts: list[Phone] = Field(default_factory=list, max_length=10)
    modem_path: str | None = Field(default=None, min_length=1)
    modem_baud: int = Field(default=115200, ge=300, le=4_000_000)
    retry_s: float = Field(default=15, ge=5, le=20, description="CLC/TS 50134-9: 5 to 20 s apart")
    retry_for_s: float = Field(default=1800, ge=180, le=1800, description="CLC/TS 50134-9: at least 3 min, at most 30 min")
    language: Literal["zh", "en"] = "zh"
    place: Annotated[SecretStr, AfterValidator(_one_line)] = SecretStr("")
    call_back: Phone | None = None

    @model_validator(mode="after")
    def _can_do_something(self) -> Self:
        if not self.siren and not self.contacts:
            raise ValueError("give a siren, or contacts and a modem_path; without this section the home does nothing alone")
        if bool(self.contacts) != (self.modem_path is not None):
            raise ValueError("contacts need a modem_path, and a modem needs contacts")
        if len({number.get_secret_value() for number in self.contacts}) != len(self.contacts):
            raise ValueError("two contacts have the same number")
        return self


class FallConfig(_Section):
    """What is done with a wearable's fall candidates. `mode` shadow: candidates and verdicts are logged and stored, and nobody is alarmed.

    `ask_below`: a confirmed fall of less confidence first asks the home through the player, and is an alarm after `ask_wait_s` without an
    answer; 0 never asks. `keep_rejected_per_day`: so many rejected candidates a day go to the backend with their windows, to be judged
    later; where it is not given none, and in shadow mode 200. A window is some 4 kB.
    """

    mode: Literal["alarm", "shadow"] = "alarm"
    ask_below: float = Field(default=0.7, ge=0, le=1)
    ask_wait_s: float = Field(default=20, ge=5, le=60)
    language: Literal["zh", "en"] = "zh"
    keep_rejected_per_day: int | None = Field(default=None, ge=0, le=1000)

    @property
    def rejected_per_day_max(self) -> int:
        """How many rejected candidates a day are stored."""
        if self.keep_rejected_per_day is not None:
            return self.keep_rejected_per_day
        return REJECTED_PER_DAY_SHADOW if self.mode == "shadow" else 0


class MetricsConfig(_Section):
    """Where the gateway answers /metrics, /healthz and /readyz. Nobody is asked who they are, so leave it to this machine."""

    host: Annotated[str, Field(min_length=1)] = "127.0.0.1"
    port: int = Field(ge=1, le=65535)


class EnrolledConfig(_Section):
    """A radio device that a receiver shall listen to, and what it stands for in this home."""

    id: DeviceId
    address: str = Field(min_length=1, max_length=80, description="as the receiver's log names it")
    meaning: Meaning
    quiet_s: float | None = Field(default=None, gt=0, description="longest silence of a healthy one; none if it only speaks when used")
    eep: str = Field(default="", pattern=r"^([0-9A-Fa-f]{2}-[0-9A-Fa-f]{2}-[0-9A-Fa-f]{2})?$", description="EnOcean equipment profile")


class DeviceConfig(_Section):
    """One device on a port. `address` only where several share the port through our own bridge firmware.

    `settings`: words of the device's driver, e.g. {dialect = "1"}; `enrolled`: of a receiver, the devices it hears.
    """

    id: DeviceId
    type: str
    address: int | None = Field(default=None, ge=1, le=65535)
    placement: Placement | None = None
    summary_s: float | None = Field(default=None, gt=0, le=300, description="thin fast series to mean, min and max per interval")
    settings: dict[str, str] = Field(default_factory=dict)
    enrolled: list[EnrolledConfig] = Field(default_factory=list)

    def options(self) -> Options:
        """As the driver takes them."""
        return Options(self.settings, tuple(Enrolled(**one.model_dump()) for one in self.enrolled))

    @model_validator(mode="after")
    def _fits_its_type(self) -> Self:
        if self.type not in DRIVERS:
            raise ValueError(f"unknown type {self.type!r}; known are {', '.join(sorted(DRIVERS.keys() - {RADIO}))}")
        needs_address = DRIVERS[self.type].is_framed
        if needs_address != (self.address is not None):
            raise ValueError(f"a {self.type} {'needs an address, the one set in its firmware' if needs_address else 'has no address'}")
        known = DRIVERS[self.type].settings
        if strange := sorted(self.settings.keys() - known):
            raise ValueError(f"a {self.type} has no setting {strange[0]!r}; known are {', '.join(sorted(known)) or 'none'}")
        if self.enrolled and self.type not in RECEIVERS:
            raise ValueError(f"a {self.type} hears no other devices, nothing can be enrolled below it")
        DRIVERS[self.type](self.options())
        return self


class PortConfig(_Section):
    """Where a device is reached, most often a serial port: name it by /dev/serial/by-id, which does not change when devices are plugged in
    another order. Else "exec:COMMAND" whose lines are read, "http://..." that is asked again and again, or "mqtt://HOST:PORT/TOPIC".

    `baud`, `parity`: where they are not given, the usual ones of the device.
    """

    path: str = Field(min_length=1)
    baud: int | None = Field(default=None, ge=300, le=4_000_000)
    parity: Parity | None = None
    device: list[DeviceConfig] = Field(min_length=1)

    @model_validator(mode="after")
    def _shared_only_by_bridge(self) -> Self:
        is_framed = [device.address is not None for device in self.device]
        if len(self.device) > 1 and not all(is_framed):
            raise ValueError("only devices with an address can share a port")
        if len({device.address for device in self.device}) != len(self.device):
            raise ValueError("two devices on this port have the same address")
        return self

    @model_validator(mode="after")
    def _path_can_be_read(self) -> Self:
        if self.path == RADIO and self.device[0].type == RADIO:
            return self
        if self.device[0].type == RADIO:
            raise ValueError("Bluetooth has no [[port]] but a section [bluetooth], see docs/bluetooth.md")
        if self.is_serial and not DRIVERS[self.device[0].type].line.bauds:
            raise ValueError(f"a {self.device[0].type} has no serial line; its path begins with one of {', '.join(NOT_SERIAL)}")
        if self.path.startswith("exec:") and not shlex.split(self.path.removeprefix("exec:")):
            raise ValueError("exec: names no command")
        if self.path.startswith(("http:", "mqtt:")) and urlsplit(self.path).port == 0:
            raise ValueError("there is no port 0")
        if self.path.startswith("mqtt:") and urlsplit(self.path).password is not None:
            raise ValueError(f"the password of this broker comes from {HOME_BROKER_PASSWORD}")
        return self

    @property
    def is_serial(self) -> bool:
        """True for a port of this machine, False for a program or a place in the network."""
        return self.path != RADIO and not self.path.startswith(NOT_SERIAL)

    def setting(self) -> Setting:
        """How to set the serial line."""
        line = DRIVERS[self.device[0].type].line
        usual = line.settings()[0] if line.bauds else Setting(BAUD, "N", 1, True, True)
        return replace(usual, baud=self.baud or usual.baud, parity=self.parity or usual.parity)


TRANSPORTS = ("serial:", "usb:", "hci-socket:", "tcp-client:")


def _mac(address: str) -> str:
    """Six bytes, as the device's label or `pair` shows them; a suffix for the type of the address is not needed."""
    plain = address.strip().upper().removesuffix("/P").replace("-", ":")
    if not re.fullmatch(r"[0-9A-F]{2}(:[0-9A-F]{2}){5}", plain):
        raise ValueError(f"{address!r} is no Bluetooth address such as C1:22:33:44:55:66; `python -m gateway pair` lists those it hears")
    return plain


def _six_digits(passkey: SecretStr) -> SecretStr:
    if not re.fullmatch(r"[0-9]{6}", passkey.get_secret_value()):
        raise ValueError('a passkey has six digits and stands in quotes: passkey = "001234"')
    return passkey


Mac = Annotated[str, AfterValidator(_mac)]
Passkey = Annotated[SecretStr, AfterValidator(_six_digits)]


class BluetoothDeviceConfig(_Section):
    """A device of the home that the radio shall listen to. `passkey`: where one stands on the device; then nothing less is accepted."""

    id: DeviceId
    address: Mac
    passkey: Passkey | None = None
    quiet_s: float | None = Field(default=None, ge=0, description="lost after such a silence; usual: 30 if it streams, else 0, never")
    summary_s: float | None = Field(default=None, ge=0, le=300, description="thin streams to mean, min and max per interval; usual: 5")


class BluetoothConfig(_Section):
    """The Bluetooth radio: a controller (HCI) that this program has to itself, and the devices enrolled here.

    More are enrolled with `python -m gateway pair` or from the console, and are kept in the file `keys`.
    """

    transport: str = Field(description="serial:PATH,BAUD of the dongle; usb:0, hci-socket:0 and tcp-client:HOST:PORT work as well")
    keys: Path | None = None
    pair_again: bool = Field(
        default=False, description="pair by itself with a device that has forgotten us, instead of asking for somebody"
    )
    links_max: int = Field(default=5, ge=1, le=32, description="connections at once that the controller can hold")
    connect_timeout_s: float = Field(default=10, gt=0, le=60)
    step_timeout_s: float = Field(default=10, gt=0, le=30, description="one question and its answer (30 s: Core Specification)")
    pairing_timeout_s: float = Field(default=30, gt=0, le=120)
    records_every_s: float = Field(
        default=60, gt=0, le=3600, description="stored records of a device that stays connected are asked for again"
    )
    retry_s: float = Field(default=1, gt=0, le=60, description="wait after a visit that failed, twice as long each time")
    retry_max_s: float = Field(default=8, gt=0, le=600, description="a cuff is heard for some 10 s after it measured")
    device: list[BluetoothDeviceConfig] = Field(default_factory=list)

    @property
    def serial_path(self) -> str | None:
        """The port of a serial dongle, None for any other."""
        scheme, _, rest = self.transport.partition(":")
        return rest.partition(",")[0] if scheme == "serial" else None

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        if not self.transport.startswith(TRANSPORTS):
            raise ValueError(
                f"transport {self.transport!r} begins with none of {', '.join(TRANSPORTS)}; "
                "a dongle is best serial:/dev/serial/by-id/NAME,1000000"
            )
        if not self.transport.partition(":")[2]:
            raise ValueError(f"transport {self.transport!r} names no port")
        if len({one.address for one in self.device}) != len(self.device):
            raise ValueError("two devices have the same address")
        return self


class Config(_Section):
    """The whole file."""

    gateway_id: GatewayId
    broker: BrokerConfig
    outbox: OutboxConfig
    send: SendConfig = SendConfig()
    lost_after_s: float = Field(default=0, ge=0, description="a device is lost after its own quiet time, but not before this")
    timezone: Annotated[str, AfterValidator(_known_zone)] = "Asia/Shanghai"
    player: list[Annotated[str, Field(min_length=1)]] = Field(default_factory=list, description="command that speaks its standard input")
    local_alarm: LocalAlarmConfig | None = None
    fall: FallConfig = FallConfig()
    metrics: MetricsConfig | None = None
    bluetooth: BluetoothConfig | None = None
    port: list[PortConfig] = Field(default_factory=list)

    def ports(self) -> list[PortConfig]:
        """All ports; the Bluetooth radio is one of them, and the last."""
        radio = PortConfig(path=RADIO, device=[DeviceConfig(id=RADIO, type=RADIO)])
        return [*self.port, radio] if self.bluetooth is not None else self.port

    def keys_path(self) -> Path:
        """The file of the Bluetooth keys; beside the outbox where nothing else is said."""
        configured = self.bluetooth.keys if self.bluetooth is not None else None
        return configured or self.outbox.path.with_name("bluetooth.keys")

    def device_ids(self) -> list[str]:
        """All that this file names."""
        devices = [device for port in self.ports() for device in port.device]
        ids = [device.id for device in devices] + [one.id for device in devices for one in device.enrolled]
        return ids + ([one.id for one in self.bluetooth.device] if self.bluetooth is not None else [])

    @model_validator(mode="after")
    def _has_something_to_read(self) -> Self:
        if not self.port and self.bluetooth is None:
            raise ValueError("there is nothing to read: give a [[port]] or [bluetooth]")
        return self

    @model_validator(mode="after")
    def _names_are_unique(self) -> Self:
        ids = self.device_ids()
        if len(ids) > DEVICES_MAX:
            raise ValueError(f"{len(ids)} devices; one gateway serves at most {DEVICES_MAX}")
        if len(set(ids)) != len(ids):
            raise ValueError("two devices have the same id")
        if len({port.path for port in self.port}) != len(self.port):
            raise ValueError("two ports have the same path")
        if self.local_alarm is not None and self.local_alarm.modem_path in {port.path for port in self.port}:
            raise ValueError("local_alarm.modem_path is the path of a [[port]] too")
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
