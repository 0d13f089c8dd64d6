"""`python -m contract.document` writes docs/contract.md from the models, so that the document cannot differ from the code."""

import json
from pathlib import Path
from typing import Any

from contract import topics
from contract.examples import EXAMPLES, LISTENING_EXAMPLE
from contract.listening import Listening
from contract.message import Message
from contract.quantities import QUANTITIES
from contract.topics import DOWNWARD, Leaf

TARGET = Path(__file__).resolve().parents[1] / "docs" / "contract.md"
EXAMPLE_GATEWAY = "home-03"

HEAD = """# The contract between gateways and the backend

Generated from `contract/` by `make docs`; do not edit. Messages are JSON over MQTT, version 5 where the broker has it, else 3.1.1. Nothing
depends on what a broker keeps: sessions are clean, and only the backend's `Stored` lets a gateway forget.

## How a message is delivered exactly once
1. The gateway writes readings and events to its disk; each gets the next sequence of its log (`log_id`, one outbox file).
2. It sends them: events one by one and first, readings in batches. What is not answered in time is sent again.
3. The backend stores them, judges them, and moves its cursor for this log, in one transaction. Sequences it has already are skipped.
4. After the commit it answers `Stored`. Only now does the gateway forget.
5. Bytes the backend cannot read are kept there and answered with `Refused`, so that they do not block the home.
6. A backend that has just begun to hear a shard says so to all its homes (`Listening`): what is unanswered is sent again at once.

"""


def main() -> None:
    """Write the document."""
    TARGET.parent.mkdir(exist_ok=True)
    TARGET.write_text(document(), "utf-8")


def document() -> str:
    """The whole document as Markdown."""
    messages = [*(_messages(leaf) for leaf in Leaf), _listening()]
    parts = [HEAD, "## Topics\n", _topics(), "\n## Messages\n", *messages, "## Quantities\n", _quantities()]
    return "".join(parts)


def _topics() -> str:
    rows = [
        f"| `{topics.build(EXAMPLE_GATEWAY, leaf)}` | {'to the gateway' if leaf in DOWNWARD else 'to the backend'} "
        f"| {'yes' if leaf is Leaf.STATUS else 'no'} | {', '.join(sorted({type(one).__name__ for one in EXAMPLES[leaf]}))} |\n"
        for leaf in Leaf
    ]
    intro = "`jiahu/1/{shard}/{gateway_id}/{leaf}`: version 1; shard = CRC-32 of the gateway's id modulo 64.\n\n"
    everybody = f"| `{topics.listening(topics.shard_of(EXAMPLE_GATEWAY))}` | to all gateways of the shard | no | Listening |\n"
    return intro + "| example | direction | retained | message |\n|---|---|---|---|\n" + "".join(rows) + everybody


def _listening() -> str:
    example = LISTENING_EXAMPLE.model_dump_json()
    return f"### {topics.LISTENING}\n\n{_describe(Listening.model_json_schema())}Example:\n\n```json\n{example}\n```\n\n"


def _messages(leaf: Leaf) -> str:
    kinds: dict[str, Message] = {type(one).__name__: one for one in reversed(EXAMPLES[leaf])}
    described = "".join(_describe(type(one).model_json_schema()) for one in reversed(kinds.values()))
    examples = "\n".join(one.model_dump_json(exclude_none=True) for one in EXAMPLES[leaf])
    return f"### {leaf}\n\n{described}Example:\n\n```json\n{examples}\n```\n\n"


def _describe(schema: dict[str, Any]) -> str:
    inner = schema.get("$defs", {})
    tables = [_table(schema), *(_table(one) for one in inner.values() if "properties" in one)]
    enums = [f"`{name}`: {', '.join(f'`{value}`' for value in one['enum'])}\n\n" for name, one in inner.items() if "enum" in one]
    return "".join(tables + enums)


def _table(schema: dict[str, Any]) -> str:
    required = set(schema.get("required", ()))
    rows = [f"| `{name}` | {_type_of(one)} | {'yes' if name in required else 'no'} |\n" for name, one in schema["properties"].items()]
    about = " ".join(schema.get("description", "").split())
    return f"**{schema['title']}**. {about}\n\n| key | type | required |\n|---|---|---|\n" + "".join(rows) + "\n"


def _type_of(one: dict[str, Any]) -> str:
    if "$ref" in one:
        return str(one["$ref"]).rpartition("/")[2]
    if "anyOf" in one:
        return " or ".join(_type_of(part) for part in one["anyOf"])
    if "const" in one:
        return f"`{json.dumps(one['const'])}`"
    if one.get("type") == "array":
        return f"list of {_type_of(one['items'])}{_limits(one, 'minItems', 'maxItems')}"
    if one.get("format") == "date-time":
        return "instant (ISO 8601 with zone, 1970 to 2200)"
    if one.get("type") == "object":
        return "object of " + _type_of(one["additionalProperties"]) if "additionalProperties" in one else "object"
    pattern = f" matching `{one['pattern']}`" if "pattern" in one else ""
    return f"{one.get('type', 'any')}{pattern}{_limits(one, 'minimum', 'maximum')}{_limits(one, 'minLength', 'maxLength')}"


def _limits(one: dict[str, Any], low: str, high: str) -> str:
    if low in one and high in one:
        return f" {one[low]}..{one[high]}"
    return f" >= {one[low]}" if low in one else f" <= {one[high]}" if high in one else ""


def _quantities() -> str:
    head = "| name | 中文 | unit (UCUM) | plausible | MDC | LOINC | where the bounds come from |\n|---|---|---|---|---|---|---|\n"
    rows = [
        f"| `{one.name}` | {one.title_zh} | {one.unit} | {one.low:g}..{one.high:g} "
        f"| {one.mdc or '-'} | {one.loinc or '-'} | {one.range_source} |\n"
        for one in QUANTITIES.values()
    ]
    return head + "".join(rows)


if __name__ == "__main__":
    main()
