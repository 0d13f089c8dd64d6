"""Bytes from a network are read or refused, never a crash; what is refused can be stored and answered."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.db.pool import Connection
from backend.ingest import writer
from backend.ingest.decode import Letter, Reject, decode
from backend.ingest.subscriber import Arrival
from contract import topics
from contract.events import Event, EventKind
from contract.readings import SeriesBatch
from contract.status import GatewayStatus
from contract.stored import Refused, RefusedReason, digest_of
from contract.topics import Leaf
from tests.backend.street import NOW, batch, event, letter, one

BYTES_MAX = 100_000
TOPIC = topics.build("gw-1", Leaf.SERIES)
BATCH: dict[str, Any] = json.loads(batch([97, 96]).model_dump_json())
SERIES: dict[str, Any] = BATCH["series"][0]


def read(payload: bytes, topic: str = TOPIC) -> Letter | Reject:
    return decode(Arrival(topic, payload, False, NOW), bytes_max=BYTES_MAX)


def with_series(**changed: Any) -> bytes:
    return json.dumps(BATCH | {"series": [SERIES | changed]}).encode()


@pytest.mark.parametrize(
    ("message", "shape"),
    [(batch([97]), SeriesBatch), (event(EventKind.SOS), Event), (GatewayStatus(online=True, at=NOW), GatewayStatus)],
)
def test_what_a_gateway_sends_can_be_read(message: SeriesBatch | Event | GatewayStatus, shape: type) -> None:
    found = decode(letter(message).arrival, bytes_max=BYTES_MAX)
    assert isinstance(found, Letter) and isinstance(found.message, shape)
    assert (found.gateway_id, found.message) == ("gw-1", message)


def test_a_key_of_a_newer_gateway_is_no_fault() -> None:
    assert isinstance(read(json.dumps(BATCH | {"of_tomorrow": 1}).encode()), Letter)


@pytest.mark.parametrize(
    ("payload", "reason", "detail"),
    [
        (b"", RefusedReason.NOT_JSON, "invalid JSON"),
        (b"{", RefusedReason.NOT_JSON, "invalid JSON"),
        (b"\xff\xfe", RefusedReason.NOT_JSON, "invalid"),
        (b"[" * 50_000, RefusedReason.NOT_JSON, "recursion limit exceeded"),
        (b'{"log_id": "\\ud800"}', RefusedReason.NOT_JSON, "invalid JSON"),
        (b"null", RefusedReason.NOT_VALID, "message: must be keys and values between { and }"),
        (b"{}", RefusedReason.NOT_VALID, "log_id: field required"),
        (b"x" * (BYTES_MAX + 1), RefusedReason.TOO_LARGE, "more than 100000 bytes"),
        (with_series(device="wearable\0"), RefusedReason.NOT_VALID, "series.0.device: string should match pattern"),
        (with_series(quantity="mood"), RefusedReason.NOT_VALID, "series.0.quantity: input should be"),
        (with_series(values=[97]), RefusedReason.NOT_VALID, "must have the same length"),
        (with_series(values=[1e31, 97]), RefusedReason.NOT_VALID, "series.0: values must lie in -1e+30..1e+30"),
        (with_series().replace(b"97.0", b"NaN"), RefusedReason.NOT_VALID, "series.0.values.0: input should be a finite number"),
        (with_series(offsets_ms=[10, 0]), RefusedReason.NOT_VALID, "offsets_ms must not fall"),
        (with_series(sequences=[0, 0]), RefusedReason.NOT_VALID, "sequences must not repeat"),
        (with_series(sequences=[0, 9]), RefusedReason.NOT_VALID, "sequences must lie in first..last"),
        (with_series(start_at="0001-01-01T00:00:00Z"), RefusedReason.NOT_VALID, "an instant must lie between 1970 and 2200"),
        (with_series(start_at="2026-03-01T03:12:00"), RefusedReason.NOT_VALID, "input should have timezone info"),
        (json.dumps(BATCH | {"first": 2**63}).encode(), RefusedReason.NOT_VALID, "first: input should be less than or equal to"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_reason(payload: bytes, reason: RefusedReason, detail: str) -> None:
    found = read(payload)
    assert isinstance(found, Reject)
    assert (found.gateway_id, found.reason, found.digest) == ("gw-1", reason, digest_of(payload))
    assert detail in found.detail


@pytest.mark.parametrize(
    "topic",
    [
        "jiahu/1/99/gw-1/series",
        f"jiahu/1/{(topics.shard_of('gw-1') + 1) % 64}/gw-1/series",
        "jiahu/2/0/gw-1/series",
        TOPIC.replace("series", "unheard_of"),
        TOPIC.replace("gw-1", "GW 1"),
        TOPIC.replace("gw-1", "gw\0"),
        "",
    ],
)
def test_a_topic_that_is_not_ours_has_no_sender_and_so_no_answer(topic: str) -> None:
    found = read(b"{}", topic)
    assert isinstance(found, Reject)
    assert (found.gateway_id, found.reason) == (None, RefusedReason.NOT_VALID)


def test_a_topic_of_the_other_direction_is_refused() -> None:
    found = read(b"{}", topics.build("gw-1", Leaf.STORED))
    assert isinstance(found, Reject) and found.reason is RefusedReason.NOT_VALID


def test_the_answer_to_what_was_cut_names_the_whole() -> None:
    arrival = Arrival(TOPIC, b"x" * (BYTES_MAX + 1), False, NOW, whole_digest="ab" * 16)
    found = decode(arrival, bytes_max=BYTES_MAX)
    assert isinstance(found, Reject)
    assert (found.reason, found.digest) == (RefusedReason.TOO_LARGE, "ab" * 16)


def test_a_thousand_faults_are_told_in_five_hundred_characters() -> None:
    found = read(with_series(values=["x"] * 1000, offsets_ms=["y"] * 1000))
    assert isinstance(found, Reject) and len(found.detail) == 500


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=10,
)
TOPICS = st.sampled_from([topics.build("gw-1", leaf) for leaf in Leaf]) | st.text(max_size=60)


@given(payload=st.binary(max_size=300), topic=TOPICS)
def test_no_bytes_can_raise(payload: bytes, topic: str) -> None:
    read(payload, topic)


@given(
    changed=st.dictionaries(st.sampled_from([*BATCH, "extra"]), JSON, max_size=3), inner=st.dictionaries(st.sampled_from([*SERIES]), JSON)
)
def test_no_damaged_batch_can_raise(changed: dict[str, Any], inner: dict[str, Any]) -> None:
    read(json.dumps(BATCH | {"series": [SERIES | inner]} | changed).encode())


@pytest.mark.parametrize("payload", [b"\x00" * 20, b'{"log_id": "\\u0000"}', b'{"devices": [{"rejects": {"\\u0000": -1}}]}'])
@pytest.mark.parametrize("topic", [TOPIC, topics.build("gw-1", Leaf.STATUS), "no\0topic"])
async def test_whatever_is_refused_can_be_kept_and_answered(street: Connection, payload: bytes, topic: str) -> None:
    found = read(payload, topic)
    assert isinstance(found, Reject)
    for _, answer in await writer.keep(street, found, now=NOW):
        assert isinstance(answer, Refused) and Refused.model_validate_json(answer.model_dump_json()) == answer
    assert (await one(street, "SELECT payload FROM ingest_reject"))["payload"] == payload
