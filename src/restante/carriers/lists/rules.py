"""The rules a row of a list is judged by: which of them keep a row out, and which only warn."""

from typing import Final

import msgspec

MOST_SHOWN: Final = 60


class Rule(msgspec.Struct, frozen=True):
    """A rule in words, and whether a row that breaks it is kept out."""

    said: str
    rejects: bool = True


class Finding(msgspec.Struct, frozen=True):
    """A row breaks a rule: which one (a key of ``RULES``), in which field, and the value, unless it is personal."""

    rule: str
    field: str
    value: str = ""

    def __post_init__(self) -> None:
        assert self.rule in RULES, f"undocumented rule {self.rule!r}"

    @property
    def rejects(self) -> bool:
        """Whether the row is kept out."""
        return RULES[self.rule].rejects


def shown(text: str) -> str:
    """A value as a report may hold it: short, and without anything that a terminal would act on."""
    cut = text if len(text) <= MOST_SHOWN else text[:MOST_SHOWN] + "…"
    return "".join(sign if sign.isprintable() else f"\\x{ord(sign):02x}" for sign in cut)


def _warns(said: str) -> Rule:
    return Rule(said, rejects=False)


RULES: Final[dict[str, Rule]] = {
    # any row
    "cells-unfit": Rule("The row has more or fewer cells than the header, so its values may stand under wrong names."),
    "row-not-object": Rule("An entry of the list is not an object."),
    "control-character": Rule("A value holds a character that no text has, such as U+0000."),
    "text-too-long": Rule("A value is longer than the network keeps."),
    "text-garbled": _warns("A value looks as if it had been read in a wrong encoding once."),
    "name-missing": Rule("The row has no name."),
    "duplicate-id": Rule("An earlier row has the same id."),
    "email-impossible": Rule("The e-mail address has no form that mail can be sent to."),
    "postcode-impossible": Rule("No post code of the country has this form."),
    # what a point is
    "test-row": Rule("Its name or address says that the row is a test, a demonstration or a placeholder."),
    "test-word": _warns("A word such as 'test' stands in the address; it may be a place of that name."),
    "not-operating": Rule("The list says that it does not operate (any more, or yet)."),
    "status-unknown": _warns("The list gives a status that is not known here; it was taken as operating."),
    "duplicate-place": Rule("An earlier row has the same kind, place and address."),
    "same-place": _warns("An earlier row of the same kind has the same place and another address."),
    "no-doors": Rule("A locker bank is described whose compartments have no doors, or a number that cannot be."),
    # where it is
    "coordinate-missing": Rule("Latitude or longitude is missing."),
    "coordinate-unreadable": Rule("Latitude and longitude are numbers of degrees."),
    "coordinate-range": Rule("Latitude is -90 to 90 degrees, longitude -180 to 180."),
    "near-zero": Rule("The place is within a degree of 0/0, which is sea: nobody has entered it."),
    "swapped": Rule("Latitude and longitude stand in each other's place."),
    "outside-country": Rule("The place lies outside the coarse boxes around the country."),
    "in-the-sea": Rule("The place lies in one of the stretches of open sea that are known here."),
    "outside-bulk": Rule("The place is very far from where the list's others are, and no country is known."),
    "far-from-rest": _warns("The place is in the country, but very far from where the list's others are."),
    "country-other": Rule("The row is of another country than the one asked for."),
    "country-unknown": _warns("The country is not known here, so nothing could be said about where the place lies."),
    "zone-missing": Rule("The time zone cannot be told from the country; give it with --zone."),
    # when it is open
    "hours-unreadable": Rule("The opening hours are in no form that is read here."),
    "hours-range": Rule("A time of day is past 24:00, or has more than 59 minutes."),
    "hours-backwards": Rule("A stretch of opening hours ends before it begins."),
    "never-open": Rule("The opening hours say that it is never open."),
    "hours-unknown": _warns("Nothing says when it is open, and it would be shown as open day and night."),
    # demand and sites
    "number-unreadable": Rule("A number is digits, perhaps with a decimal sign, and not negative."),
    "demand-zero": Rule("Nobody there asks for a parcel, so the row changes nothing."),
    "size-beyond": Rule("The row asks for a size that the ladder does not have."),
    "kind-unknown": Rule("A site is for a bank or for a counter."),
    "answer-unreadable": Rule("An answer is yes or no."),
    # parcels
    "reference-missing": Rule("The parcel has no reference of its carrier's."),
    "size-missing": Rule("The parcel has neither a size class nor all three sides."),
    "size-unreadable": Rule("A side is 1 to 10,000 mm."),
    "weight-unreadable": Rule("A weight is a number up to 1,000 kg."),
    "direction-unknown": Rule("A parcel is a delivery or a drop-off."),
    "nobody-to-tell": _warns("No e-mail address is given, so no notice can reach anybody."),
    "point-missing": _warns("The row names no point, so no room is promised."),
    "point-unknown": Rule("The network has no point of this id or name."),
    "point-ambiguous": Rule("Several points of the network have this name; give the id."),
    "point-closed": Rule("The point takes no parcels."),
    "lies-elsewhere": Rule(
        "The parcel lies in a compartment already. No announcement can say so: only the bank it lies in tells where a"
        " parcel is. Let it be collected or taken out there; once out, announce it."
    ),
    "already-over": Rule("The parcel's way has ended: collected, returned, cancelled or lost."),
    "stage-unknown": _warns("The list gives a stage that is not known here; it was taken as on its way."),
}
"""Every rule by its code; docs/reference/lists.md is written from this."""
