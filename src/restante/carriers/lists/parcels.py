"""Rows of a list of parcels in flight: judged one by one, and mapped to what POST /v1/parcels/bulk takes.

A parcel that lies in a compartment already is kept out: its stay would have to be somebody's fact, and only the bank or
counter that it lies in can state it. Who it is for is personal, so no finding about that repeats a value.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec

from restante.carriers.lists.columns import Columns
from restante.carriers.lists.countries import country_code, may_be_postcode
from restante.carriers.lists.points import Judged, odd_signs
from restante.carriers.lists.reading import Record
from restante.carriers.lists.rules import Finding, shown
from restante.carriers.lists.seen import Seen
from restante.carriers.lists.wording import may_be_email, names_a_test, plain

LONGEST: Final = {
    "reference": 100, "consignment": 100, "name": 200, "phone": 40, "language": 35, "street_address": 500, "size": 40,
}  # fmt: skip
MOST_EMAILS: Final = 5
LONGEST_SIDE_MM: Final = 10_000
HEAVIEST_GRAMS: Final = 1_000_000
BODY_FIELDS: Final = frozenset({
    "reference", "direction", "dimensions", "size", "weight_grams", "needs", "recipient", "consignment", "point",
    "window", "firmness", "destination",
})  # fmt: skip
OURS_ALONE: Final = frozenset({"dimensions", "needs", "recipient", "window", "firmness", "destination"})
"""Fields of a body that no table of another network's has."""
PERSONAL: Final = frozenset({"reference", "consignment", "name", "email", "phone", "street_address", "postcode"})
"""Fields whose values no report repeats; a carrier's reference may hold a name."""

SIZES: Final = {"A": "S", "B": "M", "C": "L", "D": "XL"}
"""Letters of networks that count from A, and the size class of the default ladder with the same height of door."""

DIRECTIONS: Final = {
    "": "delivery", "delivery": "delivery", "inbound": "delivery", "drop-off": "drop-off", "dropoff": "drop-off",
    "return": "drop-off", "outbound": "drop-off",
}  # fmt: skip

STAGES: Final[dict[str, str]] = {
    stage: rule
    for rule, stages in {
        "": "announced|created|confirmed|registered|sent|shipped|dispatched|in transit|on the way|out for delivery|"
        "adopted|collected from sender|unterwegs|in zustellung|w drodze|nadana|en transit|prepared|pre advised",
        "lies-elsewhere": "in locker|in compartment|stored|stocked|deposited|ready to pickup|ready for pickup|"
        "ready to collect|ready for collection|waiting|awaiting collection|abholbereit|eingelagert|do odbioru|"
        "gotowa do odbioru|"
        "avizo|disponible|a retirer",
        "already-over": "delivered|collected|picked up|returned|cancelled|canceled|lost|zugestellt|abgeholt|storniert|"
        "odebrana|doreczona|zwrocona|anulowana|livre|retire",
    }.items()
    for stage in stages.split("|")
}
"""Words for how far a parcel is, and the rule that keeps it out, if one does."""

_SIDES: Final = ("width", "height", "depth")
_NUMBER: Final = re.compile(r"\d{1,7}(?:[.,]\d{1,6})?", re.ASCII)


class KnownPoints(msgspec.Struct, frozen=True):
    """The network's points: the status of each by its id, and the ids of each name (see ``wording.plain``)."""

    status: Mapping[str, str]
    named: Mapping[str, list[str]]


class ParcelJudge:
    """Judges the rows of one list in their order; ``points`` is None where no network could be asked."""

    def __init__(self, columns: Columns, points: KnownPoints | None) -> None:
        self._columns = columns.by_field
        self._points = points
        self._references = Seen()

    def judge(self, record: Record) -> Judged:
        """What becomes of a row."""
        if record.broken:
            return Judged(record.number, (Finding(record.broken, "row"),), {})
        texts = {field: record.cells.get(column, "").strip() for field, column in self._columns.items()}
        sides, odd = _dimensions(texts)
        weight, heavy = _weight(texts)
        point, strange = self._point(texts.get("point", ""))
        findings = [*_wording(texts), *_person(texts), *_stage(texts), *odd, *heavy, *strange]
        direction = DIRECTIONS.get(texts.get("direction", "").casefold(), "")
        if not direction:
            findings.append(Finding("direction-unknown", "direction", shown(texts["direction"])))
        body = _body(texts, sides, weight, point=point, direction=direction, given=record.whole)
        if not any(one.rejects for one in findings):
            first = self._references.first(texts["reference"], record.number)
            if first != record.number:
                findings.append(Finding("duplicate-id", "reference", f"row {first}"))
        return Judged(record.number, tuple(findings), body)

    def _point(self, text: str) -> tuple[str, list[Finding]]:
        """The id of the point that a row names, if the network can be asked."""
        if not text:
            return "", [Finding("point-missing", "point")]
        if self._points is None:
            return text, []
        named = [text] if text in self._points.status else self._points.named.get(plain(text), [])
        if len(named) != 1:
            return text, [Finding("point-ambiguous" if named else "point-unknown", "point", shown(text))]
        status = self._points.status[named[0]]
        return named[0], [] if status == "open" else [Finding("point-closed", "point", f"{shown(text)}: {status}")]


def _body(
    texts: Mapping[str, str],
    sides: Mapping[str, int],
    weight: int,
    *,
    point: str,
    direction: str,
    given: Mapping[str, Any] | None,
) -> dict[str, Any]:
    """What POST /v1/parcels takes; an object that is that already is sent as it is, its point by id."""
    if given is not None and (given.keys() <= BODY_FIELDS or given.keys() & OURS_ALONE):
        return {**given, **({"point": point} if point else {})}
    size = texts.get("size", "").upper()
    emails = _emails(texts)
    person = {name: texts[name] for name in ("phone", "language", "street_address") if texts.get(name)}
    if texts.get("postcode") and "street_address" in person:
        person["street_address"] += f", {texts['postcode']}"
    return {
        "reference": texts.get("reference", ""),
        "direction": direction,
        **({"dimensions": dict(sides)} if sides else {"size": SIZES.get(size, size)}),
        **({"weight_grams": weight} if weight else {}),
        **({"recipient": {"name": texts["name"], "emails": emails, **person}} if texts.get("name") else {}),
        **({"consignment": texts["consignment"]} if texts.get("consignment") else {}),
        **({"point": point} if point else {}),
    }


def _emails(texts: Mapping[str, str]) -> list[str]:
    return [one.strip() for one in re.split("[;,]", texts.get("email", "")) if one.strip()]


def _wording(texts: Mapping[str, str]) -> Iterator[Finding]:
    if not texts.get("reference"):
        yield Finding("reference-missing", "reference")
    yield from odd_signs(texts, PERSONAL)
    for field, text in texts.items():
        if len(text) > LONGEST.get(field, len(text)):
            yield Finding("text-too-long", field, f"{len(text):,} characters")
    for field in ("reference", "name"):
        if names_a_test(texts.get(field, "")):
            yield Finding("test-row", field)
            return


def _person(texts: Mapping[str, str]) -> Iterator[Finding]:
    """What is wrong with whom the parcel is for."""
    emails = _emails(texts)
    if (emails or texts.get("phone")) and not texts.get("name"):
        yield Finding("name-missing", "name")
    if len(emails) > MOST_EMAILS:
        yield Finding("text-too-long", "email", f"{len(emails)} addresses")
    elif not all(map(may_be_email, emails)):
        yield Finding("email-impossible", "email")
    if not emails:
        yield Finding("nobody-to-tell", "email")
    country = country_code(texts.get("country", ""))
    if texts.get("postcode") and country and not may_be_postcode(texts["postcode"], country):
        yield Finding("postcode-impossible", "postcode", country)


def _stage(texts: Mapping[str, str]) -> Iterator[Finding]:
    stage = " ".join(plain(texts.get("stage", "")).replace("_", " ").replace("-", " ").split())
    rule = STAGES.get(stage, "stage-unknown") if stage else ""
    if rule:
        yield Finding(rule, "stage", shown(texts["stage"]))


def _dimensions(texts: Mapping[str, str]) -> tuple[dict[str, int], list[Finding]]:
    """The three sides in millimetres, rounded up; none if a size class is named in their place."""
    sides: dict[str, int] = {}
    for side in _SIDES:
        for unit, factor in (("mm", 1), ("cm", 10)):
            if not (text := texts.get(f"{side}_{unit}", "")):
                continue
            length = -int(-float(text.replace(",", ".")) * factor // 1) if _NUMBER.fullmatch(text) else 0
            if not 1 <= length <= LONGEST_SIDE_MM:
                return {}, [Finding("size-unreadable", f"{side}_{unit}", shown(text))]
            sides[f"{side}_mm"] = length
    if len(sides) == len(_SIDES):
        return sides, []
    return {}, [] if texts.get("size") else [Finding("size-missing", "size")]


def _weight(texts: Mapping[str, str]) -> tuple[int, list[Finding]]:
    """The weight in grams; 0 if nothing is said."""
    for field, factor in (("weight_grams", 1), ("weight_kg", 1000)):
        if not (text := texts.get(field, "")):
            continue
        grams = round(float(text.replace(",", ".")) * factor) if _NUMBER.fullmatch(text) else HEAVIEST_GRAMS + 1
        return (grams, []) if grams <= HEAVIEST_GRAMS else (0, [Finding("weight-unreadable", field, shown(text))])
    return 0, []
