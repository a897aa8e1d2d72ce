"""GeoJSON as RFC 7946 has it: longitude first, lines cut at the date line, valid JSON whatever is in it."""

import json
import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from restante.plan.reporting.geojson import collection, line, point
from tests.plan.reporting.reading import NAMES


def test_longitude_comes_first() -> None:
    """Vienna lies at 16 degrees east."""
    made = point((48.2, 16.4), {}, name="a")
    assert made["geometry"] == {"type": "Point", "coordinates": [16.4, 48.2]}


def test_a_line_over_the_date_line_is_cut_there() -> None:
    """From 179 east to 179 west is two degrees, half of them on each side."""
    made = line([(10.0, 179.0), (12.0, -179.0), (13.0, -178.0)], {}, name="a")
    assert made["geometry"] == {
        "type": "MultiLineString",
        "coordinates": [[[179.0, 10.0], [180.0, 11.0]], [[-180.0, 11.0], [-179.0, 12.0], [-178.0, 13.0]]],
    }


@given(st.lists(st.tuples(st.floats(-90, 90), st.floats(-180, 180)), min_size=2, max_size=6))
def test_no_piece_of_a_line_is_longer_than_half_the_globe(spots: list[tuple[float, float]]) -> None:
    """Wherever the line goes, its pieces begin where it begins, end where it ends, and never jump around the globe."""
    geometry = line(spots, {}, name="a")["geometry"]
    pieces = [geometry["coordinates"]] if geometry["type"] == "LineString" else geometry["coordinates"]
    assert pieces[0][0] == pytest.approx([spots[0][1], spots[0][0]], abs=1e-6)
    assert pieces[-1][-1] == pytest.approx([spots[-1][1], spots[-1][0]], abs=1e-6)
    for piece in pieces:
        assert len(piece) > 1
        assert all(abs(one[0] - other[0]) <= 180 for one, other in pairwise(piece))


@given(NAMES, NAMES)
def test_any_name_comes_back(name: str, other: str) -> None:
    """As an id, as a property, beside the features."""
    made = json.loads(collection([point((0.0, 0.0), {other: name}, name=name)], {"title": other}))
    assert made["features"][0]["id"] == name
    assert made["features"][0]["properties"] == {other: name}
    assert made["about"]["title"] == other


def test_what_is_no_number_is_null() -> None:
    """JSON has no infinity, and a bound may be one."""
    assert json.loads(collection([], {"bound": math.inf}))["about"]["bound"] is None
