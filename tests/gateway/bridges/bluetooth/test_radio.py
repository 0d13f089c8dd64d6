"""The radio over a pseudo terminal that speaks HCI, with devices written from the profiles' specifications, and the gateway's pipeline."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from contract.events import EventKind
from gateway.bridges.bluetooth.keyring import Keyring
from simulators.bluetooth import values
from simulators.bluetooth.devices import COMPOSITION, GlucoseMeter, Oximeter, Scale, Thermometer
from simulators.bluetooth.peripheral import BONDED, Security
from tests.gateway.bluetooth_home import BELT, CUFF, CUFF_2, HOME, LOCAL, Air, Belt, BluetoothHome, Cuff, cuff_config, settings
from tests.gateway.home import NOW, eventually

SYSTOLIC, DIASTOLIC, HEART_RATE = "blood_pressure_systolic", "blood_pressure_diastolic", "heart_rate"
NEW = values.blood_pressure(132, 84, 100, 71, LOCAL)
PASSKEY = 42_017


def old(days: int) -> datetime:
    return LOCAL - timedelta(days=days)


def record(days: int, systolic: int = 150) -> bytes:
    return values.blood_pressure(systolic, 90, None, 70, old(days))


@pytest.fixture
def air(tmp_path: Path) -> Iterator[Air]:
    with Air(tmp_path / "dongle") as one:
        yield one


def test_all_profiles_are_read_at_once(air: Air, tmp_path: Path) -> None:
    cuff, belt, oximeter = Cuff(CUFF), Belt(BELT, bpm=66), Oximeter("C1:00:00:00:00:04", spo2=93, pulse=81)
    thermometer, scale, meter = Thermometer("C1:00:00:00:00:05"), Scale("C1:00:00:00:00:06"), GlucoseMeter("C1:00:00:00:00:07")
    devices = {"cuff": cuff, "belt": belt, "oximeter": oximeter, "thermometer": thermometer, "scale": scale, "meter": meter}
    oximeter.stored = [values.plx_spot(89, 90, old(1), status=1 << 9)]
    meter.records = {7: values.glucose(7, LOCAL, 3.1, context=True)}
    meter.contexts = {7: values.glucose_context(7, 1)}
    home = settings(tmp_path, *(cuff_config(name, one.address, summary_s=0.2) for name, one in devices.items()), links_max=6)
    with BluetoothHome(home) as one:
        air.add(*devices.values())
        one.expect("belt", HEART_RATE, 66)
        one.expect("oximeter", "spo2", 93, 89)
        one.expect("meter", "glucose", 3.1)
        eventually(lambda: {0x2A35} <= cuff.subscribed and {0x2A1C} <= thermometer.subscribed and {0x2A9D} <= scale.subscribed)
        air.do(cuff.measure(values.blood_pressure(17.6, 11.2, None, 71, kpa=True)))
        air.do(thermometer.measure(values.temperature(38.25, LOCAL, 3)))
        air.do(scale.measure(values.weight(61.5)))
        one.expect("cuff", SYSTOLIC, 132)
        one.expect("thermometer", "body_temperature", 38.25)
        one.expect("scale", "weight", 61.5)
        one.expect("belt", "beat_interval", round(round(60 / 66 * 1024) / 1024, 4))
        assert one.status("cuff").model == "ACME Cuff 7"
        assert one.status("cuff").battery_percent == 75
        assert COMPOSITION not in scale.subscribed
        (spot,) = [reading for reading in one.readings("oximeter", "spo2") if reading.statistic == "sample"]
        assert spot.at == (NOW - timedelta(days=1)).astimezone(UTC)
        assert meter.clock[:7] == values.date_time(LOCAL)


def test_a_cuff_is_bonded_with_once_and_its_keys_are_closed_to_others(air: Air, tmp_path: Path) -> None:
    cuff = Cuff(CUFF, BONDED)
    cuff.stored = [NEW]
    with BluetoothHome(settings(tmp_path, cuff_config())) as one:
        air.add(cuff)
        one.expect("cuff", SYSTOLIC, 132)
        one.expect_event("cuff", EventKind.PAIRED)
        air.do(cuff.hang_up())
        air.do(cuff.measure(values.blood_pressure(141, 84, 100, 71, LOCAL)))
        one.expect("cuff", SYSTOLIC, 132, 141)
    keys = dict(cuff.bonds.all_keys)
    assert (tmp_path / "bluetooth.keys").stat().st_mode & 0o777 == 0o600
    with BluetoothHome(settings(tmp_path, cuff_config())) as again:
        cuff.stored = [record(0, 138)]
        again.expect("cuff", SYSTOLIC, 138)
        assert EventKind.PAIRED not in again.kinds("cuff")
        assert again.keyring().irk != bytes(16)
    assert cuff.bonds.all_keys == keys


def test_ten_records_that_are_sent_again_are_taken_once_and_have_their_own_times(air: Air, tmp_path: Path) -> None:
    cuff = Cuff(CUFF)
    cuff.is_stubborn = True
    cuff.hangs_up_after = True
    cuff.stored = [record(days, 140 + days) for days in range(10, 0, -1)]
    with BluetoothHome(settings(tmp_path, cuff_config())) as one:
        air.add(cuff)
        eventually(lambda: cuff.connections >= 3, what="three connections")
        cuff.stored.append(NEW)
        one.expect("cuff", SYSTOLIC, 132)
        assert sorted(one.values("cuff", SYSTOLIC)) == [132, *range(141, 151)]
        times = {reading.at for reading in one.readings("cuff", SYSTOLIC) if reading.value != 132}
        assert {reading.is_history for reading in one.readings("cuff", SYSTOLIC) if reading.value != 132} == {True}
        assert times == {old(days).replace(tzinfo=HOME).astimezone(UTC) for days in range(1, 11)}
        known = one.pipeline.known()
    before = cuff.connections
    with BluetoothHome(settings(tmp_path, cuff_config()), known=known) as again:
        eventually(lambda: cuff.connections >= before + 2, what="two connections after the restart")
        assert again.values("cuff", SYSTOLIC) == []


def test_two_cuffs_of_one_model_keep_their_own_names(air: Air, tmp_path: Path) -> None:
    first, second = Cuff(CUFF, BONDED), Cuff(CUFF_2, BONDED)
    first.identity = second.identity = "00:A0:50:00:00:01"
    first.stored, second.stored = [NEW], [values.blood_pressure(118, 71, 90, 66, LOCAL)]
    with BluetoothHome(settings(tmp_path, cuff_config("hers"), cuff_config("his", CUFF_2))) as one:
        air.add(first, second)
        one.expect("hers", SYSTOLIC, 132)
        one.expect("his", SYSTOLIC, 118)
        assert one.values("hers", SYSTOLIC) == [132]
        assert one.values("his", SYSTOLIC) == [118]
        for cuff, systolic in ((first, 133), (second, 119)):
            air.do(cuff.hang_up())
            cuff.stored = [values.blood_pressure(systolic, 70, None, 66, LOCAL)]
        one.expect("hers", SYSTOLIC, 133)
        one.expect("his", SYSTOLIC, 119)
        assert EventKind.PAIRING_NEEDED not in one.kinds("hers") + one.kinds("his")


def test_a_link_that_is_lost_in_mid_stream_is_a_gap_and_an_event(air: Air, tmp_path: Path) -> None:
    belt = Belt(BELT)
    with BluetoothHome(settings(tmp_path, cuff_config("belt", BELT, quiet_s=0.6, summary_s=0.1))) as one:
        air.add(belt)
        one.expect("belt", HEART_RATE, 72)
        air.lose(belt)
        one.expect_event("belt", EventKind.DEVICE_LOST)
        seen = len(one.readings("belt", HEART_RATE))
        belt.bpm = 90
        air.do(belt.advertise())
        one.expect("belt", HEART_RATE, 90)
        assert one.kinds("belt") == [EventKind.DEVICE_LOST, EventKind.DEVICE_FOUND]
        times = [reading.at for reading in one.readings("belt", HEART_RATE)[seen - 1 :]]
        assert max(later - sooner for sooner, later in pairwise(times)) > timedelta(seconds=0.5)


def test_a_lost_bond_is_told_once_and_pairing_again_is_the_way_out(air: Air, tmp_path: Path) -> None:
    cuff = Cuff(CUFF, BONDED)
    cuff.stored = [NEW]
    with BluetoothHome(settings(tmp_path, cuff_config())) as one:
        air.add(cuff)
        one.expect("cuff", SYSTOLIC, 132)
        one.expect_event("cuff", EventKind.PAIRED)
        air.do(cuff.forget_bonds())
        cuff.stored = [record(0, 160)]
        air.do(cuff.hang_up())
        one.expect_event("cuff", EventKind.PAIRING_NEEDED)
        assert one.all.occurrences[-1].detail == "reason=bond_lost"
        assert one.values("cuff", SYSTOLIC) == [132]
        one.radio.write(b'{"enrol": "cuff", "address": "%s"}\n' % CUFF.encode())
        one.expect("cuff", SYSTOLIC, 160)
        one.expect_event("cuff", EventKind.PAIRED, times=2)
        assert one.kinds("cuff").count(EventKind.PAIRING_NEEDED) == 1


def test_a_lost_bond_may_be_made_again_by_itself(air: Air, tmp_path: Path) -> None:
    cuff = Cuff(CUFF, BONDED)
    with BluetoothHome(settings(tmp_path, cuff_config(), pair_again=True)) as one:
        air.add(cuff)
        one.expect_event("cuff", EventKind.PAIRED)
        air.do(cuff.forget_bonds())
        cuff.stored = [NEW]
        air.do(cuff.hang_up())
        one.expect("cuff", SYSTOLIC, 132)


@pytest.mark.parametrize("more", [{}, {"asks_by_itself": True}, {"is_legacy": True}])
def test_a_passkey_proves_the_device(air: Air, tmp_path: Path, more: dict[str, bool]) -> None:
    cuff = Cuff(CUFF, Security(True, passkey=PASSKEY, **more))
    cuff.stored = [NEW]
    with BluetoothHome(settings(tmp_path, cuff_config(passkey=f"{PASSKEY:06}"))) as one:
        air.add(cuff)
        one.expect("cuff", SYSTOLIC, 132)
        bond = one.keyring().devices["cuff"].bond
        assert bond is not None
        key = bond["ltk_central" if "is_legacy" in more else "ltk"]
        assert key["authenticated"]
        air.do(cuff.hang_up())
        cuff.stored = [record(0, 139)]
        one.expect("cuff", SYSTOLIC, 139)


def test_a_wrong_passkey_and_a_device_without_one_are_told(air: Air, tmp_path: Path) -> None:
    liar = Cuff(CUFF_2)
    liar.stored = [NEW]
    wrong = Cuff(CUFF, Security(True, passkey=PASSKEY))
    home = settings(tmp_path, cuff_config(passkey="111111"), cuff_config("liar", CUFF_2, passkey="123456"))
    with BluetoothHome(home) as one:
        air.add(wrong, liar)
        one.expect_event("cuff", EventKind.PAIRING_NEEDED)
        one.expect_event("liar", EventKind.PAIRING_NEEDED)
        details = {occurrence.device: occurrence.detail for occurrence in one.all.occurrences}
        assert details["cuff"] == "reason=pairing_refused"
        assert details["liar"] == "reason=not_authenticated"
        assert one.values("liar", SYSTOLIC) == []


def test_other_addresses_long_numbers_and_a_quick_goodbye(air: Air, tmp_path: Path) -> None:
    public = Cuff("00:A0:50:00:00:01/P", has_long_uuids=True)
    quick = Cuff(CUFF_2, Security(True, asks_by_itself=True))
    quick.hangs_up_after = True
    public.stored, quick.stored = [NEW], [values.blood_pressure(118, 71, 90, 66)]
    with BluetoothHome(settings(tmp_path, cuff_config("public", "00:a0:50:00:00:01"), cuff_config("quick", CUFF_2))) as one:
        air.add(public, quick)
        one.expect("public", SYSTOLIC, 132)
        one.expect("quick", SYSTOLIC, 118)


def test_a_link_that_is_dead_at_the_other_end_is_found_out(air: Air, tmp_path: Path) -> None:
    cuff = Cuff(CUFF)
    with BluetoothHome(settings(tmp_path, cuff_config(), step_timeout_s=0.5)) as one:
        air.add(cuff)
        eventually(lambda: one.status("cuff").model == "ACME Cuff 7", what="the cuff")
        assert cuff.device is not None
        well, cuff.device.gatt_server.on_gatt_pdu = cuff.device.gatt_server.on_gatt_pdu, lambda *_: None  # type: ignore[method-assign]
        air.do(cuff.advertise())
        eventually(lambda: cuff.device is not None and not cuff.device.connections, what="the end of the dead link")
        cuff.device.gatt_server.on_gatt_pdu = well  # type: ignore[method-assign]
        cuff.stored = [NEW]
        one.expect("cuff", SYSTOLIC, 132)


def test_keys_that_another_program_has_are_waited_for(air: Air, tmp_path: Path) -> None:
    cuff = Cuff(CUFF)
    cuff.stored = [NEW]
    air.add(cuff)
    other = Keyring(tmp_path / "bluetooth.keys")
    other.open()
    with BluetoothHome(settings(tmp_path, cuff_config())) as one:
        eventually(lambda: one.radio.is_running and not one.radio.is_open, what="the radio to wait")
        other.close()
        one.expect("cuff", SYSTOLIC, 132)


def test_what_is_not_on_disk_is_not_confirmed(air: Air, tmp_path: Path) -> None:
    cuff = Cuff(CUFF)
    cuff.stored = [NEW]
    with BluetoothHome(settings(tmp_path, cuff_config())) as one:
        one.is_disk_well = False
        air.add(cuff)
        eventually(lambda: 0x2A35 in cuff.subscribed, what="the subscription")
    assert cuff.stored == [NEW]
    with BluetoothHome(settings(tmp_path, cuff_config())) as again:
        again.expect("cuff", SYSTOLIC, 132)
        eventually(lambda: cuff.stored == [], what="the confirmation")


def test_a_meter_is_asked_for_what_is_new_and_for_all_after_a_reset(air: Air, tmp_path: Path) -> None:
    meter = GlucoseMeter(CUFF, BONDED)
    meter.records = {number: values.glucose(number, old(9 - number), number) for number in (3, 4)}
    with BluetoothHome(settings(tmp_path, cuff_config("meter"))) as one:
        air.add(meter)
        one.expect("meter", "glucose", 3, 4)
        meter.records[5] = values.glucose(5, LOCAL, 5.5, sample_type=10)
        meter.records[6] = values.glucose(6, LOCAL, 6)
        one.expect("meter", "glucose", 3, 4, 6)
        meter.records = {1: values.glucose(1, LOCAL, 2.2), 2: values.glucose(2, LOCAL, 2.4)}
        one.expect("meter", "glucose", 2.2, 2.4)
        assert sorted(one.values("meter", "glucose")) == [2.2, 2.4, 3, 4, 6]
        assert meter.requests[:2] == [b"\x01\x01", b"\x01\x03\x01\x05\x00"]
        assert one.status("meter").rejects["not_the_person"] >= 1


def test_a_clock_that_is_off_does_not_make_a_new_result_old(air: Air, tmp_path: Path) -> None:
    cuff = Cuff(CUFF)
    cuff.set_time_read(LOCAL - timedelta(hours=8))
    cuff.stored = [
        values.blood_pressure(155, 90, None, 70, LOCAL - timedelta(hours=8)),
        values.blood_pressure(144, 90, None, 70, LOCAL - timedelta(hours=20)),
    ]
    with BluetoothHome(settings(tmp_path, cuff_config())) as one:
        air.add(cuff)
        one.expect("cuff", SYSTOLIC, 155, 144)
        at = {reading.value: reading.at for reading in one.readings("cuff", SYSTOLIC)}
        assert abs(at[155] - one.now()) < timedelta(minutes=1)
        assert abs(at[144] - (NOW - timedelta(hours=12))) < timedelta(minutes=1)
        assert one.status("cuff").clock_off_s == pytest.approx(-8 * 3600, abs=5)
        eventually(lambda: cuff.clock == values.date_time(LOCAL), what="the clock")


def test_a_clock_that_shows_utc_does_not_make_a_new_result_old(air: Air, tmp_path: Path) -> None:
    cuff = Cuff(CUFF)
    cuff.stored = [values.blood_pressure(155, 90, None, 70, LOCAL - timedelta(hours=8))]
    with BluetoothHome(settings(tmp_path, cuff_config())) as one:
        air.add(cuff)
        one.expect("cuff", SYSTOLIC, 155)
        air.do(cuff.measure(values.blood_pressure(144, 90, None, 70, LOCAL - timedelta(hours=8, minutes=1))))
        one.expect("cuff", SYSTOLIC, 144)
        (new, old_one) = one.readings("cuff", SYSTOLIC)
        assert abs(new.at - one.now()) < timedelta(minutes=1)
        assert not new.is_history
        assert old_one.is_history


def test_of_a_memory_with_times_that_cannot_be_one_result_is_taken(air: Air, tmp_path: Path) -> None:
    cuff = Cuff(CUFF)
    cuff.stored = [values.blood_pressure(150 + number, 90, None, 70, datetime(2010, 1, 1, number)) for number in range(3)]
    with BluetoothHome(settings(tmp_path, cuff_config())) as one:
        air.add(cuff)
        one.expect("cuff", SYSTOLIC, 150)
        eventually(lambda: one.status("cuff").rejects.get("clock") == 6, what="the others to be refused")
        assert one.values("cuff", SYSTOLIC) == [150]


def test_a_mute_device_delays_no_other_and_a_dongle_comes_back(air: Air, tmp_path: Path) -> None:
    mute, cuff = Cuff(CUFF_2), Cuff(CUFF)
    home = settings(tmp_path, cuff_config(), cuff_config("mute", CUFF_2), step_timeout_s=0.3)
    with BluetoothHome(home) as one:
        air.add(mute)
        assert mute.device is not None
        mute.device.gatt_server.on_gatt_pdu = lambda *_: None  # type: ignore[method-assign]
        air.add(cuff)
        eventually(lambda: 0x2A35 in cuff.subscribed and mute.connections >= 2, what="the cuff, and a second try")
        air.do(cuff.measure(NEW))
        one.expect("cuff", SYSTOLIC, 132)
        air.unplug()
        eventually(lambda: not one.radio.is_open, what="the loss of the dongle")
        air.lose(cuff)
        air.plug()
        air.do(cuff.advertise())
        eventually(lambda: 0x2A35 in cuff.subscribed, what="the cuff")
