"""The gateway's file: a good one is read, every bad one gives one line that says where the fault is and what to do."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from gateway import config as configuration
from gateway.__main__ import main
from gateway.config import BROKER_PASSWORD, broker_password
from gateway.devices.driver import Setting
from gateway.errors import BadInput

GOOD = """
gateway_id = "gw-1"
player = ["espeak-ng", "-v", "cmn"]

[broker]
host = "broker.example"
protocol = "3.1.1"

[outbox]
path = "/var/lib/jiahu/outbox.sqlite"

[[port]]
path = "/dev/serial/by-id/bridge"
[[port.device]]
id = "wearable-1"
type = "jiahu_wearable"
address = 7
placement = "waist"
[[port.device]]
id = "bed-mat-1"
type = "jiahu_bed_mat"
address = 8

[[port]]
path = "/dev/serial/by-id/oximeter"
baud = 115200
[[port.device]]
id = "oximeter-1"
type = "bci_oximeter"
summary_s = 5
"""
ALARM = '\nmodem_path = "/m"\ncontacts = ["+8613800138000"]'
OXIMETER = 'type = "bci_oximeter"\nsummary_s = 5'


def changed(old: str, new: str) -> str:
    assert GOOD.count(old) == 1
    return GOOD.replace(old, new)


def write(folder: Path, text: str) -> Path:
    path = folder / "gateway.toml"
    path.write_text(text, "utf-8")
    return path


def test_a_good_file_is_read(tmp_path: Path) -> None:
    config = configuration.read(write(tmp_path, GOOD))
    assert (config.gateway_id, config.broker.host, config.broker.port, config.broker.protocol) == ("gw-1", "broker.example", 8883, "3.1.1")
    assert [device.id for port in config.port for device in port.device] == ["wearable-1", "bed-mat-1", "oximeter-1"]
    assert config.player == ["espeak-ng", "-v", "cmn"]


def test_the_example_that_is_shipped_is_good() -> None:
    assert configuration.read(Path(__file__).parents[2] / "deploy" / "gateway.example.toml").port


def test_what_was_read_does_not_change(tmp_path: Path) -> None:
    config = configuration.read(write(tmp_path, GOOD))
    with pytest.raises(ValidationError):
        config.gateway_id = "gw-2"


RADIO = '[bluetooth]\ntransport = "serial:/dev/ttyACM0,1000000"\n'
CUFF = "C1:22:33:44:55:66"
BAD = [
    (changed('"gw-1"', '"GW 1"'), "gateway_id: String should match pattern '^[a-z0-9][a-z0-9_-]{0,39}$'"),
    (changed('gateway_id = "gw-1"', ""), "gateway_id: Field required"),
    (changed('gateway_id = "gw-1"', 'gateway_id = "gw-1"\nname = "x"'), "name: unknown key, remove it or correct its spelling"),
    (changed('host = "broker.example"', ""), "broker.host: Field required"),
    (changed('"broker.example"', '""'), "broker.host: String should have at least 1 character"),
    (changed('"broker.example"', '"broker..example"'), "broker.host: 'broker..example' is not the name or address of a machine"),
    (changed('"3.1.1"', '"4"'), "broker.protocol: Input should be '5' or '3.1.1'"),
    (changed('protocol = "3.1.1"', "port = 0"), "broker.port: Input should be greater than or equal to 1"),
    (changed('protocol = "3.1.1"', 'password = "secret"'), "broker.password: unknown key, remove it or correct its spelling"),
    (changed('protocol = "3.1.1"', "[send]\nresend_urgent_s = 60"), "send.resend_urgent_s: Input should be less than or equal to 20"),
    (
        changed('protocol = "3.1.1"', "[send]\nbatch_readings_max = 5001"),
        "send.batch_readings_max: Input should be less than or equal to 5000",
    ),
    (changed('path = "/var/lib/jiahu/outbox.sqlite"', ""), "outbox.path: Field required"),
    (
        changed('path = "/var/lib/jiahu/outbox.sqlite"', 'path = "x"\nrows_max = 10'),
        "outbox.rows_max: Input should be greater than or equal to 1000",
    ),
    (changed('player = ["espeak-ng", "-v", "cmn"]', 'player = ""'), "player: Input should be a valid list"),
    (changed('player = ["espeak-ng", "-v", "cmn"]', 'player = [""]'), "player.0: String should have at least 1 character"),
    (GOOD.partition("[[port]]")[0], "file: there is nothing to read: give a [[port]] or [bluetooth]"),
    (GOOD.partition("[[port.device]]")[0], "port.0.device: Field required"),
    (changed("baud = 115200", "baud = 1"), "port.1.baud: Input should be greater than or equal to 300"),
    (changed("baud = 115200", 'speed = "fast"'), "port.1.speed: unknown key, remove it or correct its spelling"),
    (
        changed('type = "bci_oximeter"', 'type = "bci"'),
        "port.1.device.0: unknown type 'bci'; known are bci_oximeter, bp_beurer_bm65, ",
    ),
    (changed("address = 7\n", ""), "port.0.device.0: a jiahu_wearable needs an address, the one set in its firmware"),
    (changed("summary_s = 5", "address = 9"), "port.1.device.0: a bci_oximeter has no address"),
    (changed("address = 7\n", "address = 0\n"), "port.0.device.0.address: Input should be greater than or equal to 1"),
    (changed("address = 7\n", "address = 8\n"), "port.0: two devices on this port have the same address"),
    (changed('"waist"', '"ankle"'), "port.0.device.0.placement: Input should be 'waist', 'chest', 'hip' or 'wrist'"),
    (
        changed("summary_s = 5", 'settings = {format = "2"}'),
        "port.1.device.0: a bci_oximeter has no setting 'format'; known are none",
    ),
    (
        changed(OXIMETER, 'type = "nonin_serial"\nsettings = {format = "9"}'),
        "port.1.device.0: format is 2, 7 or 8, not '9'; for 13 the type is nonin_spot",
    ),
    (
        changed(OXIMETER, 'type = "radar_sy"\nsettings = {dialect = "3"}'),
        "port.1.device.0: dialect is 1 (firmware of 2022) or 2 (current), not '3'",
    ),
    (
        changed(OXIMETER, 'type = "rflink"\nenrolled = [{id = "pendant-1", address = "NewKaku/cac142/3", meaning = "alarm"}]'),
        "port.1.device.0.enrolled.0.meaning: Input should be 'sos'",
    ),
    (
        changed(OXIMETER, 'type = "rflink"\nenrolled = [{id = "wearable-1", address = "x", meaning = "sos"}]'),
        "file: two devices have the same id",
    ),
    (changed("baud = 115200", 'parity = "X"'), "port.1.parity: Input should be 'N', 'E' or 'O'"),
    (changed("[broker]", 'timezone = "Asia/Nowhere"\n[broker]'), "timezone: there is no time zone 'Asia/Nowhere'"),
    (changed("summary_s = 5", "summary_s = 0"), "port.1.device.0.summary_s: Input should be greater than 0"),
    (changed('id = "oximeter-1"', 'id = "wearable-1"'), "file: two devices have the same id"),
    (changed("by-id/oximeter", "by-id/bridge"), "file: two ports have the same path"),
    (GOOD + '\n[[port.device]]\nid = "b"\n' + OXIMETER, "port.1: only devices with an address can share a port"),
    (
        GOOD + "".join(f'\n[[port]]\npath = "/dev/{n}"\n[[port.device]]\nid = "d{n}"\n{OXIMETER}' for n in range(62)),
        "file: 65 devices; one gateway serves at most 64",
    ),
    (GOOD + "[local_alarm]", "local_alarm: give a siren, or contacts and a modem_path; without this section the home does nothing alone"),
    (GOOD + "[local_alarm]\nanswer_wait_s = 61" + ALARM, "local_alarm.answer_wait_s: Input should be less than or equal to 60"),
    (GOOD + "[local_alarm]\nretry_s = 4" + ALARM, "local_alarm.retry_s: Input should be greater than or equal to 5"),
    (GOOD + "[local_alarm]\nretry_for_s = 100" + ALARM, "local_alarm.retry_for_s: Input should be greater than or equal to 180"),
    (GOOD + '[local_alarm]\nlanguage = "fr"' + ALARM, "local_alarm.language: Input should be 'zh' or 'en'"),
    (GOOD + '[local_alarm]\ncontacts = ["+8613800138000"]', "local_alarm: contacts need a modem_path, and a modem needs contacts"),
    (GOOD + '[local_alarm]\nsiren = ["aplay"]\nmodem_path = "/m"', "local_alarm: contacts need a modem_path, and a modem needs contacts"),
    (
        GOOD + '[local_alarm]\nmodem_path = "/m"\ncontacts = ["13800138000", "13800138000"]',
        "local_alarm: two contacts have the same number",
    ),
    (
        GOOD + f'[local_alarm]\nplace = "{"x" * 21}"' + ALARM,
        "local_alarm.place: at most 20 characters on one line, so that the message stays one",
    ),
    (
        GOOD + "[local_alarm]" + ALARM.replace('"/m"', '"/dev/serial/by-id/bridge"'),
        "file: local_alarm.modem_path is the path of a [[port]] too",
    ),
    (GOOD + "[bluetooth]", "bluetooth.transport: Field required"),
    (
        GOOD + '[bluetooth]\ntransport = "/dev/ttyACM0"',
        "bluetooth: transport '/dev/ttyACM0' begins with none of serial:, usb:, hci-socket:",
    ),
    (GOOD + '[bluetooth]\ntransport = "serial:"', "bluetooth: transport 'serial:' names no port"),
    (GOOD + RADIO + 'device = [{ id = "cuff", address = "C1:22" }]', "bluetooth.device.0.address: 'C1:22' is no Bluetooth address such as"),
    (GOOD + RADIO + f'device = [{{ id = "wearable-1", address = "{CUFF}" }}]', "file: two devices have the same id"),
    (GOOD + RADIO + f'device = [{{ id = "bluetooth", address = "{CUFF}" }}]', "file: two devices have the same id"),
    (
        GOOD + RADIO + f'device = [{{ id = "a", address = "{CUFF}" }}, {{ id = "b", address = "{CUFF.lower()}" }}]',
        "bluetooth: two devices have the same address",
    ),
    (
        GOOD + RADIO + f'device = [{{ id = "a", address = "{CUFF}", passkey = "12345" }}]',
        "bluetooth.device.0.passkey: a passkey has six digits and stands in quotes",
    ),
    (changed(OXIMETER, 'type = "bluetooth"'), "port.1: Bluetooth has no [[port]] but a section [bluetooth], see docs/bluetooth.md"),
]


@pytest.mark.parametrize("phone", ["", "12", "+", "+0123456789", "+86138001380001234", "138 0013 8000", "王", "+86-138"])
def test_what_is_no_telephone_number_is_refused_without_being_shown(phone: str, tmp_path: Path) -> None:
    with pytest.raises(BadInput) as caught:
        configuration.read(write(tmp_path, f'{GOOD}[local_alarm]\nmodem_path = "/m"\ncontacts = ["{phone}"]'))
    why = "local_alarm.contacts.0: not a telephone number: digits only, with + and the country first, e.g. +8613800138000"
    assert str(caught.value).endswith(f"gateway.toml: {why}")


def test_numbers_and_places_are_not_logged_with_the_rest_of_the_file(tmp_path: Path) -> None:
    alarm = '[local_alarm]\nplace = "王奶奶家"\ncall_back = "+8657112345678"' + ALARM
    config = configuration.read(write(tmp_path, GOOD + alarm))
    assert config.local_alarm is not None and config.local_alarm.contacts[0].get_secret_value() == "+8613800138000"
    shown = config.model_dump_json() + repr(config)
    assert not [secret for secret in ("13800138000", "57112345678", "王奶奶") if secret in shown]


@pytest.mark.parametrize(("text", "fault"), BAD, ids=range(len(BAD)))
def test_a_bad_file_gives_one_line_with_the_key_and_what_to_do(text: str, fault: str, tmp_path: Path) -> None:
    path = write(tmp_path, text)
    with pytest.raises(BadInput) as caught:
        configuration.read(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert fault in str(caught.value)
    assert "\n" not in str(caught.value)


def test_all_faults_are_said_at_once(tmp_path: Path) -> None:
    text = changed('"3.1.1"', '"4"').replace("baud = 115200", "baud = 1")
    with pytest.raises(BadInput, match=r"broker\.protocol: .*; port\.1\.baud: "):
        configuration.read(write(tmp_path, text))


@pytest.mark.parametrize("content", [b'gateway_id = "gw-1', b"\xff\xfe", b"[broker\n"])
def test_what_is_not_toml_is_said(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "gateway.toml"
    path.write_bytes(content)
    with pytest.raises(BadInput, match="is not TOML: "):
        configuration.read(path)


@pytest.mark.parametrize("name", ["nowhere.toml", ""])
def test_a_file_that_cannot_be_read_is_said(name: str, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"cannot read .*\. Give the path of a gateway TOML file"):
        configuration.read(tmp_path / name)


@pytest.mark.parametrize(("value", "password"), [("secret", "secret"), ("", None)])
def test_the_password_comes_from_the_environment(value: str, password: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(BROKER_PASSWORD, value)
    assert broker_password() == password
    monkeypatch.delenv(BROKER_PASSWORD)
    assert broker_password() is None


def test_check_says_that_a_file_is_good_and_which_ports_are_missing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    there = tmp_path / "bridge"
    there.touch()
    path = write(tmp_path, changed("/dev/serial/by-id/bridge", str(there)))
    assert main(["check", "--config", str(path)]) == 0
    good, missing = capsys.readouterr().out.splitlines()
    assert good == f"{path} is good: gateway gw-1, 3 devices"
    assert missing == "缺少端口 missing: /dev/serial/by-id/oximeter (oximeter-1)"


def test_check_says_that_the_dongle_is_missing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path, GOOD.partition("[[port]]")[0] + RADIO + f'device = [{{ id = "cuff", address = "{CUFF}" }}]')
    assert main(["check", "--config", str(path)]) == 0
    good, missing = capsys.readouterr().out.splitlines()
    assert good == f"{path} is good: gateway gw-1, 1 devices"
    assert missing == "缺少蓝牙适配器 missing: /dev/ttyACM0 ([bluetooth] transport)"


def test_a_line_is_set_as_its_device_is_sold_unless_the_file_says_otherwise(tmp_path: Path) -> None:
    usual, special = (
        configuration.read(write(tmp_path, changed(f'baud = 115200\n[[port.device]]\nid = "oximeter-1"\n{OXIMETER}', text))).port[1]
        for text in (
            '[[port.device]]\nid = "oximeter-1"\ntype = "contec_v5"',
            'baud = 4800\nparity = "N"\n[[port.device]]\nid = "oximeter-1"\ntype = "contec_v5"',
        )
    )
    assert usual.setting() == Setting(19_200, "O", 1, True, True)
    assert special.setting() == Setting(4_800, "N", 1, True, True)
    assert usual.is_serial


@pytest.mark.parametrize("command", ["check", "run"])
def test_a_bad_file_ends_the_program_with_its_line_and_code_2(command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command, "--config", str(tmp_path / "nowhere.toml")]) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("jiahu gateway: cannot read ")


def test_a_certificate_that_cannot_be_used_ends_the_program_with_code_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path, changed('protocol = "3.1.1"', f'ca_file = "{tmp_path}/nowhere.pem"'))
    assert main(["run", "--config", str(path)]) == 2
    [line] = [line for line in capsys.readouterr().err.splitlines() if line.startswith("jiahu gateway: ")]
    assert "broker.ca_file: cannot use" in line and "No such file" in line


def test_an_outbox_that_cannot_be_opened_ends_the_program_with_code_3(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path, changed("/var/lib/jiahu/outbox.sqlite", str(tmp_path)))
    assert main(["run", "--config", str(path)]) == 3
    [line] = [line for line in capsys.readouterr().err.splitlines() if line.startswith("jiahu gateway: ")]
    assert f"cannot use the outbox {tmp_path}: unable to open database file" in line
