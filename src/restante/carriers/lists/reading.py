"""Lists read record by record, in bounded memory: delimited text, JSON, GeoJSON; and what form a file has.

A record is a table of column to text. What cannot be read any further ends the records with a refusal.
"""

import csv
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, BinaryIO, Final, Literal

import msgspec

from restante.carriers.lists.columns import bare
from restante.carriers.lists.objects import JsonList, NotJson, cells
from restante.carriers.lists.text import Encoding
from restante.core.refusals import Refusal

DELIMITERS: Final = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}
LONGEST_LINE: Final = 65_536
MOST_COLUMNS: Final = 200
MOST_ROWS: Final = 5_000_000
SAMPLED_ROWS: Final = 200

Open = Callable[[], BinaryIO]
"""Opens the file anew, at its beginning."""

_MARK: Final = "\ufeff"
_JSON_SPACE: Final = " \t\r\n"


class Form(msgspec.Struct, frozen=True):
    """What a file is, and why it is thought so; ``delimiter`` of delimited text only."""

    shape: Literal["csv", "json", "geojson"]
    encoding: Encoding
    header: tuple[str, ...]
    why: str
    delimiter: str = ""


class Record(msgspec.Struct, frozen=True):
    """One row: its number (1 is the first after the header), its cells, the object it came as, and its faults.

    ``broken`` is a rule (see ``rules``) that the row breaks by its shape.
    """

    number: int
    cells: Mapping[str, str]
    whole: Mapping[str, Any] | None = None
    broken: str = ""


def find_form(file: Open, encoding: Encoding, delimiter: str | None, *, known: frozenset[str]) -> Form | Refusal:
    """What a file is. ``known`` are the columns of all dialects: they tell the delimiter.

    Refused with ``list-empty``, ``list-malformed``, ``list-too-wide``, ``list-line-too-long``.
    """
    with _text(file, encoding) as text:
        start = text.read(1)
        while start and start in _JSON_SPACE:
            start = text.read(1)
    if not start:
        return Refusal("list-empty", "file")
    if start in "[{" and delimiter is None:
        return _json_form(file, encoding)
    return _csv_form(file, encoding, delimiter, known=known)


def records(file: Open, form: Form) -> Iterator[Record | Refusal]:
    """Every row of a file. The last may be a refusal: ``list-line-too-long``, ``list-malformed``, ``list-too-long``."""
    rows = _csv_records(file, form) if form.shape == "csv" else _json_records(file, form.encoding)
    for row in rows:
        if isinstance(row, Record) and row.number > MOST_ROWS:
            yield Refusal("list-too-long", "rows", f"{MOST_ROWS:,}")
            return
        yield row


def _text(file: Open, encoding: Encoding) -> io.TextIOWrapper:
    """The file as text, after its byte-order mark if it has one."""
    text = io.TextIOWrapper(file(), encoding=encoding.name, errors="replace", newline="")
    if text.read(1) != _MARK:
        text.seek(0)
    return text


# --- delimited text


def _lines(text: io.TextIOWrapper) -> Iterator[str]:
    """The lines of a text. Raises ``_TooLong`` rather than hold an endless one."""
    while line := text.readline(LONGEST_LINE):
        if len(line) == LONGEST_LINE and line[-1] != "\n":
            raise _TooLong
        yield line


class _TooLong(Exception):
    """A line has no end within reason."""


def _csv_form(file: Open, encoding: Encoding, delimiter: str | None, *, known: frozenset[str]) -> Form | Refusal:
    sample = _sample(file, encoding)
    if isinstance(sample, Refusal):
        return sample
    given = [delimiter] if delimiter else list(DELIMITERS)
    ranked = [(_fit(list(_parsed(sample, one)), known), -order, one) for order, one in enumerate(given)]
    (named, alike, wide), _, chosen = max(ranked)
    header = next(_parsed(sample, chosen), [])
    if wide > MOST_COLUMNS:
        return Refusal("list-too-wide", "header", f"{wide} columns; {MOST_COLUMNS} are read")
    why = f"So the header has {wide} columns, {named} of them known, and {alike:.0%} of the first rows have as many."
    return Form("csv", encoding, _distinct(header), "You said so." if delimiter else why, chosen)


def _sample(file: Open, encoding: Encoding) -> list[str] | Refusal:
    sample: list[str] = []
    try:
        with _text(file, encoding) as text:
            for line in _lines(text):
                if line.strip() or sample:
                    sample.append(line)
                if len(sample) == SAMPLED_ROWS:
                    break
    except _TooLong:
        return Refusal("list-line-too-long", f"line {len(sample) + 1}", f"{LONGEST_LINE:,} characters")
    return sample or Refusal("list-empty", "file")


def _parsed(sample: Sequence[str], delimiter: str) -> Iterator[list[str]]:
    try:
        yield from (row for row in csv.reader(sample, delimiter=delimiter) if any(row))
    except csv.Error:
        return


def _fit(rows: Sequence[list[str]], known: frozenset[str]) -> tuple[int, float, int]:
    """How well a delimiter fits: known columns in the header, share of rows as wide as it, its width."""
    if not rows:
        return 0, 0.0, 0
    wide = len(rows[0])
    alike = sum(len(row) == wide for row in rows) / len(rows)
    return sum(bare(column) in known for column in rows[0]), alike if wide > 1 else 0.0, wide


def _distinct(header: Sequence[str]) -> tuple[str, ...]:
    """Names of columns, each once: a second "name" is "name (2)"."""
    counts: dict[str, int] = {}
    named = []
    for number, column in enumerate(header, 1):
        plain = column.strip() or f"column {number}"
        counts[plain] = counts.get(plain, 0) + 1
        named.append(plain if counts[plain] == 1 else f"{plain} ({counts[plain]})")
    return tuple(named)


def _csv_records(file: Open, form: Form) -> Iterator[Record | Refusal]:
    with _text(file, form.encoding) as text:
        reader = csv.reader(_lines(text), delimiter=form.delimiter)
        try:
            yield from _numbered(reader, form.header)
        except _TooLong:
            yield Refusal("list-line-too-long", f"line {reader.line_num + 1}", f"{LONGEST_LINE:,} characters")
        except csv.Error as odd:
            yield Refusal("list-malformed", f"line {reader.line_num}", str(odd))


def _numbered(rows: Iterator[list[str]], header: Sequence[str]) -> Iterator[Record]:
    """The rows after the header; those without a single value are none."""
    number, wide = 0, len(header)
    next((row for row in rows if any(row)), None)
    for row in rows:
        if not any(row):
            continue
        number += 1
        # Cells that are empty and beyond the header are what spreadsheets leave behind.
        fits = len(row) == wide or (len(row) > wide and not any(row[wide:]))
        yield Record(number, dict(zip(header, row, strict=False)), broken="" if fits else "cells-unfit")


# --- JSON


def _json_form(file: Open, encoding: Encoding) -> Form | Refusal:
    header: dict[str, None] = {}
    shape: Literal["json", "geojson"] = "json"
    count = 0
    for row in _json_records(file, encoding):
        if isinstance(row, Refusal):
            return row
        count += 1
        header |= dict.fromkeys(row.cells)
        shape = "geojson" if row.whole is not None and row.whole.get("type") == "Feature" else shape
        if count == SAMPLED_ROWS:
            break
    if not count:
        return Refusal("list-empty", "file")
    if len(header) > MOST_COLUMNS:
        return Refusal("list-too-wide", "header", f"{len(header)} columns; {MOST_COLUMNS} are read")
    return Form(shape, encoding, tuple(header), "It begins as JSON does, with a list of objects in it.")


def _json_records(file: Open, encoding: Encoding) -> Iterator[Record | Refusal]:
    with _text(file, encoding) as text:
        scan = JsonList(text)
        try:
            for number, value in enumerate(scan.values(), 1):
                whole = value if isinstance(value, dict) else {}
                yield Record(number, cells(whole), whole, "" if isinstance(value, dict) else "row-not-object")
        except NotJson as odd:
            yield Refusal("list-malformed", f"character {scan.passed}", str(odd))
