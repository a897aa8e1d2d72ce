"""A drawn town with a plan and with today's points, for the tests of reports."""

from functools import cache

import msgspec

from restante.plan.reporting.snapshot import Sited
from restante.plan.siting.city import City, Walks, walks_from_matrix
from restante.plan.siting.proposal import Proposal
from restante.plan.siting.proposing import propose
from restante.plan.siting.search import Search
from tests.plan.siting.towns import brief, town

SEARCH = Search(seed=3, rounds=20)


def spread(seed: int = 5) -> tuple[City, Walks]:
    """A town whose cells and sites are in different places."""
    city, metres = town(seed, cells=8, sites=5)
    cells = [
        msgspec.structs.replace(one, latitude=48.2 + 0.003 * n, longitude=16.3 + 0.002 * (n % 3))
        for n, one in enumerate(city.cells)
    ]
    sites = [
        msgspec.structs.replace(one, latitude=48.2 + 0.004 * n, longitude=16.301 + 0.001 * n)
        for n, one in enumerate(city.sites)
    ]
    return msgspec.structs.replace(city, cells=tuple(cells), sites=tuple(sites)), walks_from_matrix(metres, reach_m=3e3)


@cache
def told() -> Sited:
    """Today two points, planned anew for the same money."""
    city, walks = spread()
    asked = msgspec.structs.replace(brief(3200), keep_standing=False)
    stays = msgspec.structs.replace(asked, must=("s0", "s1"), forbidden=("s2", "s3", "s4"))
    today = propose(city, walks, stays, search=SEARCH)
    plan = propose(city, walks, msgspec.structs.replace(asked, forbidden=("s0",)), search=SEARCH)
    assert isinstance(today, Proposal)
    assert isinstance(plan, Proposal)
    return Sited("A town", city, walks, asked, plan, today, notes=("People are drawn.",))
