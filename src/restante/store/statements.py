"""Load named, described SQL statements from ``.sql`` files, so that SQL is written, read and tested as SQL.

A file holds any number of statements, each written as ::

    -- name: parcels_due
    -- Parcels whose hold ends before an instant, soonest first.
    SELECT … WHERE hold_until < %(before)s

Comment lines before the first name describe the file. Parameters are psycopg's named ones, ``%(name)s``.
"""

import importlib.resources
import re
from collections.abc import Iterator, Mapping

import msgspec

from restante.core.refusals import Fault

_NAME = re.compile(r"--\s*name:\s*(.*?)\s*")
_IDENTIFIER = re.compile(r"[a-z][a-z0-9_]*")
_PERCENTS = re.compile(r"%%|%\([a-z][a-z0-9_]*\)s")


class StatementsMalformed(Fault):
    """A file of SQL statements breaks the rules of its form."""


class Statement(msgspec.Struct, frozen=True):
    """One SQL statement: its name, what it answers or does, and its text."""

    name: str
    description: str
    text: str


class Statements(Mapping[str, Statement]):
    """The statements of one file, by name."""

    def __init__(self, statements: Mapping[str, Statement], *, source: str) -> None:
        self._statements = dict(statements)
        self._source = source

    def __getitem__(self, name: str) -> Statement:
        try:
            return self._statements[name]
        except KeyError:
            raise KeyError(f"{self._source} has no statement {name!r}") from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._statements)

    def __len__(self) -> int:
        return len(self._statements)

    def __repr__(self) -> str:
        return f"<{len(self)} statements of {self._source}>"


def load(package: str, file: str = "queries.sql") -> Statements:
    """The statements in ``file`` (a path with ``/``) next to the code of ``package``; fault ``StatementsMalformed``."""
    source = f"{package}/{file}"
    place = importlib.resources.files(package).joinpath(*file.split("/"))
    try:
        text = place.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise StatementsMalformed(f"{source} cannot be read: {error}") from error
    return parse(text, source=source)


def parse(text: str, *, source: str) -> Statements:
    """The statements in ``text``; ``source`` names it in faults (``StatementsMalformed``)."""
    found: dict[str, Statement] = {}
    for name, lines in _blocks(text, source):
        if name in found:
            raise StatementsMalformed(f"{source}: two statements are named {name}")
        found[name] = _statement(name, lines, source=source)
    return Statements(found, source=source)


def _blocks(text: str, source: str) -> Iterator[tuple[str, list[str]]]:
    """Each name with the lines below it."""
    name, lines = "", list[str]()
    for number, line in enumerate(text.splitlines(), start=1):
        named = _NAME.fullmatch(line.strip())
        if named is not None:
            if name:
                yield name, lines
            name, lines = named[1], []
            if not _IDENTIFIER.fullmatch(name):
                raise StatementsMalformed(f"{source}:{number}: a name is lower case, digits and _, not {name!r}")
        elif name:
            lines.append(line)
        elif line.strip() and not line.lstrip().startswith("--"):
            raise StatementsMalformed(f"{source}:{number}: a statement needs a line '-- name: …' above it")
    if name:
        yield name, lines


def _statement(name: str, lines: list[str], *, source: str) -> Statement:
    is_comment = [line.lstrip().startswith("--") for line in lines]
    size = is_comment.index(False) if False in is_comment else len(lines)
    description = " ".join(filter(None, (line.strip().lstrip("-").strip() for line in lines[:size])))
    text = "\n".join(lines[size:]).strip().removesuffix(";").rstrip()
    if not description:
        raise StatementsMalformed(f"{source}: {name} has no description: say in a comment below its name what it does")
    if not text or all(line.lstrip().startswith("--") for line in text.splitlines() if line.strip()):
        raise StatementsMalformed(f"{source}: {name} has no SQL")
    if "%" in _PERCENTS.sub("", text):
        raise StatementsMalformed(f"{source}: {name}: write parameters as %(name)s and a percent sign as %%")
    return Statement(name, description, text)
