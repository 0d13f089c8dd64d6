"""What the pipeline does for devices as they are sold: commands, clocks, stored records, radio devices behind a receiver, lost ports."""

import logging
from datetime import datetime, timedelta
from typing import Any

import pytest

from contract.events import EventKind
from gateway import fall_model
from gateway.bridges.serial_port import Chunk
from gateway.devices.nonin_spot import select_format, set_time
from gateway.harvest import Harvest
from gateway.history import Mark
from gateway.pipeline import Pipeline
from simulators.instruments.oximeters import contec7, nonin_result
from simulators.instruments.receivers import EnoceanReceiver
from tests.gateway.home import NOW, config, seconds

PATH = "/ports/device"
LOCAL = datetime(2026, 3, 1, 11, 12)  # NOW in Asia/Shanghai
ENROLLED = [
    {"id": "pendant-1", "address": "00298979", "meaning": "sos"},
    {"id": "door-1", "address": "01825dab", "meaning": "door", "quiet_s": 3600},
]


class Home:
    """One device on one port, with clocks that a test turns."""

    def __init__(self, known: dict[str, Mark] | None = None, **device: Any) -> None:
        settings = config(port=[{"path": PATH, "device": [{"id": "device-1", **device}]}])
        self.now, self.now_s = NOW, 100.0
        self.pipeline = Pipeline(settings, now_s=self.now_s, known=known)
        self.all = Harvest()

    def after(self, passed_s: float) -> "Home":
        self.now += seconds(passed_s)
        self.now_s += passed_s
        return self

    def hear(self, data: bytes = b"", *, is_lost: bool = False) -> Harvest:
        harvest = Harvest()
        self.pipeline.feed(Chunk(PATH, data, is_lost), harvest, now=self.now, now_s=self.now_s)
        return self._keep(harvest)

    def tick(self) -> Harvest:
        harvest = Harvest()
        self.pipeline.tick(harvest, now=self.now, now_s=self.now_s)
        return self._keep(harvest)

    def device(self, name: str = "device-1") -> Any:
        return next(one for one in self.pipeline.status() if one.id == name)

    def kinds(self) -> list[tuple[str, EventKind]]:
        return [(one.device, one.kind) for one in self.all.occurrences]

    def _keep(self, harvest: Harvest) -> Harvest:
        self.all.readings += harvest.readings
        self.all.occurrences += harvest.occurrences
        return harvest


def values(harvest: Harvest) -> list[tuple[str, float]]:
    return [(one.quantity, one.value) for one in harvest.readings]


# -- commands and clocks -----------------------------------------------------------------------------------------------------------------


def test_an_opened_port_gets_the_start_up_commands_and_the_homes_time() -> None:
    home = Home(type="nonin_spot")
    assert home.hear().replies == [(PATH, select_format(13)), (PATH, set_time(LOCAL))]


def test_keep_alives_go_out_as_time_passes_and_are_no_sign_of_life() -> None:
    home = Home(type="contec_v7")
    home.hear()
    sent = [data for _ in range(20) for _, data in home.after(0.5).tick().replies]
    assert sent.count(bytes.fromhex("7d81af808080808080")) == 2
    assert home.kinds() == [("device-1", EventKind.DEVICE_LOST)]


def test_a_live_value_has_the_homes_time_and_the_devices_clock_is_compared() -> None:
    home = Home(type="nonin_spot")
    home.hear(nonin_result(LOCAL + timedelta(minutes=3), 72, 97))
    assert {one.at for one in home.all.readings} == {NOW}
    assert (home.device().clock_off_s, home.device().rejects) == (180, {})


def test_a_live_value_counts_although_the_devices_clock_was_never_set() -> None:
    home = Home(type="nonin_spot")
    home.hear(nonin_result(datetime(2010, 1, 1), 72, 97))
    assert {(one.quantity, one.value, one.at) for one in home.all.readings} == {("spo2", 97, NOW), ("heart_rate", 72, NOW)}
    assert home.device().rejects == {"clock": 2}


# -- stored records ----------------------------------------------------------------------------------------------------------------------


def stored(age: timedelta, pulse: int = 72) -> bytes:
    return nonin_result(LOCAL - age, pulse, 97, from_memory=True)


def test_a_stored_record_has_the_time_when_it_was_measured() -> None:
    home = Home(type="nonin_spot")
    home.hear(stored(timedelta(hours=8)))
    assert {one.at for one in home.all.readings} == {NOW - timedelta(hours=8)}
    assert all(one.is_history for one in home.all.readings)
    assert home.device().clock_off_s is None


def test_a_live_value_is_no_history() -> None:
    home = Home(type="nonin_spot")
    home.hear(nonin_result(LOCAL, 72, 97))
    assert [one.is_history for one in home.all.readings] == [False, False]


def test_a_stored_record_is_taken_once_also_over_a_restart() -> None:
    home = Home(type="nonin_spot")
    home.hear(stored(timedelta(hours=8)))
    home.after(20).tick()
    home.hear(stored(timedelta(hours=8)) + stored(timedelta(hours=1), 81))
    assert [value for quantity, value in values(home.all) if quantity == "heart_rate"] == [72, 81]
    home.after(20).tick()
    again = Home(home.pipeline.known(), type="nonin_spot")
    again.hear(stored(timedelta(hours=8)) + stored(timedelta(hours=1), 81))
    assert values(again.all) == []


@pytest.mark.parametrize("at", [datetime(2044, 1, 1), datetime(2010, 1, 1)])
def test_a_stored_record_of_a_clock_that_was_never_set_is_refused(at: datetime) -> None:
    home = Home(type="nonin_spot")
    home.hear(nonin_result(at, 72, 97, from_memory=True))
    assert (values(home.all), home.device().rejects) == ([], {"clock": 2})


def test_a_stored_night_is_thinned_and_does_not_mix_with_the_live_values() -> None:
    home = Home(type="contec_v7", summary_s=10)
    home.hear()
    home.hear(contec7(0x0A, 0, 1))
    home.hear(contec7(0x07, 0, 0, 20, 26, 2, 28) + contec7(0x12, 0, 0, 23, 0, 0, 0) + contec7(0x08, 0, 0, 60, 0, 0, 0))
    home.hear(b"".join(contec7(0x0F, *(97, 60 + point) * 3) for point in range(10)))
    home.hear(contec7(0x01, 5, 51, 6, 80, 95, 0xFF, 0xFF))
    home.after(11).tick()
    begin = datetime(2026, 2, 28, 15, 0, tzinfo=NOW.tzinfo)
    means = [((one.at - begin).total_seconds(), one.value) for one in home.all.readings if one.statistic == "mean"]
    assert sorted(means) == [
        *((0, 61.2), (0, 97), (10, 64.5), (10, 97), (20, 67.8), (20, 97)),
        *(((NOW - begin).total_seconds(), value) for value in (80, 95)),
    ]


# -- receivers ---------------------------------------------------------------------------------------------------------------------------


def test_what_a_receiver_hears_is_an_event_of_the_device_that_spoke() -> None:
    home, receiver = Home(type="enocean_esp3", enrolled=ENROLLED), EnoceanReceiver()
    receiver.press("00298979")
    home.hear(receiver.write(0.0))
    assert home.kinds() == [("pendant-1", EventKind.SOS)]
    assert home.all.occurrences[0].event_id.startswith("pendant-1:sos-")
    assert home.device("pendant-1").heard_at == home.device().heard_at == NOW
    assert [one.id for one in home.pipeline.status()] == ["device-1", "pendant-1", "door-1"]


def test_a_strangers_address_is_said_once_for_the_installer(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    home, receiver = Home(type="enocean_esp3", enrolled=ENROLLED), EnoceanReceiver()
    for _ in range(3):
        receiver.press("deadbeef")
        home.after(5).hear(receiver.write(0.0))
    assert home.all.occurrences == []
    assert [record.getMessage() for record in caplog.records] == ["a device with address deadbeef is heard, but not enrolled"]
    assert home.device().rejects["stranger"] >= 3


def test_a_radio_device_is_lost_after_its_own_quiet_time_and_a_pendant_never() -> None:
    home, receiver = Home(type="enocean_esp3", enrolled=ENROLLED), EnoceanReceiver()
    for _ in range(70):
        home.after(60).hear(receiver.answer(bytes.fromhex("5500010005700309"), 0.0))
        home.tick()
    assert home.kinds() == [("door-1", EventKind.DEVICE_LOST)]


# -- lost ports --------------------------------------------------------------------------------------------------------------------------


def test_a_device_that_is_mostly_silent_is_lost_with_its_port_and_found_with_it() -> None:
    home = Home(type="bp_visomat")
    home.after(7 * 24 * 3600).tick()
    assert home.kinds() == []
    home.hear(is_lost=True)
    home.hear(is_lost=True)
    assert home.kinds() == [("device-1", EventKind.DEVICE_LOST)]
    home.hear()
    assert home.kinds()[1:] == [("device-1", EventKind.DEVICE_FOUND)]


def test_a_device_that_speaks_all_the_time_has_its_quiet_time_also_when_its_port_is_lost() -> None:
    home = Home(type="bci_oximeter")
    home.hear(is_lost=True)
    home.after(1).tick()
    assert home.kinds() == []
    home.after(0.1).tick()
    assert home.kinds() == [("device-1", EventKind.DEVICE_LOST)]
    home.hear()
    assert len(home.kinds()) == 1


def test_a_read_out_cut_off_by_a_lost_port_is_taken_again() -> None:
    home = Home(type="nonin_spot")
    home.hear(stored(timedelta(hours=8)))
    home.hear(is_lost=True)
    home.after(20).tick()
    assert home.pipeline.known() == {}


@pytest.mark.parametrize(
    ("device", "trees"),
    [
        ({"type": "jiahu_wearable", "address": 1}, 1),
        ({"type": "jiahu_wearable", "address": 1, "placement": "wrist"}, 1),
        ({"type": "contec_v7"}, 0),
    ],
)
def test_the_trees_are_read_at_the_start_and_only_in_a_home_with_a_wearable(device: dict[str, Any], trees: int) -> None:
    fall_model.shipped.cache_clear()
    Home(**device)
    assert fall_model.shipped.cache_info().currsize == trees
