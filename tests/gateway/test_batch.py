"""Rows of the outbox as columns."""

import json

from contract.quantities import QuantityName
from contract.readings import SeriesBatch
from gateway.batch import make_batch
from gateway.outbox import Entry, Reading
from tests.gateway.home import NOW, readings, seconds


def entries(*rows: Reading, first: int = 1) -> list[Entry]:
    return [Entry(first + number, row) for number, row in enumerate(rows)]


def test_a_batch_has_one_pair_of_columns_for_each_series_oldest_first() -> None:
    rows = [
        Reading("w", "spo2", "sample", NOW + seconds(2), 97),
        Reading("w", "heart_rate", "sample", NOW, 70),
        Reading("w", "spo2", "sample", NOW, 96),
        Reading("o", "spo2", "mean", NOW, 95),
    ]
    batch = make_batch(entries(*rows, first=5), log_id="0" * 16, floor=3, now=NOW)
    assert (batch.first, batch.last, batch.floor) == (5, 8, 3)
    assert [(one.device, one.quantity, one.statistic, one.start_at, one.offsets_ms, one.values, one.sequences) for one in batch.series] == [
        ("w", "spo2", "sample", NOW, [0, 2000], [96, 97], [2, 0]),
        ("w", "heart_rate", "sample", NOW, [0], [70], [1]),
        ("o", "spo2", "mean", NOW, [0], [95], [3]),
    ]


def test_what_a_device_had_stored_is_a_series_of_its_own_and_says_so_on_the_wire() -> None:
    rows = [Reading("c", QuantityName.SYSTOLIC, "sample", NOW, 142, is_history=is_history) for is_history in (False, True)]
    batch = make_batch(entries(*rows), log_id="0" * 16, floor=1, now=NOW)
    assert [(one.sequences, one.is_history) for one in batch.series] == [([0], False), ([1], True)]
    assert SeriesBatch.model_validate_json(batch.model_dump_json(exclude_defaults=True)) == batch


def test_a_series_over_more_than_a_week_becomes_several() -> None:
    week = 7 * 24 * 3600
    rows = [Reading("w", "spo2", "sample", NOW + seconds(at_s), 97) for at_s in (0, week, week + 0.001, 3 * week)]
    batch = make_batch(entries(*rows), log_id="0" * 16, floor=1, now=NOW)
    assert [one.sequences for one in batch.series] == [[0, 1], [2], [3]]


def test_a_batch_of_the_usual_size_is_small() -> None:
    rows = [row for number in range(500) for row in readings(4, first=number)]
    payload = make_batch(entries(*rows), log_id="0" * 16, floor=1, now=NOW).model_dump_json()
    assert len(payload) < 100_000 and json.loads(payload)["last"] == 2000
