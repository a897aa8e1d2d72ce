"""What admission by bid prices and by rollout gains over first-come, and how near it is to the best there is.

Small banks are calculated exactly (value iteration). Large ones are tried on people drawn by a seed, all policies on
the same people; the gain is the mean over seeds with its interval of 95 % (Student). The loads and worths are made up:
`load` is erlangs asked for over compartments, worth per parcel is 1 : step : step² … by size from the smallest up.
Run as ``python -m benchmarks.plan_admission``.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np
from rich.console import Console
from rich.table import Table
from scipy.stats import t as student

from restante.plan.capacity.admission import Scarce, best_policy, by_bid_prices, earned, first_come, rolled_out
from restante.plan.capacity.trial import Requests, drawn_futures, drawn_requests, free_table, price_table, tried

STAY_HOURS: Final = 24.0
SMALL: Final = ((6, 4, 2), (3, 3, 3, 3))
LARGE: Final = (30, 20, 10)
LOADS: Final = (0.6, 0.9, 1.2, 1.6)
STEPS: Final = (1.0, 1.5, 2.0)
CONFIDENCE: Final = 0.95


def bank(compartments: Sequence[int], load: float, step: float) -> Scarce:
    """A bank of which so much is asked, in proportion to its compartments."""
    per_hour = tuple(load * count / STAY_HOURS for count in compartments)
    return Scarce(tuple(compartments), per_hour, tuple(step**size for size in range(len(compartments))), STAY_HOURS)


def exact(one: Scarce) -> dict[str, float]:
    """Gains over first-come of bid prices, of rollout for the scarcest size and for all, and of the best policy."""
    priced, sizes = by_bid_prices(one), range(len(one.worth))
    policies = {
        "bid prices": priced,
        "rollout, smallest": rolled_out(one, priced, sizes=[0]),
        "rollout": rolled_out(one, priced, sizes=sizes),
        "rollout of first-come": rolled_out(one, first_come(one), sizes=sizes),
    }
    plain = earned(one, first_come(one)).at_least
    gains = {name: earned(one, policy).at_least / plain - 1 for name, policy in policies.items()}
    return gains | {"best": best_policy(one).at_least / plain - 1}


def drawn(one: Scarce, *, seeds: int, people: int, looking_ahead: int, futures: int) -> dict[str, tuple[float, float]]:
    """Mean gains over first-come and half of their interval; of rollouts on the first people of each seed only."""
    gains: dict[str, list[float]] = {}
    free, prices = free_table(one), price_table(one)
    for seed in range(seeds):
        chance = np.random.default_rng(seed)
        asked = drawn_requests(one, chance, count=people)
        ahead = drawn_futures(one, chance, futures=futures)
        plain = tried(one, free, asked).worth
        gains.setdefault("bid prices", []).append(tried(one, prices, asked).worth / plain - 1)
        if looking_ahead:
            few = Requests(*(column[:looking_ahead] for column in (asked.at_hours, asked.size, asked.stay_hours)))
            plain = tried(one, free, few).worth
            gains.setdefault("rollout", []).append(tried(one, prices, few, futures=ahead).worth / plain - 1)
            first = tried(one, free, few, futures=ahead).worth / plain - 1
            gains.setdefault("rollout of first-come", []).append(first)
    wide = float(student.ppf((1 + CONFIDENCE) / 2, seeds - 1)) / np.sqrt(seeds)
    return {name: (float(np.mean(each)), float(np.std(each, ddof=1) * wide)) for name, each in gains.items()}


def rows(asked: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """One row for each bank, load and step of worth."""
    for compartments in (*SMALL, LARGE):
        for load in asked.loads:
            for step in asked.steps:
                one = bank(compartments, load, step)
                case = {"compartments": compartments, "load": load, "step": step}
                if compartments in SMALL:
                    yield case | {name: (gain, 0.0) for name, gain in exact(one).items()}
                elif asked.people:
                    each = {"people": asked.people, "looking_ahead": asked.looking_ahead, "futures": asked.futures}
                    yield case | drawn(one, seeds=asked.seeds, **each)


def main() -> int:
    """Work out every bank, print a table or JSON."""
    asking = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asking.add_argument("--loads", type=float, nargs="+", default=LOADS)
    asking.add_argument("--steps", type=float, nargs="+", default=STEPS)
    asking.add_argument("--seeds", type=int, default=10)
    asking.add_argument("--people", type=int, default=20_000, help="of each seed; 0 leaves the large bank out")
    asking.add_argument("--looking-ahead", type=int, default=0, help="of them with rollouts, which take long")
    asking.add_argument("--futures", type=int, default=50)
    asking.add_argument("--json", action="store_true")
    asked = asking.parse_args()
    found = list(rows(asked))
    if asked.json:
        print(json.dumps(found))
        return 0
    names = ("bid prices", "rollout, smallest", "rollout", "rollout of first-come", "best")
    table = Table("bank", "load", "step", *names, title="Gain over first-come")
    for row in found:
        told = (
            f"{row[name][0]:+.1%}" + (f" ± {row[name][1]:.1%}" if row[name][1] else "") if name in row else ""
            for name in names
        )
        table.add_row("/".join(map(str, row["compartments"])), f"{row['load']:g}", f"{row['step']:g}", *told)
    Console().print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
