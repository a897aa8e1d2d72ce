"""Pages put together of elements and never of text, so that no name can become markup.

The serialiser of the standard library writes every text and every attribute escaped. What HTML cannot hold at all,
controls and halves of surrogate pairs, is shown as U+FFFD; whatever else is in a name comes back as it was.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Final
from xml.etree.ElementTree import Element, tostring

Part = Element | str | None
"""What stands in an element: another one, text, or nothing."""

Attributes = Mapping[str, str | float]

NONE: Final[Attributes] = {}
_UNSPEAKABLE: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


def element(tag: str, attributes: Attributes = NONE, *parts: Part) -> Element:
    """An element with its attributes and parts; numbers are written with at most two decimals."""
    made = Element(tag, {key: _value(value) for key, value in attributes.items()})
    fill(made, parts)
    return made


def fill(into: Element, parts: Iterable[Part]) -> None:
    """Put parts at the end of an element."""
    for part in parts:
        if isinstance(part, Element):
            into.append(part)
        elif part and len(into):
            into[-1].tail = (into[-1].tail or "") + speakable(part)
        elif part:
            into.text = (into.text or "") + speakable(part)


def named(text: str) -> Element:
    """A name of somebody else's, kept apart so that one written from right to left leaves the line around it alone."""
    return element("bdi", NONE, text)


def speakable(text: str) -> str:
    """The text with U+FFFD for every character that HTML has no way to hold."""
    return _UNSPEAKABLE.sub("\ufffd", text)


def page(title: str, style: str, body: Iterable[Part]) -> str:
    """A whole document, in English, that asks nobody for anything: no script, no picture, no font of another place.

    ``style`` is the project's own and is written as it is.
    """
    head = (
        element("meta", {"charset": "utf-8"}),
        element("meta", {"name": "viewport", "content": "width=device-width, initial-scale=1"}),
        element("meta", {"http-equiv": "Content-Security-Policy", "content": POLICY}),
        element("title", NONE, title),
        element("style", NONE, style),
    )
    whole = element("html", {"lang": "en"}, element("head", NONE, *head), element("body", NONE, *body))
    return "<!doctype html>\n" + tostring(whole, encoding="unicode", method="html") + "\n"


POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'"
"""What a browser may load for a page, which is nothing."""


def _value(value: str | float) -> str:
    return speakable(value) if isinstance(value, str) else f"{value:.2f}".rstrip("0").rstrip(".")
