"""The two languages: nothing is said that has no Chinese, and no Chinese stands for nothing."""

import ast
import re
from pathlib import Path

import httpx
import pytest
from babel.messages.pofile import read_po
from jinja2.ext import babel_extract

from backend.db.pool import Pool
from backend.web import language, render
from backend.web.language import CATALOGUE, STATIC, choose, script_words, translator
from tests.backend.web.conftest import SignedIn

WEB = STATIC.parent
PLACEHOLDER = re.compile(r"%\((\w+)\)s|%%")


def template_messages() -> set[str]:
    calls = (call for path in render.TEMPLATES.glob("*.html") for call in babel_extract(path.open("rb"), ["_"], [], {}))
    found = (message if isinstance(message, str) else message and message[0] for _, _, message, _ in calls)
    return {message for message in found if message}


def python_messages() -> set[str]:
    calls = (
        node
        for path in WEB.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("N_", "say")
    )
    return {call.args[0].value for call in calls if isinstance(call.args[0], ast.Constant) and isinstance(call.args[0].value, str)}


def script_messages() -> set[str]:
    return set(script_words("en"))


@pytest.fixture(scope="module")
def chinese() -> dict[str, str]:
    with CATALOGUE.open("rb") as file:
        return {str(message.id): str(message.string) for message in read_po(file) if message.id}


def test_everything_that_is_said_has_its_chinese(chinese: dict[str, str]) -> None:
    said = template_messages() | python_messages() | script_messages()
    assert len(said) > 200
    assert sorted(message for message in said if not chinese.get(message)) == []


def test_the_catalogue_holds_nothing_that_nobody_says(chinese: dict[str, str]) -> None:
    assert sorted(chinese.keys() - template_messages() - python_messages() - script_messages()) == []


def test_translations_keep_the_places_of_values(chinese: dict[str, str]) -> None:
    changed = [message for message, said in chinese.items() if sorted(PLACEHOLDER.findall(message)) != sorted(PLACEHOLDER.findall(said))]
    assert changed == []


def test_scripts_mark_their_words_with_double_quotes() -> None:
    wrong = [path.name for path in STATIC.glob("*.js") if re.search(r"""\b_\(\s*['`]""", path.read_text("utf-8"))]
    assert wrong == []


def test_templates_and_scripts_hold_no_chinese_of_their_own() -> None:
    allowed = {"中文"}
    pages = [path for folder in (render.TEMPLATES, STATIC) for path in folder.iterdir() if path.suffix in (".html", ".js")]
    found = {text for path in pages for text in re.findall(r"[\u4e00-\u9fff]+", path.read_text("utf-8"))}
    assert found <= allowed


@pytest.mark.parametrize(("wanted", "chosen"), [("en", "en"), ("zh", "zh"), ("fr", "zh"), (None, "zh")])
def test_chinese_is_spoken_unless_english_is_asked_for(wanted: str | None, chosen: str) -> None:
    assert choose(wanted) == chosen


def test_values_are_put_into_the_translation() -> None:
    assert translator("zh")("%(who)s was faster and has it now.", who="刘洋") == "已被刘洋抢先接下。"
    assert translator("en")("%(who)s was faster and has it now.", who="Liu") == "Liu was faster and has it now."


def test_the_catalogue_stays_where_it_is_read() -> None:
    assert Path(language.__file__).parents[1] / "locale" in CATALOGUE.parents


@pytest.mark.store
async def test_the_choice_of_language_stays_with_the_account(signed_in: SignedIn, street: Pool) -> None:
    client = await signed_in("wang")
    assert (await client.post("/language", data={"language": "en", "next": "/operator"})).headers["location"] == "/operator"
    async with street.connection() as conn:
        row = await (await conn.execute("SELECT language FROM account WHERE name = 'wang'")).fetchone()
    assert row == {"language": "en"}
    assert "Open cases" in (await (await signed_in("wang")).get("/operator")).text


@pytest.mark.store
async def test_the_sign_in_page_remembers_the_language_of_the_browser(anonymous: httpx.AsyncClient) -> None:
    await anonymous.post("/language", data={"language": "en", "next": "/sign-in"})
    assert "Demo only" in (await anonymous.get("/sign-in")).text
