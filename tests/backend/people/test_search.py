"""Finding elders by whatever somebody at the telephone knows of them."""

import pytest

from backend.db.pool import Connection
from backend.people import search
from tests.backend.street import NOW

PEOPLE = """
INSERT INTO elder (id, name, pinyin, sex, phone, address) VALUES
    ('a', '欧阳建国', 'Ouyang Jianguo', 'male', '+86 138-0013 8000', '柳树巷 12 号 1 单元 102'),
    ('b', '吕秀英', 'Lǚ Xiùyīng', 'female', '000 0001 0200', '柳树巷 2 号'),
    ('c', '周长安', 'Zhou Chang''an', 'male', '', '河湾大道 112 号'),
    ('d', '王桂芳', '', 'female', '000 0001 0400', '柳树巷 3 号，A 座')
"""
MANY = """
INSERT INTO elder (id, name, pinyin, sex, phone, address)
SELECT 'x' || n, '赵' || chr(19968 + n), 'Zhao ' || chr(97 + n % 26), 'male', lpad(n::text, 11, '1'), '长街 ' || n || ' 号'
FROM generate_series(1, 3000) AS n
"""


@pytest.mark.store
@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("", "abcd 12"),
        ("秀英", "b1"),
        ("王", "d1"),
        ("吕 柳树", "b"),
        ("ouyang", "a"),
        ("OuYang jian guo", "a"),
        ("ōuyáng", "a"),
        ("jianguo", "a"),
        ("oyjg", "a"),
        ("jg", "a"),
        ("lv xiu", "b"),
        ("lu", "b"),
        ("ｌü", "b"),
        ("xy", "b"),
        ("chang'an", "c"),
        ("zca", "c"),
        ("angu", ""),  # letters begin a syllable
        ("8000", "a"),
        ("138 0013 8000", "a"),
        ("0200", "b"),
        ("12号", "ac"),
        ("112 号", "c"),
        ("柳树巷 2 号", "ab"),  # words apart: both have all three
        ("柳树巷2号", "b"),
        ("A座", "d"),
        ("%", "abcd 12"),
        ("_", "abcd 12"),
        ("'; DROP TABLE elder; --", ""),
        ("𠮷", ""),
    ],
)
async def test_an_elder_is_found(street: Connection, typed: str, expected: str) -> None:
    await street.execute(PEOPLE)
    found = await search.find(street, typed, page=1, doctor=None, now=NOW)
    assert {one.removeprefix("elder-") for one in found.ids} == set(expected.replace(" ", ""))
    assert found.total == len(found.ids)


@pytest.mark.store
async def test_a_changed_telephone_is_found_anew_and_pages_follow_each_other(street: Connection) -> None:
    await street.execute("UPDATE elder SET phone = '000 0007 7777' WHERE id = 'elder-1'")
    assert (await search.find(street, "7777", page=1, doctor=None, now=NOW)).ids == ["elder-1"]
    await street.execute(
        "INSERT INTO elder (id, name, sex, address) SELECT 'x' || n, '赵一', 'female', '长街 ' || n FROM generate_series(1, 60) n"
    )
    pages = [(await search.find(street, "赵一", page=page, doctor=None, now=NOW)) for page in (1, 2, 3)]
    assert [len(page.ids) for page in pages] == [50, 10, 0]
    assert len({one for page in pages for one in page.ids}) == 60
    assert {page.total for page in pages} == {60}


@pytest.mark.store
async def test_a_doctor_finds_the_own_ones_alone(street: Connection) -> None:
    of_team = await search.find(street, "", page=1, doctor=("team-a", "doctor-li"), now=NOW)
    assert of_team.ids == ["elder-1"]
    assert (await search.find(street, "张建国", page=1, doctor=("team-a", "doctor-li"), now=NOW)).ids == []


@pytest.mark.store
async def test_a_search_uses_its_index(street: Connection) -> None:
    await street.execute(MANY)
    await street.execute("ANALYZE elder")
    for typed in ("王秀英", "1234", "长街 77"):
        asked = search.wanted(typed)
        where = search.PAGE.format(conditions=search.BY_WORDS)
        values = {"grams": list(asked.grams), "patterns": list(asked.patterns), "rows": 50, "skip": 0}
        plan = await (await street.execute(f"EXPLAIN {where}".encode(), values)).fetchall()
        assert any("elder_by_grams" in str(row) for row in plan), typed
