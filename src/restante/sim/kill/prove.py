"""The kill proof as a command: every named moment of a bank, rounds against hub and database, the drill of a restore.

The account is a file of lines, one a story, named as that of the simulation is. A proof that was stopped goes on with
what is not in it yet; what has failed is played again, and the logs of its programs are kept beside it.
"""

import asyncio
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, contextmanager, suppress
from pathlib import Path
from statistics import quantiles
from typing import Final

import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from restante.edge.moments import Moment
from restante.sim.kill.banks import MOST_TIMES, Aim, Outcome, aims, kill_at, reached
from restante.sim.kill.drill import Drill, play_drill
from restante.sim.kill.evidence import keep_logs
from restante.sim.kill.hubs import PARTS, TWO_HUBS, Round, play_round
from restante.sim.kill.network import Network, network
from restante.sim.kill.story import ACTS
from restante.sim.proven import FOLDER, account_path, commit_name

ROUNDS: Final[Mapping[str, int]] = {"hub": 8, "postgres": 8, TWO_HUBS: 3}
DRILLS: Final = 2
BESIDE: Final = 2
"""How many banks are killed at a time; the machine that this was made on has two cores."""


class Reached(msgspec.Struct, frozen=True, tag="reached"):
    """How often each moment is reached in each act, in which nothing was killed."""

    acts: dict[str, dict[str, int]]


class BankKilled(msgspec.Struct, frozen=True, tag="bank"):
    """One story of a bank."""

    outcome: Outcome


class HubKilled(msgspec.Struct, frozen=True, tag="hub"):
    """One round against hub, worker or database."""

    round: Round


class Restored(msgspec.Struct, frozen=True, tag="restore"):
    """One drill."""

    drill: Drill


Line = Reached | BankKilled | HubKilled | Restored
Job = Aim | tuple[str, int]
"""A kill of a bank, or a part of the proof and its number there."""


class Account(msgspec.Struct):
    """What a proof has come to so far."""

    acts: dict[str, dict[str, int]] = {}
    banks: dict[Aim, Outcome] = {}
    rounds: dict[tuple[str, int], Round] = {}
    drills: dict[int, Drill] = {}

    def add(self, line: Line) -> None:
        """Take a line in; a later one about the same takes the place of the earlier."""
        match line:
            case Reached(acts):
                self.acts = _most(self.acts, acts)
            case BankKilled(outcome):
                self.banks[outcome.aim] = outcome
            case HubKilled(played):
                self.rounds[played.part, played.seed] = played
            case Restored(drill):
                self.drills[drill.seed] = drill

    def jobs(self) -> list[Job]:
        """All that belongs to a whole proof, once it is known what is reached in each act."""
        found = {
            act: Counter({Moment(name): times for name, times in notes.items()}) for act, notes in self.acts.items()
        }
        rounds = [(part, seed) for part in PARTS for seed in range(1, ROUNDS[part] + 1)]
        drills = [("restore", seed) for seed in range(1, DRILLS + 1)]
        return [*aims(found, most=MOST_TIMES), *rounds, *drills]

    def is_done(self, job: Job) -> bool:
        """Whether it was played and came out well; one that missed its moment is not, as long as no other struck it."""
        if isinstance(job, Aim):
            outcome = self.banks.get(job)
            return outcome is not None and outcome.is_clean and (outcome.kills > 0 or job.moment not in self.unreached)
        part, seed = job
        played = self.drills.get(seed) if part == "restore" else self.rounds.get((part, seed))
        return played is not None and played.is_clean

    @property
    def unnoted(self) -> set[str]:
        """Named moments that no act has reached so far."""
        return {moment.value for moment in Moment}.difference(*self.acts.values())

    @property
    def unreached(self) -> list[str]:
        """Named moments at which no bank was killed."""
        at = {outcome.aim.moment for outcome in self.banks.values() if outcome.kills}
        return sorted({moment.value for moment in Moment} - at)

    @property
    def failures(self) -> list[str]:
        """What went wrong, story by story."""
        played: list[tuple[str, Outcome | Round | Drill]] = [
            *((f"{aim.act} {aim.text}", outcome) for aim, outcome in self.banks.items()),
            *((f"{part} round {seed}", one) for (part, seed), one in self.rounds.items()),
            *((f"restore {seed}", drill) for seed, drill in self.drills.items()),
        ]
        return [_failure(name, one) for name, one in played if not one.is_clean]

    def is_proven(self) -> bool:
        """Whether nothing is left to do, and nothing has failed."""
        return bool(self.acts) and not self.unreached and all(map(self.is_done, self.jobs()))

    def lines(self) -> Iterator[str]:
        """The account in words and numbers."""
        played: list[Outcome | Round | Drill] = [*self.banks.values(), *self.rounds.values(), *self.drills.values()]
        whole = [one for one in played if not one.fault]
        verdicts = [one.verdict for one in whole]
        kills = sum(outcome.kills for outcome in self.banks.values())
        counted = Counter[str]()
        for one in self.rounds.values():
            counted.update(one.kills)
        missed = sum(not outcome.kills for outcome in self.banks.values())
        yield (
            f"Banks: {len(Moment) - len(self.unreached)} of {len(Moment)} named moments, {kills} kills; "
            f"{missed} missed, at moments that come by chance."
        )
        yield f"  serving again after {_spread(first for one in self.banks.values() for first, _ in one.recoveries)}"
        yield f"  whole again after {_spread(whole for one in self.banks.values() for _, whole in one.recoveries)}"
        asked = sum(one.acknowledged for one in self.rounds.values())
        again = sum(one.sent_again for one in self.rounds.values())
        yield f"Hub and database: {_counted(counted)}; {asked:,} commands acknowledged, {again:,} attempts unanswered."
        for kind in sorted(counted):
            gaps = (gap for one in self.rounds.values() for gap in one.without_service.get(kind, ()))
            yield f"  without service after the kill of {kind}: {_spread(gaps)}"
        lost = sum(one.lost_at_first for one in self.drills.values())
        forks = sum(one.forks for one in self.drills.values())
        yield f"Restores: {len(self.drills)}, {lost} entries asked for again, {forks} forks."
        yield f"  whole again after {_spread(one.whole_seconds for one in self.drills.values())}"
        yield (
            f"Acknowledged and lost: {sum(len(one.lost) for one in verdicts)}. Done twice: "
            f"{sum(len(one.doubled) for one in verdicts)}. Otherwise wrong: {sum(len(one.wrong) for one in verdicts)}."
        )
        if len(whole) < len(played):
            yield f"Broken off before anything could be judged: {len(played) - len(whole)}."
        mails = sum(one.mails_again for one in self.rounds.values())
        yield f"Notices: {sum(one.mails for one in self.rounds.values())} different ones, {mails} sent once more."
        if self.unreached:
            yield f"Never killed at: {', '.join(self.unreached)}."
        for failure in self.failures:
            yield f"  failed: {failure}"


def main(*, minutes: float | None = None, folder: Path = FOLDER, console: Console | None = None) -> int:
    """Play what the account lacks, for ``minutes`` at most; 0 if the proof is whole and nothing has failed."""
    console = console or Console(stderr=True)
    path = account_path("kill", folder)
    account = read_account(path)
    folder.mkdir(parents=True, exist_ok=True)
    console.print(f"Killing banks, hub and database of commit {commit_name()}; the account is {path}.")
    ends_s = None if minutes is None else time.monotonic() + 60 * minutes
    with suppress(asyncio.CancelledError):
        asyncio.run(_prove(account, path, console, ends_s=ends_s))
    console.print("\n".join(account.lines()), markup=False, highlight=False)
    return 0 if account.is_proven() else 1


def read_account(path: Path) -> Account:
    """The account in a file; a last line cut off by a crash is played again."""
    account, decoder = Account(), msgspec.json.Decoder(Line)
    for line in path.read_bytes().splitlines() if path.exists() else ():
        try:
            account.add(decoder.decode(line))
        except msgspec.DecodeError:
            continue
    return account


class Notebook:
    """The account while it is written."""

    def __init__(self, account: Account, path: Path) -> None:
        self.account = account
        self._file = path.open("ab")

    def write(self, line: Line) -> None:
        """Add a line, kept at once."""
        self._file.write(msgspec.json.encode(line) + b"\n")
        self._file.flush()
        self.account.add(line)

    def close(self) -> None:
        """Shut the file."""
        self._file.close()


async def _prove(account: Account, path: Path, console: Console, *, ends_s: float | None) -> None:
    playing = asyncio.current_task()
    assert playing is not None
    # Told to stop, it takes its database and programs along.
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, playing.cancel)
    async with AsyncExitStack() as stack:
        place = stack.enter_context(_place())
        notebook = Notebook(account, path)
        stack.callback(notebook.close)
        bar = stack.enter_context(_bar(console))
        running = await stack.enter_async_context(network(place / "network"))
        if account.unnoted:  # a moment may come by chance only: each run looks once more for those still missing
            notebook.write(Reached(await all_reached(running, place / "banks")))
        todo = [job for job in account.jobs() if not account.is_done(job)]
        shown = bar.add_task("stories", total=len(account.jobs()), completed=len(account.jobs()) - len(todo))
        alone = iter([job for job in todo if not isinstance(job, Aim)])
        beside = iter([job for job in todo if isinstance(job, Aim)])

        async def play(jobs: Iterator[Job]) -> None:
            for job in jobs:
                if ends_s is not None and time.monotonic() > ends_s:
                    return
                notebook.write(await _played(job, running, place))
                if not account.is_done(job):
                    keep_logs(place, path.with_suffix("") / _name(job))
                bar.update(shown, advance=1)

        await asyncio.gather(*(play(beside) for _ in range(BESIDE)))
        await play(alone)


@contextmanager
def _place() -> Iterator[Path]:
    """A folder for this run, through which the database's account may pass."""
    with tempfile.TemporaryDirectory(prefix="restante-kill-", ignore_cleanup_errors=True) as made:
        Path(made).chmod(0o711)
        yield Path(made)


async def all_reached(
    running: Network, folder: Path, *, acts: Sequence[str] = tuple(ACTS)
) -> dict[str, dict[str, int]]:
    """How often each moment is reached in each of the acts. Faults: `Stuck`."""
    found = await asyncio.gather(*(reached(running, folder, act) for act in acts))
    return {
        act: {moment.value: times for moment, times in notes.items()} for act, notes in zip(acts, found, strict=True)
    }


def _name(job: Job) -> str:
    """What a story is called in folders."""
    return f"{job.act}-{job.moment}-{job.count}" if isinstance(job, Aim) else f"{job[0]}-{job[1]}"


async def _played(job: Job, running: Network, place: Path) -> Line:
    if isinstance(job, Aim):
        return BankKilled(await kill_at(running, place / "banks", job))
    part, seed = job
    if part == "restore":
        return Restored(await play_drill(running, place / "drill", seed=seed, archived=seed % 2 == 0))
    return HubKilled(await play_round(running, place / "rounds", part=part, seed=seed))


def _most(before: Mapping[str, Mapping[str, int]], after: Mapping[str, Mapping[str, int]]) -> dict[str, dict[str, int]]:
    """How often each moment was reached in each act, the most that either record says."""
    return {act: dict(Counter(before.get(act, {})) | Counter(after.get(act, {}))) for act in {**before, **after}}


def _failure(name: str, played: Outcome | Round | Drill) -> str:
    found = (*played.verdict.lost, *played.verdict.doubled, *played.verdict.wrong)
    why = [one for one in (played.fault, *found) if one] or ["it did not do what it was for"]
    return f"{name}: {'; '.join(why[:4])}"


def _spread(seconds: Iterable[float]) -> str:
    """Median, 99th percentile and largest of some times."""
    found = sorted(seconds)
    if not found:
        return "nothing measured"
    if len(found) == 1:
        return f"{found[0]:.2f} s (1)"
    cuts = quantiles(found, n=100, method="inclusive")
    return f"p50 {cuts[49]:.2f} s, p99 {cuts[98]:.2f} s, longest {found[-1]:.2f} s ({len(found)})"


def _counted(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} kills of {name}" for name, count in sorted(counts.items())) or "no kills"


def _bar(console: Console) -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=console)
