"""Commands: told apart by their kind; what to say has an end."""

from datetime import UTC, datetime

import pytest
from pydantic import ValidationError

from contract.commands import COMMAND, Report, Speak

NOW = datetime(2026, 3, 1, 3, 12, tzinfo=UTC)


def test_both_commands_come_back_from_the_wire_as_they_were() -> None:
    both = [Speak(id=1, text="医生已经出发。", until=NOW), Report(id=2)]
    assert [COMMAND.validate_json(one.model_dump_json()) for one in both] == both


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        '{"kind": "dance", "id": 1}',
        '{"id": 1}',
        '{"kind": "report", "id": 0}',
        '{"kind": "speak", "id": 1, "text": "", "until": "2026-03-01T03:12:00Z"}',
        '{"kind": "speak", "id": 1, "text": "%s", "until": "2026-03-01T03:12:00Z"}' % ("x" * 201),
        '{"kind": "speak", "id": 1, "text": "x"}',
        '{"kind": "speak", "id": 1, "text": "x", "until": "2026-03-01T03:12:00"}',
    ],
)
def test_a_command_with_a_fault_is_refused(text: str) -> None:
    with pytest.raises(ValidationError):
        COMMAND.validate_json(text)
