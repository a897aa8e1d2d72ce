"""Who may go along a way of the map, in which directions and how fast."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from restante.plan.streets.ways import KMH, MODES, Mode, Pace, limit_kmh, pace_on

CASES: dict[str, tuple[str, Mode, Pace | None]] = {
    "a street": ("highway=residential", "car", Pace(25)),
    "a posted limit below it": ("highway=primary maxspeed=30", "car", Pace(30)),
    "a posted limit above it": ("highway=residential maxspeed=50", "car", Pace(25)),
    "miles": ("highway=primary maxspeed=20_mph", "car", Pace(20 * 1.609344)),
    "a limit in words": ("highway=primary maxspeed=walk", "car", Pace(45)),
    "one way": ("highway=residential oneway=yes", "car", Pace(25, against=False)),
    "one way against its nodes": ("highway=residential oneway=-1", "car", Pace(25, along=False)),
    "a roundabout": ("highway=tertiary junction=roundabout", "car", Pace(35, against=False)),
    "a motorway": ("highway=motorway", "car", Pace(90, against=False)),
    "a motorway both ways": ("highway=motorway oneway=no", "car", Pace(90)),
    "one way, on foot": ("highway=residential oneway=yes", "walk", Pace(4.8)),
    "one way, by bike": ("highway=residential oneway=yes", "bike", Pace(15, against=False)),
    "not for bikes": ("highway=residential oneway=yes oneway:bicycle=no", "bike", Pace(15)),
    "a lane against it": ("highway=residential oneway=yes cycleway=opposite_lane", "bike", Pace(15)),
    "private": ("highway=service access=private", "car", None),
    "private, but not on foot": ("highway=service access=private foot=yes", "walk", Pace(4.8)),
    "the nearer key decides": ("highway=service access=yes motor_vehicle=no", "car", None),
    "no cars on a footway": ("highway=footway", "car", None),
    "nobody walks on a motorway": ("highway=motorway", "walk", None),
    "a footway for bikes": ("highway=footway bicycle=designated", "bike", Pace(12)),
    "a square": ("highway=pedestrian area=yes", "walk", None),
    "steps": ("highway=steps", "walk", Pace(2.4)),
    "steps by bike": ("highway=steps bicycle=yes", "bike", None),
    "being built": ("highway=construction", "walk", None),
    "no street": ("building=yes", "car", None),
}


@pytest.mark.parametrize(("told", "mode", "expected"), CASES.values(), ids=CASES)
def test_a_way_by_its_tags(told: str, mode: Mode, expected: Pace | None) -> None:
    """Tags as the map has them, and what a mode makes of them."""
    tags = {key: value.replace("_mph", " mph") for key, _, value in (one.partition("=") for one in told.split())}
    assert pace_on(tags, mode) == expected


@given(st.dictionaries(st.sampled_from(["highway", "oneway", "access", "maxspeed", "junction"]), st.text(max_size=9)))
def test_any_tags_are_read(tags: dict[str, str]) -> None:
    """Whatever people have written, a way has a pace that can be, or none."""
    for mode in MODES:
        pace = pace_on(tags, mode)
        assert pace is None or (0 < pace.kmh <= 130 and (pace.along or pace.against))


@pytest.mark.parametrize(("posted", "kmh"), [("", 0), ("none", 0), ("-50", 0), ("50 km/h", 50), ("50", 50), ("٣٠", 0)])
def test_posted_limits(posted: str, kmh: float) -> None:
    """A number, perhaps with its unit; anything else is no limit."""
    assert limit_kmh(posted) == kmh


def test_every_mode_has_its_streets() -> None:
    """No class of way has a speed of nothing."""
    assert all(min(KMH[mode].values()) > 0 for mode in MODES)
