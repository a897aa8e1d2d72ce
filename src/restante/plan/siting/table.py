"""What it costs to serve each cell from each site, laid out for the compiled loops of the p-median family."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]
Indices = NDArray[np.int32]
Flags = NDArray[np.bool_]


class Table(NamedTuple):
    """Costs by site and cell, and per cell all sites from the cheapest to the dearest.

    ``cost[site, cell]``; ``order[cell]`` lists sites; ``kept[site]`` is true where a site has to be open.
    """

    cost: Numbers
    order: Indices
    kept: Flags

    @property
    def cells(self) -> int:
        """How many cells are to be served."""
        return int(self.cost.shape[1])

    @property
    def sites(self) -> int:
        """How many sites there are."""
        return int(self.cost.shape[0])


def table_of(cost: Numbers, kept: Flags) -> Table:
    """The table of costs given as (cells × sites), all finite."""
    assert np.isfinite(cost).all(), "what cannot be reached is dear, not infinite"
    order = np.argsort(cost, axis=1, kind="stable").astype(np.int32)
    return Table(np.ascontiguousarray(cost.T, dtype=np.float64), order, kept)


def grain_of(cost: Numbers) -> float:
    """The least amount by which two different totals can differ: 1 where all costs are whole, else 0."""
    return 1.0 if bool((cost == np.round(cost)).all()) and float(np.abs(cost).sum()) < 2**52 else 0.0
