"""Runs of the routing search over published instances, kept in a file so that they can be resumed, and their table."""

import json
import statistics
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any, Final

import msgspec
from cyclopts import App
from rich.console import Console
from rich.table import Table

from benchmarks.routing_instances import Instance
from restante.plan.routing.bargaining import plan_by_prices
from restante.plan.routing.checker import violations
from restante.plan.routing.effort import Effort, Progress
from restante.plan.routing.proposal import Shortfall, Unfit, Visit
from restante.plan.routing.solving import plan_routes, warm_up

PLANNERS: Final[Mapping[str, Callable[..., Any]]] = {"search": plan_routes, "prices": plan_by_prices}
"""The own search, and PyVRP with prices on what is shared; where nothing is, that is PyVRP as it is."""


class Run(msgspec.Struct, frozen=True):
    """One search: processor seconds it was given, what it reached, and what the judge found wrong with it."""

    name: str
    seed: int
    seconds: float
    vehicles: int
    distance: float
    unserved: int
    wrong: list[str]
    iterations: int
    best_after_s: float
    tours: list[list[tuple[int, int]]]
    engine: str = "search"


def run(instance: Instance, *, engine: str, seed: int, seconds: float) -> Run:
    """Have an engine search for so many processor seconds, compilation not counted, and have its plan judged."""
    best: dict[str, float] = {"metres": float("inf"), "after": 0.0, "iterations": 0}

    def watch(progress: Progress) -> None:
        best["iterations"] = progress.iterations
        if not progress.unserved and progress.metres < best["metres"] - 1e-6:
            best["metres"], best["after"] = progress.metres, time.process_time() - began

    warm_up()
    began = time.process_time()
    effort = Effort(seconds=seconds, clock=time.process_time)
    found = PLANNERS[engine](instance.day, seed=seed, effort=effort, progress=watch)
    assert not isinstance(found, Unfit), found
    plan = found.relaxed if isinstance(found, Shortfall) else found
    wrong = sorted({one.rule for one in violations(instance.day, plan)})
    tours = [
        [(one.request, one.option) for step in tour.steps if isinstance(step, Visit) for one in step.choices]
        for tour in plan.tours
    ]
    return Run(
        instance.name, seed, seconds, plan.vans, plan.metres, len(plan.unserved), wrong,
        int(best["iterations"]), best["after"], tours, engine,
    )  # fmt: skip


def runs(instances: Iterable[Instance], kept: Path, *, engines: Sequence[str], seeds: int, seconds: float) -> list[Run]:
    """All runs asked for; those that stand in the file are not repeated, new ones are added to it one by one."""
    done = _read(kept)
    wanted = []
    for instance in instances:
        for engine, seed in product(engines, range(seeds)):
            key = (instance.name, engine, seed, seconds)
            if key not in done:
                done[key] = run(instance, engine=engine, seed=seed, seconds=seconds)
                with kept.open("ab") as file:
                    file.write(msgspec.json.encode(done[key]) + b"\n")
            wanted.append(done[key])
    return wanted


def _read(kept: Path) -> dict[tuple[str, str, int, float], Run]:
    if not kept.exists():
        return {}
    found = [msgspec.json.decode(line, type=Run) for line in kept.read_bytes().splitlines()]
    return {(one.name, one.engine, one.seed, one.seconds): one for one in found}


def report(instances: list[Instance], done: list[Run], *, as_json: bool) -> None:
    """A row for each instance and engine with the median over seeds, and one for each class with the average gap."""
    rows = [
        _row(instance, engine, [one for one in done if (one.name, one.engine) == (instance.name, engine)])
        for instance in instances
        for engine in sorted({one.engine for one in done})
    ]
    if as_json:
        print(json.dumps(rows))
        return
    table = Table(
        "instance", "engine", "vans", "best", "metres", "gap %", "published average %", "iterations/s", "wrong"
    )
    for row in rows:
        table.add_row(*(f"{cell:.2f}" if isinstance(cell, float) else str(cell) for cell in row.values()))
    groups: dict[tuple[str, str], list[float]] = {}
    for row in rows:
        for group in (str(row["instance"]).rpartition("_")[0], "all"):
            groups.setdefault((group, str(row["engine"])), []).append(float(str(row["gap"])))
    for (name, engine), gaps in groups.items():
        table.add_row(name, engine, "", "", "", f"{statistics.mean(gaps):.2f}", "", "", "")
    Console().print(table)


def _row(instance: Instance, engine: str, done: list[Run]) -> dict[str, object]:
    known = instance.published
    distance = statistics.median(one.distance for one in done)
    average = known.average_distance
    return {
        "instance": instance.name,
        "engine": engine,
        "vans": statistics.median(one.vehicles for one in done),
        "best": known.vehicles,
        "metres": distance,
        "gap": 100 * (distance / known.distance - 1),
        "published": 100 * (average / known.distance - 1) if average else "",
        "speed": statistics.median(one.iterations / one.seconds for one in done),
        "wrong": ", ".join(sorted({rule for one in done for rule in one.wrong})),
    }


def program(
    about: str | None,
    read: Callable[[int], Iterable[Instance]],
    *,
    name: str,
    customers: int,
    seconds: float,
    engines: tuple[str, ...] = ("search", "prices"),
) -> App:
    """The command line of a table: which instances, how many runs, for how long, and where finished ones are kept."""
    app = App(help=about)
    usual, kept_in, usual_s, both = customers, Path(f".state/{name}.jsonl"), seconds, engines

    @app.default
    def main(
        *,
        customers: int = usual,
        engines: tuple[str, ...] = both,
        seeds: int = 3,
        seconds: float = usual_s,
        only: str = "",
        kept: Path = kept_in,
        json: bool = False,
    ) -> None:
        """Measure and print.

        :param customers: how many requests an instance has
        :param engines: which engines, each with all of the seconds
        :param seeds: runs of each instance by each engine
        :param seconds: processor seconds of each run
        :param only: instances whose name begins so
        :param kept: where finished runs are kept
        :param json: print JSON in place of a table
        """
        kept.parent.mkdir(parents=True, exist_ok=True)
        instances = [one for one in read(customers) if one.name.startswith(only)]
        report(instances, runs(instances, kept, engines=engines, seeds=seeds, seconds=seconds), as_json=json)

    return app
