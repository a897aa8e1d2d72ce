"""A list looked through before its rows are judged: encoding, form, columns, how many rows, where most of them are."""

import hashlib
from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from restante.carriers.lists.columns import Columns, Kind, find_columns
from restante.carriers.lists.countries import COUNTRIES, country_code
from restante.carriers.lists.places import Bulk, Place, Sample, bulk_of, country_of, read_place
from restante.carriers.lists.reading import Form, Open, find_form, records
from restante.carriers.lists.text import Encoding, EncodingScan, encoding_named
from restante.core.refusals import Refusal

BLOCK: Final = 1_048_576
EVERY: Final = 4096

Tell = Callable[[int], None]
"""Told now and then how many rows were looked through."""


class Wish(msgspec.Struct, frozen=True):
    """What somebody says of a list, where it is not to be found out."""

    encoding: str = ""
    delimiter: str = ""
    columns: Mapping[str, str] = {}
    country: str = ""


class Survey(msgspec.Struct, frozen=True):
    """What was found out about a list; ``broken`` is where it cannot be read any further."""

    digest: str
    form: Form
    columns: Columns
    rows: int
    country: str
    country_why: str
    bulk: Bulk | None
    broken: Refusal | None


def survey(file: Open, kind: Kind, wish: Wish, *, tell: Tell = lambda _: None) -> Survey | Refusal:
    """Look a list through, twice: all bytes for the encoding and the digest, then all rows.

    Refusals: those of ``find_form`` and ``find_columns``, ``list-encoding-unknown``, ``list-country-unknown``.
    """
    if wish.country and wish.country not in COUNTRIES:
        return Refusal("list-country-unknown", "--country", ", ".join(COUNTRIES))
    digest, found = _bytes_of(file)
    encoding = encoding_named(wish.encoding) if wish.encoding else found
    if isinstance(encoding, Refusal):
        return encoding
    known = frozenset(column for one in kind.dialects for column in one.columns)
    form = find_form(file, encoding, wish.delimiter or None, known=known)
    if isinstance(form, Refusal):
        return form
    columns = find_columns(form.header, kind, wish.columns)
    if isinstance(columns, Refusal):
        return columns
    return _rows_of(file, form, columns, digest=digest, asked=wish.country, tell=tell)


def _bytes_of(file: Open) -> tuple[str, Encoding]:
    digest, scan = hashlib.sha256(), EncodingScan()
    with file() as opened:
        while block := opened.read(BLOCK):
            digest.update(block)
            scan.feed(block)
    return digest.hexdigest(), scan.found()


def _rows_of(file: Open, form: Form, columns: Columns, *, digest: str, asked: str, tell: Tell) -> Survey | Refusal:
    sample, rows, broken = Sample(), 0, None
    at = [columns.by_field.get(field, "") for field in ("latitude", "longitude", "place")]
    for record in records(file, form):
        if isinstance(record, Refusal):
            broken = record
            break
        rows += 1
        if rows % EVERY == 0:
            tell(rows)
        place = read_place(*(record.cells.get(column, "").strip() for column in at))
        if isinstance(place, Place):
            sample.add(place)
    if not rows:
        return broken or Refusal("list-empty", "file")
    country, why = _country(columns, sample, asked)
    return Survey(digest, form, columns, rows, country, why, bulk_of(sample.places), broken)


def _country(columns: Columns, sample: Sample, asked: str) -> tuple[str, str]:
    """Which country rows are of that do not say it themselves, and why."""
    if asked:
        return country_code(asked), "You said so."
    if "country" in columns.by_field:
        return "", f"Each row says, in {columns.by_field['country']!r}."
    found = country_of(sample.places)
    if found:
        return found, "No other one's coarse boxes hold nearly all of its places."
    return "", "No single country's coarse boxes hold nearly all of its places."
