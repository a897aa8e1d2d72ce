"""The map of a plan for sites: streets as near as they are, marks told apart by shape, thanks where they are due."""

import msgspec
import pytest

from restante.plan.reporting.frame import frame_around
from restante.plan.reporting.ground import NEAR, Ground, metres_to_nearest, reach
from restante.plan.reporting.marks import mark
from restante.plan.reporting.siting_page import siting_page
from restante.plan.reporting.snapshot import Fate
from restante.plan.streets.graph import StreetGraph, street_graph
from restante.plan.streets.ways import Way
from tests.plan.reporting.cities import told
from tests.plan.reporting.reading import Read

NODES = 20
STREET = Way(
    1, tuple(range(NODES)), tuple((48.2 + 0.001 * at, 16.3) for at in range(NODES)), {"highway": "residential"}
)


def walking() -> StreetGraph:
    """One street to the north with a node every 111 m."""
    graph = street_graph([STREET], "walk")
    assert isinstance(graph, StreetGraph)
    return graph


def test_streets_know_the_nearest_point() -> None:
    """Points at the third node and at the eighteenth: each node is as far as the nearer of them; one at sea is none."""
    metres = metres_to_nearest(walking(), [(48.202, 16.3), (48.217, 16.3), (49.0, 16.3)])
    expected = [111.2 * min(abs(at - 2), abs(at - 17)) for at in range(NODES)]
    assert metres.tolist() == pytest.approx(expected, rel=1e-3, abs=0.1)
    assert min(metres_to_nearest(walking(), [(49.0, 16.3)]).tolist()) == float("inf")


def test_every_street_is_painted_once_by_how_near_it_is() -> None:
    """From one end: two stretches to 300 m, three more to 600, three more to 900, and none beyond."""
    frame = frame_around(STREET.places)
    painted = list(reach(frame, walking(), [(48.2, 16.3)]))
    assert [each.get("stroke-width") for each in painted] == [f"{width:g}" for _, _, width in reversed(NEAR)]
    assert [(each.get("d") or "").count("M") for each in painted] == [3, 3, 2]


def test_marks_differ_by_shape() -> None:
    """Without any colour: three outlines of which none is another."""
    outlines = [tuple(part.get("d") for part in mark(fate, (10.0, 10.0), 5.0)) for fate in Fate]
    assert len(set(outlines)) == len(Fate)


def test_streets_and_thanks_are_on_the_page() -> None:
    """What was made from a map says whose it is, and paints what is near."""
    ground = Ground((STREET,), walking(), "© somebody")
    read = Read(siting_page(msgspec.structs.replace(told(), ground=ground)))
    assert "© somebody" in read.of("p")
    looks = [value for tag, key, value in read.attributes if (tag, key) == ("path", "class")]
    assert looks.count("road") == 1
    assert looks.count("near") == 2 * len(NEAR)


def test_nothing_open_is_a_page_too() -> None:
    """A plan that opens nothing closes what there is."""
    one = told()
    assert one.plan is not None
    nothing = msgspec.structs.replace(one.plan, placed=(), served_per_day=0.0, walked_km_per_day=0.0)
    read = Read(siting_page(msgspec.structs.replace(one, found=nothing)))
    assert read.of("h1") == ["0 points take 0.0\u202f% of all parcels."]
    assert "2 close" in read.words
