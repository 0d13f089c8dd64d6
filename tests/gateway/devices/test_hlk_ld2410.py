"""LD2410 radars: without a checksum every mark of a report must be right, and distances have no sign."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.quantities import QuantityName
from gateway.bridges.framing import Frame
from gateway.devices.driver import JSON, Alive, Measurement, Output, Reason, Refusal
from gateway.devices.hlk_ld2410 import COMMANDS, HlkLd2410, describe, order, reader

# Traced: morian/aio-ld2410:tests/protocol/test_reports.py; captured: esphome/esphome uart_mock_ld2410_engineering.yaml.
STILL = bytes.fromhex("f4f3f2f10d0002aa0251000000003b00005500f8f7f6f5")
ENGINEERING = bytes.fromhex("f4f3f2f1230001aa034900641e00642100080811640529391003110e00006464646464646457015500f8f7f6f5")
NOBODY = bytes.fromhex("f4f3f2f10d0002aa0000000000000000005500f8f7f6f5")


def told(stream: bytes) -> list[dict[str, JSON] | Reason]:
    one = reader({})
    return [item if isinstance(item, Reason) else describe(item) for item in [*one.feed(stream), *one.end()]]


def outputs(stream: bytes) -> list[Output]:
    return list(HlkLd2410().feed(stream, 0.0))


def changed(report: bytes, at: int, byte: int) -> bytes:
    return report[:at] + bytes((byte,)) + report[at + 1 :]


def test_a_report_in_engineering_mode_has_the_energy_of_every_gate() -> None:
    (report,) = told(ENGINEERING)
    assert isinstance(report, dict)
    assert report["moving_gate_energy"] == [17, 100, 5, 41, 57, 16, 3, 17, 14]
    assert report["still_gate_energy"] == [0, 0, 100, 100, 100, 100, 100, 100, 100]
    assert (report["light"], report["out_pin"], report["detection_cm"]) == (87, True, 33)


@pytest.mark.parametrize(
    ("at", "byte", "reason"),
    [
        (6, 0x03, Reason.FORMAT),
        (7, 0xAB, Reason.FORMAT),
        (8, 0x04, Reason.IMPLAUSIBLE),
        (11, 101, Reason.IMPLAUSIBLE),
        (14, 101, Reason.IMPLAUSIBLE),
        (17, 0x54, Reason.FORMAT),
        (18, 0x01, Reason.FORMAT),
        (19, 0xF9, Reason.FORMAT),
        (22, 0x00, Reason.FORMAT),
        (6, 0x01, Reason.LENGTH),
        (5, 0x01, Reason.LENGTH),
    ],
)
def test_a_report_with_one_wrong_mark_gives_its_reason_and_no_value(at: int, byte: int, reason: Reason) -> None:
    items = told(changed(STILL, at, byte))
    assert items[0] is reason
    assert not any(isinstance(item, dict) for item in items)


@pytest.mark.parametrize(("at", "reason"), [(17, Reason.LENGTH), (18, Reason.LENGTH), (19, Reason.IMPLAUSIBLE)])
def test_gates_must_agree_with_the_length(at: int, reason: Reason) -> None:
    assert told(changed(ENGINEERING, at, 101)) == [reason]


def test_one_byte_more_than_the_length_says_is_no_report() -> None:
    assert not any(isinstance(item, dict) for item in told(STILL[:-4] + b"\0" + STILL[-4:]))


@pytest.mark.parametrize("length", range(1, len(STILL)))
def test_no_truncation_is_taken_for_a_report_and_the_next_one_is_whole(length: int) -> None:
    assert [item for item in told(STILL[:length] + NOBODY) if isinstance(item, dict)] == told(NOBODY)


@given(st.binary(max_size=200))
def test_noise_never_costs_the_report_behind_it(noise: bytes) -> None:
    assert told(noise + STILL)[-1] == told(STILL)[0]


@pytest.mark.parametrize(
    ("stream", "wanted"),
    [
        (STILL, [Measurement(QuantityName.PRESENCE, 1)]),
        (ENGINEERING, [Measurement(QuantityName.PRESENCE, 1), Measurement(QuantityName.DISTANCE, 33)]),
        (NOBODY, [Measurement(QuantityName.PRESENCE, 0)]),
        (b"\xf4" + NOBODY, [Refusal(Reason.SYNC), Measurement(QuantityName.PRESENCE, 0)]),
        (bytes.fromhex("fdfcfbfa0800ff0100000100400004030201"), [Alive()]),
    ],
)
def test_what_a_report_means_for_the_home(stream: bytes, wanted: list[Output]) -> None:
    assert outputs(stream) == wanted


def test_commands_and_their_replies() -> None:
    assert COMMANDS["enable_config"].hex() == "fdfcfbfa0400ff00010004030201"
    assert told(COMMANDS["end_config"]) == [{"direction": "to_device", "command": "end_config"}]
    assert told(bytes.fromhex("fdfcfbfa0400fe01010004030201")) == [{"reply_to": "end_config", "ok": False}]
    assert told(bytes.fromhex("fdfcfbfa0200fe0104030201")) == [Reason.LENGTH]
    assert told(bytes.fromhex("fdfcfbfa0200770004030201")) == [Reason.UNKNOWN_TYPE]
    assert order("set_baud", b"\7\0").hex() == "fdfcfbfa0400a100070004030201"


def test_a_radar_says_everything_by_itself_and_owns_its_port() -> None:
    radar = HlkLd2410()
    assert list(radar.start(0.0)) == list(radar.tick(1.0)) == []
    with pytest.raises(NotImplementedError):
        radar.take(Frame(1, 1, 1, b""), 0.0)


def test_what_was_cut_off_before_the_port_was_opened_again_is_forgotten() -> None:
    radar = HlkLd2410()
    assert list(radar.feed(STILL[:10], 0.0)) == list(radar.start(1.0)) == []
    assert list(radar.feed(NOBODY, 1.0)) == [Measurement(QuantityName.PRESENCE, 0)]
