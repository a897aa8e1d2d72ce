"""Which statements of a migration may run on a large table that is at work, and why all others may not.

What may: making a table and its indexes, filling it from others, adding a column that is empty or has a constant for
all rows (the server writes no row for either), a constraint that is not asked of the rows that are there, and how full
pages are made from now on. A statement that locks out everybody may only be followed by such as take no time.
"""

import re
from collections.abc import Iterator
from typing import Final

_COMMENT: Final = re.compile(r"--[^\n]*")
_MADE: Final = re.compile(r"CREATE TABLE (\w+) \((?!.*\bREFERENCES\b)")
_FILLED: Final = re.compile(r"INSERT INTO (\w+)")
_INDEXED: Final = re.compile(r"CREATE (?:UNIQUE )?INDEX \w+ ON (\w+)")
_TYPES: Final = "smallint|integer|bigint|boolean|text|bytea|uuid|timestamptz|double precision"
_CONSTANT: Final = r"DEFAULT (?:-?\d+|'[^']*'|true|false)"
_COLUMN: Final = re.compile(rf"ALTER TABLE \w+ ADD COLUMN \w+ (?:{_TYPES})(?: (?:NOT NULL )?{_CONSTANT})?")
_UNCHECKED: Final = re.compile(r"ALTER TABLE \w+ ADD CONSTRAINT .* NOT VALID")
_FULLNESS: Final = re.compile(r"ALTER TABLE \w+ SET \(fillfactor = \d+\)")


def statements_in(text: str) -> list[str]:
    """The statements of a migration, in one line each, without comments."""
    return [" ".join(part.split()) for part in _COMMENT.sub("", text).split(";") if part.strip()]


def hazards(text: str) -> Iterator[str]:
    """Statements of a migration that would hold up or rewrite a large table, or that nobody has thought about."""
    statements = statements_in(text)
    made = {found[1] for one in statements if (found := _MADE.match(one))}
    locked = False
    for one in statements:
        if _is_new(one, made):
            if locked and _FILLED.match(one):
                yield f"{one}: fills a table while another one is locked; give it a migration of its own"
        elif _is_quick(one):
            locked = True
        else:
            yield f"{one}: is not known to be quick on a large table that is at work"


def _is_new(statement: str, made: set[str]) -> bool:
    """Whether it touches only tables that were made in the same migration, or reads others."""
    if _MADE.match(statement):
        return True
    found = _FILLED.match(statement) or _INDEXED.match(statement)
    return found is not None and found[1] in made


def _is_quick(statement: str) -> bool:
    """Whether it locks a table for a moment only, whatever the table holds."""
    return any(kind.fullmatch(statement) for kind in (_COLUMN, _UNCHECKED, _FULLNESS))
