"""The upgrade proof as a command: all pairs of versions, upgrades and ways back, migrations of a large database.

The account is a file of lines, one a story, named as that of the simulation is. A proof that was stopped goes on with
what is not in it yet; what has failed is played again, and the logs of its programs are kept beside it.
"""

import asyncio
import signal
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from restante.sim.kill.evidence import keep_logs
from restante.sim.kill.judge import Verdict
from restante.sim.proven import FOLDER, account_path, commit_name
from restante.sim.upgrade.locks import play_locks
from restante.sim.upgrade.outcome import Played
from restante.sim.upgrade.pairs import play_pair
from restante.sim.upgrade.restore import play_restore
from restante.sim.upgrade.rolling import be_refused, go_back, play_rolling
from restante.sim.upgrade.versions import NOW, Version, before, later, migrations_of
from restante.store import migrate


class Versions(msgspec.Struct, frozen=True):
    """The versions of a proof: the one before, this one, and one made up that is later."""

    old: Version
    now: Version
    new: Version


Play = Callable[[Versions, Path], Awaitable[Played]]

STORIES: Final[Mapping[str, Play]] = {
    "pair old-old": lambda of, place: play_pair(place, hub=of.old, bank=of.old),
    "pair old-new": lambda of, place: play_pair(place, hub=of.old, bank=of.now),
    "pair new-old": lambda of, place: play_pair(place, hub=of.now, bank=of.old),
    "pair new-new": lambda of, place: play_pair(place, hub=of.now, bank=of.now),
    "upgrade": lambda of, place: play_rolling(place, before=of.old, after=of.now, last=be_refused),
    "upgrade and back": lambda of, place: play_rolling(place, before=of.now, after=of.new, last=go_back),
    "restore": lambda of, place: play_restore(place, before=of.old, after=of.now),
    "large database": lambda of, place: play_locks(place, before=of.old, after=of.now),
}
"""Every story of a whole proof, by what it is called in the account; a pair is named hub first."""


class Line(msgspec.Struct, frozen=True):
    """One line of the account."""

    name: str
    played: Played


class Account(msgspec.Struct):
    """What a proof has come to so far, by story; a later line about the same takes the place of the earlier."""

    played: dict[str, Played] = {}

    def todo(self) -> list[str]:
        """What was not played yet, or did not come out well."""
        return [name for name in STORIES if name not in self.played or not self.played[name].is_clean]

    def lines(self) -> Iterator[str]:
        """The account in words and numbers."""
        for name in (name for name in STORIES if name in self.played):
            yield from _told(self.played[name])
        verdicts = [one.verdict for one in self.played.values() if not one.fault]
        forks = sum(int(one.figures.get("forks", 0)) for one in self.played.values())
        yield (
            f"{len(STORIES) - len(self.todo())} of {len(STORIES)} stories clean. Lost: {_sum(verdicts, 'lost')}. "
            f"Forked: {forks}. Done twice: {_sum(verdicts, 'doubled')}. Otherwise wrong: {_sum(verdicts, 'wrong')}."
        )

    def report(self) -> dict[str, object]:
        """The account as one document."""
        return {"proven": not self.todo(), "todo": self.todo(), "stories": msgspec.to_builtins(self.played)}


def main(
    *, minutes: float | None = None, folder: Path = FOLDER, console: Console | None = None, json: bool = False
) -> int:
    """Play what the account lacks, for ``minutes`` at most; 0 if the proof is whole and nothing has failed.

    Faults: ``HistoryMissing`` in a tree without the version before.
    """
    console = console or Console(stderr=True)
    path = account_path("upgrade", folder)
    account = read_account(path)
    folder.mkdir(parents=True, exist_ok=True)
    console.print(f"Upgrading to commit {commit_name()} and going back; the account is {path}.")
    ends_s = None if minutes is None else time.monotonic() + 60 * minutes
    with suppress(asyncio.CancelledError):
        asyncio.run(_prove(account, path, console, ends_s=ends_s))
    console.print("\n".join(account.lines()), markup=False, highlight=False)
    if json:
        print(msgspec.json.encode(account.report()).decode())
    return 0 if not account.todo() else 1


def read_account(path: Path) -> Account:
    """The account in a file; a last line cut off by a crash is played again."""
    account, decoder = Account(), msgspec.json.Decoder(Line)
    for line in path.read_bytes().splitlines() if path.exists() else ():
        with suppress(msgspec.DecodeError):
            read = decoder.decode(line)
            account.played[read.name] = read.played
    return account


async def _prove(account: Account, path: Path, console: Console, *, ends_s: float | None) -> None:
    playing = asyncio.current_task()
    assert playing is not None
    # Told to stop, it takes its database and programs along.
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, playing.cancel)
    todo = account.todo()
    with _place() as place, path.open("ab") as kept, _bar(console) as bar:
        of = _versions(place)
        shown = bar.add_task("stories", total=len(STORIES), completed=len(STORIES) - len(todo))
        for name in todo:
            if ends_s is not None and time.monotonic() > ends_s:
                return
            bar.update(shown, description=name)
            here = place / name.replace(" ", "-")
            played = await STORIES[name](of, here)
            kept.write(msgspec.json.encode(Line(name, played)) + b"\n")
            kept.flush()
            account.played[name] = played
            if not played.is_clean:
                keep_logs(here, path.with_suffix("") / here.name)
            bar.update(shown, advance=1)


def _versions(place: Path) -> Versions:
    """The version before from the history, this one, and a later one, on whose schema this one is promised to run."""
    promise = f"-- Runs with programs from migration {len(migrate.load()):04} on."
    found = Versions(before(place / "before"), NOW, later(place / "later", promise=promise))
    assert len(migrations_of(found.old)) < len(migrations_of(found.now)), "the version before lacks migrations"
    return found


@contextmanager
def _place() -> Iterator[Path]:
    """A folder for this run, through which the database's account may pass."""
    with tempfile.TemporaryDirectory(prefix="restante-upgrade-", ignore_cleanup_errors=True) as made:
        Path(made).chmod(0o711)
        yield Path(made)


def _told(played: Played) -> Iterator[str]:
    yield f"{played.story}: {'clean' if played.is_clean else 'FAILED'}"
    yield "  " + ", ".join(f"{name} {figure:,.10g}" for name, figure in played.figures.items())
    verdict = played.verdict
    found = (*verdict.lost, *verdict.doubled, *verdict.wrong)
    yield from (f"  {one[:400]}" for one in (*played.notes, played.fault, *found[:4]) if one)


def _sum(verdicts: list[Verdict], what: str) -> int:
    return sum(len(getattr(one, what)) for one in verdicts)


def _bar(console: Console) -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=console)
