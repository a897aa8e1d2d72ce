"""A long proof keeps its account, goes on where it stopped, and ends in the right exit code."""

from concurrent.futures import ThreadPoolExecutor
from io import StringIO
from pathlib import Path

import msgspec
import pytest
from rich.console import Console

from restante.sim import prove
from restante.sim.run import Outcome


def outcome(
    seed: int,
    *violations: str,
    felt: dict[str, int] | None = None,
    met: dict[str, dict[str, int]] | None = None,
) -> Outcome:
    """What a seed came to."""
    return Outcome(
        seed=seed,
        trace="",
        bank_hours=100.0,
        parcels=7,
        steps=1,
        faults={"link-cut": 2},
        checked={"custody is never lost": 1},
        violations=violations,
        felt=felt or {},
        met=met or {},
        seconds=0.5,
        cpu_seconds=0.25,
        wall_seconds=0.5,
    )


@pytest.fixture
def console() -> Console:
    """A terminal nobody looks at."""
    return Console(file=StringIO(), width=120)


def printed(console: Console) -> str:
    """What was printed, wherever the terminal broke its lines."""
    assert isinstance(console.file, StringIO)
    return " ".join(console.file.getvalue().split())


def test_a_proof_runs_keeps_its_account_and_goes_on(tmp_path: Path, console: Console) -> None:
    """Given a proof of two seeds, when it is asked for three, then the account is kept and one seed more is run."""
    assert prove.main(seeds="1-2", folder=tmp_path, processes=1, console=console) == 0
    [path] = tmp_path.iterdir()
    assert prove.read_account(path).seeds == {1, 2}
    before = path.read_bytes()
    assert prove.main(seeds="1-3", folder=tmp_path, processes=1, console=console) == 0
    assert path.read_bytes().startswith(before)
    account = prove.read_account(path)
    assert account.seeds == {1, 2, 3}
    assert account.bank_hours > 100
    assert "3 seeds" in printed(console)
    assert "with 2 seeds in it already" in printed(console)


def test_a_failing_seed_is_told_and_ends_in_one(
    tmp_path: Path, console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a seed that breaches, when the proof ends, then its story was told and the exit code is 1, then as now."""
    monkeypatch.setattr(prove, "outcomes", lambda seeds, **_how: (outcome(seed, "a parcel is lost") for seed in seeds))
    assert prove.main(seeds="9", folder=tmp_path, console=console) == 1
    assert "seed 9 breaches" in printed(console)
    assert prove.main(seeds="9", folder=tmp_path, console=console) == 1


def test_a_line_cut_off_by_a_crash_is_run_again(tmp_path: Path) -> None:
    """Given an account whose last line is torn, when it is read, then that seed counts as not run."""
    path = tmp_path / "sim-x.jsonl"
    whole = msgspec.json.encode(outcome(1))
    path.write_bytes(whole + b"\n" + msgspec.json.encode(outcome(2))[:40])
    assert prove.read_account(path).seeds == {1}


def test_no_seed_begins_after_the_deadline() -> None:
    """Given a deadline that has passed, when outcomes are asked for, then there are none."""
    assert list(prove.outcomes(iter(range(5)), deadline=0.0, processes=1)) == []


def test_no_seed_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """Given more seeds than are handed out at once, when all are run, then each of them was."""
    monkeypatch.setattr(prove, "ProcessPoolExecutor", lambda *_how, **_more: ThreadPoolExecutor(1))
    monkeypatch.setattr(prove, "run_all", lambda seeds: [outcome(seed) for seed in seeds])
    found = prove.outcomes(iter(range(1, 24)), deadline=None, processes=1)
    assert sorted(one.seed for one in found) == [*range(1, 24)]


@pytest.mark.parametrize(("text", "seeds"), [("7", range(7, 8)), ("3-5", range(3, 6))])
def test_seeds_are_named_by_their_ends(text: str, seeds: range) -> None:
    """Given one number or two, when they are read, then both ends count."""
    assert prove.parse_seeds(text) == seeds


@pytest.mark.parametrize("text", ["", "a-b", "1-", "-"])
def test_what_names_no_seeds_is_an_error(text: str) -> None:
    """Given anything else, when it is read, then it is an error and not every seed there is."""
    with pytest.raises(ValueError, match="invalid literal"):
        prove.parse_seeds(text)


@pytest.mark.parametrize("minutes", [0.0, -1.0])
def test_a_proof_of_nothing_proves_nothing(tmp_path: Path, console: Console, minutes: float) -> None:
    """Given no time for any seed and none in the account, when the proof ends, then its exit code is 1."""
    assert prove.main(folder=tmp_path, processes=1, console=console, minutes=minutes) == 1
    assert "0 seeds" in printed(console)


def test_no_seeds_are_no_span() -> None:
    """Given a span whose end lies before its begin, then it is not taken for a proof without breaches."""
    with pytest.raises(ValueError, match="no seed"):
        prove.parse_seeds("9-1")


def test_an_account_says_its_rates() -> None:
    """Given seeds of half a second on the wall and a quarter of a processor, then both rates are told, by the hour."""
    account = prove.Account()
    for seed in range(4):
        account.add(outcome(seed))
    told = account.summary()
    assert "7,200 seeds and 720,000 bank-hours a wall hour" in told
    assert "14,400 seeds and 1,440,000 bank-hours a processor hour" in told
    assert "custody is never lost: 4" in told


def test_blind_spots_are_told_when_asked_for(tmp_path: Path, console: Console, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a proof, when its blind spots are asked for, then they follow the account; else they are not told."""
    monkeypatch.setattr(prove, "outcomes", lambda seeds, **_how: (outcome(seed) for seed in seeds))
    prove.main(seeds="1", folder=tmp_path, console=console)
    assert "never came about" not in printed(console)
    prove.main(seeds="1", folder=tmp_path, console=console, blind_spots=True)
    assert "events that never came about: case-opened" in printed(console)


def test_two_accounts_have_nothing_in_common() -> None:
    """Given an account with a seed in it, when another is begun, then that one is empty."""
    prove.Account().add(outcome(1))
    assert not prove.Account().checked
