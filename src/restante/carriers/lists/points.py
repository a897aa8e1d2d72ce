"""Rows of a list of points: judged one by one, and mapped to what POST /v1/points takes.

What the network has no field for (the other network's id, e-mail, number of doors) is judged and not brought in: what
stands at a point is put up afterwards, for no list says at which height its doors are.
"""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, Final

import msgspec

from restante.carriers.lists.columns import Columns
from restante.carriers.lists.countries import COUNTRIES, country_code, may_be_postcode
from restante.carriers.lists.hours import Stretch, read_hours
from restante.carriers.lists.places import Bulk, Place, judge_place, read_place
from restante.carriers.lists.reading import Record
from restante.carriers.lists.rules import Finding, shown
from restante.carriers.lists.seen import Seen
from restante.carriers.lists.wording import (
    has_control,
    is_garbled,
    is_test_address,
    may_be_email,
    names_a_test,
    plain,
)

LONGEST: Final = {"name": 200, "kind": 200, "zone": 200, "host": 200, "address": 2000, "directions": 2000}
DEFAULT_KIND: Final = "pick-up point"

BODY_FIELDS: Final = frozenset({
    "name", "kind", "latitude", "longitude", "zone", "host", "address", "directions", "hours", "shut", "hold",
    "photo_url", "face", "source",
})  # fmt: skip
OURS_ALONE: Final = frozenset({"shut", "hold", "photo_url", "face", "source"})
"""Fields of a body that no other network's list has."""

KINDS: Final[dict[str, str]] = {
    word: kind
    for kind, words in {
        "shop": "pop pok shop parcelshop parcel_shop counter store post_office service_point partner pickup_point",
        "locker": "parcel_locker locker parcellocker parcel_machine apm paczkomat packstation zbox box terminal",
    }.items()
    for word in words.split()
}
"""Words for a kind of point; one that is both a shop and a locker to its network is a shop."""

STATUSES: Final[dict[str, bool]] = {
    plain(word): runs
    for runs, words in {
        True: "operating active enabled open opened online ok yes true 1 available overloaded betrieb aktiv offen "
        "czynny aktywny actif ouvert activo abierto attivo aktivni",
        False: "disabled inactive closed created nonoperating non-operating not notoperating removed deleted planned "
        "offline gone suspended blocked no false 0 unavailable out außer inaktiv geschlossen stillgelegt nieczynny "
        "zamknięty fermé inactif cerrado inactivo chiuso inattivo temporarily construction disused abandoned",
    }.items()
    for word in words.split()
}
"""Words for a status, and whether it means that the point operates."""

_TRUE: Final = frozenset({"true", "yes", "1", "ja", "tak", "oui", "si", "t", "y"})


class Ground(msgspec.Struct, frozen=True):
    """What a list's rows are judged against.

    ``asked`` is the country that the list is meant to be of; ``found`` the one it seems to be of where rows do not say;
    ``zone`` and ``kind`` hold for rows that name none.
    """

    asked: str = ""
    found: str = ""
    bulk: Bulk | None = None
    zone: str = ""
    kind: str = DEFAULT_KIND


class Judged(msgspec.Struct, frozen=True):
    """What became of a row: the rules it breaks, and what would bring it in if none of them rejects."""

    number: int
    findings: tuple[Finding, ...]
    body: dict[str, Any]
    source: dict[str, Any] | None = None

    @property
    def is_rejected(self) -> bool:
        """Whether the row is kept out."""
        return any(one.rejects for one in self.findings)


class PointJudge:
    """Judges the rows of one list in their order; remembers ids and places of those that were not rejected."""

    def __init__(self, columns: Columns, ground: Ground) -> None:
        self._columns = columns.by_field
        self._ground = ground
        self._ids, self._places, self._spots = Seen(), Seen(), Seen()

    def judge(self, record: Record) -> Judged:
        """What becomes of a row."""
        if record.broken:
            return Judged(record.number, (Finding(record.broken, "row"),), {})
        cells = record.cells
        texts = {field: cells.get(column, "").strip() for field, column in self._columns.items()}
        given = record.whole if record.whole is not None and record.whole.get("type") != "Feature" else {}
        place = read_place(texts.get("latitude", ""), texts.get("longitude", ""), texts.get("place", ""))
        country = country_code(texts.get("country", "")) or self._ground.asked or self._ground.found
        body, found = self._body(texts, place, country, given=given)
        findings = [
            *_wording(texts, body),
            *self._where(texts, place, country),
            *_operates(texts),
            *_doors(texts, given),
            *found,
        ]
        if isinstance(place, Place) and not any(one.rejects for one in findings):
            findings += self._again(record.number, texts, body)
        return Judged(record.number, tuple(findings), body, given.get("source"))

    def _body(
        self, texts: Mapping[str, str], place: Place | Finding, country: str, *, given: Mapping[str, Any]
    ) -> tuple[dict[str, Any], list[Finding]]:
        """The body of the request, and what is wrong with hours and zone."""
        hours, found = _hours(texts, given)
        body: dict[str, Any] = {
            "name": texts.get("name") or texts.get("id", ""),
            "kind": _kind(texts.get("kind", "")) or self._ground.kind,
            "zone": texts.get("zone") or self._ground.zone,
            "address": texts.get("address") or _address(texts),
            **{field: text for field in ("host", "directions") if (text := texts.get(field, ""))},
            **({"hours": hours} if hours else {}),
        }
        if isinstance(place, Place):
            if not body["zone"] and country in COUNTRIES:
                body["zone"] = COUNTRIES[country].zone_at(*place)
            if not body["zone"]:
                found.append(Finding("zone-missing", "zone"))
        if _is_body(given):
            body |= {name: value for name, value in given.items() if name != "source" and value is not None}
        if isinstance(place, Place):
            body |= {"latitude": place.latitude, "longitude": place.longitude}
        return body, found

    def _where(self, texts: Mapping[str, str], place: Place | Finding, country: str) -> Iterator[Finding]:
        said = texts.get("country", "")
        if self._ground.asked and said and country != self._ground.asked:
            yield Finding("country-other", "country", shown(said))
        if said and not country_code(said):
            yield Finding("country-unknown", "country", shown(said))
        if texts.get("postcode") and country and not may_be_postcode(texts["postcode"], country):
            yield Finding("postcode-impossible", "postcode", shown(f"{texts['postcode']} ({country})"))
        odd = judge_place(place, country, self._ground.bulk) if isinstance(place, Place) else place
        if odd is not None:
            yield odd

    def _again(self, row: int, texts: Mapping[str, str], body: Mapping[str, Any]) -> Iterator[Finding]:
        """Whether an earlier row was about the same point. A locker and a shop at one spot are two points."""
        if texts.get("id") and (first := self._ids.first(texts["id"], row)) != row:
            yield Finding("duplicate-id", "id", f"{shown(texts['id'])}: row {first}")
            return
        spot = f"{body['kind']}|{body['latitude']:.5f}|{body['longitude']:.5f}"
        at = self._spots.first(spot, row)
        same = self._places.first(f"{spot}|{plain(str(body['address']))}", row)
        if same != row:
            yield Finding("duplicate-place", "latitude", f"row {same}")
        elif at != row:
            yield Finding("same-place", "latitude", f"row {at}")


def _is_body(given: Mapping[str, Any]) -> bool:
    """Whether an object is meant as what the interface takes, which is sent as it is, so that nothing of it is lost."""
    return {"name", "latitude", "longitude"} <= given.keys() and (
        given.keys() <= BODY_FIELDS or bool(given.keys() & OURS_ALONE)
    )


def _wording(texts: Mapping[str, str], body: Mapping[str, Any]) -> Iterator[Finding]:
    """What the texts of a row give away."""
    if not body["name"]:
        yield Finding("name-missing", "name")
    yield from odd_signs(texts)
    for field, most in LONGEST.items():
        if isinstance(value := body.get(field), str) and len(value) > most:
            yield Finding("text-too-long", field, f"{len(value):,} characters")
    for field in ("name", "id"):
        if names_a_test(texts.get(field, "")):
            yield Finding("test-row", field, shown(texts[field]))
            return
    if is_test_address(texts.get("street", ""), texts.get("city", "")):
        yield Finding("test-row", "street", shown(f"{texts.get('street', '')}, {texts.get('city', '')}"))
    elif names_a_test(f"{texts.get('street', '')} {texts.get('address', '')}"):
        yield Finding("test-word", "street", shown(texts.get("street") or texts["address"]))
    if texts.get("email") and not may_be_email(texts["email"]):
        yield Finding("email-impossible", "email")


def odd_signs(texts: Mapping[str, str], personal: frozenset[str] = frozenset()) -> Iterator[Finding]:
    """Signs that no text has, or that a wrong encoding has left behind; values of personal fields are not repeated."""
    together = "".join(texts.values())
    if together.isascii() and together.isprintable():
        return
    for field, text in texts.items():
        rule = "control-character" if has_control(text) else "text-garbled" if is_garbled(text) else ""
        if rule:
            yield Finding(rule, field, "" if field in personal else shown(text))


def _operates(texts: Mapping[str, str]) -> Iterator[Finding]:
    status = texts.get("status", "")
    operates = _does_operate(status) if status else True
    if operates is None:
        yield Finding("status-unknown", "status", shown(status))
    elif not operates:
        yield Finding("not-operating", "status", shown(status))


@lru_cache(maxsize=1024)
def _does_operate(status: str) -> bool | None:
    """What a status says, by those of its words that are known here."""
    known = [STATUSES[word] for word in plain(status).replace("_", " ").split() if word in STATUSES]
    return all(known) if known else None


def _doors(texts: Mapping[str, str], given: Mapping[str, Any]) -> Iterator[Finding]:
    """Whether the doors that a row speaks of can be."""
    number = texts.get("doors", "")
    if number and not (number.isascii() and number.isdigit() and 0 < int(number[:9]) <= 100_000):
        yield Finding("no-doors", "doors", shown(number))
    source = given.get("source")
    if source is None:
        return
    modules = source.get("modules") if isinstance(source, dict) else None
    columns = [one.get("compartments") for one in modules if isinstance(one, dict)] if isinstance(modules, list) else []
    if not columns or not all(isinstance(one, list) and one for one in columns):
        yield Finding("no-doors", "source.modules")


def _hours(texts: Mapping[str, str], given: Mapping[str, Any]) -> tuple[list[dict[str, int]], list[Finding]]:
    """The hours of a body, and what is wrong with them."""
    if isinstance(given.get("hours"), list) and _is_body(given):
        return [], _hours_of_body(given["hours"])
    read = read_hours(texts.get("hours", ""))
    if isinstance(read, Finding):
        return [], [read]
    if read is None:
        known = "hours" not in texts or texts.get("always", "").casefold() in _TRUE
        return [], [] if known else [Finding("hours-unknown", "hours")]
    return _as_body(read), []


@lru_cache(maxsize=4096)
def _as_body(hours: tuple[Stretch, ...]) -> list[dict[str, int]]:
    """Hours as a body has them. Most rows share a few, so the list is shared too, and is not to be changed."""
    return [one._asdict() for one in hours]


def _hours_of_body(hours: list[Any]) -> list[Finding]:
    """The first stretch that cannot be, of hours in the interface's own form; other faults the hub finds."""
    for one in hours:
        opens, closes = (one.get("opens"), one.get("closes")) if isinstance(one, dict) else (None, None)
        if not isinstance(opens, int) or not isinstance(closes, int):
            return [Finding("hours-unreadable", "hours", shown(str(one)))]
        if not (0 <= opens <= 1440 and 0 <= closes <= 1440):
            return [Finding("hours-range", "hours", f"{opens}-{closes} minutes")]
        if opens >= closes:
            return [Finding("hours-backwards", "hours", f"{opens}-{closes} minutes")]
    return []


@lru_cache(maxsize=1024)
def _kind(text: str) -> str:
    """The kind of a point: by the words known here, else as the list has it."""
    words = text.casefold().replace("|", " ").replace(";", " ").replace(",", " ").split()
    known = {KINDS[word] for word in words if word in KINDS}
    return "shop" if "shop" in known else "locker" if known else text


def _address(texts: Mapping[str, str]) -> str:
    street = f"{texts.get('street', '')} {texts.get('house', '')}".strip()
    town = f"{texts.get('postcode', '')} {texts.get('city', '')}".strip()
    return ", ".join(part for part in (street, town) if part)
