"""The version before comes from the history and from nowhere else; without it the proof says so and proves nothing."""

import re
import subprocess
from pathlib import Path

import pytest
from rich.console import Console

from restante.sim.upgrade import prove, versions
from restante.sim.upgrade.versions import (
    BEFORE,
    HistoryMissing,
    Version,
    VersionMixed,
    before,
    later,
    migrations_of,
)
from restante.store import migrate


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A source tree whose history begins today."""
    place = tmp_path / "clone"
    place.mkdir()
    subprocess.run(["git", "init", "--quiet"], cwd=place, check=True)
    return place


def test_without_its_history_the_version_before_is_asked_for(clone: Path, tmp_path: Path) -> None:
    """Given a clone without that commit, or no clone, when the version before is wanted, then its history is named."""
    for place in (clone, tmp_path, tmp_path / "nowhere"):
        with pytest.raises(HistoryMissing, match=f"history of the source tree down to commit {BEFORE[:12]} is needed"):
            before(tmp_path / "before", repository=place)


def test_a_proof_without_the_history_does_not_pass(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given no history, when the proof is run, then it faults, and no story stands in its account."""
    monkeypatch.setattr(versions, "BEFORE", "0" * 40)
    with pytest.raises(HistoryMissing):
        prove.main(folder=tmp_path, console=Console(quiet=True))
    (path,) = tmp_path.iterdir()
    assert prove.read_account(path).played == {}


def test_a_version_that_is_not_what_it_says_is_found(tmp_path: Path) -> None:
    """Given sources that a program does not run from, when looked at, then it is said where it ran from."""
    with pytest.raises(VersionMixed, match=re.escape(f"was to run from {tmp_path} and ran from")):
        versions._looked_at(Version("N-1", str(tmp_path)))


def test_a_later_version_has_one_migration_more(tmp_path: Path) -> None:
    """Given a later version made up, when its migrations are read, then the last one promises what it was to."""
    made = later(tmp_path, promise="-- Runs with programs from migration 0003 on.")
    *same, last = migrations_of(made)
    assert tuple(same) == migrate.load()
    assert (last.number, last.runs_from) == (len(same) + 1, 3)
