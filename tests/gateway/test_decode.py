"""`python -m gateway decode`: captured bytes in, JSON lines out, one clear line for what cannot be used."""

import io
import json
import sys
from types import SimpleNamespace

import pytest

from gateway.__main__ import main
from gateway.decode import TYPES, context_of, decode, decode_input
from gateway.devices import DRIVERS
from gateway.errors import BadInput

FRAME = "01 E0 85 B3 96 C1 E1 FF FF"  # headrotor/contec_data:stream_data.py: 65 /min, 97 %


def said(name: str, text: str, **context: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in decode_input(name, text.encode(), context)]


def run(text: bytes, *argv: str, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(text)))
    return main(["decode", *argv])


def test_the_command_prints_what_a_stream_says(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(f"{FRAME}\n01E085\n{FRAME}".encode(), "contec_v7", monkeypatch=monkeypatch) == 0
    first, cut, last = map(json.loads, capsys.readouterr().out.splitlines())
    assert (first["pulse_bpm"], first["spo2_pct"], first["perfusion_index_pct"]) == (65, 97, None)
    assert (cut, last) == ({"error": "truncated"}, first)


def test_the_context_says_what_the_bytes_do_not(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(b"80486100", "nonin_serial", "--context", "format=8", monkeypatch=monkeypatch) == 0
    assert json.loads(capsys.readouterr().out)["pulse_bpm"] == 72


@pytest.mark.parametrize(
    ("text", "argv", "fault"),
    [
        (b"01", ["cms50"], "unknown type 'cms50'; known are bci_oximeter, "),
        (b"0x01", ["contec_v7"], "contec_v7 takes hexadecimal digits on its standard input"),
        (b"012", ["contec_v7"], "contec_v7 takes hexadecimal digits on its standard input"),
        (b"01", ["nonin_serial", "--context", "format=9"], "nonin_serial cannot use --context format=9: format is 2, 7, 8 or 13"),
        (b"01", ["ble_misc", "--context", "characteristic=2aff"], "ble_misc cannot use --context characteristic=2aff"),
        (b"01", ["nonin_serial", "--context", "format"], "--context takes key=value, not 'format'"),
    ],
)
def test_what_cannot_be_used_is_one_line_and_code_2(
    text: bytes, argv: list[str], fault: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(text, *argv, monkeypatch=monkeypatch) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("jiahu gateway: ") and fault in line


def test_a_protocol_of_text_takes_text_and_hexadecimal() -> None:
    line = "20;2D;UPM/Esic;ID=0001;TEMP=00cf;HUM=16;BAT=OK;\r\n"
    assert said("rflink", line) == said("rflink", line.encode().hex()) != []


def test_each_line_of_a_characteristic_is_a_value_of_its_own() -> None:
    rates = [one.get("heart_rate_bpm", one.get("error")) for one in said("ble_heart_rate", "16483303\n\n0448\n06\n", characteristic="2a37")]
    assert rates == [72, 72, "truncated"]


@pytest.mark.parametrize("name", TYPES)
def test_nothing_in_is_nothing_known_out(name: str) -> None:
    assert all("error" in one or one == {"events": []} for one in decode(name, [], {}))


def test_every_driver_of_a_sold_device_has_its_decoder() -> None:
    own_firmware = {name for name in DRIVERS if name.startswith("jiahu_")}
    elsewhere = {"bluetooth", "nonin_spot", "zigbee2mqtt"}  # one type for each profile; format 13 of nonin_serial; lines of JSON
    assert {*DRIVERS} - elsewhere - own_firmware <= {*TYPES}


def test_a_value_may_hold_the_sign_that_parts_it_from_its_key() -> None:
    assert context_of(["a=b=c"]) == {"a": "b=c"}
    with pytest.raises(BadInput):
        context_of(["=b"])
