"""Sentences that can be read back: one template both writes a clause and takes it apart.

    {name:kind}   a value of a kind below       [...]   left out where one of its values is None

Kinds: `n` number, `i` whole number, `d` length of time, `list`, those of FREE, and the words of a `Vocabulary`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

PART = re.compile(r"\\[\[\]]|\[|\]|\{(\w+):(\w+)\}")
FREE = {"text": r"[^”\"；;]+", "clock": r"[0-9:.]+", "zone": r"[A-Za-z0-9_/+-]+"}
"""Kinds that are written as they are, and what they may look like."""
NUMBER = r"[+-]?\d+(?:\.\d+)?(?:e[+-]?\d+)?"


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The words of one language: by kind, what stands for which value; and units of time, longest first, with their seconds.

    Kinds of FREE may have words too, for values that people would not understand as they are.
    """

    words: Mapping[str, Mapping[Any, str]]
    units: tuple[tuple[str, int], ...]

    def write(self, kind: str, value: Any) -> str:
        """A value in words."""
        if kind in ("n", "i"):
            return f"{value:.10g}"
        if kind == "d":
            unit, seconds = next(((unit, seconds) for unit, seconds in self.units if value and value % seconds == 0), self.units[-1])
            return f"{value / seconds:.10g} {unit}"
        if kind == "list":
            return "、".join(value)
        if kind == "clock":
            return str(value).removesuffix(":00") if str(value).count(":") == 2 else str(value)
        if kind in FREE:
            return self.words.get(kind, {}).get(value, str(value))
        return self.words[kind][value]

    def read(self, kind: str, text: str) -> Any:
        """Inverse of `write`."""
        if kind == "n":
            return float(text)
        if kind == "i":
            return int(text)
        if kind == "d":
            number, unit = text.split(" ")
            return float(number) * dict(self.units)[unit]
        if kind == "list":
            return text.split("、")
        if kind in FREE:
            return next((value for value, word in self.words.get(kind, {}).items() if word == text), text)
        return next(value for value, word in self.words[kind].items() if word == text)

    def pattern(self, kind: str) -> str:
        """What a value of this kind may look like."""
        if kind == "n":
            return NUMBER
        if kind == "i":
            return r"\d+"
        if kind == "d":
            return rf"{NUMBER} (?:{'|'.join(re.escape(unit) for unit, _ in self.units)})"
        if kind == "list":
            return r"[a-z0-9_.、-]+"
        if kind in FREE:
            return "|".join([*map(re.escape, self.words.get(kind, {}).values()), FREE[kind]])
        return "|".join(sorted(map(re.escape, self.words[kind].values()), key=len, reverse=True))


def write(template: str, values: Mapping[str, Any], vocabulary: Vocabulary) -> str:
    """Fill a template in."""
    text, rest = _write(template, values, vocabulary)
    assert rest == "" and text is not None, template
    return text


def _write(template: str, values: Mapping[str, Any], vocabulary: Vocabulary) -> tuple[str | None, str]:
    """The text up to the end of this optional part, None where a value is missing; and what follows the part."""
    found, is_whole = "", True
    while match := PART.search(template):
        found += template[: match.start()]
        template = template[match.end() :]
        if match[0] == "]":
            return (found if is_whole else None), template
        if match[0] == "[":
            inner, template = _write(template, values, vocabulary)
            found += inner or ""
        elif values.get(match[1]) is None:
            is_whole = False
        else:
            found += vocabulary.write(match[2], values[match[1]])
    return (found + template if is_whole else None), ""


def read(template: str, text: str, vocabulary: Vocabulary) -> dict[str, Any] | None:
    """The values of a text that the template wrote; None where it did not. What was left out is absent."""
    match = _compiled(template, id(vocabulary), vocabulary).fullmatch(text)
    if match is None:
        return None
    kinds = {name: kind for name, kind in re.findall(r"\{(\w+):(\w+)\}", template)}
    return {name: vocabulary.read(kinds[name], given) for name, given in match.groupdict().items() if given is not None}


_PATTERNS: dict[tuple[str, int], re.Pattern[str]] = {}


def _compiled(template: str, key: int, vocabulary: Vocabulary) -> re.Pattern[str]:
    if (template, key) not in _PATTERNS:
        pattern, position = "", 0
        for match in PART.finditer(template):
            pattern += re.escape(template[position : match.start()])
            position = match.end()
            pattern += {"[": "(?:", "]": ")?"}.get(match[0]) or f"(?P<{match[1]}>{vocabulary.pattern(match[2])})"
        _PATTERNS[template, key] = re.compile(pattern + re.escape(template[position:]))
    return _PATTERNS[template, key]
