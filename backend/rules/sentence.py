"""A rule as one sentence in Chinese and in English, and back again: what a nurse reads is all that the engine does.

Left out are only its id, its title, its source and its grouping, which stand beside it.
"""

from collections.abc import Mapping
from typing import Any, Literal

from backend.rules.kinds import RULE, AnyRule
from backend.rules.model import InternalEvent
from backend.rules.template import Vocabulary, read, write
from contract.events import EventKind
from contract.quantities import QUANTITIES, QuantityName

Language = Literal["zh", "en"]
COMPARISONS = ("below", "at_most", "above", "at_least")

EVENTS_ZH: dict[str, str] = {
    "sos": "紧急呼叫", "sos_cancelled": "呼叫取消", "fall": "跌倒", "fall_cancelled": "跌倒取消", "bed_entry": "上床",
    "bed_exit": "离床", "long_stay": "长时间停留", "chest_still": "胸廓不动",
    "door_opened": "开门", "door_closed": "关门", "motion": "有人活动",
    "button": "按钮", "smoke": "烟雾", "gas": "燃气", "water": "漏水", "alarm_ended": "报警解除", "tamper": "设备被拆",
    "battery_low": "电量低", "device_lost": "设备失联", "device_found": "设备恢复", "outbox_damaged": "网关存储损坏",
    "batch_refused": "数据被拒收", "acted_alone": "家中自行报警", "alone_sms": "家中短信", "modem_failed": "短信模块故障",
    "modem_works": "短信模块恢复", "clock_off": "时钟不准", "clock_right": "时钟恢复", "rule_failed": "规则出错",
    "pairing_needed": "设备需重新配对", "paired": "设备已配对",
    "fall_asked": "跌倒询问", "fall_answered": "询问得到回应", "fall_candidate": "类似跌倒的动作",
}  # fmt: skip
SOUNDS_ZH = {"gateway": "网关任何消息"} | {name: QUANTITIES[name].title_zh for name in QuantityName}
SOUNDS_EN = {"gateway": "any message of the gateway"} | {name: QUANTITIES[name].title_en for name in QuantityName}


def _names(words: Mapping[str, str]) -> dict[str, str]:
    """All events: those without a word of their own are called by their code."""
    return {str(kind): words.get(str(kind), str(kind)) for kind in (*EventKind, *InternalEvent)}


def _english(kind: str) -> str:
    return kind.replace("_", " ")


ZH = Vocabulary(
    {
        "cmp": {"below": "低于", "at_most": "不高于", "above": "高于", "at_least": "不低于"},
        "q": {str(name): one.title_zh for name, one in QUANTITIES.items()},
        "sound": {str(name): word for name, word in SOUNDS_ZH.items()} | _names(EVENTS_ZH),
        "event": _names(EVENTS_ZH),
        "level": {
            "technical": "技术", "info": "提示", "attention": "关注", "warn": "警示", "warning": "警告", "urgent": "紧急", "crit": "危象",
            "critical": "危重", "emergency": "危急",
        },
        "prio": {"high": "高", "medium": "中", "low": "低", "technical": "技术"},
        "visit": {"emergency": "立即出诊", "urgent": "尽快出诊", "same_day": "当日出诊", "by_date": "限期出诊"},
        "ask": {"ask_to_remeasure": "首次先请家中复测"},
        "base": {"median": "中位数", "mean": "平均值", "min": "最低值", "max": "最高值", "first": "最早值"},
        "turn": {"rise": "上升", "fall": "下降"},
        "zone": {"home": "老人家中时间"},
        "held": {
            ("away",): "外出", ("gateway_offline",): "网关离线", ("away", "gateway_offline"): "外出或网关离线",
            ("gateway_offline", "away"): "网关离线或外出",
        },
    },
    (("天", 86_400), ("小时", 3600), ("分钟", 60), ("秒", 1)),
)  # fmt: skip
EN = Vocabulary(
    {
        "cmp": {"below": "below", "at_most": "at most", "above": "above", "at_least": "at least"},
        "q": {str(name): one.title_en for name, one in QUANTITIES.items()},
        "sound": {str(name): word for name, word in SOUNDS_EN.items()} | {name: f"event {_english(name)}" for name in _names({})},
        "event": {name: _english(name) for name in _names({})},
        "level": {name: name for name in ZH.words["level"]},
        "prio": {name: name for name in ZH.words["prio"]},
        "visit": {"emergency": "visit at once", "urgent": "urgent visit", "same_day": "visit the same day", "by_date": "visit by date"},
        "ask": {"ask_to_remeasure": "the first asks the home to measure again"},
        "base": {"median": "median", "mean": "mean", "min": "lowest", "max": "highest", "first": "earliest"},
        "turn": {"rise": "risen", "fall": "fallen"},
        "zone": {"home": "time of the home"},
        "held": {
            ("away",): "away", ("gateway_offline",): "the gateway is off line",
            ("away", "gateway_offline"): "away or the gateway is off line",
            ("gateway_offline", "away"): "the gateway is off line or away",
        },
    },
    (("d", 86_400), ("h", 3600), ("min", 60), ("s", 1)),
)  # fmt: skip

# Clauses by name: Chinese, English. A sentence is some of them in order; each is read back by the first template of its kind that fits.
CLAUSES: dict[str, tuple[str, str]] = {
    "of_quantity": ("{quantity:q}", "{quantity:q}"),
    "of_news2": (
        "NEWS2，{spo2_scale:i} 号血氧标尺，至少 {quantities_min:i} 项、{max_age_s:d}内的读数，缺意识或吸氧时称为“{label:text}”",
        "NEWS2 with SpO2 scale {spo2_scale:i}, at least {quantities_min:i} signs not older than {max_age_s:d},"
        ' called "{label:text}" without consciousness or oxygen',
    ),
    "limit": (
        "{word:cmp} {bound:n}[ 持续 {hold_s:d}][，{within_s:d}内 {times:i} 次][，{first:ask}]"
        "[（撤回：{back:cmp} {back_bound:n}[ 持续 {back_hold:d}][ 连续 {back_times:i} 次]）]"
        " → {name:level}（{priority:prio}[，{visit:visit}]）",
        "{word:cmp} {bound:n}[ for {hold_s:d}][, {times:i} times within {within_s:d}][, {first:ask}]"
        "[ (withdrawn {back:cmp} {back_bound:n}[ for {back_hold:d}][ {back_times:i} times])]"
        " -> {name:level} ({priority:prio}[, {visit:visit}])",
    ),
    "clear": (
        "解除：{word:cmp} {bound:n}[ 持续 {hold_s:d}][ 连续 {times:i} 次]",
        "ends when {word:cmp} {bound:n}[ for {hold_s:d}][ {times:i} times]",
    ),
    "change": (
        "{within_s:d}内比之前读数的{baseline:base}{turn:turn} {bound:n} 及以上（至少 {samples_min:i} 次读数）"
        " → {name:level}（{priority:prio}[，{visit:visit}]）",
        "{turn:turn} by {bound:n} or more against the {baseline:base} of the readings of {within_s:d} before"
        " (at least {samples_min:i} readings)"
        " -> {name:level} ({priority:prio}[, {visit:visit}])",
    ),
    "change_clear": ("解除：变化小于 {change_below:n}", "ends when the change is below {change_below:n}"),
    "of_sound": ("等待{of:sound}[，从{after:event}起]", "waiting for {of:sound}[ after {after:event}]"),
    "silence": (
        "{for_s:d}没有 → {name:level}（{priority:prio}[，{visit:visit}]）[，提前 {warn_home_s:d}语音询问]",
        "none for {for_s:d} -> {name:level} ({priority:prio}[, {visit:visit}])[, the home is asked {warn_home_s:d} before]",
    ),
    "held": ("{held:held}时不计时", "time {held:held} does not count"),
    "of_event": (
        "发生{event:event} → {name:level}（{priority:prio}[，{visit:visit}]）",
        "{event:event} happens -> {name:level} ({priority:prio}[, {visit:visit}])",
    ),
    "cancel": ("[{cancel_s:d}内]可由{cancelled_by:event}撤销", "[within {cancel_s:d} ]taken back by {cancelled_by:event}"),
    "of_all": ("同时出现：{of:list}", "together: {of:list}"),
    "overlap": (
        "持续 {overlap_s:d} → {name:level}（{priority:prio}[，{visit:visit}]）",
        "for {overlap_s:d} -> {name:level} ({priority:prio}[, {visit:visit}])",
    ),
    "mutes": ("期间不另行呼叫：{mutes:list}", "meanwhile these call nobody: {mutes:list}"),
    "hours": ("只在 {from:clock} 至 {until:clock}（{zone:zone}）", "only from {from:clock} until {until:clock} ({zone:zone})"),
    "gap": ("间断超过 {max_gap_s:d}重新计时", "a gap over {max_gap_s:d} begins anew"),
    "fresh": ("{fresh_s:d}无新数据视为未知", "unknown after {fresh_s:d} without data"),
    "late": ("迟到 {late_page_s:d}以上只记录不呼叫", "later than {late_page_s:d} is kept and calls nobody"),
    "late_event": ("迟到 {late_page_s:d}以上注明", "marked when later than {late_page_s:d}"),
    "cooldown": ("人工关闭后 {cooldown_s:d}内不重复", "not again within {cooldown_s:d} after a person closed it"),
}  # fmt: skip
ORDER = {
    "threshold": ["of_quantity", "limit", "clear", "hours", "gap", "fresh", "late", "cooldown"],
    "score": ["of_news2", "limit", "clear", "hours", "gap", "fresh", "late", "cooldown"],
    "trend": ["of_quantity", "change", "change_clear", "hours", "fresh", "late", "cooldown"],
    "absence": ["of_sound", "silence", "held", "hours"],
    "event": ["of_event", "cancel", "hours", "late_event", "cooldown"],
    "all": ["of_all", "overlap", "mutes", "hours", "late", "cooldown"],
}


def sentence(rule: AnyRule, language: Language) -> str:
    """The rule in one sentence."""
    row, joint, end, vocabulary = (0, "；", "。", ZH) if language == "zh" else (1, "; ", ".", EN)
    return joint.join(write(CLAUSES[name][row], values, vocabulary) for name, values in clauses(rule)) + end


def parse(kind: str, text: str, language: Language, beside: Mapping[str, Any]) -> AnyRule:
    """The rule of a sentence; `beside` has its id, title, source and grouping. Raises ValueError naming the clause that cannot be read."""
    row, joint, end, vocabulary = (0, "；", "。", ZH) if language == "zh" else (1, "; ", ".", EN)
    body: dict[str, Any] = {"kind": kind, **beside}
    for clause in text.removesuffix(end).split(joint):
        for name in ORDER[kind]:
            values = read(CLAUSES[name][row], clause, vocabulary)
            if values is not None:
                _put(body, name, values)
                break
        else:
            raise ValueError(f"cannot read {clause!r}")
    if (after := body.pop("after", None)) is not None:
        body["levels"] = [level | {"after": after} for level in body["levels"]]
    return RULE.validate_python(body)


def clauses(rule: AnyRule) -> list[tuple[str, dict[str, Any]]]:
    """The clauses of a rule in order: (name, values)."""
    body = rule.model_dump(mode="json", exclude_none=True)
    found: list[tuple[str, dict[str, Any]]] = []
    timing, levels = body.get("timing", {}), body["levels"]
    if rule.kind in ("threshold", "score"):
        found.append(("of_quantity", body) if rule.kind == "threshold" else ("of_news2", body["table"]))
        found += [("limit", _limit(level)) for level in levels]
        found += [("clear", _way_back(body["clear"]))] if "clear" in body else []
    elif rule.kind == "trend":
        found.append(("of_quantity", body))
        found += [("change", _change(level)) for level in levels]
        found += [("change_clear", body["clear"])] if "clear" in body else []
    elif rule.kind == "absence":
        found.append(("of_sound", {"of": body["of"], "after": levels[0].get("after")}))
        found += [("silence", level | {"warn_home_s": level["warn_home_s"] or None}) for level in levels]
        found += [("held", {"held": tuple(levels[0]["held_while"])})] if levels[0]["held_while"] else []
    elif rule.kind == "event":
        found.append(("of_event", body | levels[0]))
        found += [("cancel", body | {"cancel_s": body["cancel_s"] or None})] if "cancelled_by" in body else []
    else:
        found.append(("of_all", body))
        found += [("overlap", level) for level in levels]
        found += [("mutes", body)] if body["mutes"] else []
    if "active" in body:
        found.append(("hours", body["active"]))
    return found + _timing(rule, timing)


def _timing(rule: AnyRule, timing: Mapping[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """What a rule says itself of times; gap and freshness of a score go by its table where it does not."""
    given = getattr(rule, "timing", None)
    is_said = given.model_fields_set if given is not None else set()
    found: list[tuple[str, dict[str, Any]]] = []
    for name, key in (("gap", "max_gap_s"), ("fresh", "fresh_s")):
        if key in timing and (rule.kind != "score" or key in is_said) and (key != "fresh_s" or rule.kind == "trend" or key in is_said):
            found.append((name, {key: timing[key]}))
    if "late_page_s" in timing:
        found.append(("late_event" if rule.kind == "event" else "late", dict(timing)))
    if "cooldown_s" in timing:
        found.append(("cooldown", dict(timing)))
    return found


def _limit(level: Mapping[str, Any]) -> dict[str, Any]:
    values = _compared(level) | {key: level.get(key) for key in ("within_s", "first", "name", "priority", "visit")}
    values |= {"hold_s": level["hold_s"] or None, "times": level["times"] if level["times"] > 1 else None}
    if (back := level.get("clear")) is not None:
        way = _way_back(back)
        values |= {"back": way["word"], "back_bound": way["bound"], "back_hold": way["hold_s"], "back_times": way["times"]}
    return values


def _way_back(clear: Mapping[str, Any]) -> dict[str, Any]:
    return _compared(clear) | {"hold_s": clear["hold_s"] or None, "times": clear["times"] if clear["times"] > 1 else None}


def _compared(limit: Mapping[str, Any]) -> dict[str, Any]:
    [(word, bound)] = [(word, limit[word]) for word in COMPARISONS if word in limit]
    return {"word": word, "bound": bound}


def _change(level: Mapping[str, Any]) -> dict[str, Any]:
    turn = "rise" if "rise_at_least" in level else "fall"
    return dict(level) | {"turn": turn, "bound": level[f"{turn}_at_least"]}


def _put(body: dict[str, Any], name: str, values: dict[str, Any]) -> None:
    """Put what a clause says into the body of a rule."""
    levels = body.setdefault("levels", [])
    if name == "limit":
        back = {"back": "word", "back_bound": "bound", "back_hold": "hold_s", "back_times": "times"}
        own = {back[key]: values.pop(key) for key in back if key in values}
        levels.append(_uncompared(values) | ({"clear": _uncompared(own)} if own else {}))
    elif name == "change":
        turn, bound = values.pop("turn"), values.pop("bound")
        levels.append(values | {f"{turn}_at_least": bound})
    elif name in ("silence", "overlap"):
        levels.append(values)
    elif name == "of_event":
        body["event"] = values.pop("event")
        levels.append(values)
    elif name == "clear":
        body["clear"] = _uncompared(values)
    elif name == "change_clear":
        body["clear"] = values
    elif name == "of_news2":
        body["table"] = {"name": "news2", **values}
    elif name == "held":
        body["levels"] = [level | {"held_while": list(values["held"])} for level in levels]
    elif name == "hours":
        body["active"] = values
    elif name in ("gap", "fresh", "late", "late_event", "cooldown"):
        body.setdefault("timing", {}).update(values)
    else:
        body.update(values)


def _uncompared(values: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if key not in ("word", "bound")} | {values["word"]: values["bound"]}
