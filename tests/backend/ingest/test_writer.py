"""Storing what homes send: every reading and event exactly once, with what follows from it, in one transaction."""

from dataclasses import replace

import pytest

from backend.cases import store as cases
from backend.db.pool import Connection, Pool
from backend.ingest import writer
from backend.ingest.decode import Reject
from contract.events import EventKind
from contract.quantities import QuantityName
from contract.status import DeviceStatus, GatewayStatus
from contract.stored import RefusedReason, Stored
from tests.backend.street import NOW, at_once, batch, event, letter, rows, seconds, write

pytestmark = pytest.mark.store


async def test_a_batch_becomes_readings_with_their_original_times(street: Connection) -> None:
    await write(street, letter(batch([97, 96, 95], every_s=5)))
    stored = await rows(street, "SELECT elder_id, measured_at, value FROM reading ORDER BY measured_at")
    assert [(row["elder_id"], row["measured_at"], row["value"]) for row in stored] == [
        ("elder-1", NOW, 97),
        ("elder-1", NOW + seconds(5), 96),
        ("elder-1", NOW + seconds(10), 95),
    ]


async def test_the_answer_names_what_is_stored(street: Connection) -> None:
    [(gateway_id, answer)] = await write(street, letter(batch([97, 96], first=7)))
    assert isinstance(answer, Stored)
    assert (gateway_id, answer.first, answer.last) == ("gw-1", 7, 8)


async def test_the_same_batch_five_times_is_stored_once_and_answered_five_times(street: Connection) -> None:
    answers = [await write(street, letter(batch([97, 96]))) for _ in range(5)]
    assert all(len(one) == 1 for one in answers)
    assert (await rows(street, "SELECT count(*) AS n FROM reading"))[0]["n"] == 2
    assert (await rows(street, "SELECT readings, repeats FROM gateway_log"))[0] == {"readings": 2, "repeats": 8}


async def test_batches_cut_in_another_way_store_only_what_is_new(street: Connection) -> None:
    await write(street, letter(batch([1, 2, 3], first=1)))
    await write(street, letter(batch([2, 3, 4, 5], first=2, start_at=NOW + seconds(10))))
    values = [row["value"] for row in await rows(street, "SELECT value FROM reading ORDER BY measured_at")]
    assert values == [1, 2, 3, 4, 5]


async def test_an_event_inside_the_range_of_a_batch_is_not_taken_for_stored(street: Connection) -> None:
    readings = batch([97, 96, 95], first=1)
    gap = readings.model_copy(update={"last": 4, "series": [readings.series[0].model_copy(update={"sequences": [0, 2, 3]})]})
    await write(street, letter(gap))
    await write(street, letter(event(EventKind.SOS, sequence=2)))
    assert (await rows(street, "SELECT count(*) AS n FROM event"))[0]["n"] == 1


async def test_a_new_log_may_use_old_sequences_again(street: Connection) -> None:
    await write(street, letter(batch([97], first=1)))
    await write(street, letter(batch([96], first=1, log_id="00000000000000bb", start_at=NOW + seconds(60))))
    assert (await rows(street, "SELECT count(*) AS n FROM reading"))[0]["n"] == 2


async def test_gaps_below_the_floor_are_closed(street: Connection) -> None:
    await write(street, letter(batch([97], first=1)))
    await write(street, letter(batch([96], first=1_000, floor=900)))
    assert (await rows(street, "SELECT stored::text FROM gateway_log"))[0]["stored"] == "{[0,900),[1000,1001)}"


async def test_a_fall_becomes_one_alert_with_a_notification_and_a_visit_request(street: Connection) -> None:
    await write(street, letter(event(EventKind.FALL)))
    [alert] = await rows(street, "SELECT * FROM alert")
    assert (alert["rule_id"], alert["priority"], alert["state"], alert["opened_at"]) == ("fall", "high", "new", NOW)
    assert (await rows(street, "SELECT alert_id FROM event"))[0]["alert_id"] == alert["id"]
    assert [row["person"] for row in await rows(street, "SELECT person FROM notification")] == ["contact:1"]
    [visit] = await rows(street, "SELECT state, class, alert_id FROM visit")
    assert visit == {"state": "requested", "class": "urgent", "alert_id": alert["id"]}


async def test_the_same_press_again_is_the_same_event(street: Connection) -> None:
    await write(street, letter(event(EventKind.SOS, sequence=1, event_id="wearable-1:aa-1")))
    await write(street, letter(event(EventKind.SOS, sequence=2, event_id="wearable-1:aa-1")))
    assert (await rows(street, "SELECT count FROM alert"))[0]["count"] == 1


async def test_a_second_press_repeats_the_open_alert(street: Connection) -> None:
    for sequence in (1, 2):
        await write(street, letter(event(EventKind.SOS, sequence=sequence)))
    assert [row["count"] for row in await rows(street, "SELECT count FROM alert")] == [2]


async def test_a_fall_cancelled_by_its_wearer_stays_visible_as_cancelled(street: Connection) -> None:
    await write(street, letter(event(EventKind.FALL, sequence=1)))
    await write(street, letter(event(EventKind.FALL_CANCELLED, sequence=2, at=NOW + seconds(5))))
    [alert] = await rows(street, "SELECT state, condition FROM alert")
    assert alert == {"state": "new", "condition": "cancelled"}


async def test_spo2_below_its_limit_for_the_hold_time_is_one_alert_however_it_is_cut(street: Connection) -> None:
    for step in range(20):
        at = NOW + seconds(10 * step)
        await write(street, letter(batch([86], first=step + 1, start_at=at)), now=at)
    alerts = await rows(street, "SELECT rule_id, level, count, opened_at FROM alert")
    assert alerts == [{"rule_id": "spo2_low", "level": "urgent", "count": 1, "opened_at": NOW + seconds(60)}]


async def test_spo2_that_returns_before_the_hold_time_is_no_alert(street: Connection) -> None:
    await write(street, letter(batch([86] * 6 + [95] * 6)))
    assert await rows(street, "SELECT id FROM alert") == []


async def test_recovery_marks_the_alert_and_leaves_it_to_a_human(street: Connection) -> None:
    await write(street, letter(batch([86] * 8 + [96] * 8)))
    [alert] = await rows(street, "SELECT state, condition FROM alert")
    assert alert == {"state": "new", "condition": "recovered"}


async def test_old_readings_page_nobody(street: Connection) -> None:
    old = NOW - seconds(7200)
    await write(street, letter(batch([86] * 8, start_at=old)))
    [alert] = await rows(street, "SELECT priority, evidence FROM alert")
    assert alert["priority"] == "low" and alert["evidence"]["late"] is True
    assert await rows(street, "SELECT id FROM notification") == []


async def test_old_readings_page_nobody_though_the_homes_clock_was_set_right_before_its_next_batch(street: Connection) -> None:
    old = NOW - seconds(7200)
    ahead_s = 86_400
    wrong = letter(batch([86] * 8, start_at=old + seconds(ahead_s)), clock_behind_s=-ahead_s)
    await write(street, wrong, letter(batch([97], first=9)))
    [alert] = await rows(street, "SELECT priority, evidence FROM alert")
    assert alert["priority"] == "low" and alert["evidence"]["late"] is True
    assert await rows(street, "SELECT id FROM notification") == []


async def test_an_sos_is_loud_whatever_its_age(street: Connection) -> None:
    await write(street, letter(event(EventKind.SOS, at=NOW - seconds(86_400))))
    assert (await rows(street, "SELECT priority FROM alert"))[0]["priority"] == "high"


async def test_an_implausible_value_is_kept_but_alarms_nobody(street: Connection) -> None:
    await write(street, letter(batch([130] * 20)))
    assert (await rows(street, "SELECT count(*) AS n FROM reading"))[0]["n"] == 20
    assert await rows(street, "SELECT id FROM alert") == []


async def test_a_gateway_nobody_enrolled_is_stored_and_its_sos_is_an_alert(street: Connection) -> None:
    await write(street, letter(event(EventKind.SOS), "gw-stranger"))
    assert [(row["elder_id"], row["gateway_id"]) for row in await rows(street, "SELECT elder_id, gateway_id FROM alert")] == [
        (None, "gw-stranger")
    ]


async def test_a_rule_that_raises_does_not_stop_storage_and_is_reported(street: Connection) -> None:
    await street.execute("ALTER TABLE notification ADD CONSTRAINT nothing_goes CHECK (false)")
    await write(street, letter(event(EventKind.FALL)))
    assert (await rows(street, "SELECT count(*) AS n FROM event"))[0]["n"] == 1
    assert [row["rule_id"] for row in await rows(street, "SELECT rule_id FROM alert")] == ["rule_failed"]


async def test_a_device_found_again_closes_its_technical_alert(street: Connection) -> None:
    await write(street, letter(event(EventKind.DEVICE_LOST, sequence=1)))
    await write(street, letter(event(EventKind.DEVICE_FOUND, sequence=2, at=NOW + seconds(30))))
    [alert] = await rows(street, "SELECT state, closed_by, disposition FROM alert")
    assert alert == {"state": "closed", "closed_by": "system", "disposition": "technical"}


async def test_a_status_that_hears_the_device_closes_it_too(street: Connection) -> None:
    await write(street, letter(event(EventKind.DEVICE_LOST, sequence=1)))
    heard = DeviceStatus(id="wearable-1", type="jiahu_wearable", is_lost=False, heard_at=NOW + seconds(30))
    await write(street, letter(GatewayStatus(online=True, at=NOW, devices=[heard])))
    assert (await rows(street, "SELECT state FROM alert"))[0]["state"] == "closed"


async def test_one_device_found_leaves_the_alert_of_another_open(street: Connection) -> None:
    await write(street, letter(event(EventKind.DEVICE_LOST, sequence=1, device="a")))
    await write(street, letter(event(EventKind.DEVICE_LOST, sequence=2, device="b")))
    await write(street, letter(event(EventKind.DEVICE_FOUND, sequence=3, device="a", at=NOW + seconds(30))))
    assert (await rows(street, "SELECT state FROM alert"))[0]["state"] == "new"


async def test_a_clock_that_is_off_is_a_technical_alert_until_it_is_right(street: Connection) -> None:
    await write(street, letter(GatewayStatus(online=True, at=NOW - seconds(41))))
    assert [row["rule_id"] for row in await rows(street, "SELECT rule_id FROM alert WHERE state = 'new'")] == ["clock_off"]
    await write(street, letter(GatewayStatus(online=True, at=NOW - seconds(1))))
    assert await rows(street, "SELECT id FROM alert WHERE state = 'new'") == []


async def test_a_last_will_is_no_sign_of_life(street: Connection) -> None:
    await write(street, letter(GatewayStatus(online=False, at=NOW)))
    assert (await rows(street, "SELECT heard_at, online FROM gateway WHERE id = 'gw-1'"))[0] == {"heard_at": None, "online": False}


async def test_of_several_states_in_one_group_each_home_has_its_last(street: Connection) -> None:
    """And a clock that was off in the first of them is right again in the second: opened and closed, in this order."""
    off = GatewayStatus(online=True, at=NOW - seconds(41), version="1")
    right = GatewayStatus(online=True, at=NOW - seconds(1), version='say "2"')
    other = GatewayStatus(online=False, at=NOW - seconds(5))
    await write(street, letter(off), letter(other, "gw-2"), letter(right), letter(GatewayStatus(online=False, at=NOW)))
    query = "SELECT id, online, status ->> 'version' AS version, status_at, clock_offset_s FROM gateway ORDER BY id"
    assert await rows(street, query) == [
        {"id": "gw-1", "online": False, "version": 'say "2"', "status_at": NOW, "clock_offset_s": 1.0},
        {"id": "gw-2", "online": False, "version": None, "status_at": NOW - seconds(5), "clock_offset_s": None},
    ]
    assert await rows(street, "SELECT rule_id, state FROM alert") == [{"rule_id": "clock_off", "state": "closed"}]


async def test_bytes_that_cannot_be_read_are_kept_once_and_answered_each_time(street: Connection) -> None:
    arrival = letter(event(EventKind.SOS)).arrival
    reject = Reject("gw-1", RefusedReason.NOT_JSON, "no", "ab" * 16, arrival)
    for _ in range(2):
        assert len(await writer.keep(street, reject, now=NOW)) == 1
    assert (await rows(street, "SELECT count(*) AS n FROM ingest_reject"))[0]["n"] == 1


async def test_two_devices_that_disagree_do_not_hide_each_other(street: Connection) -> None:
    for step in range(8):
        at = NOW + seconds(10 * step)
        low = letter(batch([86], first=2 * step + 1, start_at=at, device="oximeter-1"))
        high = letter(batch([98], first=2 * step + 2, start_at=at, device="wearable-1"))
        await write(street, low, high, now=at)
    [alert] = await rows(street, "SELECT condition, evidence FROM alert")
    assert alert["condition"] == "active" and alert["evidence"]["devices"] == ["oximeter-1"]


async def test_heart_rate_out_of_reach_of_any_rule_needs_no_window(street: Connection) -> None:
    await write(street, letter(batch([72] * 12, quantity=QuantityName.HEART_RATE)))
    assert await rows(street, "SELECT id FROM alert") == []


@pytest.mark.parametrize("gateway_id", ["gw-1", "gw-stranger"])
async def test_the_same_batch_on_five_connections_at_once_is_stored_once(pool: Pool, street: Connection, gateway_id: str) -> None:
    await at_once(pool, 5, lambda conn, _: write(conn, letter(batch([97, 96]), gateway_id)))
    assert (await rows(street, "SELECT readings, repeats FROM gateway_log"))[0] == {"readings": 2, "repeats": 8}
    assert (await rows(street, "SELECT count(*) AS n FROM reading"))[0]["n"] == 2


async def test_writers_who_get_homes_in_different_orders_never_lock_each_other_out(pool: Pool, street: Connection) -> None:
    async def mix(conn: Connection, number: int) -> None:
        homes = ("gw-1", "gw-2") if number % 2 else ("gw-2", "gw-1")
        for step in range(5):
            first = 100 * number + step + 1
            await write(conn, *(letter(batch([97], first=first, start_at=NOW + seconds(first)), home) for home in homes))

    await at_once(pool, 6, mix)
    assert (await rows(street, "SELECT count(*) AS n FROM reading"))[0]["n"] == 60


async def test_a_fall_hours_after_one_that_was_taken_calls_everybody_again(street: Connection) -> None:
    await write(street, letter(event(EventKind.FALL, sequence=1)))
    async with street.transaction():
        await cases.take(street, (await rows(street, "SELECT id FROM care_case"))[0]["id"], by="zhou", now=NOW)
    await street.execute("UPDATE visit SET state = 'cancelled', next_at = NULL")
    later = NOW + seconds(8 * 3600)
    await write(street, letter(event(EventKind.FALL, sequence=2, at=later), received_at=later), now=later)
    assert await rows(street, "SELECT count FROM alert") == [{"count": 2}]
    assert await rows(street, "SELECT state, taken_by FROM care_case") == [{"state": "new", "taken_by": None}]
    assert len(await rows(street, "SELECT id FROM notification")) == 2
    assert len(await rows(street, "SELECT id FROM visit WHERE state = 'requested'")) == 1


async def test_twenty_presses_in_a_minute_call_once(street: Connection) -> None:
    for number in range(20):
        await write(street, letter(event(EventKind.SOS, sequence=number + 1, at=NOW + seconds(3 * number))))
    assert (await rows(street, "SELECT count FROM alert"))[0]["count"] == 20
    assert len(await rows(street, "SELECT id FROM notification")) == 1


async def test_an_event_whose_sequence_was_used_before_is_stored_all_the_same(street: Connection) -> None:
    await write(street, letter(batch([97] * 10, first=1)))
    await write(street, letter(event(EventKind.SOS, sequence=5)))
    assert (await rows(street, "SELECT count(*) AS n FROM alert"))[0]["n"] == 1


async def test_a_topic_too_long_for_an_index_is_kept_all_the_same(street: Connection) -> None:
    arrival = replace(letter(event(EventKind.SOS)).arrival, topic="jiahu/1/" + "x" * 12_000 + "/gw-1/event")
    await writer.keep(street, Reject(None, RefusedReason.NOT_VALID, "topic", "ab" * 16, arrival), now=NOW)
    assert len((await rows(street, "SELECT topic FROM ingest_reject"))[0]["topic"]) == 200


async def test_a_home_whose_clock_is_twenty_minutes_behind_still_pages(street: Connection) -> None:
    behind = NOW - seconds(1200)
    low = letter(batch([86] * 8, start_at=behind), received_at=NOW + seconds(80), clock_behind_s=1200)
    await write(street, low, now=NOW + seconds(80))
    assert (await rows(street, "SELECT priority FROM alert WHERE rule_id = 'spo2_low'"))[0]["priority"] == "high"
