"""Accounts of long proofs are kept by what is proven: the same for the same files, whatever commit they are of."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from restante.sim import proven

CHANGES: dict[str, Callable[[Path], object]] = {
    "a program": lambda root: (root / "src" / "one.py").write_text("a = 2"),
    "a statement": lambda root: (root / "src" / "sql" / "two.sql").write_text("SELECT 2;"),
    "words": lambda root: (root / "src" / "en.po").write_text("msgid"),
    "a name": lambda root: (root / "src" / "one.py").rename(root / "src" / "other.py"),
    "a package": lambda root: (root / "constraints.txt").write_text("left==2"),
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A source tree, in which something was compiled."""
    (tmp_path / "src" / "sql").mkdir(parents=True)
    (tmp_path / "src" / "__pycache__").mkdir()
    (tmp_path / "src" / "one.py").write_text("a = 1")
    (tmp_path / "src" / "sql" / "two.sql").write_text("SELECT 1;")
    (tmp_path / "constraints.txt").write_text("left==1")
    return tmp_path


def path_in(root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The account of a proof of this tree."""
    monkeypatch.setattr(proven, "_SOURCES", root / "src")
    monkeypatch.setattr(proven, "_PINS", root / "constraints.txt")
    return proven.account_path("sim", Path("prove"))


@pytest.mark.parametrize("what", CHANGES)
def test_another_program_has_another_account(root: Path, monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    """Given an account, when a file of the program or a pinned package changes, then another one is begun."""
    before = path_in(root, monkeypatch)
    CHANGES[what](root)
    assert path_in(root, monkeypatch) != before


def test_texts_plans_commits_and_compiled_files_change_no_account(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given an account, when pages or planning change, Python compiles, a commit is made, then it is gone on with."""
    before = path_in(root, monkeypatch)
    (root / "README.md").write_text("changed")
    (root / "src" / "plan").mkdir()
    (root / "src" / "plan" / "three.py").write_text("a = 3")
    (root / "src" / "__pycache__" / "one.pyc").write_bytes(b"compiled")
    monkeypatch.setattr(proven, "commit_name", lambda: "another")
    assert path_in(root, monkeypatch) == before
    assert before.name.startswith("sim-")


def test_a_program_without_pins_has_an_account(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given an installed program beside which no packages are pinned, then its account is its own."""
    before = path_in(root, monkeypatch)
    (root / "constraints.txt").unlink()
    assert path_in(root, monkeypatch) not in {before, proven.account_path("kill", Path("prove"))}


def test_the_commit_is_shown_and_may_be_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a tree with a commit and one with none, then the commit is told, or that there is none."""
    told = subprocess.CompletedProcess([], 0, stdout="abc-dirty\n")
    monkeypatch.setattr(subprocess, "run", lambda *_what, **_how: told)
    assert proven.commit_name() == "abc-dirty"

    def nowhere(*_what: object, **_how: object) -> None:
        raise FileNotFoundError

    monkeypatch.setattr(subprocess, "run", nowhere)
    assert proven.commit_name() == "none, as installed"
