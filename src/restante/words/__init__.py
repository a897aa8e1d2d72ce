"""The one catalogue of words: every sentence a person reads, by stable key, in every language.

The sentences live beside this file as gettext PO (``en.po``, ``fi.po``); the web build reads the same files. A key such
as ``notice.ready.subject`` never changes when its sentence does. A sentence names what it needs in braces: ``{point}``.
This package imports nothing but the standard library, so that the bank's screen and the hub can both read it.
"""

import gettext
import json
import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from importlib.resources import files

LANGUAGES = ("en", "fi")
DEFAULT_LANGUAGE = "en"

_FIELD = re.compile(r'(msgid|msgid_plural|msgstr)(?:\[(\d)\])? (".*")')
_PLURAL_RULE = re.compile(r"plural=([^;]+);")
_BLANK = re.compile(r"\{([a-z_]+)\}")


class Catalogue:
    """The sentences of one language."""

    def __init__(self, language: str, source: str) -> None:
        entries = dict(read_po(source))
        header = entries.pop("")[0]
        rule = _PLURAL_RULE.search(header)
        assert rule, f"{language}.po names no plural rule"
        self.language = language
        self.entries: Mapping[str, tuple[str, ...]] = entries
        self._form: Callable[[int], int] = gettext.c2py(rule.group(1))

    def word(self, key: str, /, **values: str | int) -> str:
        """Return the sentence of ``key`` with its blanks filled; an unknown key or a blank without a value is a bug."""
        (sentence,) = self.entries[key]
        return fill(sentence, values)

    def plural(self, key: str, count: int, /, **values: str | int) -> str:
        """Return the form of ``key`` that fits ``count`` things; the sentence may name ``{count}`` itself."""
        return fill(self.entries[key][self._form(count)], {"count": count, **values})


def fill(sentence: str, values: Mapping[str, str | int]) -> str:
    """Put ``values`` into the blanks of a sentence. What a value holds is never read as a blank again."""
    return _BLANK.sub(lambda blank: str(values[blank.group(1)]), sentence)


def blanks(sentence: str) -> frozenset[str]:
    """Return the names of the blanks in a sentence."""
    return frozenset(_BLANK.findall(sentence))


@cache
def catalogue(language: str) -> Catalogue:
    """Return the catalogue of one of ``LANGUAGES``, read once."""
    assert language in LANGUAGES, f"no catalogue in {language!r}"
    return Catalogue(language, files(__name__).joinpath(f"{language}.po").read_text("utf-8"))


def nearest_language(wish: str | None) -> str:
    """Return the language of ours that serves a wish such as ``fi-FI`` or ``sv``, else the default."""
    primary = re.split("[-_]", wish or "", maxsplit=1)[0].lower()
    return primary if primary in LANGUAGES else DEFAULT_LANGUAGE


def read_po(source: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Read gettext PO text as (key, forms) pairs; the header has the key ``""``.

    The subset is what this catalogue uses: no contexts, no obsolete entries, escapes as in JSON.
    """
    key, forms = "", list[str]()
    for field, text in _fields(source):
        if field == "msgid":
            if forms:
                yield key, tuple(forms)
            key, forms = text, []
        elif field == "msgstr":
            forms.append(text)
    if forms:
        yield key, tuple(forms)


def _fields(source: str) -> Iterator[tuple[str, str]]:
    field, parts = "", list[str]()
    for line in (raw.strip() for raw in source.split("\n")):
        if not line or line.startswith("#"):
            continue
        if line.startswith('"'):
            parts.append(_unquoted(line))
            continue
        if field:
            yield field, "".join(parts)
        match = _FIELD.fullmatch(line)
        assert match, f"not a line of a catalogue: {line!r}"
        field, parts = match.group(1), [_unquoted(match.group(3))]
    if field:
        yield field, "".join(parts)


def _unquoted(quoted: str) -> str:
    text: str = json.loads(quoted, strict=False)
    return text
