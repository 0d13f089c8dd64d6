"""Each instrument at the far end of a real line, through source, driver and pipeline: readings and events as the outbox would get them."""

import queue
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from contract.events import EventKind
from contract.quantities import QuantityName
from gateway.bridges.serial_port import Chunk
from gateway.config import Config
from gateway.harvest import Harvest
from gateway.pipeline import Pipeline
from gateway.sources import make_source
from simulators.instruments.bench import Bench
from simulators.instruments.cuffs import Bm65, CuffReading, Visomat
from simulators.instruments.emfit_qs import EmfitQs
from simulators.instruments.hlk import Ld2410, Ld2450
from simulators.instruments.instrument import Instrument
from simulators.instruments.radar_sy import RadarSy
from simulators.instruments.radar_tinyframe import RadarTinyFrame
from tests.gateway.home import WAIT_S

Q = QuantityName
YESTERDAY = datetime.now(UTC).replace(tzinfo=None, second=0, microsecond=0) - timedelta(days=1)
CUFF = CuffReading(YESTERDAY, 142, 88, 77)


@dataclass(slots=True)
class Home:
    """A pipeline with one port, turned as the daemon turns it but without a broker."""

    config: Config
    harvest: Harvest = field(default_factory=Harvest)

    def run_until(self, is_enough: Callable[[Harvest], bool]) -> None:
        chunks: queue.Queue[Chunk] = queue.Queue(1024)
        deaths: list[BaseException] = []
        source = make_source(self.config.port[0], chunks, deaths.append)
        pipeline = Pipeline(self.config, now_s=time.monotonic())
        deadline_s = time.monotonic() + WAIT_S
        source.start()
        try:
            while not is_enough(self.harvest):
                assert time.monotonic() < deadline_s, f"{pipeline.status()} {self.harvest}"
                self._step(pipeline, chunks)
                for _, reply in self.harvest.replies:
                    source.write(reply)
                self.harvest.replies.clear()
        finally:
            source.stop()
        assert deaths == []

    def _step(self, pipeline: Pipeline, chunks: queue.Queue[Chunk]) -> None:
        with suppress(queue.Empty):
            pipeline.feed(chunks.get(timeout=0.05), self.harvest, now=datetime.now(UTC), now_s=time.monotonic())
        pipeline.tick(self.harvest, now=datetime.now(UTC), now_s=time.monotonic())


def home(path: str, kind: str, settings: dict[str, str], folder: Path) -> Home:
    device = {"id": "one", "type": kind, "settings": settings, "summary_s": 1.0}
    if kind in ("radar_sy", "bp_visomat", "bp_beurer_bm65", "emfit_qs"):
        del device["summary_s"]
    raw = {
        "gateway_id": "home-1",
        "broker": {"host": "localhost"},
        "outbox": {"path": str(folder / "outbox")},
        "timezone": "UTC",
        "port": [{"path": path, "device": [device]}],
    }
    return Home(Config.model_validate(raw))


def quantities(harvest: Harvest) -> set[QuantityName]:
    return {QuantityName(reading.quantity) for reading in harvest.readings}


def kinds(harvest: Harvest) -> list[EventKind]:
    return [occurrence.kind for occurrence in harvest.occurrences]


@pytest.mark.parametrize(
    ("kind", "settings", "instrument", "wanted"),
    [
        ("radar_sy", {"dialect": "1"}, RadarSy(dialect=1), {Q.HEART_RATE, Q.RESPIRATION_RATE, Q.PRESENCE, Q.BED_OCCUPIED, Q.DISTANCE}),
        ("radar_sy", {}, RadarSy(), {Q.HEART_RATE, Q.RESPIRATION_RATE, Q.PRESENCE, Q.BED_OCCUPIED, Q.DISTANCE, Q.MOVEMENT}),
        ("radar_tinyframe", {"model": "heart"}, RadarTinyFrame(), {Q.HEART_RATE, Q.RESPIRATION_RATE, Q.PRESENCE, Q.DISTANCE}),
        ("hlk_ld2410", {}, Ld2410(), {Q.PRESENCE, Q.DISTANCE}),
        ("hlk_ld2450", {}, Ld2450(), {Q.PRESENCE, Q.DISTANCE}),
        ("bp_visomat", {"user": "2"}, Visomat([], [CUFF]), {Q.SYSTOLIC, Q.DIASTOLIC, Q.HEART_RATE}),
        ("bp_beurer_bm65", {}, Bm65([None, CUFF]), {Q.SYSTOLIC, Q.DIASTOLIC, Q.HEART_RATE}),
    ],
)
def test_readings_come_through(
    kind: str, settings: dict[str, str], instrument: Instrument, wanted: set[QuantityName], tmp_path: Path
) -> None:
    with Bench() as bench:
        bench.attach(tmp_path / "port", instrument)
        home(str(tmp_path / "port"), kind, settings, tmp_path).run_until(lambda harvest: quantities(harvest) >= wanted)


@pytest.mark.parametrize(
    ("kind", "settings", "instrument"),
    [("radar_sy", {}, RadarSy(is_fallen=True)), ("radar_tinyframe", {"model": "fall"}, RadarTinyFrame("fall", is_fallen=True))],
)
def test_a_fall_comes_through_once(kind: str, settings: dict[str, str], instrument: RadarSy | RadarTinyFrame, tmp_path: Path) -> None:
    with Bench() as bench:
        bench.attach(tmp_path / "port", instrument)
        one = home(str(tmp_path / "port"), kind, settings, tmp_path)
        one.run_until(lambda harvest: EventKind.FALL in kinds(harvest) and Q.PRESENCE in quantities(harvest))
    assert kinds(one.harvest) == [EventKind.FALL]


@pytest.mark.parametrize(("kind", "instrument"), [("bp_visomat", Visomat([CUFF])), ("bp_beurer_bm65", Bm65([CUFF]))])
def test_what_a_cuff_had_stored_has_the_time_of_the_cuff(kind: str, instrument: Instrument, tmp_path: Path) -> None:
    with Bench() as bench:
        bench.attach(tmp_path / "port", instrument)
        one = home(str(tmp_path / "port"), kind, {}, tmp_path)
        one.run_until(lambda harvest: len(harvest.readings) >= 3)
    assert {(reading.quantity, reading.value) for reading in one.harvest.readings} == {
        (Q.SYSTOLIC, 142), (Q.DIASTOLIC, 88), (Q.HEART_RATE, 77)
    }  # fmt: skip
    assert {reading.at for reading in one.harvest.readings} == {YESTERDAY.replace(tzinfo=UTC)}


def test_a_page_over_http_comes_through(tmp_path: Path) -> None:
    sensor = EmfitQs()
    sensor.start()
    try:
        one = home(sensor.path, "emfit_qs", {}, tmp_path)
        one.run_until(lambda harvest: quantities(harvest) >= {Q.HEART_RATE, Q.RESPIRATION_RATE, Q.BED_OCCUPIED, Q.ACTIVITY})
    finally:
        sensor.stop()
    assert kinds(one.harvest) == []
