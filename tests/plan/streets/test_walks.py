"""Walks along streets: as long as the streets are, and nothing that stands off them is walked to or lost."""

import pytest

from restante.core.refusals import Refusal
from restante.plan.siting.cells import Cell, Site
from restante.plan.siting.city import City, ModuleKind
from restante.plan.streets.graph import StreetGraph, street_graph
from restante.plan.streets.walks import OnStreets, walks_on_streets
from restante.plan.streets.ways import WALK_KMH, Way

STEP = 0.001
"""Degrees of latitude, some 111 m."""


def street(*, nodes: int = 11, tags: str = "residential") -> StreetGraph:
    """One street to the north from 60° N 25° E, with a node every 111 m."""
    places = tuple((60.0 + STEP * at, 25.0) for at in range(nodes))
    graph = street_graph([Way(1, tuple(range(nodes)), places, {"highway": tags})], "walk")
    assert isinstance(graph, StreetGraph)
    return graph


def city(*sites: float, cells: tuple[float, ...] = (0.0,)) -> City:
    """Cells and sites so many nodes up the street."""
    return City(
        ("S",),
        tuple(Cell(f"c{n}", 60.0 + STEP * at, 25.0, "", (1.0,)) for n, at in enumerate(cells)),
        tuple(Site(f"s{n}", 60.0 + STEP * at, 25.0, "host", 0, 1) for n, at in enumerate(sites)),
        (ModuleKind("one", 1, (4,)),),
    )


def found(of: City, *, reach_m: float = 900.0) -> OnStreets:
    """The walks, which there are."""
    made = walks_on_streets(of, street(), reach_m=reach_m)
    assert isinstance(made, OnStreets)
    return made


def test_a_walk_is_as_long_as_the_street() -> None:
    """Five nodes up are 556 m; ten are beyond reach."""
    walks = found(city(5.0, 10.0)).walks
    assert walks.metres == pytest.approx([5 * 111.2], rel=1e-3)
    assert walks.start.tolist() == [0, 1, 1]
    assert f"{WALK_KMH:g} km/h" in walks.told


def test_a_site_at_sea_is_named_and_left_out() -> None:
    """Twenty nodes up there is no street: the site is told of with its metres, and the other is walked to."""
    made = found(city(30.0, 5.0))
    assert len(made.walks.metres) == 1
    (off,) = made.sites_off
    assert (off.code, off.field) == ("place-off-street", "sites")
    assert off.detail.startswith("s0: 2,224 m, 250 m")
    assert made.cells_off == ()


def test_a_cell_off_the_streets_is_named_too() -> None:
    """It has no walk, and the other one keeps its own."""
    made = found(city(5.0, cells=(40.0, 4.0)))
    assert made.walks.cell.tolist() == [1]
    assert [off.detail.split(":")[0] for off in made.cells_off] == ["c0"]


@pytest.mark.parametrize(("sites", "cells", "field"), [((40.0,), (0.0,), "sites"), ((1.0,), (40.0,), "cells")])
def test_nothing_at_a_street_is_refused(sites: tuple[float, ...], cells: tuple[float, ...], field: str) -> None:
    """Where no site, or no cell, is at a street, there is nothing to plan."""
    refused = walks_on_streets(city(*sites, cells=cells), street(), reach_m=900.0)
    assert isinstance(refused, Refusal)
    assert (refused.code, refused.field) == ("place-off-street", field)


def test_streets_that_do_not_hang_together_are_refused() -> None:
    """A cell on one street and a site on another with no way between: who has not kept the largest part is told."""
    apart = [
        Way(1, (1, 2), ((60.0, 25.0), (60.001, 25.0)), {"highway": "footway"}),
        Way(2, (3, 4), ((60.004, 25.0), (60.005, 25.0)), {"highway": "footway"}),
    ]
    graph = street_graph(apart, "walk")
    assert isinstance(graph, StreetGraph)
    refused = walks_on_streets(city(4.0), graph, reach_m=900.0)
    assert isinstance(refused, Refusal)
    assert refused.code == "places-unconnected"


def test_steps_count_as_the_metres_of_their_time() -> None:
    """At half the speed a way is as good as twice as long."""
    made = walks_on_streets(city(3.0), street(tags="steps"), reach_m=900.0)
    assert isinstance(made, OnStreets)
    assert made.walks.metres == pytest.approx([2 * 3 * 111.2], rel=1e-3)
