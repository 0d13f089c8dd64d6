"""The forms that a visit is recorded with, as data: what is asked, in which unit, within which bounds, and where a first value comes from.

Sources: 国家基本公共卫生服务规范（第三版）: 高血压患者随访, 2型糖尿病患者随访, 老年人健康管理. Bounds of measured
quantities are those of the contract's list; they find slips of the finger, not diseases.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from backend.records.followup import Condition, Found
from contract.quantities import QUANTITIES, QuantityName

TEXT_MAX = 2_000

Answer = float | bool | str | list[str]
Answers = dict[str, Answer]


@dataclass(frozen=True, slots=True)
class Title:
    """The same words in both languages."""

    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class Field:
    """One question. `options`: codes and words of a choice or of flags. `quantity`: what a first value is taken from."""

    name: str
    title: Title
    kind: Literal["number", "yes", "flags", "choice", "text"]
    unit: str = ""
    low: float = 0
    high: float = 0
    decimals: int = 0
    options: Mapping[str, Title] | None = None
    quantity: QuantityName | None = None
    is_needed: bool = False


@dataclass(frozen=True, slots=True)
class Form:
    """What is asked for one kind of visit. `condition`: the disease whose class follows from the answers; `words`: how files name it."""

    name: str
    title: Title
    fields: tuple[Field, ...]
    condition: Condition | None = None
    words: tuple[str, ...] = ()


class BadAnswer(ValueError):
    """An answer that cannot be; `field` is the one."""

    def __init__(self, field: Field) -> None:
        super().__init__(f"{field.name} has an answer that cannot be")
        self.field = field


def _measured(quantity: QuantityName, *, is_needed: bool = False) -> Field:
    row = QUANTITIES[quantity]
    unit = {"mm[Hg]": "mmHg", "Cel": "°C"}.get(row.unit, row.unit)
    return Field(
        quantity, Title(row.title_zh, row.title_en), "number", unit, row.low, row.high, row.decimals, quantity=quantity, is_needed=is_needed
    )


Q = QuantityName
REACTION = (
    Field("drug_reaction", Title("药物不良反应", "Drug reaction"), "yes"),
    Field("reaction_hard", Title("不良反应难以控制", "Reaction hard to control"), "yes"),
    Field("complication", Title("新发并发症或原有并发症加重", "New or worse complication"), "yes"),
)
ADHERENCE = Field(
    "adherence", Title("服药依从性", "Takes the drugs"), "choice",
    options={"regular": Title("规律", "Regularly"), "sometimes": Title("间断", "Sometimes"), "never": Title("不服药", "Not at all")},
)  # fmt: skip
LIFE = (
    Field("smoking", Title("每日吸烟", "Cigarettes a day"), "number", "", 0, 200),
    Field("exercise", Title("每周运动次数", "Exercise, times a week"), "number", "", 0, 50),
    ADHERENCE,
    Field("drugs", Title("用药情况", "Drugs"), "text"),
)
HYPERTENSION_SIGNS = {
    "consciousness": Title("意识改变", "Changed consciousness"), "headache": Title("剧烈头痛或头晕", "Severe headache or dizziness"),
    "vomiting": Title("恶心呕吐", "Nausea, vomiting"), "blurred": Title("视力模糊", "Blurred sight"),
    "eye_pain": Title("眼痛", "Eye pain"), "palpitation": Title("心悸", "Palpitations"), "chest": Title("胸闷", "Tight chest"),
    "orthopnoea": Title("喘憋不能平卧", "Cannot lie flat"),
}  # fmt: skip
DIABETES_SIGNS = {
    "consciousness": Title("意识或行为改变", "Changed consciousness or behaviour"), "acetone": Title("呼气有丙酮味", "Acetone breath"),
    "sweating": Title("心悸出汗", "Palpitations, sweating"), "vomiting": Title("恶心呕吐", "Nausea, vomiting"),
    "thirst": Title("多饮多尿", "Thirst, much urine"), "abdomen": Title("腹痛", "Abdominal pain"),
    "breathing": Title("深大呼吸", "Deep breathing"), "flushed": Title("皮肤潮红", "Flushed skin"),
    "blurred": Title("视力模糊", "Blurred sight"),
}  # fmt: skip


def _signs(options: Mapping[str, Title]) -> Field:
    return Field("danger_signs", Title("危急症状", "Danger signs"), "flags", options=options)


FORMS: dict[str, Form] = {
    form.name: form
    for form in (
        Form(
            "hypertension", Title("高血压随访", "Hypertension follow-up"),
            (
                _measured(Q.SYSTOLIC, is_needed=True), _measured(Q.DIASTOLIC, is_needed=True), _measured(Q.HEART_RATE),
                _measured(Q.WEIGHT), _signs(HYPERTENSION_SIGNS), *REACTION, *LIFE,
            ),
            Condition.HYPERTENSION, ("高血压", "hypertension"),
        ),
        Form(
            "diabetes", Title("2型糖尿病随访", "Type 2 diabetes follow-up"),
            (
                Field("glucose", Title("空腹血糖", "Fasting glucose"), "number", "mmol/L", QUANTITIES[Q.GLUCOSE].low,
                      QUANTITIES[Q.GLUCOSE].high, 1, quantity=Q.GLUCOSE, is_needed=True),
                _measured(Q.SYSTOLIC), _measured(Q.DIASTOLIC), _measured(Q.HEART_RATE), _measured(Q.BODY_TEMPERATURE), _measured(Q.WEIGHT),
                _signs(DIABETES_SIGNS), *REACTION, *LIFE,
            ),
            Condition.DIABETES, ("糖尿病", "diabetes"),
        ),
        Form(
            "checkup_65", Title("65 岁及以上年度健康检查", "Yearly check-up from 65"),
            (
                _measured(Q.BODY_TEMPERATURE), _measured(Q.HEART_RATE), _measured(Q.RESPIRATION_RATE), _measured(Q.SYSTOLIC),
                _measured(Q.DIASTOLIC), Field("height", Title("身高", "Height"), "number", "cm", 80, 230, 1), _measured(Q.WEIGHT),
                Field("waist", Title("腰围", "Waist"), "number", "cm", 30, 250, 1),
                Field("self_care", Title("生活自理能力", "Self-care"), "choice", options={
                    "able": Title("可自理", "Able"), "mild": Title("轻度依赖", "Mildly dependent"),
                    "moderate": Title("中度依赖", "Moderately dependent"), "unable": Title("不能自理", "Unable"),
                }),
                Field("abnormal", Title("异常所见", "Abnormal findings"), "text"),
                Field("guidance", Title("健康指导（疫苗、跌倒、骨质疏松、认知）", "Guidance (vaccines, falls, bones, cognition)"), "text"),
            ),
        ),
        Form(
            "family_bed", Title("家庭病床巡诊", "Round at a family sickbed"),
            (
                _measured(Q.BODY_TEMPERATURE), _measured(Q.HEART_RATE), _measured(Q.RESPIRATION_RATE), _measured(Q.SYSTOLIC),
                _measured(Q.DIASTOLIC), _measured(Q.SPO2), Field("skin", Title("皮肤和压疮", "Skin and pressure sores"), "text"),
                Field("orders", Title("医嘱和护理", "Orders and nursing"), "text"),
            ),
        ),
    )
}  # fmt: skip


def for_conditions(conditions: Collection[str]) -> list[Form]:
    """Forms of the diseases that an elder's file names, in whatever words it does."""
    text = " ".join(conditions).lower()
    return [form for form in FORMS.values() if any(word in text for word in form.words)]


def read_answers(form: Form, given: Mapping[str, Sequence[str]]) -> Answers:
    """The answers of a submitted form; empty ones are left out, since what was not asked is not zero. Raises BadAnswer."""
    answers: Answers = {}
    for field in form.fields:
        texts = [text.strip() for text in given.get(f"{form.name}.{field.name}", ()) if text.strip()]
        if texts:
            answers[field.name] = _read(field, texts)
        elif field.is_needed:
            raise BadAnswer(field)
    return answers


def _read(field: Field, texts: list[str]) -> Answer:
    if field.kind == "number":
        return _number(field, texts[0])
    if field.kind == "yes":
        return True
    if field.kind == "text":
        return texts[0][:TEXT_MAX]
    if not set(texts) <= (field.options or {}).keys():
        raise BadAnswer(field)
    return texts if field.kind == "flags" else texts[0]


def _number(field: Field, text: str) -> float:
    try:
        value = float(text.replace(",", "."))
    except ValueError as error:
        raise BadAnswer(field) from error
    if not field.low <= value <= field.high:
        raise BadAnswer(field)
    return value


def found_of(answers: Mapping[str, Answer], *, age_years: int | None) -> Found:
    """The answers as the table of followup.py reads them."""

    def number(name: str) -> float | None:
        value = answers.get(name)
        return value if isinstance(value, float) else None

    signs = answers.get("danger_signs")
    return Found(
        age_years, number(Q.SYSTOLIC), number(Q.DIASTOLIC), number("glucose"), number(Q.HEART_RATE), number(Q.BODY_TEMPERATURE),
        signs if isinstance(signs, list) else (), answers.get("drug_reaction") is True, answers.get("reaction_hard") is True,
        answers.get("complication") is True,
    )  # fmt: skip
