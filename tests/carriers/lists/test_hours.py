"""Opening hours in the forms that lists write them: read alike, or refused by the rule that they break."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from restante.carriers.lists.hours import Stretch, read_hours
from restante.carriers.lists.rules import Finding


def week(*days: tuple[int, str]) -> tuple[Stretch, ...]:
    """Stretches from a weekday and HH:MM-HH:MM each."""
    made = []
    for day, span in days:
        (h1, m1), (h2, m2) = (map(int, end.split(":")) for end in span.split("-"))
        made.append(Stretch(day, h1 * 60 + m1, h2 * 60 + m2))
    return tuple(made)


WORKDAYS = tuple((day, "09:00-18:00") for day in range(5))
READ = {
    "24/7": (),
    "24h": (),
    "24/7; PH off": (),
    "Mo-Su 00:00-24:00": (),
    "00:00-00:00": (),
    "Mo-Fr 09:00-18:00": week(*WORKDAYS),
    "Mo-Fr 09:00-18:00; Sa 09:00-12:00; Su,PH off": week(*WORKDAYS, (5, "09:00-12:00")),
    "Mo-Fr 09:00-18:00, Sa 09:00-12:00": week(*WORKDAYS, (5, "09:00-12:00")),
    "Mon-Fri: 9am-6pm": week(*WORKDAYS),
    "lun-ven 9h00-18h00": week(*WORKDAYS),
    "PN-PT 9-18 SB 9-12": week(*WORKDAYS, (5, "09:00-12:00")),
    "Po-Pá 9:00 – 18:00": week(*WORKDAYS),
    "MON|08:00-23:00|-;TUE|-|-;SUN|11:00-17:00|-;": week((0, "08:00-23:00"), (6, "11:00-17:00")),
    "Di-Do 10-12": week((1, "10:00-12:00"), (2, "10:00-12:00"), (3, "10:00-12:00")),
    "Sa-Mo 10-12": week((0, "10:00-12:00"), (5, "10:00-12:00"), (6, "10:00-12:00")),
    "Mo 08:00-12:00,13:00-17:00": week((0, "08:00-12:00"), (0, "13:00-17:00")),
    "Mo 08:00-12:00,11:00-17:00": week((0, "08:00-17:00")),
    "Mo-Fr 09:00-18:00; We 09:00-12:00": week(
        *(one for one in WORKDAYS if one[0] < 2), (2, "09:00-12:00"), *(one for one in WORKDAYS if one[0] > 2)
    ),
    "Fr 22:00-02:00": week((4, "22:00-24:00"), (5, "00:00-02:00")),
    "Su 22:00-26:00": week((0, "00:00-02:00"), (6, "22:00-24:00")),
    "PH 10:00-12:00; Mo 08:00-09:00": week((0, "08:00-09:00")),
}
BROKEN = {
    "Mo 25:61-26:00": "hours-range",
    "Mo 24:00-25:00": "hours-range",
    "Mo 08:60-09:00": "hours-range",
    "Mo 13pm-2pm": "hours-range",
    "Mo 20:00-31:00": "hours-range",
    "Mo-Fr 18:00-09:00": "hours-backwards",
    "Mo 09:00-09:00": "hours-backwards",
    "MON|-|-;TUE|-|-;": "never-open",
    "Mo-Su off": "never-open",
    "nach Vereinbarung": "hours-unreadable",
    "Mo-Fr $9": "hours-unreadable",
    "x" * 2000: "hours-unreadable",
}


@pytest.mark.parametrize("text", READ)
def test_hours_are_read(text: str) -> None:
    """Given a form that lists use, then the week that it means."""
    assert read_hours(text) == READ[text]


@pytest.mark.parametrize("text", BROKEN)
def test_hours_that_cannot_be_are_refused_by_their_rule(text: str) -> None:
    """Given hours that no week has, then the rule that they break."""
    found = read_hours(text)
    assert isinstance(found, Finding)
    assert found.rule == BROKEN[text]


@pytest.mark.parametrize("text", ["", "   ", "-", ";|-"])
def test_nothing_said_is_nothing_known(text: str) -> None:
    """Given an empty cell, then neither open nor shut."""
    assert read_hours(text) is None


@given(st.text() | st.from_regex(r"([A-Za-z]{2}[-,; |]?([0-9]{1,2}[:.]?){0,4}[-;, ]{0,2}){0,8}", fullmatch=True))
def test_any_text_is_read_or_refused(text: str) -> None:
    """Whatever stands there, stretches lie within their days, sorted and apart, or a rule is named."""
    found = read_hours(text)
    if isinstance(found, tuple):
        assert list(found) == sorted(found)
        assert all(0 <= one.weekday <= 6 and 0 <= one.opens < one.closes <= 1440 for one in found)
        pairs = pairwise(found)
        assert all(a.weekday < b.weekday or a.closes < b.opens for a, b in pairs)
