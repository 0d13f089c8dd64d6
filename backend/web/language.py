"""The two languages of the pages. English is the message id; Chinese comes from the gettext catalogue, read once, as it is, at start."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal, get_args

from babel.messages.pofile import read_po

Language = Literal["zh", "en"]
LANGUAGES: tuple[Language, ...] = get_args(Language)
DEFAULT: Language = "zh"
CATALOGUE = Path(__file__).parents[1] / "locale" / "zh_CN" / "LC_MESSAGES" / "jiahu.po"
STATIC = Path(__file__).parent / "static"
SCRIPT_WORD = re.compile(r"""\b_\(\s*"((?:[^"\\]|\\.)+)\"""")
"""A message of our own scripts: the one argument of `_`, always in double quotes."""


@dataclass(frozen=True, slots=True)
class Translator:
    """Says a message in one language: `say("Taken by %(who)s", who=name)`. A message without a translation is said in English."""

    language: Language
    words: Mapping[str, str]

    def __call__(self, message: str, **values: object) -> str:
        said = self.words.get(message, message)
        return said % values if values else said


@cache
def translator(language: Language) -> Translator:
    """The translator of a language."""
    return Translator(language, _chinese() if language == "zh" else {})


@cache
def script_words(language: Language) -> Mapping[str, str]:
    """What the scripts of the pages say, in this language."""
    say = translator(language)
    found = {word for path in sorted(STATIC.glob("*.js")) for word in SCRIPT_WORD.findall(path.read_text("utf-8"))}
    return {word: say(word) for word in sorted(found)}


def choose(wanted: str | None) -> Language:
    """The language somebody asked for, else DEFAULT."""
    return next((language for language in LANGUAGES if language == wanted), DEFAULT)


@cache
def _chinese() -> Mapping[str, str]:
    with CATALOGUE.open("rb") as file:
        catalogue = read_po(file, locale="zh_CN")
    return {str(message.id): str(message.string) for message in catalogue if message.id and message.string}
