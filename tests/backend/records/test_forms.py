"""Forms: empty is not zero, slips of the finger are refused, and files name diseases in their own words."""

import pytest

from backend.records.forms import FORMS, BadAnswer, for_conditions, found_of, read_answers

H, D = FORMS["hypertension"], FORMS["diabetes"]


def given(form: str, **answers: str | list[str]) -> dict[str, list[str]]:
    return {f"{form}.{name}": answer if isinstance(answer, list) else [answer] for name, answer in answers.items()}


PRESSURE = {"blood_pressure_systolic": "150", "blood_pressure_diastolic": "90"}


def test_answers_are_read_and_what_is_empty_is_left_out() -> None:
    answers = read_answers(H, given("hypertension", **PRESSURE, heart_rate=" ", danger_signs=["chest", "headache"], drug_reaction="yes"))
    assert answers == {
        "blood_pressure_systolic": 150.0,
        "blood_pressure_diastolic": 90.0,
        "danger_signs": ["chest", "headache"],
        "drug_reaction": True,
    }
    found = found_of(answers, age_years=80)
    assert (found.systolic, found.pulse, found.drug_reaction, list(found.danger_signs)) == (150, None, True, ["chest", "headache"])


def test_a_comma_is_a_decimal_point() -> None:
    assert read_answers(D, given("diabetes", glucose="7,1"))["glucose"] == 7.1


@pytest.mark.parametrize(
    ("answers", "field"),
    [
        ({"blood_pressure_systolic": "150"}, "blood_pressure_diastolic"),
        (PRESSURE | {"blood_pressure_systolic": "15000"}, "blood_pressure_systolic"),
        (PRESSURE | {"blood_pressure_systolic": "nan"}, "blood_pressure_systolic"),
        (PRESSURE | {"heart_rate": "fast"}, "heart_rate"),
        (PRESSURE | {"adherence": "maybe"}, "adherence"),
        (PRESSURE | {"danger_signs": "bad luck"}, "danger_signs"),
    ],
)
def test_an_answer_that_cannot_be_names_its_field(answers: dict[str, str], field: str) -> None:
    with pytest.raises(BadAnswer) as refused:
        read_answers(H, given("hypertension", **answers))
    assert refused.value.field.name == field


@pytest.mark.parametrize(
    ("conditions", "names"),
    [
        (["高血压 3级", "骨质疏松"], ["hypertension"]),
        (["2型糖尿病", "高血压"], ["hypertension", "diabetes"]),
        (["Hypertension"], ["hypertension"]),
        ([], []),
    ],
)
def test_the_file_says_which_forms_are_likely(conditions: list[str], names: list[str]) -> None:
    assert [form.name for form in for_conditions(conditions)] == names


def test_every_field_has_a_name_of_its_own_and_words_in_both_languages() -> None:
    for form in FORMS.values():
        assert len({field.name for field in form.fields}) == len(form.fields)
        titles = [form.title, *(field.title for field in form.fields)]
        titles += [word for field in form.fields for word in (field.options or {}).values()]
        assert all(title.zh and title.en for title in titles)
