"""From bytes to readings and events: devices are found, times stamped, refusals counted, silence noticed. Clocks are arguments."""

import logging
import struct
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.events import EventKind
from contract.message import INSTANT_MIN
from gateway.bridges.framing import Frame, FrameReader, seal
from gateway.bridges.serial_port import Chunk
from gateway.config import Config
from gateway.harvest import Harvest
from gateway.pipeline import Pipeline
from tests.gateway.falls import BEFORE, RATE_HZ, fall_rows, knock_rows
from tests.gateway.home import BED_MAT, BRIDGE_PORT, NOW, OXIMETER, WEARABLE, config, seconds

BRIDGE, OXIMETER_PATH = "/ports/bridge", "/ports/oximeter"
FINGER = bytes.fromhex("8732054862")  # 72 /min, 98 %: atick-faisal/berry-oximeter, tests/test_berry_oximeter.py
NO_FINGER = bytes.fromhex("8000507f7f")


class Home:
    """A pipeline with clocks that a test turns."""

    def __init__(self, settings: Config | None = None) -> None:
        self.now, self.now_s = NOW, 100.0
        self.pipeline = Pipeline(settings or config(), now_s=self.now_s)
        self.all = Harvest()

    def after(self, passed_s: float) -> "Home":
        self.now += seconds(passed_s)
        self.now_s += passed_s
        return self

    def hear(self, data: bytes, port: str = BRIDGE) -> Harvest:
        harvest = Harvest()
        self.pipeline.feed(Chunk(port, data), harvest, now=self.now, now_s=self.now_s)
        return self._keep(harvest)

    def tick(self) -> Harvest:
        harvest = Harvest()
        self.pipeline.tick(harvest, now=self.now, now_s=self.now_s)
        return self._keep(harvest)

    def device(self, name: str) -> Any:
        return next(one for one in self.pipeline.status() if one.id == name)

    def _keep(self, harvest: Harvest) -> Harvest:
        self.all.readings += harvest.readings
        self.all.occurrences += harvest.occurrences
        return harvest


@pytest.fixture
def home() -> Home:
    return Home()


def vitals(heart_rate: int = 72, spo2: int = 97, temperature: int = 3345, battery: int = 81, flags: int = 1, address: int = 7) -> bytes:
    return seal(Frame(0x01, address, 1, struct.pack("<BBhHBB", heart_rate, spo2, temperature, 0, battery, flags)))


def bed_mat(occupied: int) -> bytes:
    return seal(Frame(0x10, 8, 1, bytes((occupied, 14, 61, 5, 255))))


def sos(event: int, *, age_ms: int = 0, kind: int = 1, boot: int = 0xAA) -> bytes:
    return seal(Frame(0x04, 7, 1, struct.pack("<HHHB", boot, event, age_ms, kind)))


def fall(event: int, *, turn: bool) -> bytes:
    """A candidate whose window shows a fall, or a knock after which the body stands again."""
    rows = fall_rows() if turn else knock_rows()
    parts = [rows[at : at + 40] for at in range(0, len(rows), 40)]
    payloads = [(0x02, struct.pack("<HHHHBBBH", 0xAA, event, 2500, 3000, 90, RATE_HZ, len(parts), BEFORE))]
    for index, part in enumerate(parts):
        head = struct.pack("<HHBB", 0xAA, event, index, len(parts))
        payloads.append((0x03, head + b"".join(struct.pack("<hhh", *row) for row in part)))
    return b"".join(seal(Frame(kind, 7, 1, payload)) for kind, payload in payloads)


def quantities(harvest: Harvest) -> list[str]:
    return [one.quantity for one in harvest.readings]


def answered(data: bytes) -> tuple[int, tuple[int, ...]]:
    [frame] = FrameReader().feed(data)
    assert isinstance(frame, Frame)
    return frame.address, struct.unpack("<HHB", frame.payload)


# -- readings ----------------------------------------------------------------------------------------------------------------------------


def test_a_frame_becomes_readings_of_its_device_at_this_instant(home: Home) -> None:
    harvest = home.hear(vitals())
    assert {(one.device, one.quantity, one.statistic, one.value) for one in harvest.readings} == {
        ("wearable-1", "battery", "sample", 81),
        ("wearable-1", "heart_rate", "sample", 72),
        ("wearable-1", "spo2", "sample", 97),
        ("wearable-1", "skin_temperature", "sample", 33.45),
    }
    assert {one.at for one in harvest.readings} == {NOW}


def test_times_have_whole_milliseconds(home: Home) -> None:
    home.now = NOW + timedelta(microseconds=1_999)
    assert home.hear(vitals()).readings[0].at == NOW + timedelta(milliseconds=1)


def test_readings_of_one_series_never_share_a_millisecond(home: Home) -> None:
    home.hear(vitals() * 3)
    times = [one.at for one in home.all.readings if one.quantity == "heart_rate"]
    assert times == [NOW + timedelta(milliseconds=number) for number in range(3)]


def test_a_clock_set_back_is_believed(home: Home) -> None:
    home.hear(vitals())
    home.now = NOW - seconds(3600)
    assert home.hear(vitals()).readings[0].at == NOW - seconds(3600)


def test_the_battery_is_a_reading_only_when_it_changes(home: Home) -> None:
    batteries = [home.after(1).hear(vitals(battery=battery)) for battery in (81, 81, 80, 255, 80)]
    assert ["battery" in quantities(one) for one in batteries] == [True, False, True, False, False]
    assert home.device("wearable-1").battery_percent == 80


@pytest.mark.parametrize(
    ("frame", "refused"),
    [
        (vitals(spo2=101), {"implausible": 1}),
        (vitals(temperature=-30_000), {"implausible": 1}),
        (vitals(battery=101), {"implausible": 1}),
        (vitals(flags=0), {"no_contact": 1}),
        (seal(Frame(0x01, 7, 1, b"short")), {"length": 1}),
        (seal(Frame(0x42, 7, 1, b"")), {"unknown_type": 1}),
    ],
)
def test_what_is_refused_is_counted_by_its_reason(frame: bytes, refused: dict[str, int], home: Home) -> None:
    home.hear(frame)
    assert home.device("wearable-1").rejects == refused
    assert home.device("bed-mat-1").rejects == {}


def test_an_implausible_battery_is_not_shown_as_the_devices_state(home: Home) -> None:
    home.hear(vitals(battery=200))
    assert home.device("wearable-1").battery_percent is None


def test_a_damaged_frame_is_counted_and_the_next_one_read(home: Home) -> None:
    damaged = bytearray(vitals())
    damaged[-2] ^= 0x10
    assert len(home.hear(bytes(damaged) + vitals()).readings) == 4
    assert home.device("wearable-1").rejects == {"checksum": 1}


def test_an_unknown_address_is_said_once(home: Home, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(3):
        assert home.hear(vitals(address=99)).readings == []
    assert [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING] == [
        "a device with address 99 is heard, but not configured"
    ]


def test_very_many_unknown_addresses_do_not_fill_the_log(home: Home, caplog: pytest.LogCaptureFixture) -> None:
    for address in range(1000, 1200):
        home.hear(vitals(address=address))
    assert len(caplog.records) == 64


def test_a_fast_device_is_thinned_and_a_slow_one_is_not(home: Home) -> None:
    for _ in range(600):
        home.after(0.01).hear(FINGER, OXIMETER_PATH)
    home.after(5).tick()
    assert len(home.all.readings) == 2 * 3 * 2
    assert {(one.quantity, one.statistic, one.value) for one in home.all.readings} == {
        (quantity, statistic, value) for quantity, value in (("heart_rate", 72), ("spo2", 98)) for statistic in ("mean", "min", "max")
    }


def test_a_slow_device_can_be_thinned_by_configuration_except_for_its_battery() -> None:
    home = Home(config(port=[BRIDGE_PORT | {"device": [WEARABLE | {"summary_s": 60}]}]))
    for _ in range(30):
        home.after(1).hear(vitals())
    assert quantities(home.all) == ["battery"]
    home.after(60).tick()
    assert sorted({one.quantity for one in home.all.readings}) == ["battery", "heart_rate", "skin_temperature", "spo2"]


def test_a_frame_cut_off_by_a_lost_port_is_not_completed_by_the_next(home: Home) -> None:
    whole = vitals()
    home.hear(whole[:10])
    home.hear(b"")
    assert home.hear(whole[10:]).readings == []
    assert len(home.hear(whole).readings) == 4


def test_a_packet_cut_off_by_a_lost_port_is_not_completed_by_the_next(home: Home) -> None:
    home.hear(FINGER[:3], OXIMETER_PATH)
    home.hear(b"", OXIMETER_PATH)
    home.hear(FINGER[3:], OXIMETER_PATH)
    assert home.device("oximeter-1").frames == 0


@given(st.lists(st.binary(max_size=300), max_size=5), st.sampled_from([BRIDGE, OXIMETER_PATH]))
def test_no_bytes_at_all_can_stop_it(pieces: list[bytes], port: str) -> None:
    home = Home()
    for piece in pieces:
        home.hear(piece, port)
    home.after(60).tick()
    home.hear(vitals() + sos(1))
    assert "wearable-1:00aa-1-20260301" in {one.event_id for one in home.all.occurrences}


# -- events ------------------------------------------------------------------------------------------------------------------------------


def test_a_press_is_an_event_at_the_instant_it_was_made(home: Home) -> None:
    [event] = home.hear(sos(3, age_ms=1500)).occurrences
    assert (event.event_id, event.device) == ("wearable-1:00aa-3-20260301", "wearable-1")
    assert (event.kind, event.at) == (EventKind.SOS, NOW - seconds(1.5))
    assert (event.port, answered(event.acknowledgement)) == (BRIDGE, (7, (0xAA, 3, 0x04)))


def test_a_press_on_a_clock_that_was_never_set_can_still_be_sent(home: Home) -> None:
    home.now = INSTANT_MIN + seconds(2)
    [event] = home.hear(sos(3, age_ms=60_000)).occurrences
    assert event.at == INSTANT_MIN


def test_a_repeated_press_is_only_answered_again(home: Home) -> None:
    home.hear(sos(3))
    again = home.after(2).hear(sos(3, age_ms=2000))
    assert again.occurrences == []
    [(port, reply)] = again.replies
    assert (port, answered(reply)) == (BRIDGE, (7, (0xAA, 3, 0x04)))


def test_each_press_cancellation_and_boot_is_an_event_of_its_own(home: Home) -> None:
    home.hear(sos(1) + sos(2, kind=2) + sos(3) + sos(1, boot=0xBB))
    assert [(one.event_id.partition(":")[2], one.kind) for one in home.all.occurrences] == [
        ("00aa-1-20260301", EventKind.SOS),
        ("00aa-2-20260301", EventKind.SOS_CANCELLED),
        ("00aa-3-20260301", EventKind.SOS),
        ("00bb-1-20260301", EventKind.SOS),
    ]


def test_very_many_presses_do_not_fill_the_memory_and_an_old_one_is_an_event_again(home: Home) -> None:
    home.hear(b"".join(sos(number) for number in range(100)))
    assert len(home.hear(sos(0)).occurrences) == 1  # the outbox still knows it
    assert home.hear(sos(99)).occurrences == []


def test_a_fall_that_turned_the_body_is_an_event_with_its_window(home: Home) -> None:
    [event] = home.hear(fall(1, turn=True)).occurrences
    assert (event.event_id, event.kind, event.at) == ("wearable-1:00aa-1-20260301", EventKind.FALL, NOW - seconds(2.5))
    assert event.confidence is not None and event.confidence > 0.5
    assert event.window_json is not None and event.window_json.startswith('{"rate_hz":50')
    assert answered(event.acknowledgement) == (7, (0xAA, 1, 0x02))


def test_a_candidate_that_is_no_fall_is_answered_and_counted(home: Home) -> None:
    harvest = home.hear(fall(1, turn=False))
    assert harvest.occurrences == []
    [(port, reply)] = harvest.replies
    assert (port, answered(reply)) == (BRIDGE, (7, (0xAA, 1, 0x02)))
    assert home.device("wearable-1").rejects == {"not_a_fall": 1}


def test_a_candidate_that_was_judged_no_fall_stays_so_when_its_repeat_is_cut(home: Home) -> None:
    home.hear(fall(1, turn=False))
    home.hear(fall(1, turn=False)[:200])
    harvest = home.after(10).tick()
    assert [one.kind for one in harvest.occurrences if one.kind is EventKind.FALL] == []


def test_a_fall_whose_window_stays_cut_is_an_event_without_it(home: Home) -> None:
    home.hear(fall(1, turn=False)[:400])
    [event] = [one for one in home.after(7).tick().occurrences if one.device == "wearable-1"]
    assert (event.kind, event.window_json, event.at, event.confidence) == (EventKind.FALL, None, NOW - seconds(2.5), 0.5)


def test_getting_up_is_an_event_named_by_its_time_and_needs_no_answer(home: Home) -> None:
    home.hear(bed_mat(1))
    [event] = home.after(30).hear(bed_mat(0)).occurrences
    assert (event.event_id, event.kind, event.acknowledgement) == (
        "bed-mat-1:bed_exit-20260301T031230.000000",
        EventKind.BED_EXIT,
        b"",
    )


def test_what_the_sensors_saw_of_a_day_is_one_reading_of_the_home(home: Home) -> None:
    home.now = datetime(2026, 2, 28, 21, 30, tzinfo=UTC)  # half past five at home
    home.hear(bed_mat(1))
    for half_hour in range(34):
        home.after(1800).tick()
        home.hear(bed_mat(half_hour % 2))
    told = [(one.quantity, one.at, one.value) for one in home.all.readings if one.device == "home-activity"]
    assert told == [("active_day", datetime(2026, 3, 1, 14, tzinfo=UTC), 8.0)]


def radar(key: int, value: int) -> bytes:
    head = bytes([0x53, 0x59, key >> 8, key & 0xFF, 0, 1, value])
    return head + bytes([sum(head) & 0xFF]) + b"\x54\x43"


def test_a_radar_that_no_longer_sees_the_chest_of_somebody_there_says_so_and_its_double_vision_is_refused() -> None:
    port = {"path": "/ports/radar", "device": [{"id": "radar-1", "type": "radar_sy", "settings": {"dialect": "2"}}]}
    home = Home(config(port=[port]))
    home.hear(radar(0x8001, 1) + radar(0x8102, 14) + radar(0x8502, 15), "/ports/radar")
    assert home.device("radar-1").rejects == {"implausible": 1}
    for _ in range(20):
        home.after(5).hear(radar(0x8003, 2), "/ports/radar")
        home.tick()
    assert kinds(home.all) == [("radar-1", EventKind.CHEST_STILL)]


# -- silence -----------------------------------------------------------------------------------------------------------------------------


def kinds(harvest: Harvest) -> list[tuple[str, EventKind]]:
    return [(one.device, one.kind) for one in harvest.occurrences]


def test_a_silent_device_is_lost_once_and_found_again(home: Home) -> None:
    home.hear(bed_mat(0))
    home.hear(FINGER, OXIMETER_PATH)
    home.after(1).hear(vitals())
    assert kinds(home.tick()) == []
    home.after(0.1).tick()
    assert kinds(home.all) == [("oximeter-1", EventKind.DEVICE_LOST)]
    home.after(8).tick()
    assert len(kinds(home.all)) == 1
    home.after(2).tick()
    home.after(5).tick()
    assert kinds(home.all)[1:] == [("wearable-1", EventKind.DEVICE_LOST), ("bed-mat-1", EventKind.DEVICE_LOST)]
    assert kinds(home.hear(FINGER, OXIMETER_PATH)) == [("oximeter-1", EventKind.DEVICE_FOUND)]
    assert [one.is_lost for one in home.pipeline.status()] == [True, True, False]


def test_a_device_that_was_never_heard_is_lost_too(home: Home) -> None:
    assert {name for name, _ in kinds(home.after(20).tick())} == {"wearable-1", "bed-mat-1", "oximeter-1"}


def test_a_device_has_at_least_its_own_quiet_time() -> None:
    home = Home(config(lost_after_s=1))
    home.after(11).tick()
    assert {name for name, _ in kinds(home.all)} == {"wearable-1", "oximeter-1"}


def test_no_device_is_lost_before_the_time_of_the_file() -> None:
    home = Home(config(lost_after_s=30))
    home.after(30).tick()
    assert kinds(home.all) == []
    assert len(home.after(0.1).tick().occurrences) == 3


@pytest.mark.parametrize(
    ("name", "port", "data"),
    [
        ("wearable-1", BRIDGE, vitals(0, 0, 0x7FFF, 255)),
        ("wearable-1", BRIDGE, vitals(flags=0)),
        ("wearable-1", BRIDGE, seal(Frame(0x42, 7, 1, b"newer firmware"))),
        ("wearable-1", BRIDGE, fall(1, turn=True)[:100]),
        ("bed-mat-1", BRIDGE, bed_mat(255)),
        ("oximeter-1", OXIMETER_PATH, NO_FINGER),
        ("oximeter-1", OXIMETER_PATH, bytes.fromhex("8732457f7f")),
    ],
)
def test_a_device_that_speaks_but_measures_nothing_is_not_lost(name: str, port: str, data: bytes, home: Home) -> None:
    for _ in range(20):
        home.after(1).hear(data, port)
        home.tick()
    assert (name, EventKind.DEVICE_LOST) not in kinds(home.all)
    assert home.device(name).heard_at == home.now


@pytest.mark.parametrize(("port", "noise"), [(BRIDGE, b"\x05garbage\x00"), (OXIMETER_PATH, b"garbage"), (OXIMETER_PATH, b"\xff" * 9)])
def test_garbage_is_no_sign_of_life(port: str, noise: bytes, home: Home) -> None:
    for _ in range(20):
        home.after(1).hear(noise, port)
    home.tick()
    assert {name for name, _ in kinds(home.all)} == {"wearable-1", "bed-mat-1", "oximeter-1"}


def test_the_status_shows_every_device_in_the_order_of_the_file(home: Home) -> None:
    home.hear(vitals())
    [wearable, mat, oximeter] = home.pipeline.status()
    assert (wearable.id, wearable.type, wearable.frames, wearable.heard_at) == ("wearable-1", "jiahu_wearable", 1, NOW)
    assert (mat.id, mat.heard_at, oximeter.id) == (BED_MAT["id"], None, OXIMETER["id"])


def test_events_without_a_key_have_names_of_their_own(home: Home) -> None:
    for number in range(40):
        home.after(0.001).hear(bed_mat(number % 2))
    names = [one.event_id for one in home.all.occurrences]
    assert len(set(names)) == len(names) == 39
