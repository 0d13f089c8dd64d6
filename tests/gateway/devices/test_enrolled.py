"""Which frames of a radio device are news: one press is one event, a state is told when it changes, strangers are not found."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from contract.events import EventKind
from gateway import config as configuration
from gateway.bridges.serial_port import Chunk
from gateway.daemon import STATE_CHANGES
from gateway.devices.driver import Enrolled, Meaning, Output, Signal
from gateway.devices.enrolled import NEW_ALARM_S, REPEAT_S, STILL_MOVING_S, Change, Register
from gateway.harvest import Harvest
from gateway.pipeline import Pipeline
from tests.gateway.home import NOW, config

ON, OFF = Change.BEGINS, Change.ENDS


def kinds(meaning: Meaning, frames: list[tuple[float, Change]]) -> list[tuple[float, EventKind]]:
    """Events of these frames, with the times of the frames that gave them."""
    device = Enrolled("one", "a", meaning)
    register = Register([device])
    told: list[tuple[float, Output]] = [(at_s, found) for at_s, change in frames for found in register.change(device, change, "", at_s)]
    return [(at_s, found.kind) for at_s, found in told if isinstance(found, Signal)]


@pytest.mark.parametrize(
    ("meaning", "frames", "wanted"),
    [
        (Meaning.SOS, [(0.1 * number, ON) for number in range(10)], [(0, EventKind.SOS)]),
        (Meaning.SOS, [(float(number), ON) for number in range(60)], [(0, EventKind.SOS)]),
        (Meaning.SOS, [(0, ON), (0.3, OFF), (REPEAT_S, ON)], [(0, EventKind.SOS)]),
        (Meaning.SOS, [(0, ON), (REPEAT_S + 0.1, ON)], [(0, EventKind.SOS), (REPEAT_S + 0.1, EventKind.SOS)]),
        (Meaning.SOS, [(0, OFF)], []),
        (Meaning.BUTTON, [(0, ON), (0.5, ON)], [(0, EventKind.BUTTON)]),
        (Meaning.DOOR, [(0, ON), (1, ON), (9e9, ON)], [(0, EventKind.DOOR_OPENED)]),
        (
            Meaning.DOOR,
            [(0, ON), (0.5, OFF), (1, ON)],
            [(0, EventKind.DOOR_OPENED), (0.5, EventKind.DOOR_CLOSED), (1, EventKind.DOOR_OPENED)],
        ),
        (Meaning.MOTION, [(0, ON), (59, ON), (60, ON), (61, OFF)], [(0, EventKind.MOTION), (STILL_MOVING_S, EventKind.MOTION)]),
        (Meaning.SMOKE, [(0, OFF), (1, ON), (2, ON), (3, OFF)], [(1, EventKind.SMOKE), (3, EventKind.ALARM_ENDED)]),
        (Meaning.GAS, [(0, ON), (1, ON), (2 + NEW_ALARM_S, ON)], [(0, EventKind.GAS), (2 + NEW_ALARM_S, EventKind.GAS)]),
        (Meaning.WATER, [(0, ON)], [(0, EventKind.WATER)]),
        (Meaning.CLIMATE, [(0, ON), (9, OFF)], []),
    ],
)
def test_only_news_become_events(meaning: Meaning, frames: list[tuple[float, Change]], wanted: list[tuple[float, EventKind]]) -> None:
    assert kinds(meaning, frames) == wanted


def test_two_buttons_and_two_pendants_are_not_mixed_up() -> None:
    devices = [Enrolled("one", "a", Meaning.SOS), Enrolled("two", "b", Meaning.SOS)]
    register = Register(devices)
    presses = [(devices[0], "1"), (devices[0], "2"), (devices[1], "1"), (devices[0], "1")]
    told = [found for device, code in presses for found in register.change(device, ON, code, 0.0)]
    assert told == [Signal(EventKind.SOS, "", member=name) for name in ("one", "one", "two")]


def test_an_alarm_that_ends_says_which() -> None:
    device = Enrolled("one", "a", Meaning.SMOKE)
    register = Register([device])
    told = [*register.change(device, ON, "", 0.0), *register.change(device, OFF, "", 1.0)]
    assert told[-1] == Signal(EventKind.ALARM_ENDED, "", detail="smoke", member="one")


def test_an_address_is_found_whatever_its_case_and_the_first_one_counts() -> None:
    one, two = Enrolled("one", "EV1527/00042E", Meaning.SOS), Enrolled("two", "EV1527/00042e/02", Meaning.BUTTON)
    register = Register([one, two])
    assert register.find("ev1527/00042e/02", "ev1527/00042e") == two
    assert register.find("EV1527/00042E/01", "EV1527/00042E") == one
    assert register.find("EV1527/000000") is None


def test_a_weak_battery_is_told_once_and_again_after_it_was_well() -> None:
    device = Enrolled("one", "a", Meaning.SOS)
    register = Register([device])
    told = [bool([*register.battery(device, is_low)]) for is_low in (None, True, True, None, True, False, True)]
    assert told == [False, True, False, False, False, False, True]


def test_one_address_has_one_meaning() -> None:
    with pytest.raises(ValueError, match="same address"):
        Register([Enrolled("one", "ab", Meaning.SOS), Enrolled("two", "AB", Meaning.DOOR)])


HOUSE = Path(__file__).parents[3]
FULL = {"id": "one", "address": "a", "meaning": "sos"}


def test_the_home_that_is_shown_to_installers_is_a_good_one(tmp_path: Path) -> None:
    shown = (HOUSE / "docs" / "radio.md").read_text("utf-8").split("```toml\n")[1].split("```")[0]
    (tmp_path / "gateway.toml").write_text(shown, "utf-8")
    home = configuration.read(tmp_path / "gateway.toml")
    assert [device.type for port in home.port for device in port.device] == ["enocean_esp3", "rtl433_json", "zigbee2mqtt"]


@pytest.mark.parametrize(
    ("path", "kind", "enrolled", "fault"),
    [
        ("/dev/ttyUSB0", "bci_oximeter", [FULL], "a bci_oximeter hears no other devices"),
        ("/dev/ttyUSB0", "rflink", [FULL, FULL | {"id": "two"}], "two enrolled devices have the same address"),
        ("/dev/ttyUSB0", "rflink", [FULL | {"meaning": "panic"}], "Input should be 'sos'"),
        ("/dev/ttyUSB0", "rtl433_json", [FULL], "a rtl433_json has no serial line"),
        ("/dev/ttyUSB0", "enocean_esp3", [FULL | {"meaning": "climate"}], "one needs the eep of a room sensor"),
        ("exec:", "rtl433_json", [FULL], "exec: names no command"),
        ("mqtt://127.0.0.1:0/a", "zigbee2mqtt", [FULL], "there is no port 0"),
        ("mqtt://user:secret@127.0.0.1/a", "zigbee2mqtt", [FULL], "the password of this broker comes from JIAHU_HOME_BROKER_PASSWORD"),
    ],
)
def test_a_receiver_that_cannot_work_is_refused_with_a_sentence(path: str, kind: str, enrolled: list[dict[str, str]], fault: str) -> None:
    with pytest.raises(ValidationError) as caught:
        config(port=[{"path": path, "device": [{"id": "receiver", "type": kind, "enrolled": enrolled}]}])
    assert fault in str(caught.value)


RADIO = {
    "id": "radio",
    "type": "rtl433_json",
    "enrolled": [FULL | {"address": "M/1"}, FULL | {"id": "two", "address": "M/2", "quiet_s": 60}],
}


def test_a_program_that_stays_dead_and_a_sensor_that_fell_silent_are_lost_and_found() -> None:
    pipeline = Pipeline(config(port=[{"path": "exec:radio", "device": [RADIO]}]), now_s=0.0)
    told: list[tuple[str, str, int]] = []
    for second in range(100):
        harvest = Harvest()
        if second < 20 or second > 80:
            pipeline.feed(
                Chunk("exec:radio", b"\n" if second % 10 else b'{"model":"M","id":2,"code":"a"}\n'), harvest, now=NOW, now_s=second
            )
        if second == 20:
            pipeline.feed(Chunk("exec:radio", b"", is_lost=True), harvest, now=NOW, now_s=second)
        pipeline.tick(harvest, now=NOW, now_s=second)
        told += [(one.device, str(one.kind), second) for one in harvest.occurrences if one.kind in STATE_CHANGES]
    assert told == [("radio", "device_lost", 50), ("two", "device_lost", 71), ("radio", "device_found", 81), ("two", "device_found", 90)]
