"""The simulated receivers say what stated frames say, their drivers understand them, and a press is one event."""

import pytest

from contract.events import EventKind
from contract.quantities import QuantityName
from gateway.devices.driver import Alive, Driver, Enrolled, Meaning, Measurement, Options, Output, Signal
from gateway.devices.enocean_esp3 import EnoceanEsp3
from gateway.devices.rflink import Rflink
from gateway.devices.rfxtrx import Rfxtrx
from simulators.instruments.instrument import Instrument
from simulators.instruments.receivers import EnoceanReceiver, RflinkReceiver, RfxtrxReceiver, esp3_frame
from tests.simulators.instruments.conversation import converse

PENDANT = Signal(EventKind.SOS, "", member="pendant")


def home(address: str) -> Options:
    return Options(
        enrolled=(
            Enrolled("pendant", address, Meaning.SOS),
            Enrolled("door", "01825dab", Meaning.DOOR),
            Enrolled("room", "0181b744", Meaning.CLIMATE, eep="A5-02-05"),
        )
    )


def told(driver: Driver, instrument: Instrument, happenings: dict[float, object], until_s: float = 10.0) -> list[Output]:
    """What the driver says of these happenings, beside that its receiver lives."""

    def change(now_s: float) -> None:
        happening = happenings.pop(now_s, None)
        if callable(happening):
            happening()

    return [output for output in converse(driver, instrument, until_s, change) if not isinstance(output, Alive)]


def test_enocean_frames_are_those_of_the_source() -> None:
    assert esp3_frame(5, b"\x08").hex() == "5500010005700838"
    assert esp3_frame(2, bytes.fromhex("00ff87ca00")).hex() == "5500050002ce00ff87ca00a3"
    receiver = EnoceanReceiver()
    receiver.move_door("01825dab", is_open=True)
    assert receiver.write(0.0).hex() == "55000707017ad50801825dab0001ffffffff360053"


def test_an_enocean_home_is_understood() -> None:
    receiver = EnoceanReceiver()
    happenings: dict[float, object] = {
        1.0: lambda: receiver.press("00298979"),
        2.0: lambda: receiver.move_door("01825dab", is_open=True),
        3.0: lambda: receiver.tell_temperature("0181b744", 26.7),
        5.0: lambda: receiver.press("00298979"),
    }
    assert told(EnoceanEsp3(home("00298979")), receiver, happenings) == [
        PENDANT,
        Signal(EventKind.DOOR_OPENED, "", member="door"),
        Measurement(QuantityName.ROOM_TEMPERATURE, 26.7, member="room"),
        PENDANT,
    ]


def test_an_rflink_home_is_understood() -> None:
    receiver = RflinkReceiver()
    happenings: dict[float, object] = {
        1.0: lambda: receiver.press("EV1527", "00042e", "02"),
        5.0: lambda: receiver.press("EV1527", "00042e", "02"),
        6.0: lambda: receiver.tell("EV1527", "00042e", "BAT=LOW"),
    }
    assert told(Rflink(home("EV1527/00042e")), receiver, happenings) == [
        PENDANT,
        PENDANT,
        Signal(EventKind.BATTERY_LOW, "", member="pendant"),
    ]


def test_an_rfxtrx_home_is_understood() -> None:
    receiver = RfxtrxReceiver()
    happenings: dict[float, object] = {1.0: lambda: receiver.security("d3dc54", 6), 1.5: lambda: receiver.security("d3dc54", 7)}
    found = told(Rfxtrx(home("d3dc54")), receiver, happenings)
    assert [output for output in found if isinstance(output, Signal)] == [PENDANT]


@pytest.mark.parametrize(
    ("driver", "receiver"), [(EnoceanEsp3(), EnoceanReceiver()), (Rflink(), RflinkReceiver()), (Rfxtrx(), RfxtrxReceiver())]
)
def test_a_receiver_without_devices_shows_each_minute_that_it_lives(driver: Driver, receiver: Instrument) -> None:
    assert converse(driver, receiver, 130.0).count(Alive()) >= 3
