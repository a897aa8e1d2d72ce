"""Maps: every place is on them, whatever its side of the date line, and distances are true to one scale."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from restante.plan.geometry import great_circle_m
from restante.plan.reporting.frame import SHAPES, WIDTH, frame_around, path_of, scale_bar
from restante.plan.reporting.plots import rounds
from restante.plan.reporting.wording import clock, count, gap, money

NEAR = st.tuples(st.floats(-0.2, 0.2), st.floats(-0.2, 0.2))


@given(st.lists(NEAR, min_size=1, max_size=8), st.floats(-70, 70), st.floats(-180, 180))
def test_every_place_is_on_the_map(offsets: list[tuple[float, float]], lat: float, lon: float) -> None:
    """A city anywhere but at a pole: all of it is on the drawing, which is neither flat nor a tower."""
    spots = [(lat + north, (lon + east + 180) % 360 - 180) for north, east in offsets]
    frame = frame_around(spots)
    assert all(frame.holds(spot) for spot in spots)
    assert SHAPES[0] <= frame.height / WIDTH <= SHAPES[1] + 1e-9


@given(NEAR, NEAR)
def test_distances_are_true(one: tuple[float, float], other: tuple[float, float]) -> None:
    """Units on the drawing times metres a unit are metres on the ground, within half a per cent."""
    spots = [(48.2 + north, 16.4 + east) for north, east in (one, other)]
    frame = frame_around(spots)
    (x, y), (u, v) = (frame.at(spot) for spot in spots)
    drawn_m = ((x - u) ** 2 + (y - v) ** 2) ** 0.5 * frame.metres
    assert drawn_m == pytest.approx(great_circle_m(*spots), rel=5e-3, abs=0.01)


def test_north_is_up_and_east_is_right() -> None:
    """The drawing is not mirrored."""
    frame = frame_around([(48.1, 16.3), (48.3, 16.5)])
    south_west, north_east = frame.at((48.1, 16.3)), frame.at((48.3, 16.5))
    assert south_west[0] < north_east[0]
    assert south_west[1] > north_east[1]


def test_a_scale_is_round() -> None:
    """About 20 km across: the bar is 5 km."""
    words = "".join(scale_bar(frame_around([(48.1, 16.3), (48.28, 16.5)])).itertext())
    assert words == "5 km"


def test_a_line_of_one_place_is_no_line() -> None:
    """Corners that fall together are passed over."""
    frame = frame_around([(48.1, 16.3), (48.3, 16.5)])
    assert path_of(frame, [[(48.1, 16.3), (48.1, 16.3)]]) == ""
    assert path_of(frame, [[(48.1, 16.3), (48.3, 16.5), (48.3, 16.5)]]).count("L") == 1


@given(st.floats(1e-6, 1e9))
def test_ticks_are_few_and_within(top: float) -> None:
    """One to five, evenly apart, none above the top."""
    made = rounds(top)
    assert 1 <= len(made) <= 5
    assert made[-1] <= top * (1 + 1e-9)
    assert made == pytest.approx([made[0] * number for number in range(1, len(made) + 1)])


@pytest.mark.parametrize(
    ("said", "written"),
    [
        (count(1234567.5, 1), "1\u202f234\u202f567.5"),
        (count(-0.04, 1), "0.0"),
        (count(float("nan")), "–"),
        (gap(0.01230001), "1.24\u202f%"),
        (gap(0.0123), "1.23\u202f%"),
        (money(1234500, "EUR"), "12\u202f345\u202fEUR"),
        (money(1234500, "JPY"), "1\u202f234\u202f500\u202fJPY"),
        (money(1234, "EUR", with_change=True), "12.34\u202fEUR"),
        (clock(8.5 * 3600), "08:30"),
        (clock(25 * 3600), "01:00 +1"),
    ],
)
def test_numbers_are_written_for_people(said: str, written: str) -> None:
    """Thousands apart, no minus before nothing, a gap never less than it is, money by its currency."""
    assert said == written
