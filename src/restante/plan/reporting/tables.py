"""Tables and the sections that they and plots stand in."""

from collections.abc import Iterable, Sequence
from typing import Final
from xml.etree.ElementTree import Element

import msgspec

from restante.plan.reporting.markup import NONE, Part, element


class Column(msgspec.Struct, frozen=True):
    """A column's heading, a word below it, and how it looks: ``on`` stands out, ``word`` holds words."""

    heading: str
    below: str = ""
    look: str = ""


def table(columns: Sequence[Column], rows: Iterable[Sequence[Part]], *, is_long: bool = False) -> Element:
    """A table that scrolls in itself where it is too wide."""
    head = element("tr", NONE, *(_cell("th", one, [one.heading, *_below(one.below)]) for one in columns))
    body = [
        element("tr", NONE, *(_cell("td", column, [part]) for column, part in zip(columns, row, strict=True)))
        for row in rows
    ]
    look = {"class": "many"} if is_long else NONE
    made = element("table", look, element("thead", NONE, head), element("tbody", NONE, *body))
    return element("div", {"class": "scroll", "tabindex": "0", "role": "group", "aria-label": "Table"}, made)


def with_note(main: str, note: str) -> Element:
    """A cell's words with a smaller line below them."""
    return element("span", NONE, main, *_below(note))


def section(title: str, said: str, *parts: Part) -> Element:
    """A part of a page: what it is about, what it counts and whom it leaves out, and what it shows."""
    words = element("p", {"class": "said"}, said) if said else None
    return element("section", NONE, element("h2", NONE, title), words, *parts)


def folded(title: str, *parts: Part) -> Element:
    """Something that is shown when asked for."""
    return element("details", NONE, element("summary", NONE, title), *parts)


def listed(sentences: Iterable[str]) -> Element:
    """Sentences under each other."""
    return element("ul", {"class": "said"}, *(element("li", NONE, one) for one in sentences))


FOLDED_ROWS: Final = 30
"""A table that is longer is folded away."""


def _below(note: str) -> list[Part]:
    return [element("small", NONE, note)] if note else []


def _cell(tag: str, column: Column, parts: Sequence[Part]) -> Element:
    return element(tag, {"class": column.look} if column.look else NONE, *parts)
