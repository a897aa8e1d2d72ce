"""Pages are put together so that no text can become markup, and ask nobody for anything."""

import pytest
from hypothesis import given

from restante.plan.reporting.markup import element, named, page, speakable
from tests.plan.reporting.reading import NAMES, Read


@given(NAMES, NAMES)
def test_any_name_comes_back_as_it_was(name: str, other: str) -> None:
    """As text, as an attribute, as a title, beside elements: the parser finds what was put in, and no more elements."""
    part = element("p", {"title": other}, name, named(other), name)
    read = Read(page(name, "", [part]))
    assert read.tags == ["html", "head", "meta", "meta", "meta", "title", "style", "body", "p", "bdi"]
    assert read.of("title") == [name]
    assert read.of("bdi") == [other]
    assert read.of("p") == [name + name]
    assert ("p", "title", other) in read.attributes


@pytest.mark.parametrize("broken", ["a\x00b", "a\x1bb", "a\rb", "a\ud800b", "a\x85b"])
def test_what_html_cannot_hold_is_shown_as_such(broken: str) -> None:
    """A control or half a pair becomes U+FFFD, and the page can still be written."""
    text = page(broken, "", [element("p", {"title": broken}, broken)])
    assert Read(text).of("p") == ["a\ufffdb"]
    assert text.encode()
    assert speakable("line\nand\ttab") == "line\nand\ttab"


def test_a_page_may_load_nothing() -> None:
    """The page itself tells the browser so."""
    read = Read(page("A", "p{}", []))
    assert any("default-src 'none'" in value for _, key, value in read.attributes if key == "content")
    assert read.asked == []


def test_numbers_are_short() -> None:
    """Coordinates to two decimals, without what says nothing."""
    made = element("rect", {"x": 1.0, "y": 2.345678, "width": 100})
    assert dict(made.attrib) == {"x": "1", "y": "2.35", "width": "100"}
