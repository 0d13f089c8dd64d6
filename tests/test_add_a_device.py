"""What docs/add-a-device.md shows and names is what there is."""

import re
from pathlib import Path

HOUSE = Path(__file__).resolve().parents[1]
DOCUMENT = (HOUSE / "docs" / "add-a-device.md").read_text("utf-8")


def test_the_driver_it_shows_is_the_one_that_runs() -> None:
    [shown] = re.findall(r"```python\n(.*?)```", DOCUMENT, flags=re.DOTALL)
    assert shown == (HOUSE / "gateway/devices/hlk_ld1125h.py").read_text("utf-8"), "copy the file into the document"


def test_every_file_it_names_is_there() -> None:
    named = {name for name in re.findall(r"`([a-z_]+/[\w/.-]+)`", DOCUMENT) if "<" not in name}
    assert len(named) > 8
    assert [name for name in named if not (HOUSE / name).exists()] == []


def test_every_row_it_shows_is_in_a_table() -> None:
    rows = re.findall(r'^    ("hlk_ld1125h": .*,)$', DOCUMENT, flags=re.MULTILINE)
    tables = (HOUSE / "gateway/devices/__init__.py").read_text("utf-8"), (HOUSE / "gateway/decode.py").read_text("utf-8")
    assert [row in table for row, table in zip(rows, tables, strict=True)] == [True, True]


def test_every_program_it_runs_is_one() -> None:
    modules = set(re.findall(r"-m ([a-z_.]+)", DOCUMENT)) - {"pytest"}
    paths = [HOUSE / name.replace(".", "/") for name in modules]
    assert [path for path in paths if not (path.with_suffix(".py").exists() or (path / "__main__.py").exists())] == []
