"""A list in a JSON text, value by value: no more of it is held than one value and one chunk of text.

The list may be the text itself or a member of the object that the text is, as in GeoJSON and in answers of interfaces.
"""

import io
import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

LARGEST_RECORD: Final = 1_048_576
DEEPEST: Final = 4
CHUNK: Final = 262_144
LIST_KEYS: Final = frozenset({"features", "items", "points", "parcels", "data", "results"})
"""Members of a JSON document under which the list may stand."""

_SPACE: Final = " \t\r\n"


class NotJson(Exception):
    """The text is not the JSON that a list is."""


class JsonList:
    """The values of the list in a JSON text, one after the other; holds one value and one chunk at most."""

    def __init__(self, text: io.TextIOWrapper) -> None:
        self._text = text
        self._held, self._at = "", 0
        self._ended = False
        self.passed = 0

    def values(self) -> Iterator[Any]:
        """Every value of the list: the text itself, or a member of the object that it is (``LIST_KEYS``)."""
        first = self._take("[{")
        if first == "{" and not self._seek_list():
            return
        if self._peek() == "]":
            return
        while True:
            yield self._value()
            if self._take(",]") == "]":
                return

    def _seek_list(self) -> bool:
        """Go to the list within an object; an object without one has no rows."""
        if self._peek() == "}":
            return False
        while True:
            name = self._value()
            if not isinstance(name, str):
                raise NotJson("a member has no name")
            self._take(":")
            if name in LIST_KEYS and self._peek() == "[":
                self._take("[")
                return True
            self._value()
            if self._take(",}") == "}":
                raise NotJson(f"an object with none of the lists {', '.join(sorted(LIST_KEYS))}")

    def _peek(self) -> str:
        """The next sign that is no space; empty at the end."""
        while True:
            while self._at < len(self._held):
                if self._held[self._at] not in _SPACE:
                    return self._held[self._at]
                self._at += 1
            if not self._more():
                return ""

    def _take(self, signs: str) -> str:
        sign = self._peek()
        if not sign or sign not in signs:
            raise NotJson(f"{' or '.join(signs)} expected" + ("" if sign else ", but it ends here"))
        self._at += 1
        return sign

    def _value(self) -> Any:
        self._peek()
        while True:
            value, end, problem = _decoded(self._held, self._at)
            # A number or word that ends where the chunk does may go on in the next one.
            if not problem and (end < len(self._held) or self._ended):
                self._at = end
                return value
            if len(self._held) - self._at > LARGEST_RECORD:
                raise NotJson(f"a value has more than {LARGEST_RECORD:,} characters")
            if self._ended:
                raise NotJson(problem)
            self._more()

    def _more(self) -> bool:
        chunk = self._text.read(CHUNK) if not self._ended else ""
        self._ended = not chunk
        self.passed += self._at
        self._held, self._at = self._held[self._at :] + chunk, 0
        return bool(chunk)


def _decoded(text: str, at: int) -> tuple[Any, int, str]:
    """The value that begins at a place of a text, where it ends, and what is wrong with it."""
    try:
        value, end = _DECODER.raw_decode(text, at)
    except RecursionError:
        raise NotJson("it nests too deep") from None
    except ValueError as odd:
        return None, len(text), str(odd)[:80]
    return value, end, ""


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


_DECODER: Final = json.JSONDecoder(parse_constant=_no_constant)


def cells(whole: Mapping[str, Any]) -> dict[str, str]:
    """An object as a table; of a GeoJSON feature its properties, and the place of its point."""
    if whole.get("type") != "Feature":
        return dict(_flat(whole, ""))
    given = whole.get("properties")
    cells = dict(_flat(given, "")) if isinstance(given, dict) else {}
    geometry = whole.get("geometry")
    spot = geometry.get("coordinates") if isinstance(geometry, dict) and geometry.get("type") == "Point" else None
    if isinstance(spot, list) and len(spot) >= 2:
        cells |= {"longitude": _plain(spot[0]), "latitude": _plain(spot[1])}
    if "id" in whole:
        cells.setdefault("id", _plain(whole["id"]))
    return cells


def _flat(value: Mapping[str, Any], before: str, depth: int = 1) -> Iterator[tuple[str, str]]:
    for name, one in value.items():
        if isinstance(one, dict):
            if depth < DEEPEST:
                yield from _flat(one, f"{before}{name}.", depth + 1)
        else:
            yield f"{before}{name}", _plain(one)


def _plain(value: Any) -> str:
    """A value as a cell; of a list, those of its items that are no objects."""
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case list():
            return ";".join(_plain(one) for one in value if not isinstance(one, dict | list))
        case dict():
            return ""
        case _:
            return str(value)
