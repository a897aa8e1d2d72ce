"""The long proof: seed after seed of the simulation on every core, for as long as told, with an account that is kept.

The account is a file of lines, one a seed, named by what is proven (`sim.proven`). A proof that is stopped goes on
where it stopped: seeds that stand in the account of the same sources are not run again.
"""

import os
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from itertools import count, islice
from multiprocessing import get_context
from pathlib import Path
from typing import Final

import msgspec
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from restante.sim.faults import Kind
from restante.sim.met import every_event, name_of
from restante.sim.proven import FOLDER, account_path, commit_name
from restante.sim.quiet import quiet
from restante.sim.run import Outcome, explain, run

_SEEDS_AT_ONCE: Final = 4


class Account(msgspec.Struct):
    """What a proof has come to so far."""

    seeds: set[int] = set()
    failed: list[int] = []
    bank_hours: float = 0.0
    parcels: int = 0
    cpu_s: float = 0.0
    wall_s: float = 0.0
    struck: Counter[str] = msgspec.field(default_factory=Counter)
    felt: Counter[str] = msgspec.field(default_factory=Counter)
    checked: Counter[str] = msgspec.field(default_factory=Counter)
    met: dict[str, Counter[str]] = {}

    def add(self, outcome: Outcome) -> None:
        """Count one seed."""
        self.seeds.add(outcome.seed)
        self.bank_hours += outcome.bank_hours
        self.parcels += outcome.parcels
        self.cpu_s += outcome.cpu_seconds
        self.wall_s += outcome.wall_seconds
        self.struck.update(outcome.faults)
        self.felt.update(outcome.felt)
        self.checked.update(outcome.checked)
        for fault, counts in outcome.met.items():
            self.met.setdefault(fault, Counter()).update(counts)
        if outcome.violations:
            self.failed.append(outcome.seed)

    def summary(self) -> str:
        """The account in words and numbers."""
        return "\n".join(
            [
                f"{len(self.seeds):,} seeds, {self.bank_hours:,.0f} simulated bank-hours, {self.parcels:,} parcels",
                f"  rate: {self._rate(self.wall_s, 'wall')}; {self._rate(self.cpu_s, 'processor')}",
                "  faults, how many struck and how often they made a difference:",
                *(f"    {name}: {self.struck[name]:,}, {self.felt[name]:,}" for name in sorted(self.struck)),
                f"  faults never felt: {', '.join(self.unfelt()) or 'none'}",
                "  rules, how often each was asked:",
                *(f"    {name}: {number:,}" for name, number in sorted(self.checked.items())),
                f"  violations: {len(self.failed)}" + (f", seeds {self.failed[:20]}" if self.failed else ""),
            ]
        )

    def unfelt(self) -> list[str]:
        """Kinds of faults that made no difference in any seed."""
        return [name for name in sorted(map(name_of, Kind)) if not self.felt[name]]

    def blind_spots(self) -> str:
        """By kind of fault, what came about while one was in force and what never did; and what never did at all."""
        kinds = sorted({kind for counts in self.met.values() for kind in counts})
        lines = (_met_in_words(fault, self.met[fault], kinds) for fault in sorted(self.met))
        never = sorted(every_event() - set(kinds))
        return "\n".join([*lines, f"events that never came about: {', '.join(never) or 'none'}"])

    def _rate(self, seconds: float, what: str) -> str:
        hours = seconds / 3600
        seeds, bank_hours = (len(self.seeds) / hours, self.bank_hours / hours) if hours else (0.0, 0.0)
        return f"{seeds:,.0f} seeds and {bank_hours:,.0f} bank-hours a {what} hour"


def _met_in_words(fault: str, counts: Counter[str], kinds: Sequence[str]) -> str:
    met = ", ".join(f"{kind} {number:,}" for kind, number in counts.most_common())
    missing = ", ".join(kind for kind in kinds if not counts[kind])
    return f"{fault}: {met}\n  never: {missing or 'none'}"


def main(
    *,
    minutes: float | None = None,
    seeds: str | None = None,
    folder: Path = FOLDER,
    processes: int | None = None,
    blind_spots: bool = False,
    console: Console | None = None,
) -> int:
    """Prove for ``minutes``, or the seeds ``a-b`` (both ends included), or a minute; tell ``blind_spots`` as well.

    0 if seeds were run and none failed, else 1. Raises ``ValueError`` as ``parse_seeds``.
    """
    console = console or Console(stderr=True)
    path = account_path("sim", folder)
    account = read_account(path)
    wanted = parse_seeds(seeds) if seeds else count(1)
    deadline = None if minutes is None and seeds else time.monotonic() + 60 * (1 if minutes is None else minutes)
    todo = (seed for seed in wanted if seed not in account.seeds)
    console.print(
        f"Proving the simulation of commit {commit_name()};"
        f" the account is {path}, with {len(account.seeds):,} seeds in it already."
    )
    folder.mkdir(parents=True, exist_ok=True)
    goal = len(parse_seeds(seeds)) if seeds else None
    with path.open("ab") as kept, _bar(console) as bar:
        shown = bar.add_task("seeds", total=goal, completed=0, figures="")
        last_s = time.monotonic()
        for told in outcomes(todo, deadline=deadline, processes=processes or os.cpu_count() or 1):
            now_s = time.monotonic()
            outcome = msgspec.structs.replace(told, wall_seconds=round(now_s - last_s, 6))
            last_s = now_s
            kept.write(msgspec.json.encode(outcome) + b"\n")
            kept.flush()
            account.add(outcome)
            bar.update(shown, advance=1, figures=f"{account.bank_hours:,.0f} bank-hours, {len(account.failed)} failed")
            if outcome.violations:
                console.print(explain(outcome), markup=False, highlight=False)
    console.print(account.summary(), markup=False, highlight=False)
    if blind_spots:
        console.print(account.blind_spots(), markup=False, highlight=False, soft_wrap=True)
    return 0 if account.seeds and not account.failed else 1


def outcomes(seeds: Iterator[int], *, deadline: float | None, processes: int) -> Iterator[Outcome]:
    """Outcomes as they come, from as many processes; no new seed begins after ``deadline`` on the steady clock."""
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        running: set[Future[list[Outcome]]] = set()
        while True:
            while len(running) < 2 * processes and (deadline is None or time.monotonic() < deadline):
                part = [*islice(seeds, _SEEDS_AT_ONCE)]
                if not part:
                    break
                running.add(pool.submit(run_all, part))
            if not running:
                return
            done, running = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                yield from future.result()


def run_all(seeds: Sequence[int]) -> list[Outcome]:
    """The outcomes of several seeds, one after the other; what the product warns of in its logs is part of them."""
    with quiet():
        return [run(seed) for seed in seeds]


def read_account(path: Path) -> Account:
    """The account in a file; a last line cut off by a crash is not counted, and its seed is run again."""
    account = Account()
    if path.exists():
        decoder = msgspec.json.Decoder(Outcome)
        for line in path.read_bytes().splitlines():
            try:
                account.add(decoder.decode(line))
            except msgspec.DecodeError:
                continue
    return account


def parse_seeds(text: str) -> range:
    """``7-90`` as the seeds from 7 to 90, ``7`` as that one. Raises ``ValueError`` for all else, and for no seed."""
    first, dash, last = text.partition("-")
    seeds = range(int(first), int(last if dash else first) + 1)
    if not seeds:
        raise ValueError("no seed lies between these")
    return seeds


def _bar(console: Console) -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed:,.0f}"), TimeElapsedColumn())
    return Progress(*columns, TextColumn("{task.fields[figures]}", justify="left"), console=console)
