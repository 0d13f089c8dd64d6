"""Words that protocols have and no shared frame says: each must come out of `gateway.decode`, whole and byte by byte.

The bytes are made here from the layouts that the drivers draw, sums and check bytes by hand or by the rule beside them.
"""

import json
import math
from collections.abc import Mapping
from functools import reduce
from operator import xor
from typing import Any

import pytest

from gateway.decode import decode_input

Case = tuple[str, Mapping[str, str], str, dict[str, Any]]


def sy(body: str) -> str:
    """A "53 59" frame: the sum of all bytes before it, then 54 43."""
    head = bytes.fromhex("5359" + body)
    return (head + bytes((sum(head) & 0xFF,)) + b"\x54\x43").hex()


def tiny(kind: str, data: str) -> str:
    """A TinyFrame: NOT of the XOR behind head and data."""
    content = bytes.fromhex(data)
    head = b"\x01\x00\x07" + len(content).to_bytes(2, "big") + bytes.fromhex(kind)
    return (head + bytes((reduce(xor, head, 0xFF),)) + content + bytes((reduce(xor, content, 0xFF),))).hex()


def esp3(kind: int, data: str, optional: str = "") -> str:
    """An ESP3 frame: CRC-8, polynomial 07, by long division."""

    def crc8(content: bytes) -> bytes:
        rest = int.from_bytes(content, "big") << 8
        for shift in range(8 * len(content) - 1, -1, -1):
            rest ^= (0x107 << shift) * (rest >> (shift + 8) & 1)
        return bytes((rest,))

    content, more = bytes.fromhex(data), bytes.fromhex(optional)
    head = len(content).to_bytes(2, "big") + bytes((len(more), kind))
    return (b"\x55" + head + crc8(head) + content + more + crc8(content + more)).hex()


def nonin_packet(status: str, special: Mapping[int, str]) -> str:
    """25 frames of format 2, the first with the sync bit; `special`: float bytes by number of the frame, FF 7F none."""
    frames = []
    for number in range(1, 26):
        body = bytes((1, int(status, 16) | (number == 1), 1)) + bytes.fromhex(special.get(number, "00"))
        frames.append(body + bytes((sum(body) & 0xFF,)))
    return b"".join(frames).hex()


def nonin_result(data: str, damage: int = 0) -> str:
    """A record of format 13: the sum of the data behind them."""
    content = bytes.fromhex("20260314031209" + data)
    return (b"\x00\x02\x00\x0d\x00\x0e" + content + bytes(((sum(content) + damage) & 0xFF, 3))).hex()


NEW, OLD = {"dialect": "2"}, {"dialect": "1"}
RADIO = "00298979"
ON_AIR = "01ffffffff3700"
CASES: list[Case] = [
    ("radar_sy", NEW, sy("800100010" + "0"), {"type": "presence", "present": False}),
    ("radar_sy", NEW, sy("8002000100"), {"type": "motion", "motion": "none"}),
    ("radar_sy", NEW, sy("8002000101"), {"type": "motion", "motion": "still"}),
    ("radar_sy", OLD, sy("8002000100"), {"type": "motion_direction", "direction": "none"}),
    ("radar_sy", OLD, sy("8002000101"), {"type": "motion_direction", "direction": "approaching"}),
    ("radar_sy", OLD, sy("8002000102"), {"type": "motion_direction", "direction": "receding"}),
    ("radar_sy", NEW, sy("8101000101"), {"type": "resp_state", "state": "normal"}),
    ("radar_sy", NEW, sy("8101000102"), {"type": "resp_state", "state": "fast"}),
    ("radar_sy", NEW, sy("8101000103"), {"type": "resp_state", "state": "slow"}),
    ("radar_sy", OLD, sy("8104000102"), {"type": "resp_state_raw", "raw": 2, "value": 2}),
    ("radar_sy", NEW, sy("8102000100"), {"type": "resp_rate", "resp_rate_bpm": None}),
    ("radar_sy", NEW, sy("8502000100"), {"type": "heart_rate", "heart_rate_bpm": None}),
    ("radar_sy", NEW, sy("8505000580ff007f81"), {"type": "heart_wave", "samples": [0, 127, -128, -1, 1]}),
    ("radar_sy", NEW, sy("8305000101"), {"type": "long_stay", "staying": True}),
    ("radar_sy", NEW, sy("8305000100"), {"type": "long_stay", "staying": False}),
    ("radar_sy", NEW, sy("8401000102"), {"type": "bed", "bed": "none"}),
    ("radar_sy", NEW, sy("8402000100"), {"type": "sleep_stage", "stage": "deep"}),
    ("radar_sy", NEW, sy("8402000102"), {"type": "sleep_stage", "stage": "awake"}),
    ("radar_sy", NEW, sy("8402000103"), {"type": "sleep_stage", "stage": "none"}),
    ("radar_sy", NEW, sy("8403000200b4"), {"type": "awake_duration", "minutes": 180}),
    ("radar_sy", OLD, sy("8107000101"), {"type": "location_anomaly", "raw": 1, "value": 1}),
    ("radar_sy", {}, sy("02a10004" + b"R60A".hex()), {"type": "model", "text": "R60A"}),
    ("radar_sy", {}, sy("02a100010f"), {"direction": "to_device", "command": "query_model"}),
    ("radar_sy", {}, sy("010200010f"), {"direction": "to_device", "command": "reset"}),
    ("radar_sy", {}, sy("8102000111"), {"error": "dialect"}),
    ("radar_sy", {}, sy("02a4000f" + b"G60SM1SYv010204".hex()) + sy("8102000111"), {"type": "resp_rate", "resp_rate_bpm": 17}),
    ("radar_tinyframe", {"model": "heart"}, tiny("0a14", "00000000"), {"type": "0a14", "resp_rate_bpm": None}),
    ("radar_tinyframe", {"model": "heart"}, tiny("0a15", "0000c07f"), {"error": "implausible"}),
    ("radar_tinyframe", {"model": "heart"}, tiny("0a16", "00000000ae478542"), {"type": "0a16", "distance_cm": None}),
    ("radar_tinyframe", {"model": "fall"}, tiny("0f09", "0000"), {"type": "0f09", "present": False}),
    ("radar_tinyframe", {"model": "fall"}, tiny("0e0a", "0a000000"), {"type": "0e0a", "sensitivity": 10, "direction": "to_device"}),
    ("radar_tinyframe", {}, tiny("0a14", "01"), {"error": "dialect"}),
    ("contec_v7", {}, "0b81a180", {"type": "command_feedback", "command": 0xA1, "reason": 0}),
    ("contec_v7", {}, "0b81b085", {"type": "command_feedback", "command": 0xB0, "reason": 5}),
    ("contec_v7", {}, "0d8081", {"type": "disconnect", "reason": 1}),
    ("contec_v7", {}, "0e8080", {"type": "pi_support", "supported": True}),
    ("contec_v7", {}, "01a085b386c1e1d982", {"type": "realtime", "perfusion_index_pct": 7.29}),
    ("contec_v7", {}, "09 80 e1 c1 d9 82", {"type": "stored_spo2_pulse_pi", "spo2_pct": 97, "pulse_bpm": 65, "perfusion_index_pct": 6.01}),
    ("contec_v5", {}, "f1827f", {"kind": "recorded", "pulse_bpm": 130, "spo2_pct": None}),
    ("contec_v5", {}, "a833064161", {"spo2_dropping": True, "pulse_bpm": 65, "spo2_pct": 97}),
    ("nonin_serial", {"format": "2"}, "01c00100c2", {"sensor_disconnected": True}),
    ("nonin_serial", {"format": "2"}, "01a00100a2", {"artifact": True}),
    ("nonin_serial", {"format": "7"}, "82010000" + "83", {"perfusion": "green"}),
    ("nonin_serial", {"format": "2"}, nonin_packet("80", {2: "48", 3: "61", 8: "21"}),
     {"pulse_bpm": 72, "spo2_pct": 97, "high_quality": True, "low_battery": True}),
    ("nonin_serial", {"format": "2"}, nonin_packet("88", {1: "03", 2: "7f", 3: "7f", 9: "61", 20: "00", 21: "48"}),
     {"pulse_bpm": None, "spo2_pct": None, "sensor_alarm": True, "spo2_display_pct": 97, "pulse_display_bpm": 72}),
    ("nonin_serial", {"format": "8"}, "837f7f28", {"pulse_bpm": None, "spo2_pct": None, "sensor_disconnected": True, "high_quality": True}),
    ("nonin_serial", {"format": "13"}, nonin_result("00000000480061", damage=1), {"error": "checksum"}),
    ("nonin_serial", {"format": "13"}, nonin_result("00031000480061"),
     {"time": "2026-03-14T03:12:09", "from_memory": True, "no_measurement": True, "high_quality": True, "pulse_bpm": None}),
    ("nonin_serial", {"format": "13"}, nonin_result("000001012c007f"),
     {"pulse_bpm": 300, "spo2_pct": None, "low_battery": True, "no_measurement": False}),
    ("hlk_ld2410", {}, "fdfcfbfa0400fe01000004030201", {"reply_to": "end_config", "ok": True}),
    ("hlk_ld2410", {}, "fdfcfbfa04006201010004030201", {"reply_to": "engineering_on", "ok": False}),
    ("hlk_ld2410", {}, "fdfcfbfa0200fe0004030201", {"direction": "to_device", "command": "end_config"}),
    *(("rfxtrx", {}, f"0820004dd3dc54{code:02x}89", {"packet": "security1", "id": "d3dc54", "status": word}) for code, word in
      enumerate(("normal", "normal_delayed", "alarm", "alarm_delayed", "motion", "no_motion", "panic", "end_panic"))),
    ("rfxtrx", {}, "0a520211700200a72d0089", {"packet": "other", "type": "52", "subtype": 2, "sequence": 17}),
    ("rfxtrx", {}, "0b11000a00f09f190101 0f70", {"packet": "other", "type": "11"}),
    ("enocean_esp3", {}, esp3(4, "01"), {"packet_type": 4, "event": 1}),
    ("enocean_esp3", {"eep": "D2-01-01"}, esp3(1, "d20460e40194e3b900", ON_AIR), {"rorg": "d2", "sender": "0194e3b9", "output_pct": 100}),
    ("enocean_esp3", {"eep": "D2-01-01"}, esp3(1, "d20460800194e3b900", ON_AIR), {"output_pct": 0}),
    ("enocean_esp3", {"eep": "D5-00-01"}, esp3(1, f"d500{RADIO}00", ON_AIR), {"rorg": "d5", "contact": None, "teach_in": True}),
    ("enocean_esp3", {}, esp3(1, f"a508283d80{RADIO}00", ON_AIR), {"rorg": "a5", "teach_in_eep": "A5-02-05", "manufacturer": 61}),
    ("enocean_esp3", {"eep": "F6-02-02"}, esp3(1, f"f610{RADIO}30", ON_AIR), {"button": "AI", "pressed": True}),
    ("enocean_esp3", {"eep": "F6-02-02"}, esp3(1, f"f630{RADIO}30", ON_AIR), {"button": "AO", "pressed": True}),
    ("enocean_esp3", {"eep": "F6-02-02"}, esp3(1, f"f670{RADIO}30", ON_AIR), {"button": "BO", "pressed": True}),
    ("enocean_esp3", {"eep": "A5-02-05"}, esp3(1, f"a50000ff08{RADIO}00", ON_AIR), {"temperature_c": 0.0}),
    ("enocean_esp3", {}, esp3(2, "02"), {"packet_type": 2, "return_code": 2}),
    ("zigbee_ias", {}, "090100ce0300000000",
     {"flags": ["alarm_2", "tamper", "battery_low", "trouble", "ac_fault", "test", "battery_defect"], "zone_status": 0x3CE}),
    ("rflink", {}, "20;12;Pir;ID=aa66;PIR=OFF;", {"device": "Pir/aa66", "kind": "motion", "on": False}),
    ("rflink", {}, "20;12;X10;ID=41;SWITCH=1;CMD=ALLOFF;", {"device": "X10/41", "kind": "switch", "switch": "1", "command": "ALLOFF"}),
    ("rflink", {}, "20;2D;Auriol;ID=0001;TEMP=zz;HUM=250;BAT=LOW;",
     {"device": "Auriol/0001", "temperature_c": None, "humidity_pct": None, "battery_low": True}),
    ("rtl433_json", {}, '{"model":"X10 Security","id":"3133","code":"05","event":"DOOR/WINDOW OPEN"}',
     {"events": [{"device": "X10 Security/3133", "kind": "door", "open": True, "battery_low": None}]}),
    ("rtl433_json", {}, '{"model":"X10-Security","id":"a1b2","code":"88","event":"KR15 PANIC","battery_ok":0}',
     {"events": [{"device": "X10-Security/a1b2", "kind": "panic", "battery_low": True}]}),
    ("emfit_qs", {}, "SER=002177<br>\r\nPRES=1<br>\r\nHR= ---<br>\r\nRR= --.-<br>\r\nACT=3<br>",
     {"in_bed": True, "heart_rate_bpm": None, "resp_rate_bpm": None, "activity": 3}),
    ("bp_beurer_bm65", {"reply_to": "a2"}, "3c", {"reply_to": "A2", "count": 60}),
    *(("ble_thermometer", {}, f"046e0100ff{code:02x}", {"temperature_c": 36.6, "site": word}) for code, word in enumerate(
        ("armpit", "body", "ear", "finger", "gastrointestinal", "mouth", "rectum", "toe", "tympanum"), start=1)),
    ("ble_glucose", {"characteristic": "2a52"}, "0300", {"direction": "to_device", "operation": "abort", "operator": "null"}),
    ("ble_glucose", {"characteristic": "2a52"}, "0401", {"direction": "to_device", "operation": "count", "operator": "all"}),
    ("gsm_at_dialogue", {}, "< \\r\\n+CREG: 0,1\\r\\n\\r\\nOK\\r\\n", {"registered": True, "roaming": False}),
    ("gsm_at_dialogue", {}, "< \\r\\n+CREG: 0,2\\r\\n\\r\\nOK\\r\\n", {"registered": False}),
    ("gsm_at_dialogue", {}, "< \\r\\n+CSQ: 99,99\\r\\n\\r\\nOK\\r\\n", {"rssi_dbm": None}),
    ("gsm_at_dialogue", {}, "> AT+CPIN?\n< \\r\\n+CPIN: READY\\r\\n", {"sim": "ready"}),
    ("gsm_at_dialogue", {}, "> AT+CEREG?\n< \\r\\nCOMMAND NOT SUPPORT\\r\\n", {"error": "unsupported"}),
]  # fmt: skip


def agrees(said: Any, wanted: Any) -> bool:
    if isinstance(wanted, dict):
        return isinstance(said, dict) and all(key in said and agrees(said[key], value) for key, value in wanted.items())
    if isinstance(wanted, list):
        return isinstance(said, list) and len(said) == len(wanted) and all(map(agrees, said, wanted))
    if isinstance(wanted, float):
        return isinstance(said, float) and math.isclose(said, wanted, rel_tol=1e-6)
    return type(said) is type(wanted) and bool(said == wanted)


@pytest.mark.parametrize(("name", "context", "text", "wanted"), CASES)
def test_every_word_is_said(name: str, context: Mapping[str, str], text: str, wanted: dict[str, Any]) -> None:
    assert agrees(json.loads(list(decode_input(name, text.encode(), context))[-1]), wanted)
