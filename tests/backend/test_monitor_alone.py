"""What a home did alone is told in the alert of the press or fall it did it for, and is an alert of its own where that is not open."""

from datetime import timedelta

from backend.alerts import store as alerts
from backend.cases.lifecycle import Disposition
from backend.db.pool import Connection
from backend.web import read, timeline
from backend.web.language import translator
from contract.events import Event, EventKind, remark
from tests.backend.street import NOW, event, letter, one, rows, seconds, write

PRESS = "wearable-1:00aa-1"
SENT: dict[str, str | int] = {"contact": 1, "result": "sent"}
FAILED: dict[str, str | int] = {"contact": 2, "result": "failed", "reason": "no_sim"}


def press(kind: EventKind = EventKind.SOS) -> Event:
    return event(kind, sequence=1, event_id=PRESS)


def acted() -> Event:
    told = event(EventKind.ACTED_ALONE, sequence=2, event_id="gateway:alone-1", at=NOW + seconds(60))
    return told.model_copy(update={"detail": remark(event=PRESS, siren="on", contacts=2)})


def sms(sequence: int, words: dict[str, str | int]) -> Event:
    name = f"gateway:alone-1-sms-{words['contact']}-{words['result']}"
    told = event(EventKind.ALONE_SMS, sequence=sequence, event_id=name, at=NOW + seconds(60 + sequence))
    return told.model_copy(update={"detail": remark(event=PRESS, **words)})


async def close(conn: Connection) -> None:
    row = await one(conn, "SELECT id FROM alert WHERE state <> 'closed'")
    async with conn.transaction():
        await alerts.close(conn, row["id"], by="wang", disposition=Disposition.FALSE, text="", now=NOW + seconds(10))


async def open_rules(conn: Connection) -> list[str]:
    return [row["rule_id"] for row in await rows(conn, "SELECT rule_id FROM alert WHERE state <> 'closed' ORDER BY id")]


async def test_it_belongs_to_the_alert_of_the_press(street: Connection) -> None:
    later = NOW + seconds(600)
    await write(street, letter(press(), received_at=later), now=later)
    await write(street, *(letter(told, received_at=later) for told in (acted(), sms(3, SENT), sms(4, FAILED))), now=later)
    assert await open_rules(street) == ["sos"]
    assert len(await rows(street, "SELECT id FROM event WHERE alert_id = (SELECT id FROM alert)")) == 4
    assert (await one(street, "SELECT version FROM alert"))["version"] == 4, "pages show it again"


async def test_the_operator_reads_it_in_both_languages(street: Connection) -> None:
    await write(street, *(letter(told) for told in (press(EventKind.FALL), acted(), sms(3, SENT), sms(4, FAILED))))
    alert = await one(street, "SELECT id, elder_id, opened_at, closed_at FROM alert")
    happened = await read.events(street, alert, [alert["id"]], before=timedelta(minutes=5), now=NOW + seconds(600))
    chinese = [f"{line.text} {line.more}" for line in timeline.compose([], happened, [], [], say=translator("zh"))]
    assert chinese == [
        "家中发给联系人 2 的短信：发送失败（没有 SIM 卡） wearable-1",
        "家中发给联系人 1 的短信：已发出 wearable-1",
        "中心无应答，家中已自行报警 wearable-1 · 警笛已响 · 向 2 位联系人发短信",
        "检测到跌倒 wearable-1",
    ]
    english = [line.text for line in timeline.compose([], happened, [], [], say=translator("en"))]
    assert english[:3] == [
        "SMS of the home to contact 2: failed (no SIM)",
        "SMS of the home to contact 1: sent",
        "Nobody answered the home: it acted alone",
    ]


async def test_where_the_press_has_no_open_alert_it_is_one_of_its_own(street: Connection) -> None:
    await write(street, letter(press()))
    await close(street)
    await write(street, letter(acted()), letter(sms(3, SENT)))
    assert await open_rules(street) == ["acted_alone"]
    own = await one(street, "SELECT id, priority FROM alert WHERE state <> 'closed'")
    assert own["priority"] == "high"
    linked = await rows(street, f"SELECT kind FROM event WHERE alert_id = {own['id']} ORDER BY id")
    assert [row["kind"] for row in linked] == ["acted_alone", "alone_sms"]


async def test_where_the_press_is_not_known_it_is_one_of_its_own(street: Connection) -> None:
    await write(street, letter(acted()))
    assert await open_rules(street) == ["acted_alone"]


async def test_a_press_of_another_home_with_the_same_name_is_not_meant(street: Connection) -> None:
    await write(street, letter(press(), "gw-2"))
    await write(street, letter(acted()))
    assert await open_rules(street) == ["sos", "acted_alone"]


async def test_a_message_whose_home_told_nothing_else_is_kept_and_alarms_nobody(street: Connection) -> None:
    await write(street, letter(sms(3, FAILED)), letter(sms(4, SENT).model_copy(update={"detail": None})))
    assert await open_rules(street) == []
    assert len(await rows(street, "SELECT id FROM event")) == 2


async def test_a_modem_that_fails_is_a_technical_alert_until_it_works_again(street: Connection) -> None:
    await write(street, letter(event(EventKind.MODEM_FAILED, sequence=1, device="gateway")))
    assert (await one(street, "SELECT rule_id, priority FROM alert")) == {"rule_id": "modem_failed", "priority": "technical"}
    await write(street, letter(event(EventKind.MODEM_WORKS, sequence=2, device="gateway", at=NOW + seconds(60))))
    assert await open_rules(street) == []
