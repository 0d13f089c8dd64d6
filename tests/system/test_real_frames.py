"""Frames of real devices through the whole chain: a port in, rows in the database out, with real processes in between."""

import json
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg.rows import dict_row

from simulators.child_process import wait_until
from simulators.keeper import Program
from simulators.serial_bridge import SerialBridge
from simulators.servers import Broker
from tests.conftest import GATEWAYS

pytestmark = pytest.mark.system

VECTORS = Path(__file__).resolve().parents[3] / "shared" / "vectors" / "bci_oximeter.json"
STATED = [(bytes.fromhex("8732054862"), 72, 98), (bytes.fromhex("8828044b61"), 75, 97)]
"""Packet, pulse, SpO2. Source: atick-faisal/berry-oximeter:tests/test_berry_oximeter.py."""
GARBAGE = bytes(range(128)) + b"\x07\x32\x05\x48\x62"
GATEWAY = """
gateway_id = "{name}"
[broker]
host = "127.0.0.1"
port = {port}
protocol = "{protocol}"
[outbox]
path = "{folder}/outbox.sqlite"
[send]
batch_interval_s = 0.2
[[port]]
path = "{link}"
[[port.device]]
id = "oximeter-1"
type = "bci_oximeter"
summary_s = 0.3
"""
BACKEND = """
[database]
url = "{url}"
[broker]
port = {port}
protocol = "{protocol}"
"""
DEADLINE_S = 30


def real_packets() -> list[tuple[bytes, int, int]]:
    """The stated packets, and those of the vectors' folder that carry both values, where it is beside the checkout."""
    if not VECTORS.exists():
        return STATED
    vectors = [vector for vector in json.loads(VECTORS.read_text("utf-8")) if vector["expect"].get("pulse_bpm")]
    found = [(bytes.fromhex(one["hex"]), one["expect"]["pulse_bpm"], one["expect"]["spo2_pct"]) for one in vectors]
    return STATED + [one for one in found if one not in STATED]


@pytest.fixture
def port(tmp_path: Path) -> Iterator[SerialBridge]:
    """The device's end of a serial line."""
    line = SerialBridge(tmp_path / "oximeter")
    line.plug()
    yield line
    line.unplug()


@pytest.fixture
def chain(tmp_path: Path, port: SerialBridge, broker: Broker, database_url: str) -> Iterator[str]:
    """Gateway and ingest on real servers. Gives the database's address."""
    name = GATEWAYS[0]
    values = {"port": broker.port, "protocol": broker.protocol, "folder": tmp_path, "link": port.link, "name": name, "url": database_url}
    (tmp_path / "gateway.toml").write_text(GATEWAY.format(**values), "utf-8")
    (tmp_path / "backend.toml").write_text(BACKEND.format(**values), "utf-8")
    programs = [
        Program(
            [*command, "--config", str(tmp_path / f"{command[0]}.toml")],
            tmp_path / f"{command[0]}.log",
            {"JIAHU_BROKER_PASSWORD": broker.accounts[user]},
        )
        for command, user in ((["backend", "ingest"], "backend"), (["gateway", "run"], name))
    ]
    for program in programs:
        program.start()
    wait_until(port.is_heard, deadline_s=DEADLINE_S, what="the gateway to open its port")
    yield database_url
    for program in programs:
        program.stop()


def means(url: str) -> set[tuple[str, float]]:
    with psycopg.connect(url, row_factory=dict_row) as conn:
        rows = conn.execute("SELECT quantity, value FROM reading WHERE statistic = 'mean'").fetchall()
    return {(row["quantity"], row["value"]) for row in rows}


def send_until_stored(port: SerialBridge, packet: bytes, url: str, expected: set[tuple[str, float]]) -> None:
    """As an oximeter does: again and again. What comes while a gateway is still opening its port is lost to it, as on any UART."""

    def is_stored() -> bool:
        port.write(packet)
        return expected <= means(url)

    wait_until(is_stored, deadline_s=DEADLINE_S, what=f"{expected} in the database")


def test_packets_of_real_oximeters_arrive_as_readings_whatever_surrounds_them(chain: str, port: SerialBridge) -> None:
    for packet, pulse, spo2 in real_packets():
        send_until_stored(port, GARBAGE + packet + packet, chain, {("heart_rate", float(pulse)), ("spo2", float(spo2))})


def test_a_cable_pulled_out_and_put_back_goes_on_where_it_was(chain: str, port: SerialBridge) -> None:
    send_until_stored(port, STATED[0][0], chain, {("heart_rate", 72.0)})
    port.unplug()
    port.plug()
    wait_until(port.is_heard, deadline_s=DEADLINE_S, what="the port to be opened again")
    send_until_stored(port, STATED[1][0], chain, {("heart_rate", 75.0)})
