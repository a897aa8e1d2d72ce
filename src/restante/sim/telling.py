"""What a story is told from: a seed, and what it foresees. A value, so that a story can be told with less in it."""

import msgspec

from restante.sim.chance import chance_of
from restante.sim.faults import Fault, plan
from restante.sim.plot import Plot, draw
from restante.sim.season import Season, draw_season


class Telling(msgspec.Struct, frozen=True):
    """The plot, the faults and the season of a story; all other chance in it comes from the seed as well."""

    seed: int
    plot: Plot
    faults: tuple[Fault, ...] = ()
    season: Season = Season()


def telling_of(seed: int) -> Telling:
    """What the seed alone foresees."""
    plot = draw(chance_of(seed, "plot"))
    faults = plan(seed, days=plot.days, sources=plot.points)
    return Telling(seed, plot, faults, draw_season(chance_of(seed, "season")))
