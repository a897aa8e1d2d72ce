"""Published cases of siting, read from a folder beside the project; no solver sees a name or a best value of them."""

from pathlib import Path
from typing import Final, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import dijkstra

from restante.plan.siting.covering import Reach
from restante.plan.siting.single_source import Depots

DATA: Final = Path(__file__).resolve().parents[1].parent / "shared" / "data"

Numbers = NDArray[np.float64]


class Median(NamedTuple):
    """A p-median case: shortest distances between all nodes, and how many open."""

    distance: Numbers
    points: int


def best_values(file: Path) -> dict[str, float]:
    """Best values by name, from a JSON file of numbers."""
    return msgspec.json.decode(file.read_bytes(), type=dict[str, float])


def read_median(text: str) -> Median:
    """OR-Library's format: nodes, edges, p; then edges. A repeated edge keeps the last cost."""
    numbers = [int(each) for each in text.split()]
    nodes, _, points = numbers[:3]
    edges = {}
    for a, b, cost in zip(numbers[3::3], numbers[4::3], numbers[5::3], strict=False):
        edges[min(a, b) - 1, max(a, b) - 1] = float(cost)
    row, column = np.asarray(list(edges)).T
    graph = csr_matrix((list(edges.values()), (row, column)), shape=(nodes, nodes))
    return Median(dijkstra(graph, directed=False), points)


def read_depots(text: str) -> Depots:
    """Numbers of sites and cells, capacities, opening costs, demands, costs (cells × sites)."""
    sites, cells, *rest = (float(each) for each in text.split())
    m, n = int(sites), int(cells)
    values = np.asarray(rest)
    serving = values[2 * m + n : 2 * m + n + n * m].reshape(n, m)
    return Depots(values[:m], values[m : 2 * m], values[2 * m : 2 * m + n], serving)


def read_reach(text: str, limit: float) -> Reach:
    """A first line that is left out, then x, y and demand of each node; nodes are cells and sites at once."""
    rows = [[float(each) for each in line.split()[:3]] for line in text.splitlines()[1:] if line.strip()]
    table = np.asarray(rows)
    apart = table[:, None, :2] - table[None, :, :2]
    return Reach(np.hypot(apart[..., 0], apart[..., 1]), limit, table[:, 2])
