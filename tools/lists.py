"""The reference page of lists that are brought in: rules, fields, dialects, countries, limits, as the code has them."""

import textwrap
from collections.abc import Iterable
from types import ModuleType

from restante.carriers.lists import countries, hours, objects, parcels, places, points, reading, text, wording
from restante.carriers.lists.city_dialects import CELLS, SITES
from restante.carriers.lists.columns import Dialect, Kind
from restante.carriers.lists.dialects import PARCELS, POINTS


def page(module: ModuleType) -> str:
    """The whole page."""
    parts = (
        _opening(),
        _rules(module),
        *(_kind(kind) for kind in (POINTS, PARCELS, CELLS, SITES)),
        _words(),
        _countries(),
        _hours(),
        _limits(),
    )
    return "\n".join(parts)


def _opening() -> str:
    words = (
        "What `restante import points` and `restante import parcels` read, what planning reads of demand and sites, "
        "and the rules that each row is judged by ([how to use them](../how-to/bring-lists-in.md)). Delimited text, a "
        "JSON list of objects (or an object with "
        f"such a list under {_names(sorted(objects.LIST_KEYS))}) and GeoJSON are told apart by their first sign. The "
        f"encoding is found out from all bytes of the file ({_names(text.ENCODINGS)}), the delimiter "
        f"({', '.join(reading.DELIMITERS.values())}) from the header, the dialect from the names of the columns. "
        "Each can be said instead."
    )
    return f"# Lists\n\n{_filled(words)}\n"


def _rules(module: ModuleType) -> str:
    rules = module.RULES.items()
    said = (
        "A row that breaks one of these is kept out; every row is told of with its number, the field and the value. "
        "Row 1 is the first after the header. Values that are personal are not repeated."
    )
    warned = "These only warn."
    return (
        f"## Rules\n\n{_filled(said)}\n\n"
        + _table(("rule", "in words"), ((f"`{code}`", rule.said) for code, rule in rules if rule.rejects))
        + f"\n{warned}\n\n"
        + _table(("rule", "in words"), ((f"`{code}`", rule.said) for code, rule in rules if not rule.rejects))
    )


def _kind(kind: Kind) -> str:
    needed = ", and ".join(" or ".join(f"`{field}`" for field in group) for group in kind.needed)
    fields = _table(("field", "means"), ((f"`{field}`", words) for field, words in kind.fields.items()))
    said = (
        "The dialect is the one that knows most columns of the header; columns that it does not know are taken as in "
        "another one. Names are compared in lower case, without marks, with words joined by `_`; those of objects "
        "within objects are joined by a dot. A dialect with marks is only taken where the header has one of them."
    )
    dialects = _table(("dialect", "is", "marks", "columns"), (_dialect(one) for one in kind.dialects))
    return (
        f"## Lists of {kind.name}\n\nA list has {needed}. A column is given a meaning by `--column COLUMN=FIELD`:\n\n"
        f"{fields}\n{_filled(said)}\n\n{dialects}"
    )


def _dialect(one: Dialect) -> tuple[str, str, str, str]:
    fields: dict[str, list[str]] = {}
    for column, field in one.columns.items():
        fields.setdefault(field, []).append(f"`{column}`")
    columns = "; ".join(f"{field}: {' '.join(names)}" for field, names in fields.items())
    return one.name, one.about, _names(sorted(one.marks)), columns


def _words() -> str:
    runs = {
        state: _listed(word for word, is_so in points.STATUSES.items() if is_so is state) for state in (True, False)
    }
    stages: dict[str, list[str]] = {}
    for stage, rule in parcels.STAGES.items():
        stages.setdefault(rule or "on its way", []).append(stage)
    kinds: dict[str, list[str]] = {}
    for word, kind in points.KINDS.items():
        kinds.setdefault(kind, []).append(word)
    rows = [
        ("operates", runs[True]),
        ("does not operate", runs[False]),
        *((f"kind {kind}", _listed(words)) for kind, words in kinds.items()),
        *((f"parcel: {rule}", _listed(words)) for rule, words in stages.items()),
        ("sizes of other networks", _listed(f"{theirs} = {ours}" for theirs, ours in parcels.SIZES.items())),
        ("tests, as whole words of a name or id", _listed(sorted(wording.TEST_WORDS))),
        ("no test before", _listed(sorted(wording.PLACE_WORDS))),
        ("tests, as a whole street", _listed(sorted(wording.TEST_ADDRESSES))),
        ("tests, as a whole town", _listed(sorted(wording.TEST_TOWNS))),
    ]
    said = "Words for what a cell says. That A to D mean S to XL is an assumption of ours, for the default ladder."
    return f"## Words\n\n{said}\n\n{_table(('meaning', 'words'), rows)}"


def _countries() -> str:
    said = (
        "No map is used. Each country is a few boxes in degrees (south, west, north, east), written by hand and wider "
        "than the country: a place just across a border passes, none within is kept out. Open sea is known in a few "
        "boxes that hold no land, and nowhere else. Where no country is known, a place is held against the list: one "
        f"farther from its middle than {places.SPREADS:g} times the median distance, {places.LEAST_RADIUS_KM:g} km at "
        f"least, is kept out; that needs {places.LEAST_SAMPLE} rows."
    )
    rows = [
        (
            code,
            " ".join(str(tuple(box)) for box in (*one.boxes, *(box for box, _ in one.far))),
            one.zone,
            f"`{one.postcode}`",
        )
        for code, one in countries.COUNTRIES.items()
    ]
    sea = " ".join(str(tuple(box)) for box in countries.OPEN_SEA)
    head = ("country", "boxes", "time zone", "post codes")
    return f"## Countries\n\n{_filled(said)}\n\n{_table(head, [*rows, ('open sea', sea, '', '')])}"


def _hours() -> str:
    said = (
        "Opening hours are read in the common part of OpenStreetMap's form (`Mo-Fr 09:00-18:00; Sa off`), in InPost's "
        "(`MON|08:00-23:00|-;`) and in forms like `PN-PT 10-19 SB 10-14`. One value is in one language, the first that "
        f"knows its words: {', '.join(hours.DAYS)}. A stretch that ends by {hours.LATEST_END // 60:02}:00 goes on past "
        "midnight; one that ends later in the day, and before it begins, is backwards. Public holidays are passed over."
    )
    return f"## Hours\n\n{_filled(said)}\n"


def _limits() -> str:
    rows = [
        ("rows", f"{reading.MOST_ROWS:,}"),
        ("columns", f"{reading.MOST_COLUMNS}"),
        ("characters of a line", f"{reading.LONGEST_LINE:,}"),
        ("characters of an object", f"{objects.LARGEST_RECORD:,}"),
        ("objects within objects that are columns", f"{objects.DEEPEST}"),
    ]
    said = "What goes beyond is refused by a code that begins with `list-`."
    return f"## Limits\n\n{said}\n\n{_table(('of', 'most'), rows)}"


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    head = list(head)
    lines = [f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |\n" for row in (head, *rows)]
    return "".join((lines[0], "|" + "---|" * len(head) + "\n", *lines[1:]))


def _names(words: Iterable[str]) -> str:
    return ", ".join(f"`{word}`" for word in words)


def _listed(words: Iterable[str]) -> str:
    return ", ".join(words)


def _filled(words: str) -> str:
    return textwrap.fill(words, 120, break_on_hyphens=False, break_long_words=False)
