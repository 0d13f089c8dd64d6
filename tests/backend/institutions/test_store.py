"""The directory's file: what it takes, and what it refuses with the line."""

from pathlib import Path

import pytest

from backend.db.pool import Connection
from backend.errors import BadInput
from backend.institutions import store

HEAD = "id,kind,name,address,phone,latitude,longitude,hours,beds,nursing_beds\n"
ROW = "a-1,hospital,人民医院,河湾大道 1 号,000 0009 0400,29.5,106.5,24/7,600,200\n"
DEMO = Path(store.__file__).parents[2] / "simulators" / "demo" / "institutions.csv"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_files_of_common_spreadsheets_are_read(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "x.csv").write_bytes((HEAD + ROW).encode(encoding))
    [one] = store.read_file(tmp_path / "x.csv")
    assert (one.name, one.latitude, one.beds, one.is_active) == ("人民医院", 29.5, 600, True)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("id,name\na,b\n", "the heading must name columns"),
        (HEAD + ROW + ROW, "line 3: a-1 stands there twice"),
        (HEAD + ROW.replace("29.5", "95"), "line 2: latitude"),
        (HEAD + ROW.replace("106.5", ""), "line 2: file: give latitude and longitude"),
        (HEAD + ROW.replace("24/7", "by day"), "line 2: hours"),
        (HEAD + ROW.replace("600,200", "6,200"), "nursing_beds are among beds"),
        (HEAD + ROW.replace("hospital", "shop"), "line 2: kind"),
        (HEAD + ROW.strip() + ",more\n", "line 2: more fields"),
        (HEAD + ROW.replace("29.5", "nan"), "line 2: latitude"),
    ],
)
def test_a_bad_file_is_refused_with_its_line(text: str, expected: str) -> None:
    with pytest.raises(BadInput, match=expected):
        store.parse(text)


@pytest.mark.store
async def test_storing_again_replaces_and_given_up_ones_are_hidden(conn: Connection) -> None:
    institutions = store.read_file(DEMO)
    await store.save(conn, institutions)
    await store.save(conn, [institutions[0].model_copy(update={"is_active": False})])
    assert (await store.listed(conn)).total == len(institutions) - 1
    assert (await store.listed(conn, closed_too=True)).total == len(institutions)
    assert [row["id"] for row in (await store.listed(conn, search="河湾")).rows] == ["demo-hospital"]
    assert [row["id"] for row in (await store.listed(conn, kind="integrated")).rows] == ["demo-yiyang"]
