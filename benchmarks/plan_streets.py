"""Many-to-many times on a street graph: the compiled Dijkstra beside scipy's, on grids drawn by a seed.

Every figure is the least of several rounds, for whatever else the machine does only adds to it; the first round, in
which code is compiled or loaded, does not count. Both have to find the same times. With ``--extract`` the streets are
those of a file and the places its things. Run as ``python -m benchmarks.plan_streets``.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
from rich.console import Console
from rich.table import Table
from scipy.sparse import csr_array
from scipy.sparse.csgraph import dijkstra

from restante.carriers.maps.extract import read_extract
from restante.core.refusals import Refusal
from restante.plan.streets.dijkstra import seconds_from
from restante.plan.streets.graph import StreetGraph, hanging_together, street_graph
from restante.plan.streets.sphere import Real, Whole, nearest
from restante.plan.streets.ways import MODES, Way

ROUNDS: Final = 3


def grid(side: int, seed: int) -> StreetGraph:
    """A town of square blocks of some 100 m, a tenth of whose streets are missing and a fifth one-way."""
    chance = np.random.default_rng(seed)
    ways = []
    for node in range(side * side):
        for other in (node + 1 if (node + 1) % side else -1, node + side if node + side < side * side else -1):
            if other >= 0 and chance.random() > 0.1:
                tags = {"highway": "residential"} | ({"oneway": "yes"} if chance.random() < 0.2 else {})
                at = tuple((0.001 * (n // side), 0.001 * (n % side)) for n in (node, other))
                ways.append(Way(len(ways), (node, other), at, tags))
    graph = street_graph(ways, "car")
    assert not isinstance(graph, Refusal)
    return hanging_together(graph)[0]


def by_scipy(graph: StreetGraph, starts: Whole, targets: Whole) -> Real:
    """The same matrix by the library."""
    count = len(graph.osm_ids)
    matrix = csr_array((graph.seconds, graph.to, graph.first), shape=(count, count))
    return np.concatenate([dijkstra(matrix, indices=part)[:, targets] for part in np.array_split(starts, 16)])


def least_s(act: Callable[[], object]) -> float:
    """Seconds that it takes at least."""
    act()
    return min(_round_s(act) for _ in range(ROUNDS))


def _round_s(act: Callable[[], object]) -> float:
    begun_s = time.perf_counter()
    act()
    return time.perf_counter() - begun_s


def compared(name: str, graph: StreetGraph, *, starts: Whole, targets: Whole) -> dict[str, Any]:
    """One row: both at the same matrix."""
    ours, theirs = seconds_from(graph, starts, targets), by_scipy(graph, starts, targets)
    assert np.allclose(ours, theirs), "both find the quickest ways"
    return {
        "streets": name,
        "nodes": len(graph.osm_ids),
        "edges": len(graph.to),
        "matrix": f"{len(starts)} x {len(targets)}",
        "compiled_s": least_s(lambda: seconds_from(graph, starts, targets)),
        "scipy_s": least_s(lambda: by_scipy(graph, starts, targets)),
    }


def rows(asked: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Grids of several sizes, near and far targets; the streets of an extract."""
    for side in asked.sides:
        graph = grid(side, asked.seed)
        chance = np.random.default_rng(asked.seed)
        count = min(asked.places, len(graph.osm_ids))
        spread = np.sort(chance.choice(len(graph.osm_ids), count, replace=False))
        yield compared(f"grid {side} x {side}", graph, starts=spread, targets=spread)
        yield compared(f"grid {side} x {side}, near", graph, starts=np.arange(count), targets=np.arange(count))
    if asked.extract:
        read = read_extract(asked.extract)
        assert not isinstance(read, Refusal), read
        places = np.array([(one.latitude, one.longitude) for one in read.things])
        for mode in MODES:
            found = street_graph(read.ways, mode)
            assert not isinstance(found, Refusal), found
            graph, _ = hanging_together(found)
            ends = np.unique(nearest(places, graph.places)[0])
            yield compared(f"{asked.extract.name}, {mode}", graph, starts=ends, targets=ends)


def main() -> int:
    """Measure, print a table or JSON."""
    asking = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asking.add_argument("--sides", type=int, nargs="+", default=[100, 300])
    asking.add_argument("--places", type=int, default=200)
    asking.add_argument("--seed", type=int, default=1)
    asking.add_argument("--extract", type=Path, help="a file of OpenStreetMap")
    asking.add_argument("--json", action="store_true")
    asked = asking.parse_args()
    found = list(rows(asked))
    if asked.json:
        print(json.dumps(found))
        return 0
    table = Table("streets", "nodes", "edges", "matrix", "compiled s", "scipy s", "times")
    for row in found:
        times = (f"{row['compiled_s']:.3f}", f"{row['scipy_s']:.3f}", f"{row['scipy_s'] / row['compiled_s']:.1f}")
        table.add_row(row["streets"], f"{row['nodes']:,}", f"{row['edges']:,}", row["matrix"], *times)
    Console().print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
