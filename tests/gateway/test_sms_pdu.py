"""Real and calculated PDUs with what they say, and texts of every length and alphabet there and back.

Bytes and values are facts of python-messaging's and python-gsmmodem's test data (captured messages), or follow from 3GPP TS 23.040.
"""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import sms_pdu
from gateway.gsm_alphabet import SEPTETS
from gateway.sms_pdu import BadPdu, PduFault, StatusReport, Submit, describe, encode
from simulators.gsm_modem import read_submission

VECTORS = Path(__file__).parents[3] / "shared" / "vectors" / "gsm_sms_pdu.json"

ALARM = "【家护】王奶奶03:12跌倒，请回电"
ALARM_PDU = "0031000d91683108108300f00008aa2430105bb662a43011738b5976597600300033003a003100328dcc5012ff0c8bf756de7535"
REPORT_PDU = "0791538375000075061805810531f1019082416500400190824165004000"

CASES: list[tuple[str, dict[str, Any]]] = [
    (
        "07914306073011f0040b914316709807f2000880604290224080084e2d5174901a8baf",
        {"smsc": "+34607003110", "type": "deliver", "number": "+34610789702", "time": "2008-06-24T09:22:04+02:00", "text": "中兴通讯"},
    ),
    (
        "07914400000000f01100099121436587f90008f40a4e16754c60a8597dff01",
        {"type": "submit", "number": "+123456789", "validity_minutes": 524_160, "text": "世界您好！", "alphabet": "ucs2", "flash": False},
    ),
    ("0005000b917228001011f10000094676788e064d9b53", {"text": "Flash SMS", "flash": False, "status_report": False, "smsc": None}),
    ("0001000b914356143254f6001006e8721e947f03", {"text": "hey yo", "flash": True, "number": "+34654123456"}),
    ("0021000b914356143254f6000006e8721e947f03", {"text": "hey yo", "status_report": True, "alphabet": "gsm7"}),
    ("0011000b914356143254f60000aa04483e7b0f", {"text": "Hölä", "validity_minutes": 5760}),
    ("06917228195339040b917228214365f70000313062315352800a800d8a5e98d337a910", {"text": "@{tést}!", "smsc": "+2782913593"}),
    (
        "07919762020033f1400dd0cdf2396c7ebb010008415072411084618c0500035602010053004d005300200063006f00640065003a00200034003800350036002c0020"
        "0063006f006e006600690072006d006100740069006f006e0020006f00660020006100730073006f00630069006100740069006f006e002000620065007400770065"
        "0065006e0020006100630063006f0075006e007400200061006e00640020004d00650067",
        {
            "number": "Megafon", "udh": "0003560201", "concat_ref": 86, "concat_total": 2, "concat_part": 1,
            "time": "2014-05-27T14:01:48+04:00",
        },
    ),
    (
        REPORT_PDU,
        {
            "type": "status_report", "smsc": "+353857000057", "reference": 24, "number": "50131", "status": 0,
            "time": "2010-09-28T14:56:00+01:00", "discharge": "2010-09-28T14:56:00+01:00",
        },
    ),
    (ALARM_PDU, {"number": "+8613800138000", "text": ALARM, "alphabet": "ucs2", "status_report": True, "validity_minutes": 5760}),
]  # fmt: skip


def vectors() -> list[dict[str, Any]]:
    return list(json.loads(VECTORS.read_text("utf-8"))) if VECTORS.exists() else []


@pytest.mark.parametrize(("pdu", "said"), CASES)
def test_a_pdu_says_what_its_source_says_it_does(pdu: str, said: dict[str, Any]) -> None:
    described = describe(pdu)
    assert {key: described[key] for key in said} == said


@pytest.mark.skipif(not VECTORS.exists(), reason=f"the vectors are not here: {VECTORS}")
@pytest.mark.parametrize("vector", vectors(), ids=lambda vector: vector["name"])
def test_vectors_say_what_they_should(vector: dict[str, Any]) -> None:
    pdu, expected = vector.get("hex") or vector["text"], vector["expect"]
    if "error" in expected:
        with pytest.raises(BadPdu):
            describe(pdu)
    else:
        described = describe(pdu, vector.get("context"))
        assert {key: described[key] for key in expected} == expected


@pytest.mark.parametrize("pdu", [pdu for pdu, _ in CASES])
def test_a_pdu_cut_short_anywhere_is_refused(pdu: str) -> None:
    for end in range(len(pdu)):
        with pytest.raises(BadPdu):
            sms_pdu.decode(pdu[:end])


@pytest.mark.parametrize(
    ("pdu", "fault"),
    [
        ("not hexadecimal", PduFault.FORMAT),
        (ALARM_PDU[:-1], PduFault.FORMAT),
        (ALARM_PDU + "00", PduFault.LENGTH),
        ("00" + "03" + ALARM_PDU[4:], PduFault.FORMAT),
        (ALARM_PDU[:-4], PduFault.TRUNCATED),
        ("0001000b91722800f011f100000cc8329bfd065ddf72363904", PduFault.FORMAT),
    ],
)
def test_what_is_no_pdu_is_refused_with_its_reason(pdu: str, fault: PduFault) -> None:
    with pytest.raises(BadPdu) as caught:
        sms_pdu.decode(pdu)
    assert caught.value.fault is fault


def test_the_alarm_is_the_very_pdu_that_the_standard_gives() -> None:
    (part,) = encode("+8613800138000", ALARM, validity_minutes=5760)
    assert (part.pdu.lower(), part.length) == (ALARM_PDU, 51)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("a" * 160, 1), ("a" * 161, 2), ("a" * 306, 2), ("a" * 307, 3), ("€" * 80, 1), ("€" * 81, 2),
        ("好" * 70, 1), ("好" * 71, 2), ("好" * 134, 2), ("好" * 135, 3), ("😀" * 35, 1), ("😀" * 36, 2), ("", 1),
    ],
)  # fmt: skip
def test_a_long_text_takes_as_many_parts_as_the_standard_allows(text: str, parts: int) -> None:
    assert len(encode("+8613800138000", text)) == parts


def test_neither_a_surrogate_pair_nor_an_escaped_character_is_cut_in_two() -> None:
    for text in ("好" * 66 + "😀" * 10, "a" * 152 + "€" * 40):
        submits = [sms_pdu.decode(part.pdu) for part in encode("+8613800138000", text, joint=7)]
        texts = [one.data.text or "" for one in submits if isinstance(one, Submit)]
        assert "".join(texts) == text
        assert not any("\ud800" <= char <= "\udfff" or char == "�" for part in texts for char in part)


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=400), st.from_regex(r"\+[1-9][0-9]{6,14}", fullmatch=True))
def test_what_is_encoded_is_decoded(text: str, number: str) -> None:
    submits = [sms_pdu.decode(part.pdu) for part in encode(number, text, joint=200)]
    assert "".join(one.data.text or "" for one in submits if isinstance(one, Submit)) == text
    assert all(isinstance(one, Submit) and one.number == number and one.validity_minutes == 1440 for one in submits)
    assert [one.data.joined() for one in submits if isinstance(one, Submit)] == (
        [(200, len(submits), part) for part in range(1, len(submits) + 1)] if len(submits) > 1 else [None]
    )


@given(st.text(sorted(SEPTETS), max_size=160))
def test_the_alphabet_of_the_network_is_used_wherever_it_has_every_character(text: str) -> None:
    submit = sms_pdu.decode(encode("10086", text)[0].pdu)
    assert isinstance(submit, Submit)
    assert (submit.data.alphabet, submit.number) == ("gsm7", "10086")


@given(st.binary(max_size=60))
def test_noise_is_refused_or_read_but_never_breaks_the_reader(noise: bytes) -> None:
    try:
        describe(noise.hex())
    except BadPdu as error:
        assert error.fault in PduFault


@pytest.mark.parametrize("text", [ALARM, "Jiahu: somebody pressed SOS at 03:12."])
def test_other_code_reads_the_same(text: str) -> None:
    taken = read_submission(encode("+8613800138000", text)[0].pdu)
    assert (taken.number, taken.text, taken.wants_report) == ("+8613800138000", text, True)


@pytest.mark.parametrize(("status", "is_delivered"), [("00", True), ("1f", True), ("20", None), ("3f", None), ("40", False), ("ff", False)])
def test_a_status_is_delivered_still_tried_or_failed(status: str, is_delivered: bool | None) -> None:
    report = sms_pdu.decode(REPORT_PDU[:-2] + status)
    assert isinstance(report, StatusReport)
    assert report.is_delivered is is_delivered


@pytest.mark.parametrize(("minutes", "said"), [(1, 5), (5, 5), (6, 10), (721, 750), (1440, 1440), (1441, 2880), (99_999_999, 635_040)])
def test_a_validity_is_rounded_up_to_what_can_be_said(minutes: int, said: int) -> None:
    submit = sms_pdu.decode(encode("+8613800138000", "x", validity_minutes=minutes)[0].pdu)
    assert isinstance(submit, Submit)
    assert submit.validity_minutes == said
