"""Open cases are counted from rows that come and go with their events, and that agree with the parcels and points."""

from datetime import timedelta
from importlib.resources import files

import psycopg
import pytest

from restante.store import bodies
from tests.hub.api import Api
from tests.hub.care.test_cases import HOW, cases, with_case, with_point_case
from tests.hub.metrics.test_figures import figures_of

pytestmark = pytest.mark.postgres


def counted(api: Api) -> set[tuple[str, str]]:
    """Id and kind of every case that is counted."""
    with psycopg.connect(api.parts.dsn) as db:
        return {(str(case), kind) for case, kind in db.execute("SELECT id, kind FROM open_case").fetchall()}


def held(api: Api) -> set[tuple[str, str]]:
    """Id and kind of every case that a parcel or a point holds open."""
    with psycopg.connect(api.parts.dsn) as db:
        parcels = [bodies.PARCEL.decode(body) for (body,) in db.execute("SELECT body FROM parcel")]
        rooms = [bodies.ROOM.decode(body) for (body,) in db.execute("SELECT body FROM room")]
    of_parcels = {(case, kind) for parcel in parcels for kind, case in parcel.cases.items()}
    return of_parcels | {(case, key.partition(":")[0]) for room in rooms for key, case in room.cases.items()}


async def test_cases_are_counted_until_they_are_settled(api: Api) -> None:
    """Given a case of a parcel and two of points, when some are settled, then what is counted is what is open."""
    parcel, _ = await with_case(api)
    points = [await with_point_case(api), await with_point_case(api, "door 4: it jams")]
    assert counted(api) == held(api)
    assert sorted(kind for _, kind in counted(api)) == ["door-stuck", "door-stuck", "notice-bounced"]
    old = (await figures_of(api, later=timedelta(hours=2))).cases
    assert old == {("door-stuck", "1h"): 2, ("notice-bounced", "1h"): 1}
    for about in (f"/parcels/{parcel}", f"/points/{points[0]}"):
        [case] = await cases(api, about)
        await api.post(f"{about}/cases/{case['id']}/settlement", HOW)
    assert counted(api) == held(api)
    assert [kind for _, kind in counted(api)] == ["door-stuck"]


async def test_a_case_that_an_old_hub_settled_leaves_the_count(api: Api) -> None:
    """Given a row of a case that nobody holds open, when a day has passed, then it is gone and the others stay."""
    await with_case(api)
    point = await with_point_case(api)
    with psycopg.connect(api.parts.dsn, autocommit=True) as db:
        for subject in (point, "00000000-0000-7000-8000-000000000000"):
            db.execute("INSERT INTO open_case VALUES (0, gen_random_uuid(), %s, 'forked', now())", [subject])
    assert len(counted(api)) == 4
    await api.ledger.upkeep(api.time.now())
    assert counted(api) == held(api)
    assert len(held(api)) == 2


async def test_cases_from_before_the_count_are_taken_in(api: Api) -> None:
    """Given cases of an earlier version, when the migration has run, then they count from then on."""
    await with_case(api)
    await with_point_case(api, "door 4: it jams")
    text = (files("restante.store") / "migrations" / "0008_open_cases.sql").read_bytes()
    with psycopg.connect(api.parts.dsn, autocommit=True) as db:
        db.execute("DROP TABLE open_case")
        db.execute(text)
    assert counted(api) == held(api)
    assert len(held(api)) == 2
