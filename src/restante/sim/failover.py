"""The drill of a failover: real servers, real engine, the leader killed at a random moment, its replica promoted.

Theory of operation. A trial makes a leader and a replica, has callers hand commands with ids to the engine, kills the
leader by SIGKILL, promotes the replica and lets the callers go on; they resend what met a fault. Then every answer of
before the kill is looked for in the feed of the new leader. An answer whose events are not there, or are another
command's, was lost; a command with more events than its answer told of was doubled. The choice of
``synchronous_commit`` goes round with the seed. With the choices that wait for the replica nothing may be lost; with
the others what is lost is counted, and must be what the dead leader's log still held.
"""

import asyncio
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from itertools import count, pairwise
from pathlib import Path
from random import Random
from statistics import median
from typing import Final

import msgspec
from rich.console import Console

from restante.core.ids import CommandId, Lane
from restante.hub.engine import Engine
from restante.sim.failover_load import CALLERS, Answer, Load
from restante.sim.prove import parse_seeds
from restante.sim.proven import FOLDER, account_path, commit_name
from restante.sim.quiet import quiet
from restante.store import migrate, replica
from restante.store.check import check
from restante.store.configuration import AWAITS_REPLICA
from restante.store.embedded import Server, address_of, discard
from restante.store.ledger import Ledger
from restante.store.postgres import open_ledger

CHOICES: Final = ("off", "local", "remote_write", "on", "remote_apply")
_BEFORE_S: Final = (1.5, 4.0)
_AFTER: Final = 200
_GOES_ON_S: Final = 60.0
_PAGE: Final = 5000
_SMALL: Final[Mapping[str, str]] = {"shared_buffers": "64MB"}


class Trial(msgspec.Struct, frozen=True):
    """What one failover came to.

    ``told_lost`` are commits, each of which may hold many commands, that the dead leader's log still held. ``away_s``
    is the longest time without an answer, ``promoted_s`` the time from the kill to the end of the promotion.
    """

    seed: int
    choice: str
    answered: int
    per_second: float
    lost: int
    told_lost: int | None
    refused: int
    doubled: int
    findings: tuple[str, ...]
    away_s: float
    promoted_s: float
    faults: int

    @property
    def failed(self) -> bool:
        """Whether something happened that never may."""
        lost = self.lost if self.choice in AWAITS_REPLICA else 0
        return bool(lost or self.doubled or self.findings or not self.answered)


class Standing(msgspec.Struct):
    """What the drills have come to so far."""

    trials: dict[int, Trial] = {}

    @property
    def failed(self) -> list[int]:
        """The seeds of drills in which something happened that never may."""
        return [trial.seed for trial in self.trials.values() if trial.failed]

    def add(self, trial: Trial) -> None:
        """Count one drill."""
        self.trials[trial.seed] = trial

    def summary(self) -> str:
        """A line for each choice."""
        lines = [_line(choice, [one for one in self.trials.values() if one.choice == choice]) for choice in CHOICES]
        return "\n".join(line for line in lines if line) + f"\n  failed: {self.failed or 'none'}"


def _line(choice: str, trials: list[Trial]) -> str:
    if not trials:
        return ""
    away = sorted(1000 * trial.away_s for trial in trials)
    rates = [trial.per_second for trial in trials]
    lost = [trial.lost for trial in trials]
    return (
        f"  {choice}: {len(trials)} failovers, {sum(trial.answered for trial in trials):,} acknowledged before; "
        f"lost {sum(lost)} (at most {max(lost)} at once), doubled {sum(trial.doubled for trial in trials)}; "
        f"without service {median(away):,.0f} ms, at most {away[-1]:,.0f} ms; "
        f"{median(rates):,.0f} commands/s ({min(rates):,.0f} – {max(rates):,.0f})"
    )


def run(seed: int) -> Trial:
    """One drill, in a folder that is thrown away."""
    with tempfile.TemporaryDirectory(prefix="restante-failover-", ignore_cleanup_errors=True) as closed:
        place = Path(closed)
        place.chmod(0o711)
        choice = CHOICES[seed % len(CHOICES)]
        leader = Server(place / "first", settings={**_SMALL, "synchronous_commit": choice})
        try:
            leader.start()
            replica.make(leader, place / "second")
            return asyncio.run(_drill(seed, choice, leader))
        finally:
            for name in ("first", "second"):
                discard(place / name)


async def _drill(seed: int, choice: str, leader: Server) -> Trial:
    follower = leader.over(leader.state.parent / "second")
    dsn, start = address_of(leader, follower), datetime.now(UTC)
    migrate.migrate_at(dsn)
    load = Load(seed, start)
    async with open_ledger(dsn, writers=2, readers=2) as ledger:
        await ledger.ensure_lanes(1)
        await ledger.upkeep(start)
        engine = Engine(ledger, lambda: datetime.now(UTC), max_batch=256, queue_limit=10_000)
        await engine.submit_all(list(load.provision()))
        callers = [asyncio.create_task(load.call(engine)) for _ in range(CALLERS)]
        began = time.monotonic()
        await asyncio.sleep(Random(seed).uniform(*_BEFORE_S))  # noqa: S311 -- a drill, not a secret
        killed, before = time.monotonic(), len(load.answers)
        await asyncio.to_thread(leader.kill_hard)
        found = await asyncio.to_thread(replica.promote, follower, leader, accept_loss=True)
        promoted, after = time.monotonic(), len(load.answers)
        load.wanted = after + _AFTER
        async with asyncio.timeout(_GOES_ON_S):
            await asyncio.gather(*callers)
        feed = await _feed(ledger)
        return Trial(
            seed=seed,
            choice=choice,
            answered=before,
            per_second=before / (killed - began),
            lost=lost(load.answers[:after], feed),
            told_lost=found.commits_lost,
            refused=sum(answer.refused != "" for answer in load.answers),
            doubled=doubled(load.answers, feed),
            findings=tuple(f"{one.what} {one.key}: {one.detail}"[:300] for one in await check(ledger))[:10],
            away_s=max(later.at - one.at for one, later in pairwise(load.answers)),
            promoted_s=promoted - killed,
            faults=load.faults,
        )


async def _feed(ledger: Ledger) -> Mapping[tuple[int, int], CommandId]:
    """Which command each position of the one lane belongs to."""
    found: dict[tuple[int, int], CommandId] = {}
    after = 0
    while page := await ledger.feed(Lane(0), after, _PAGE):
        found |= {(row.lane, row.seq): row.command for row in page}
        after = page[-1].seq
    return found


def lost(answers: Iterable[Answer], feed: Mapping[tuple[int, int], CommandId]) -> int:
    """How many accepted commands have none of the events they were answered with, or another command's."""
    return sum(any(feed.get(place) != answer.command for place in answer.positions) for answer in answers)


def doubled(answers: Iterable[Answer], feed: Mapping[tuple[int, int], CommandId]) -> int:
    """How many commands have more events than they were answered with."""
    events = Counter(feed.values())
    return sum(events[answer.command] > len(answer.positions) for answer in answers)


def main(*, minutes: float | None, seeds: str | None, folder: Path = FOLDER, console: Console | None = None) -> int:
    """Drill for ``minutes``, or the seeds ``a-b``, or a minute; 0 if drills stand in the account and none failed.

    Raises ``ValueError`` as ``parse_seeds``.
    """
    console = console or Console(stderr=True)
    path = account_path("failover", folder)
    standing = read_standing(path)
    console.print(
        f"Proving failovers of commit {commit_name()};"
        f" the account is {path}, with {len(standing.trials)} drills in it already."
    )
    folder.mkdir(parents=True, exist_ok=True)
    wanted = parse_seeds(seeds) if seeds else count(1)
    deadline = None if minutes is None and seeds else time.monotonic() + 60 * (1 if minutes is None else minutes)
    with path.open("ab") as kept:
        for seed in (one for one in wanted if one not in standing.trials):
            if deadline is not None and time.monotonic() > deadline:
                break
            with quiet():
                trial = run(seed)
            kept.write(msgspec.json.encode(trial) + b"\n")
            kept.flush()
            standing.add(trial)
            console.print(_told(trial), markup=False, highlight=False)
    console.print(standing.summary(), markup=False, highlight=False)
    return 0 if standing.trials and not standing.failed else 1


def _told(trial: Trial) -> str:
    verdict = f" FAILED {trial.findings}" if trial.failed else ""
    return (
        f"seed {trial.seed}, {trial.choice}: {trial.answered:,} acknowledged, {trial.lost} lost, "
        f"{trial.doubled} doubled, {1000 * trial.away_s:,.0f} ms without service{verdict}"
    )


def read_standing(path: Path) -> Standing:
    """The account in a file; a last line cut off by a crash is not counted, and its drill is done again."""
    standing = Standing()
    for line in path.read_bytes().splitlines() if path.exists() else ():
        with suppress(msgspec.DecodeError):
            standing.add(msgspec.json.decode(line, type=Trial))
    return standing
