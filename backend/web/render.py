"""Templates to pages: the Jinja environment, its filters, and what every page is given."""

import json
from collections.abc import Mapping
from datetime import date, datetime
from functools import cache, partial
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from backend.web import auth, labels
from backend.web.language import Language, Translator, script_words, translator
from backend.web.place import is_placed, route_link
from contract.quantities import QUANTITIES, QuantityName

TEMPLATES = Path(__file__).parent / "templates"
ZONE = "Asia/Shanghai"
"""Zone of pages that are about no single elder; an elder's file has its own."""


@cache
def environment() -> Environment:
    """The templates: escaped, and strict about names that do not exist."""
    env = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    env.globals["labels"] = labels
    env.globals["centre_zone"] = ZONE
    env.globals["quantities"] = QUANTITIES
    env.filters |= {"clock": clock, "day_clock": day_clock, "instant": datetime.fromisoformat, "number": number, "since": since}
    env.tests["placed"] = is_placed
    env.filters["merge"] = lambda one, other: {**one, **other}
    env.filters |= {"tel": tel, "unit": unit, "years": years}
    return env


def page(request: Request, template: str, *, status: int = 200, **context: object) -> HTMLResponse:
    """A page or a part of one, in the language of whoever asks."""
    language = auth.language_of(request)
    map_config = auth.web_of(request).config.map
    common: dict[str, object] = {
        "_": translator(language),
        "language": language,
        "account": getattr(request.state, "account", None),
        "now": auth.now_of(request),
        "path": request.url.path,
        "here": request.url.path + (f"?{request.url.query}" if request.url.query else ""),
        "map": map_config,
        "route": partial(route_link, map_config.route),
        "words": Markup(json_for_page(script_words(language))),
    }
    return HTMLResponse(environment().get_template(template).render(common | context), status)


def part(template: str, language: Language, now: datetime, **context: object) -> str:
    """A part of a page that is the same for everybody who reads this language: it knows no account."""
    common: dict[str, object] = {"_": translator(language), "language": language, "now": now}
    return environment().get_template(template).render(common | context)


def json_for_page(value: Mapping[str, Any]) -> str:
    """JSON that can stand in a data block of a page: no `<`, so nothing in it can end the block."""
    return json.dumps(value, ensure_ascii=False).replace("<", "\\u003c")


def day_clock(at: datetime, now: datetime, zone: str = ZONE) -> str:
    """h:m:s, with month and day in front when it was not today."""
    there = at.astimezone(_zone(zone))
    return f"{there:%H:%M:%S}" if there.date() == now.astimezone(_zone(zone)).date() else f"{there:%m-%d %H:%M:%S}"


def clock(at: datetime, zone: str = ZONE) -> str:
    """h:m, for what is planned to the minute."""
    return f"{at.astimezone(_zone(zone)):%H:%M}"


def since(at: datetime, now: datetime, say: Translator) -> str:
    """How long ago, in the two largest units; the page's script counts on from there with the same words."""
    seconds = max(0, int((now - at).total_seconds()))
    if seconds < 60:
        return say("%(s)s s", s=seconds)
    if seconds < 3600:
        return say("%(m)s min %(s)s s", m=seconds // 60, s=seconds % 60)
    if seconds < 86_400:
        return say("%(h)s h %(m)s min", h=seconds // 3600, m=seconds % 3600 // 60)
    return say("%(d)s d %(h)s h", d=seconds // 86_400, h=seconds % 86_400 // 3600)


def years(born_on: date, today: date) -> int:
    """Age in whole years."""
    return today.year - born_on.year - ((today.month, today.day) < (born_on.month, born_on.day))


def number(value: float, quantity: str) -> str:
    """A value with the decimals of its quantity; `?` when it is outside the plausible range."""
    row = QUANTITIES[QuantityName(quantity)]
    return f"{value:.{row.decimals}f}" if row.is_plausible(value) else "?"


def unit(quantity: str) -> str:
    """The unit as people write it."""
    ucum = QUANTITIES[QuantityName(quantity)].unit
    return labels.UNIT.get(ucum, ucum)


def tel(phone: str) -> str:
    """The number of a `tel:` link: digits and a leading plus (RFC 3966)."""
    return "".join(character for character in phone if character.isdigit() or character == "+")


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo(ZONE)
