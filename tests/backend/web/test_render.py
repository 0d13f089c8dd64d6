"""How values are written."""

from datetime import date, datetime, timedelta

import pytest

from backend.web.language import translator
from backend.web.render import day_clock, json_for_page, number, since, tel, years
from tests.backend.street import NOW


@pytest.mark.parametrize(
    ("seconds", "zh", "en"),
    [
        (-5, "0 秒", "0 s"),
        (59, "59 秒", "59 s"),
        (61, "1 分 1 秒", "1 min 1 s"),
        (3600, "1 小时 0 分", "1 h 0 min"),
        (90_000, "1 天 1 小时", "1 d 1 h"),
    ],
)
def test_an_age_has_its_two_largest_units(seconds: int, zh: str, en: str) -> None:
    at = NOW - timedelta(seconds=seconds)
    assert (since(at, NOW, translator("zh")), since(at, NOW, translator("en"))) == (zh, en)


@pytest.mark.parametrize(
    ("at", "zone", "text"),
    [
        (NOW, "Asia/Shanghai", "11:12:00"),
        (NOW - timedelta(hours=12), "Asia/Shanghai", "02-28 23:12:00"),
        (NOW, "Asia/Urumqi", "09:12:00"),
        (NOW, "Nowhere/Land", "11:12:00"),
    ],
)
def test_a_time_is_in_the_elders_zone_and_has_a_date_when_it_was_not_today(at: datetime, zone: str, text: str) -> None:
    assert day_clock(at, NOW, zone) == text


@pytest.mark.parametrize(("born_on", "age"), [(date(1944, 3, 1), 82), (date(1944, 3, 2), 81)])
def test_age_counts_birthdays(born_on: date, age: int) -> None:
    assert years(born_on, NOW) == age


@pytest.mark.parametrize(("value", "quantity", "text"), [(36.44, "body_temperature", "36.4"), (87.0, "spo2", "87"), (130, "spo2", "?")])
def test_a_value_has_its_quantitys_decimals_and_nonsense_is_no_value(value: float, quantity: str, text: str) -> None:
    assert number(value, quantity) == text


def test_a_phone_link_holds_digits_only() -> None:
    assert tel("+86 759-333 0001") == "+867593330001"


def test_words_cannot_end_their_block_of_the_page() -> None:
    assert "<" not in json_for_page({"a": "</script>"})
