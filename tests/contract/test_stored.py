"""The backend's answers: told apart by their kind, and a refusal names the very bytes."""

from datetime import UTC, datetime

import pytest
from pydantic import ValidationError

from contract.stored import ANSWER, Refused, RefusedReason, Stored, digest_of

NOW = datetime(2026, 3, 1, 3, 12, tzinfo=UTC)


def test_both_answers_come_back_from_the_wire_as_they_were() -> None:
    stored = Stored(log_id="0" * 16, first=1, last=9, at=NOW)
    refused = Refused(digest=digest_of(b"x"), reason=RefusedReason.NOT_JSON, at=NOW)
    assert [ANSWER.validate_json(one.model_dump_json()) for one in (stored, refused)] == [stored, refused]


def test_a_digest_names_the_bytes_by_their_sha256() -> None:
    # FIPS 180-2, appendix B.1: SHA-256 of "abc".
    assert digest_of(b"abc") == "ba7816bf8f01cfea414140de5dae2223"
    assert digest_of(b"abd") != digest_of(b"abc")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"kind": "perhaps"}',
        '{"kind": "stored", "log_id": "0000000000000000", "first": 0, "last": 1, "at": "2026-03-01T03:12:00Z"}',
        '{"kind": "stored", "log_id": "0000000000000000", "first": 1, "last": 1, "at": "2026-03-01T03:12:00"}',
        '{"kind": "stored", "first": 1, "last": 1, "at": "2026-03-01T03:12:00Z"}',
        '{"kind": "refused", "digest": "xyz", "reason": "not_json", "at": "2026-03-01T03:12:00Z"}',
        '{"kind": "refused", "digest": "ba7816bf8f01cfea414140de5dae2223", "reason": "mood", "at": "2026-03-01T03:12:00Z"}',
    ],
)
def test_an_answer_with_a_fault_is_refused(text: str) -> None:
    with pytest.raises(ValidationError):
        ANSWER.validate_json(text)
