"""The benchmark of searches: its map, its arithmetic, and that it fails on a wrong answer, a scan and a slow page."""

import random
from collections.abc import Callable
from pathlib import Path

import msgspec
import psycopg
import pytest

from benchmarks.ending import exit_code
from benchmarks.search import CALLER, FLOORS_MS, Kind, Report, Told, check, kind_of, look_at_plans, missed, nearest
from benchmarks.towns import EAST, NORTH, SOUTH, WEST, fill, places, points
from benchmarks.waits import Waits, percentile, waits
from restante.core.bank import Ability, Point, RoomClass
from restante.core.ids import Lane, PointId, laned_id
from restante.core.reservation import Room, room_left
from restante.core.time import day_of
from restante.hub.network.service import Filters, Network
from tests.hub.api import START, an_api


def test_percentiles_are_waits_that_somebody_had() -> None:
    """Given 100 waits of 1 to 100 ms, then 50, 99 and 100 are told; of none, zeros and their number."""
    assert waits(number / 1000 for number in range(100, 0, -1)) == Waits(100, 50.0, 99.0, 100.0)
    assert percentile([7.0], 0.01) == 7.0
    assert waits([]) == Waits(0, 0.0, 0.0, 0.0)


def test_the_map_has_towns_and_country() -> None:
    """Given a seed, then the same country comes again, most of it lies in towns, and some of it anywhere."""
    where = places(4000, seed=1)
    assert where == places(4000, seed=1) != places(4000, seed=2)
    near = sum(nearest(here, where, most=4)[-1] < 5_000 for here in random.Random(1).sample(where, 40))
    assert 25 < near < 40
    assert sum(SOUTH <= north <= NORTH and WEST <= east <= EAST for north, east in where) > 3800


def _left(room: Room, wanted: str) -> bool:
    return room_left(room, RoomClass(wanted), day_of(START)) > 0


CHOICES: list[tuple[Filters, Callable[[Point, Room], bool]]] = [
    (Filters(), lambda _point, _room: True),
    (Filters(kind="shop"), lambda point, _: point.kind == "shop"),
    (Filters(rank=2), lambda _, room: _left(room, "2")),
    (Filters(rank=1, ability=Ability.COLD, kind="bank"), lambda p, room: p.kind == "bank" and _left(room, "1+cold")),
]


def a_kind(p99_ms: float, count: int = 100) -> Kind:
    """A kind of question with this wait."""
    return Kind("one point", Waits(count, 1.0, p99_ms, p99_ms), 0.5, 1.0, FLOORS_MS["one point"])


@pytest.mark.parametrize(("kind", "fails"), [(a_kind(25.0), False), (a_kind(25.1), True), (a_kind(0.0, 0), True)])
def test_a_slow_kind_of_question_fails(kind: Kind, fails: bool) -> None:
    """Given a wait at its floor it passes, above it fails; what was never asked fails too, unless floors are off."""
    report = Report(10, (kind,), (), 0, (), tuple(missed([kind])))
    assert exit_code(report, floors=True) == int(fails)
    assert exit_code(report, floors=False) == 0
    assert exit_code(Report(10, (), (), 0, ("a wrong answer",), ()), floors=False) == 1


def test_only_what_is_entered_is_measured() -> None:
    """Given a question asked once, then there is one wait, and its figures are those of it alone."""
    told = Told()
    with told:
        told.found.append(3)
    kind = kind_of("one point", told)
    assert (kind.waits.count, kind.found) == (1, 3.0)


async def test_answers_are_those_of_brute_force(database: str, tmp_path: Path) -> None:
    """Given a filled country, then pages are those of brute force, with and without filters; a changed map is told."""
    where = places(1500, seed=3)
    with psycopg.connect(database, autocommit=True) as db:
        fill(db, where, seed=3)
    known = list(points(where, seed=3))
    async with an_api(database, tmp_path) as api:
        network: Network = api.app.state["Network"]
        assert await check(network, where[5], where) == []
        assert len(await check(network, where[5], [where[5], *where])) == 1
        for here in where[:3]:
            for filters, suits in CHOICES:
                asked = msgspec.structs.replace(filters, here=here)
                suiting = [place for place, (point, room) in zip(where, known, strict=True) if suits(point, room)]
                expected = [round(one) for one in nearest(here, suiting, most=150)]
                told, cursor = list[int](), ""
                while len(told) < 150:
                    page = await network.page(CALLER, asked, cursor=cursor, limit=30)
                    told += [one.distance_m or 0 for one in page.items]
                    cursor = page.cursor or ""
                assert all(abs(one - other) <= 1 for one, other in zip(told, expected, strict=True))


def test_plans_use_indexes(database: str) -> None:
    """Given many places, then searches do not look through all of them, unless for a kind that hardly exists; without
    its index one does, and that is told.
    """
    point = PointId(laned_id(START, bytes(8), Lane(0)))
    with psycopg.connect(database, autocommit=True) as db:
        db.execute(
            "INSERT INTO place SELECT gen_random_uuid(), 0, 'bank', 0, 0, cube(ARRAY[cos(n), sin(n), 0])"
            " FROM generate_series(1, 20000) n"
        )
        db.execute("VACUUM ANALYZE place")
        plans = look_at_plans(db, (0.0, 0.0), point)
        assert [plan for plan in plans if "place" in plan.scans and "of a kind" not in plan.statement] == []
        assert "place_at_globe" in plans[0].indexes
        db.execute("SET default_transaction_read_only = off")
        db.execute("DROP INDEX place_at_globe")
        assert "place" in look_at_plans(db, (0.0, 0.0), point)[0].scans
