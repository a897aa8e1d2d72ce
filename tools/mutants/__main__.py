"""`make prove PART=mutants`: how many small changes of the product's code its tests notice, and which they do not."""

import hashlib
import multiprocessing
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from itertools import islice
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Annotated, Final

import msgspec
from cyclopts import App, Parameter
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from tools.mutants.account import caught_only, read_equivalent, read_trials, score, unknown
from tools.mutants.changes import Mutant, mutants_of
from tools.mutants.parts import PARTS
from tools.mutants.reach import Reach, reach_of, state_of, within
from tools.mutants.trial import Job, Trial, serve

FOLDER: Final = Path("prove")
FLOOR: Final = 0.85
TESTS_SECONDS: Final = 10.0
"""How long the tests that are run against one mutant take together at most, without it; the quickest come first."""

app = App(help=__doc__, help_format="plaintext")


@app.default
def main(
    *parts: Annotated[str, Parameter(help="core, wire, engine, edge; all if none is named.")],
    sample: Annotated[int | None, Parameter(help="Try so many mutants of each part, drawn by the seed.")] = None,
    seed: Annotated[int, Parameter(help="The seed of the sample.")] = 1,
    only: Annotated[str, Parameter(help="Only mutants whose name contains this.")] = "",
    since: Annotated[str | None, Parameter(help="Take over what an earlier account caught, by its state.")] = None,
    again: Annotated[bool, Parameter(help="Only those that the earlier account has.", negative="")] = False,
    processes: Annotated[int, Parameter(help="How many are tried at a time.")] = 2,
    json: Annotated[bool, Parameter(help="Print the scores as JSON.", negative="")] = False,
) -> int:
    """Try mutants; 0 if each part's score is at least 85 %. The account is kept by state of sources and tests."""
    console, equivalent, scores = Console(stderr=True), read_equivalent(), []
    for name in parts or tuple(PARTS):
        mutants = [mutant for path in PARTS[name].paths() for mutant in mutants_of(path) if only in mutant.key]
        earlier = read_trials(FOLDER / f"mutants-{name}-{since}.jsonl") if since else {}
        wanted = drawn([one for one in mutants if not again or one.key in earlier], sample, seed)
        trials = _try(name, wanted, console, earlier=caught_only(earlier), processes=processes)
        scores.append(
            score(name, mutants, trials={mutant.key: trials[mutant.key] for mutant in wanted}, equivalent=equivalent)
        )
        console.print(scores[-1].told(), markup=False, highlight=False)
        for survivor in scores[-1].survivors:
            console.print(f"  survived: {survivor}", markup=False, highlight=False, soft_wrap=True)
        for listed in scores[-1].no_longer_equivalent:
            console.print(f"  listed as equivalent, but killed: {listed}", markup=False, soft_wrap=True)
    every = [mutant for part in PARTS.values() for path in part.paths() for mutant in mutants_of(path)]
    for gone in unknown(equivalent, every):
        console.print(f"listed as equivalent, but no mutant is called so: {gone}", markup=False, soft_wrap=True)
    if json:
        sys.stdout.buffer.write(msgspec.json.format(msgspec.json.encode(scores)) + b"\n")
    return 0 if all(one.ratio >= FLOOR and not one.no_longer_equivalent for one in scores) else 1


def drawn(mutants: Sequence[Mutant], sample: int | None, seed: int) -> list[Mutant]:
    """Those of a sample. A larger one holds the smaller, and a mutant keeps its place when others come or go."""
    by_lot = sorted(mutants, key=lambda mutant: hashlib.sha256(f"{seed} {mutant.key}".encode()).digest())
    return [*mutants] if sample is None else by_lot[:sample]


def _try(
    name: str, mutants: Sequence[Mutant], console: Console, *, earlier: dict[str, Trial], processes: int
) -> dict[str, Trial]:
    """The trials of these mutants, of which those that the account lacks are made now."""
    part = PARTS[name]
    path = FOLDER / f"mutants-{name}-{state_of(part)}.jsonl"
    console.print(f"Trying {len(mutants):,} mutants of {name}; the account is {path}.", highlight=False)
    reach = reach_of(name, part, FOLDER)
    trials = earlier | read_trials(path)
    jobs = [_job(mutant, reach) for mutant in mutants if mutant.key not in trials]
    inside = [job for job in jobs if job.mutant.functions]
    with path.open("ab") as kept, _bar(console) as bar:
        shown = bar.add_task(name, total=len(mutants), completed=len(mutants) - len(jobs), figures="")

        def keep(trial: Trial) -> None:
            trials[trial.key] = trial
            kept.write(msgspec.json.encode(trial) + b"\n")
            kept.flush()
            left = sum(one.verdict == "survived" for one in trials.values())
            bar.update(shown, advance=1, figures=f"{left} survived")

        unswapped = []
        for job, trial in _tried(inside, part.tests, processes):
            if trial.verdict == "unswapped":
                unswapped.append(job)
            else:
                keep(trial)
        for _, trial in _tried([*unswapped, *(job for job in jobs if not job.mutant.functions)], None, processes):
            keep(trial)
    return trials


def _job(mutant: Mutant, reach: Reach) -> Job:
    tests = reach.of(mutant.path, mutant.line, mutant.last_line) if mutant.functions else reach.whole()
    chosen = within(tests, reach, TESTS_SECONDS)
    seconds = sum(reach.seconds[test] for test in chosen)
    return Job(mutant, tuple(reach.tests[test] for test in chosen), seconds)


def _tried(jobs: Sequence[Job], tests: Sequence[str] | None, processes: int) -> Iterator[tuple[Job, Trial]]:
    """Each job and its trial, as they come, from as many processes."""
    todo, context = iter(jobs), multiprocessing.get_context("spawn")
    with ExitStack() as stack:
        under_way: dict[Connection, Job] = {}
        for job in islice(todo, processes):
            ours, theirs = context.Pipe()
            worker = context.Process(target=serve, args=(theirs, tests))
            worker.start()
            theirs.close()
            stack.callback(worker.join)
            stack.callback(ours.close)
            ours.send_bytes(msgspec.msgpack.encode(job))
            under_way[ours] = job
        while under_way:
            for pipe in wait(list(under_way)):
                assert isinstance(pipe, Connection)
                yield under_way.pop(pipe), msgspec.msgpack.decode(pipe.recv_bytes(), type=Trial)
                if following := next(todo, None):
                    pipe.send_bytes(msgspec.msgpack.encode(following))
                    under_way[pipe] = following


def _bar(console: Console) -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, TextColumn("{task.fields[figures]}", justify="left"), console=console)


if __name__ == "__main__":
    sys.exit(app())
