"""A list of points of our own, made dirty in known ways: which row breaks which rule is known beforehand."""

import csv
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from random import Random

import msgspec

Row = dict[str, str]

FIELDS = (
    "id", "name", "kind", "status", "latitude", "longitude", "country", "postcode", "city", "street", "house", "hours",
    "email", "doors",
)  # fmt: skip
GERMAN = (
    "Nummer", "Bezeichnung", "Art", "Betriebsstatus", "Breitengrad", "Längengrad", "Land", "PLZ", "Ort", "Straße",
    "Hausnummer", "Öffnungszeiten", "E-Mail", "Fächer",
)  # fmt: skip
ENGLISH = (
    "Code", "Title", "Type", "Status", "Lat", "Lng", "Country", "ZIP", "Town", "Street", "House number",
    "Opening hours", "email", "Compartments",
)  # fmt: skip

STREETS = (
    "Sternwartestraße", "Testarossagasse", "Protestweg", "Demollgasse", "Wiener Straße", "Attestgasse", "Am Contest",
    "Linzer Straße", "Große Sperlgasse", "Dummygasse-Süd", "Im Detestfeld", "Hütteldorfer Straße", "Mustergartenweg",
)  # fmt: skip
"""Names of streets, most with a word of a test somewhere inside; none of them is one."""

HOURS = (
    "24/7", "Mo-Fr 09:00-18:00; Sa 09:00-12:00", "MON|08:00-23:00|-;TUE|08:00-23:00|-;SUN|-|-;", "Mo-So 06-22",
    "Mo-Do 08:00-12:00,13:00-17:00; Fr 08:00-12:00", "06:00-02:00", "Mo-Fr 9.00 - 18.00 Uhr, Sa geschlossen",
)  # fmt: skip


def clean_row(number: int, random: Random) -> Row:
    """A row that nothing is wrong with. Every fourth stands at the spot of the one before, and is of another kind."""
    twin = number % 4 == 3
    spot = number - 1 if twin else number
    return {
        "id": f"AT{number:07d}",
        "name": f"Standort {number}",
        "kind": "parcel_locker" if spot % 2 != twin else "pok|pop",
        "status": "Operating",
        "latitude": f"{46.7 + spot // 1500 % 1500 * 0.0015:.5f}",
        "longitude": f"{9.8 + spot % 1500 * 0.0048:.5f}",
        "country": "AT",
        "postcode": f"{random.randint(1000, 9990)}",
        "city": "Wien",
        "street": random.choice(STREETS),
        "house": f"{random.randint(1, 99)}{random.choice(('', 'a', '/3'))}",
        "hours": random.choice(HOURS),
        "email": f"punkt{number}@netz.example",
        "doors": f"{random.randint(1, 200)}",
    }


AS_PLACE = ("kind", "latitude", "longitude", "postcode", "city", "street", "house")
Earlier = Sequence[Row]


def _set(**cells: Sequence[str]) -> Callable[[Row, Random, Earlier], Row]:
    def change(row: Row, random: Random, earlier: Earlier) -> Row:
        return row | {field: random.choice(values) for field, values in cells.items()}

    return change


def _like(*fields: str) -> Callable[[Row, Random, Earlier], Row]:
    """As an earlier row in these fields."""

    def change(row: Row, random: Random, earlier: Earlier) -> Row:
        other = random.choice(earlier)
        return row | {field: other[field] for field in fields}

    return change


def _swap(row: Row, random: Random, earlier: Earlier) -> Row:
    return row | {"latitude": row["longitude"], "longitude": row["latitude"]}


DEFECTS: Mapping[str, tuple[str, Callable[[Row, Random, Earlier], Row]]] = {
    "a test by its name": ("test-row", _set(name=("TEST 1", "Locker (test)", "demo_07", "Dummy", "Max Mustermann"))),
    "a test by its id": ("test-row", _set(id=("TEST-001", "AT_TEST_9", "demo1"))),
    "a test by its street": ("test-row", _set(street=("Teststraße", "Musterstr.", "xxx"), house=("5",))),
    "0/0": ("near-zero", _set(latitude=("0", "0.0", "0,000"), longitude=("0", "0.00000"))),
    "near 0/0": ("near-zero", _set(latitude=("0.00012", "-0.5"), longitude=("0.4", "0.00001"))),
    "swapped": ("swapped", _swap),
    "out of range": ("coordinate-range", _set(latitude=("91.5", "-123"), longitude=("-170", "16,4e1"))),
    "metres": ("coordinate-range", _set(latitude=("5341234.5",), longitude=("1820000",))),
    "another country": ("outside-country", _set(latitude=("52.52", "41.9"), longitude=("13.405", "12.49"))),
    "no latitude": ("coordinate-missing", _set(latitude=("", " "))),
    "no number": ("coordinate-unreadable", _set(longitude=("16°22'", "n/a", "1_6", "١٦", "0x10", "nan"))),
    "the same id": ("duplicate-id", _like("id")),
    "the same place": (
        "duplicate-place",
        _like(*AS_PLACE),
    ),
    "not operating": ("not-operating", _set(status=("Disabled", "NonOperating", "Created", "außer Betrieb", "false"))),
    "25:61": ("hours-range", _set(hours=("Mo 25:61-26:00", "Mo-Fr 08:00-12:75", "MON|31:00-33:00|-"))),
    "backwards": ("hours-backwards", _set(hours=("Mo-Fr 18:00-09:00", "12:00-12:00", "PN-PT 19-10"))),
    "never open": ("never-open", _set(hours=("MON|-|-;TUE|-|-;", "Mo-Su off", "geschlossen"))),
    "no hours that are read": ("hours-unreadable", _set(hours=("nach Vereinbarung", "?", "Mo-Fr ab neun"))),
    "no doors": ("no-doors", _set(doors=("0", "-3", "vier", "1e9", "999999"))),
    "no name": ("name-missing", _set(name=("",), id=(" ",))),
    "a long name": ("text-too-long", _set(name=("x" * 201, "Ö" * 5000))),
    "a bell": ("control-character", _set(city=("Wi\x07en", "\x1b[31mWien", "Wien\x00"))),
    "no mailbox": ("email-impossible", _set(email=("@", "a@b", "a b@c.at", "a@@b.at", "a@-b.at", "a..b@c.at"))),
    "no post code": ("postcode-impossible", _set(postcode=("103", "10300", "AB1", "1O30"))),
    "a cell too many": ("cells-unfit", _set(doors=("12",))),
}
"""What can be wrong with a row: the one rule that it breaks, and how it is made so."""


class Dirty(msgspec.Struct, frozen=True):
    """Rows, and the rules that the dirty ones break, by their number; the first row is 1."""

    rows: list[Row]
    planted: dict[int, str]


def dirty_list(seed: int, clean: int, each: int) -> Dirty:
    """So many clean rows, and among their second half so many of each defect."""
    random = Random(seed)
    rows = [clean_row(number, random) for number in range(clean)]
    names = [name for name in DEFECTS for _ in range(each)]
    random.shuffle(names)
    places = sorted(random.sample(range(clean // 2, clean + len(names)), len(names)))
    planted: dict[int, str] = {}
    for offset, (place, name) in enumerate(zip(places, names, strict=True)):
        rule, change = DEFECTS[name]
        made = change(clean_row(clean + offset * 4 + 1, random), random, rows[: clean // 2])
        if rule == "cells-unfit":
            made["beyond"] = "one more"
        rows.insert(place, made)
        planted[place + 1] = rule
    return Dirty(rows, planted)


def dirty_rows(seed: int, count: int, every: int) -> Iterator[tuple[Row, str]]:
    """A list of any length, row by row with the rule that it breaks: one in so many does, the first 500 do not."""
    random, first = Random(seed), list[Row]()
    for number in range(count):
        row, rule = clean_row(number, random), ""
        if len(first) < 500:
            first.append(row)
        elif number % every == 0:
            rule, change = random.choice(list(DEFECTS.values()))
            row = change(row, random, first) | ({"beyond": "one more"} if rule == "cells-unfit" else {})
        yield row, rule


def lines(rows: Iterator[Row] | Sequence[Row], header: Sequence[str], delimiter: str = ",") -> Iterator[str]:
    """The rows as delimited text, line by line."""
    held = io.StringIO()
    writer = csv.writer(held, delimiter=delimiter)
    writer.writerow(header)
    for row in rows:
        writer.writerow([row[field] for field in FIELDS] + ([row["beyond"]] if "beyond" in row else []))
        yield held.getvalue()
        held.seek(0)
        held.truncate()
    yield held.getvalue()


def as_bytes(rows: Sequence[Row], header: Sequence[str], delimiter: str = ",", *, encoding: str = "utf-8") -> bytes:
    """The rows as a file."""
    return "".join(lines(rows, header, delimiter)).encode(encoding)
