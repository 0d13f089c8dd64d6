"""Grafana's files: their shape, and every panel's and variable's SQL on the migrated database."""

import json
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

import pytest
import yaml  # type: ignore[import-untyped]
from pydantic import BaseModel, ConfigDict, Field

from backend.db.pool import Connection
from contract.events import EventKind
from tests.backend.readings.history import compact_all
from tests.backend.street import NOW, batch, event, letter, write

GRAFANA = Path(__file__).resolve().parents[2] / "deploy/grafana"
DASHBOARDS = sorted((GRAFANA / "dashboards").glob("*.json"))
MACROS = re.compile(r"\$__\w+|\$\{\w+(?::\w+)?\}")


class Strict(BaseModel):
    """Unknown keys are a mistake."""

    model_config = ConfigDict(extra="forbid")


class Reference(Strict):
    """A data source by its type and uid."""

    type: Literal["grafana-postgresql-datasource"]
    uid: Literal["jiahu"]


class Query(Strict):
    """A query of Grafana's PostgreSQL data source (its documentation, "PostgreSQL query editor"; SQLQuery in grafana-sql)."""

    refId: str = Field(pattern=r"^[A-Z]$")
    datasource: Reference
    format: Literal["time_series", "table"]
    rawQuery: Literal[True]
    editorMode: Literal["code"]
    rawSql: str = Field(pattern=r"^SELECT ")


class Place(Strict):
    """Grafana's grid has 24 columns."""

    x: int = Field(ge=0, lt=24)
    y: int = Field(ge=0)
    w: int = Field(ge=1, le=24)
    h: int = Field(ge=1)


class Panel(Strict):
    """One panel."""

    id: int
    title: str = Field(min_length=1)
    description: str
    type: Literal["timeseries", "stat", "table"]
    datasource: Reference
    gridPos: Place
    fieldConfig: dict[str, Any]
    options: dict[str, Any]
    targets: list[Query] = Field(min_length=1)


class Variable(Strict):
    """A variable whose values a query gives."""

    name: str
    label: str
    type: Literal["query"]
    datasource: Reference
    query: str
    refresh: Literal[1, 2]
    sort: int
    multi: Literal[False]
    includeAll: Literal[False]


class Templating(Strict):
    """Variables."""

    list: list[Variable]


class Dashboard(Strict):
    """A dashboard, of schema 36 (Grafana 9) or newer."""

    uid: str = Field(max_length=40)
    title: str
    tags: list[str]
    schemaVersion: int = Field(ge=36)
    version: int
    editable: bool
    timezone: str
    refresh: str
    time: dict[str, str]
    templating: Templating
    panels: list[Panel]


def read(path: Path) -> Dashboard:
    return Dashboard.model_validate_json(path.read_text("utf-8"))


def expand(sql: str) -> str:
    """What Grafana's back end makes of its macros and variables for the day of NOW."""
    begin, end = (f"'{(NOW + timedelta(hours=hours)).strftime('%Y-%m-%dT%H:%M:%SZ')}'" for hours in (-12, 12))
    sql = re.sub(r"\$__timeFilter\((\w+)\)", rf"\1 BETWEEN {begin} AND {end}", sql)
    sql = sql.replace("$__timeFrom()", begin).replace("$__timeTo()", end)
    return sql.replace("${elder:sqlstring}", "'elder-1'").replace("${quantity:sqlstring}", "'spo2'")


def panels() -> Iterator[Any]:
    for path in DASHBOARDS:
        for panel in read(path).panels:
            yield pytest.param(panel, id=f"{path.stem}-{panel.id}")


@pytest.fixture
async def lived(street: Connection) -> Connection:
    """A street with compacted, late and fresh readings and an alert."""
    await write(
        street, letter(batch([86] * 13)), letter(batch([88], first=30, start_at=NOW - timedelta(hours=3))), now=NOW + timedelta(minutes=2)
    )
    await compact_all(street)
    await write(street, letter(batch([97], first=40, start_at=NOW + timedelta(minutes=3))), letter(event(EventKind.SOS, sequence=50)))
    return street


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_a_dashboard_has_the_shape_that_grafana_reads(path: Path) -> None:
    dashboard = read(path)
    assert len({panel.id for panel in dashboard.panels}) == len(dashboard.panels)
    assert all(panel.gridPos.x + panel.gridPos.w <= 24 for panel in dashboard.panels)
    assert MACROS.findall("".join(expand(target.rawSql) for panel in dashboard.panels for target in panel.targets)) == []


def test_the_data_source_is_the_one_the_dashboards_name() -> None:
    [source] = yaml.safe_load((GRAFANA / "provisioning/datasources/jiahu.yaml").read_text("utf-8"))["datasources"]
    Reference(type=source["type"], uid=source["uid"])
    assert source["jsonData"]["database"] == "jiahu" and source["secureJsonData"]["password"].startswith("$")
    assert {"url", "user", "name", "access"} <= source.keys() and "password" not in source["jsonData"]
    [provider] = yaml.safe_load((GRAFANA / "provisioning/dashboards/jiahu.yaml").read_text("utf-8"))["providers"]
    assert provider["type"] == "file" and provider["options"]["path"]


def test_there_is_a_dashboard_of_readings_and_one_of_health() -> None:
    assert {path.stem for path in DASHBOARDS} == {"health", "readings"}
    assert len({json.loads(path.read_text("utf-8"))["uid"] for path in DASHBOARDS}) == 2


@pytest.mark.store
@pytest.mark.parametrize("panel", list(panels()))
async def test_every_panel_can_be_drawn(lived: Connection, panel: Panel) -> None:
    for target in panel.targets:
        cursor = await lived.execute(expand(target.rawSql).encode())
        assert cursor.description is not None
        kinds = {column.name: column.type_code for column in cursor.description}
        if target.format == "time_series":
            assert kinds.pop("time") == TIMESTAMPTZ_OID
            assert kinds.pop("metric", TEXT_OID) == TEXT_OID
            assert kinds and set(kinds.values()) <= NUMBER_OIDS


TIMESTAMPTZ_OID, TEXT_OID = 1184, 25
NUMBER_OIDS = {20, 21, 23, 700, 701, 1700}


@pytest.mark.parametrize("number", [1, 2, 3, 4, 5])
async def test_the_panels_of_readings_show_what_was_measured(lived: Connection, number: int) -> None:
    [panel] = [one for one in read(GRAFANA / "dashboards/readings.json").panels if one.id == number]
    assert len(await (await lived.execute(expand(panel.targets[0].rawSql).encode())).fetchall()) > 0


async def test_the_variables_offer_what_there_is(lived: Connection) -> None:
    elder, quantity = read(GRAFANA / "dashboards/readings.json").templating.list
    assert {row["__value"] for row in await (await lived.execute(elder.query.encode())).fetchall()} == {"elder-1", "elder-2"}
    assert await (await lived.execute(expand(quantity.query).encode())).fetchall() == [{"quantity": "spo2"}]
