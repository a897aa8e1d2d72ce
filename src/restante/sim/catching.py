"""After how many seeds each planted bug is caught, by the rule that has to catch it."""

from typing import Final

import msgspec
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from restante.sim.bugs import BUGS, Bug, planted
from restante.sim.quiet import quiet
from restante.sim.run import run
from restante.sim.telling import telling_of

MOST_SEEDS: Final = 500
TEN: Final = 10
"""How many rules the protocol of banks promises."""


class Caught(msgspec.Struct, frozen=True):
    """How many seeds it took, and how many stories among them could show the bug and were told."""

    seeds: int
    told: int


def caught(bug: Bug, *, first: int = 1, most: int = MOST_SEEDS) -> Caught | None:
    """Tell seeds from ``first`` to ``most`` until the bug's rule is breached; None if none of them breaches it.

    Stories that lack the fault without which the bug does nothing are counted and not told.
    """
    told = 0
    with planted(bug):
        for seed in range(first, most + 1):
            if bug.needs is not None and all(fault.kind is not bug.needs for fault in telling_of(seed).faults):
                continue
            told += 1
            if bug.rule in run(seed).breached:
                return Caught(seed - first + 1, told)
    return None


def number_of(rule: str) -> int | None:
    """Which of the ten rules of the protocol of banks this is, if it is one of them."""
    number, colon, _ = rule.partition(":")
    return int(number) if colon and number.isdecimal() else None


def main(*, most: int = MOST_SEEDS, console: Console | None = None) -> int:
    """Plant one bug after the other and say after how many seeds it is caught; 0 if all of them are."""
    console = console or Console(stderr=True)
    missed, rules = 0, set[int | None]()
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed} of {task.total} bugs"))
    with quiet(), Progress(*columns, TimeElapsedColumn(), console=console) as bar:
        shown = bar.add_task("planting", total=len(BUGS))
        for bug in sorted(BUGS, key=lambda bug: number_of(bug.rule) or TEN + 1):
            found = caught(bug, most=most)
            missed += found is None
            after = f"not caught in {most} seeds" if found is None else f"caught after {found.seeds} seeds"
            told = "" if found is None or found.told == found.seeds else f" ({found.told} of them with what it takes)"
            console.print(f"{bug.does}: {after}{told}, by '{bug.rule}'", markup=False, highlight=False, soft_wrap=True)
            bar.update(shown, advance=1)
            if found is not None:
                rules.add(number_of(bug.rule))
    said = f"rules of the ten with a planted bug that was caught: {_numbers(rules)}"
    console.print(said, markup=False, highlight=False, soft_wrap=True)
    return 1 if missed else 0


def _numbers(rules: set[int | None]) -> str:
    return ", ".join(str(number) for number in range(1, TEN + 1) if number in rules) or "none"
