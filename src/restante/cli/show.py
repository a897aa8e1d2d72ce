"""`restante demo` and `bench`: the network at play, and measured."""

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter
from rich.console import Console

from restante.cli.ending import INTERRUPTED, REFUSED, Stop, say

if TYPE_CHECKING:
    from restante.sim.demo.run import Wish


def demo(
    *,
    parcels: Annotated[int | None, Parameter(help="Play a bounded day with so many parcels; goes with --exit.")] = None,
    exit: Annotated[bool, Parameter(negative="", help="End with the account of the day.")] = False,  # noqa: A002
    pace: Annotated[float | None, Parameter(help="How much faster than real time the day runs.")] = None,
    seed: Annotated[int, Parameter(help="Which story is played.")] = 1,
    banks: Annotated[int, Parameter(help="How many locker banks, up to 12.")] = 12,
    counters: Annotated[int, Parameter(help="How many counters, up to 2.")] = 2,
    state: Annotated[Path | None, Parameter(help="Folder for the demo's state; wiped at each start.")] = None,
    svg: Annotated[Path | None, Parameter(help="Draw a picture of the screen into this file.")] = None,
    json: Annotated[bool, Parameter(negative="", help="Print the account as one JSON document.")] = False,
) -> None:
    """Watch a living network: real programs on real sockets, in a day that runs faster than the clock.

    With --parcels and --exit it is a bounded day that ends with an account of every parcel: exit code 0 only if the
    hub, the machines and the people agree on all of them.
    """
    from restante.sim.demo.run import as_lines, play
    from restante.sim.demo.show import Show

    wish = _wish(parcels if exit else None, pace, seed=seed, banks=banks, counters=counters, state=state, svg=svg)
    if exit and parcels is None:
        raise Stop(
            "parcels-missing", field="--parcels", rule="A day that ends has so many parcels: --parcels 500 --exit"
        )
    if parcels is not None and not exit:
        raise Stop("exit-missing", field="--exit", rule="A day with so many parcels ends: --parcels 500 --exit")
    account = play(wish, Show(Console(), quiet=json, all_events=not exit))
    if account is None:
        sys.exit(INTERRUPTED if exit else 0)
    if json:
        import msgspec

        say(msgspec.to_builtins(account))
    else:
        print("\n".join(as_lines(account)))
    if account.disagreements:
        sys.exit(REFUSED)


def _wish(
    parcels: int | None,
    pace: float | None,
    *,
    seed: int,
    banks: int,
    counters: int,
    state: Path | None,
    svg: Path | None,
) -> "Wish":
    from restante.sim.demo.day import Plan
    from restante.sim.demo.run import BOUNDED_PACE, LIVING_PACE, Wish
    from restante.sim.extract import state_dir

    for name, given, most in (("--banks", banks, 12), ("--counters", counters, 2)):
        if not 1 <= given <= most:
            raise Stop("count-unfit", field=name, rule=f"The demo city has 1 to {most} of these.")
    if parcels is not None and not 1 <= parcels <= 100_000:
        raise Stop("count-unfit", field="--parcels", rule="A day has 1 to 100,000 parcels.")
    if pace is not None and not 1 <= pace <= 10_000:
        raise Stop("pace-unfit", field="--pace", rule="A day runs 1 to 10,000 times faster than the clock.")
    folder = state or state_dir(os.environ) / "demo"
    chosen = pace or (LIVING_PACE if parcels is None else BOUNDED_PACE)
    plan = Plan(parcels=parcels)
    return Wish(folder.absolute(), plan, chosen, seed=seed, banks=banks, counters=counters, svg=svg)


BenchPart = Literal["all", "custody", "http", "search", "growth", "retention", "sessions", "peak", "lists"]


def bench(
    part: Annotated[BenchPart, Parameter(help="Which benchmark.")] = "all",
    *options: Annotated[str, Parameter(allow_leading_hyphen=True, help="What the benchmark takes besides.")],
) -> None:
    """Measure what the platform can do on this machine, beside what it should; ``all`` ends with one table.

    custody: durable transitions a second, beside the best plain SQL. http: over HTTP with 64 callers. search: finding
    points among 100,000. growth: the same load at a thousand and a hundred thousand stored parcels. retention: old days
    of the log, exported and dropped. sessions: 10,000 banks on one hub. peak: how much of the largest network's peak
    hour the whole network sustains. lists, no part of all: a list of a million points. It runs from the source tree,
    where the benchmarks are. The exit code is 1 if a floor is missed.
    """
    root = Path(__file__).parents[3]
    if not (root / "benchmarks" / "custody.py").exists():
        raise Stop("benchmarks-absent", rule="The benchmarks come with the source tree: clone it, then make bench.")
    module = f"benchmarks.{'whole' if part == 'all' else part}"
    done = subprocess.run([sys.executable, "-m", module, *options], cwd=root)  # noqa: PLW1510, S603 -- told of below
    if done.returncode:
        raise Stop("floor-missed", field=part, rule="A benchmark has failed; it says above what it missed.")
