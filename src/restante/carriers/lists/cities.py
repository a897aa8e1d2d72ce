"""Lists that planning starts from: cells of demand, sites where a point might stand, points that stand already.

The same encodings, delimiters, forms and rules on where a row is as for other lists; every row kept out is told of.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import msgspec

from restante.carriers.lists.account import Account
from restante.carriers.lists.city_dialects import CELLS, SITES, SIZES
from restante.carriers.lists.columns import Columns, Kind
from restante.carriers.lists.countries import country_code
from restante.carriers.lists.dialects import POINTS
from restante.carriers.lists.places import Place, judge_place, read_place
from restante.carriers.lists.points import Ground, Judged, PointJudge, odd_signs
from restante.carriers.lists.reading import Open, Record, records
from restante.carriers.lists.rules import Finding, shown
from restante.carriers.lists.seen import Seen
from restante.carriers.lists.survey import Survey, Wish, survey
from restante.core.bank import SourceKind
from restante.core.refusals import Refusal
from restante.plan.importing.rates import Rates
from restante.plan.siting.cells import Cell, Site

_NUMBER: Final = re.compile(r"\d{1,12}(?:[.,]\d{1,9})?", re.ASCII)
_TRUE: Final = frozenset({"true", "yes", "1", "ja", "y", "t", "designated", "limited"})
_FALSE: Final = frozenset({"false", "no", "0", "nein", "n", "f", ""})
_KINDS: Final = {
    "": SourceKind.BANK, "bank": SourceKind.BANK, "locker": SourceKind.BANK,
    "counter": SourceKind.COUNTER, "shop": SourceKind.COUNTER,
}  # fmt: skip
_MINOR: Final = 100
_OF_NO_MATTER: Final = frozenset({"zone-missing", "hours-unknown", "hours-unreadable", "hours-range"})
MOST_ID: Final = 200
_WEEK_HOURS: Final = 168.0


class Brought(msgspec.Struct, frozen=True):
    """What a list held: cells or sites, and the account of its rows, kept out or warned of."""

    cells: tuple[Cell, ...]
    sites: tuple[Site, ...]
    account: Account
    survey: Survey


Judge = Callable[[Record], Judged]
"""Judges the rows of one list in their order."""


def bring_cells(file: Open, wish: Wish, rates: Rates) -> Brought | Refusal:
    """A list of demand. Refused as ``survey`` does, and with ``plan-no-demand`` if nobody is left who asks."""

    def judge(found: Survey) -> Judge:
        return _CellJudge(found, rates).judge

    brought = _brought(file, CELLS, wish, judge_of=judge)
    if isinstance(brought, Brought) and not any(sum(cell.parcels_per_day) for cell in brought.cells):
        return Refusal("plan-no-demand", "rows", _said(brought.account))
    return brought


def bring_sites(file: Open, wish: Wish) -> Brought | Refusal:
    """A list of sites. Refused as ``survey`` does, and with ``plan-no-sites`` if every row is kept out."""

    def judge(found: Survey) -> Judge:
        return _SiteJudge(found).judge

    return _with_sites(_brought(file, SITES, wish, judge_of=judge))


def bring_standing(file: Open, wish: Wish) -> Brought | Refusal:
    """A list of points that stand, in any dialect of points, as sites; it says nothing of what they cost."""

    def judge(found: Survey) -> Judge:
        return _standing(PointJudge(found.columns, Ground(wish.country, found.country, found.bulk)))

    return _with_sites(_brought(file, POINTS, wish, judge_of=judge))


def _brought(file: Open, kind: Kind, wish: Wish, *, judge_of: Callable[[Survey], Judge]) -> Brought | Refusal:
    found = survey(file, kind, wish)
    if isinstance(found, Refusal):
        return found
    if found.broken is not None:
        return found.broken
    judge, account = judge_of(found), Account()
    bodies: list[Mapping[str, Any]] = []
    for record in records(file, found.form):
        if isinstance(record, Refusal):
            return record
        judged = judge(record)
        account.add(judged)
        if not judged.is_rejected:
            bodies.append(judged.body)
    if kind is CELLS:
        return Brought(tuple(Cell(**body) for body in bodies), (), account, found)
    return Brought((), tuple(Site(**body) for body in bodies), account, found)


def _with_sites(brought: Brought | Refusal) -> Brought | Refusal:
    if isinstance(brought, Brought) and not brought.sites:
        return Refusal("plan-no-sites", "rows", _said(brought.account))
    return brought


def _said(account: Account) -> str:
    kept_out = ", ".join(f"{rule}: {count}" for rule, count in account.rules(rejects=True))
    return f"{account.rows:,} rows; {kept_out or 'none kept out'}"


class _Rows:
    """What rows of cells and of sites have in common: texts, a place that can be, an id of their own."""

    def __init__(self, found: Survey) -> None:
        self._columns: Columns = found.columns
        self._found = found
        self._ids = Seen()

    def texts(self, record: Record) -> dict[str, str]:
        """The values of a row by field."""
        return {field: record.cells.get(column, "").strip() for field, column in self._columns.by_field.items()}

    def begun(self, record: Record, texts: Mapping[str, str]) -> tuple[dict[str, Any], list[Finding]]:
        """Id and place of a row, and what is wrong with them."""
        findings = [*odd_signs(texts)]
        place = read_place(texts.get("latitude", ""), texts.get("longitude", ""), texts.get("place", ""))
        body: dict[str, Any] = {"id": texts.get("id") or f"row {record.number}"}
        if isinstance(place, Place):
            body |= {"latitude": place.latitude, "longitude": place.longitude}
            country = country_code(texts.get("country", "")) or self._found.country
            odd = judge_place(place, country, self._found.bulk)
        else:
            odd = place
        findings += [odd] if odd is not None else []
        if len(body["id"]) > MOST_ID:
            findings.append(Finding("text-too-long", "id", f"{len(body['id']):,} characters"))
        elif not any(one.rejects for one in findings) and (
            (first := self._ids.first(body["id"], record.number)) != record.number
        ):
            findings.append(Finding("duplicate-id", "id", f"{shown(body['id'])}: row {first}"))
        return body, findings


class _CellJudge:
    """Judges rows of demand."""

    def __init__(self, found: Survey, rates: Rates) -> None:
        self._rows = _Rows(found)
        self._rates = rates

    def judge(self, record: Record) -> Judged:
        """What becomes of a row."""
        if record.broken:
            return Judged(record.number, (Finding(record.broken, "row"),), {})
        texts = self._rows.texts(record)
        body, findings = self._rows.begun(record, texts)
        numbers = {
            field: _number(field, texts.get(field, "")) for field in ("parcels", "population", "passers_by", *SIZES)
        }
        findings += [one for one in numbers.values() if isinstance(one, Finding)]
        known = {field: one for field, one in numbers.items() if isinstance(one, float)}
        findings += self._too_many_sizes(known)
        body |= {"district": texts.get("district", ""), "parcels_per_day": self._by_size(known)}
        if not any(one.rejects for one in findings) and not sum(body["parcels_per_day"]):
            findings.append(Finding("demand-zero", "parcels"))
        return Judged(record.number, tuple(findings), body)

    def _too_many_sizes(self, known: Mapping[str, float]) -> Iterator[Finding]:
        for size in SIZES[len(self._rates.size_shares) :]:
            if known.get(size):
                yield Finding("size-beyond", size, f"{known[size]:g}")

    def _by_size(self, known: Mapping[str, float]) -> tuple[float, ...]:
        """Parcels by size: as the row says by size, else its parcels, else what people are assumed to ask for."""
        own = tuple(known.get(size, 0.0) for size in SIZES[: len(self._rates.size_shares)])
        if any(size in known for size in SIZES):
            return own
        if "parcels" in known:
            return self._rates.by_size(known["parcels"])
        assumed = known.get("population", 0.0) * self._rates.parcels_per_person
        return self._rates.by_size(assumed + known.get("passers_by", 0.0) * self._rates.parcels_per_passer_by)


class _SiteJudge:
    """Judges rows of sites."""

    def __init__(self, found: Survey) -> None:
        self._rows = _Rows(found)

    def judge(self, record: Record) -> Judged:
        """What becomes of a row."""
        if record.broken:
            return Judged(record.number, (Finding(record.broken, "row"),), {})
        texts = self._rows.texts(record)
        body, findings = self._rows.begun(record, texts)
        read: dict[str, Any] = {
            "kind": _KINDS.get(texts.get("kind", "").casefold())
            or Finding("kind-unknown", "kind", shown(texts["kind"])),
            "cost_minor_per_year": _scaled(_number("cost", texts.get("cost", "")), _MINOR, 0),
            "room_modules": _scaled(_number("modules", texts.get("modules", "")), 1, 1),
            "open_hours_per_week": _within_week(_number("hours", texts.get("hours", ""))),
            "step_free": _yes("step_free", texts.get("step_free") or "yes"),
            "watched": _yes("watched", texts.get("watched", "")),
            "standing": _yes("standing", texts.get("standing", "")),
        }
        findings += [one for one in read.values() if isinstance(one, Finding)]
        return Judged(record.number, tuple(findings), body | {"host": texts.get("host", "")} | read)


def _standing(judge: PointJudge) -> Judge:
    """Judges rows of points, and takes them as sites where one stands."""

    def judged(record: Record) -> Judged:
        one = judge.judge(record)
        name = one.body.get("name", "")
        kind = SourceKind.COUNTER if one.body.get("kind") == "shop" else SourceKind.BANK
        body = {
            "id": f"row {record.number}: {name}",
            "latitude": one.body.get("latitude"),
            "longitude": one.body.get("longitude"),
            "host": one.body.get("host", ""),
            "cost_minor_per_year": 0,
            "room_modules": 1,
            "kind": kind,
            "standing": True,
        }
        # A site needs neither a zone nor hours to be read, so rows without them are none the worse.
        findings = tuple(found for found in one.findings if found.rule not in _OF_NO_MATTER)
        return Judged(record.number, findings, body)

    return judged


def _number(field: str, text: str) -> float | Finding | None:
    """A number, nothing where nothing stands, or what is wrong with it."""
    if not text:
        return None
    if not _NUMBER.fullmatch(text):
        return Finding("number-unreadable", field, shown(text))
    return float(text.replace(",", "."))


def _scaled(number: float | Finding | None, by: int, otherwise: int) -> int | Finding:
    if number is None or isinstance(number, Finding):
        return otherwise if number is None else number
    return round(number * by)


def _within_week(hours: float | Finding | None) -> float | Finding:
    if hours is None or isinstance(hours, Finding):
        return _WEEK_HOURS if hours is None else hours
    return hours if hours <= _WEEK_HOURS else Finding("hours-range", "hours", f"{hours:g} of {_WEEK_HOURS:g}")


def _yes(field: str, text: str) -> bool | Finding:
    plain = text.casefold()
    if plain in _TRUE or plain in _FALSE:
        return plain in _TRUE
    return Finding("answer-unreadable", field, shown(text))
