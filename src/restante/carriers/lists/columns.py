"""Which column of a list means what: the dialect is found out from the header, and columns may be named by hand."""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Final

import msgspec

from restante.carriers.lists.rules import shown
from restante.core.refusals import Refusal

MOST_NAMED: Final = 40


class Dialect(msgspec.Struct, frozen=True):
    """How one network, or one language, names the columns of a list: column (see ``bare``) to field.

    A header without any of the ``marks`` is in another dialect, however many names they share.
    """

    name: str
    about: str
    columns: Mapping[str, str]
    marks: frozenset[str] = frozenset()

    def knows(self, header: Sequence[str]) -> int:
        """How many columns of a header it knows; none where its marks are missing."""
        names = [bare(column) for column in header]
        return sum(name in self.columns for name in names) if not self.marks or self.marks & set(names) else 0


class Kind(msgspec.Struct, frozen=True):
    """What lists of one kind are about: their fields, what they must have (one of each group), and their dialects."""

    name: str
    fields: Mapping[str, str]
    needed: tuple[tuple[str, ...], ...]
    dialects: tuple[Dialect, ...]


class Columns(msgspec.Struct, frozen=True):
    """What was found out about a header: the column of each field, by which dialect, why, and what is left over."""

    by_field: Mapping[str, str]
    dialect: str
    why: str
    unused: tuple[str, ...]


@lru_cache(maxsize=1024)
def bare(column: str) -> str:
    """A column's name as tables have it: lower case, without marks, words apart by single underscores."""
    letters = unicodedata.normalize("NFKD", column.casefold().replace("ł", "l"))
    return re.sub(r"[^a-z0-9.@:]+", "_", "".join(one for one in letters if not unicodedata.combining(one))).strip("_")


def dialect(name: str, about: str, marks: str = "", /, **columns: str) -> Dialect:
    """A dialect from a table by field: the names of its columns, separated by spaces."""
    table = {column: field for field, names in columns.items() for column in names.split()}
    return Dialect(name, about, table, frozenset(marks.split()))


def find_columns(header: Sequence[str], kind: Kind, overrides: Mapping[str, str]) -> Columns | Refusal:
    """The dialect with the most columns of a header; what it leaves free is filled from the others.

    ``overrides`` maps columns to fields, or to nothing for a column that is to be left out. Refused with
    ``list-column-unknown``, ``list-header-unknown``, ``list-column-missing``.
    """
    if (refused := _check_overrides(header, kind, overrides)) is not None:
        return refused
    free = [column for column in header if column not in overrides]
    best = max(kind.dialects, key=lambda one: one.knows(free))
    known = [column for column in free if bare(column) in best.columns]
    by_field = {field: column for column, field in overrides.items() if field}
    for one in (best, *(one for one in kind.dialects if one.knows(free))):
        for column in free:
            field = one.columns.get(bare(column), "")
            if field and column not in by_field.values():
                by_field.setdefault(field, column)
    if (refused := _check_needed(header, kind, by_field)) is not None:
        return refused
    why = f"{len(known)} of its {len(header)} columns are named so"
    others = len(set(by_field.values()) - set(known) - set(overrides))
    why += f", {others} more as in other dialects" if others else ""
    unused = tuple(column for column in header if column not in by_field.values())
    return Columns(by_field, best.name, f"{why}.", unused)


def _check_overrides(header: Sequence[str], kind: Kind, overrides: Mapping[str, str]) -> Refusal | None:
    for column, field in overrides.items():
        if column not in header:
            return Refusal("list-column-unknown", "--column", f"The list has no column {column[:80]!r}.")
        if field and field not in kind.fields:
            fields = ", ".join(kind.fields)
            return Refusal("list-column-unknown", "--column", f"No field is called {field[:80]!r}; there are: {fields}")
    return None


def _check_needed(header: Sequence[str], kind: Kind, by_field: Mapping[str, str]) -> Refusal | None:
    named = ", ".join(map(shown, header[:MOST_NAMED]))
    if not by_field:
        return Refusal("list-header-unknown", "header", f"Its columns: {named}")
    lacking = [group for group in kind.needed if not by_field.keys() & set(group)]
    if lacking:
        wanted = "; ".join(" or ".join(group) for group in lacking)
        return Refusal("list-column-missing", "header", f"It lacks {wanted}. Its columns: {named}")
    return None
