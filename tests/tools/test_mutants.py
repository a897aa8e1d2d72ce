"""Mutants are what they are called, are made in memory only, and are counted honestly."""

import ast
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from time import monotonic
from types import ModuleType

import pytest

from tools.mutants import changes, trial
from tools.mutants.__main__ import drawn
from tools.mutants.account import EQUIVALENT, caught_only, read_equivalent, read_trials, score, unknown
from tools.mutants.changes import Mutant, changes_of, compiled, mutants_of
from tools.mutants.parts import PARTS
from tools.mutants.reach import Reach, within
from tools.mutants.trial import Job, Trial

SOURCE = '''
"""A sentence."""
LIMIT: int = 5
NAMES = {"one": 1, "two": 2}


class Desk:
    """A sentence."""

    open: bool = True

    def may(self, count: int, *, most: int = 3) -> str | None:
        assert count >= 0, "never"
        if self.open and count < most:
            return "yes"
        self.seen = count + 1
        match count:
            case 7:
                return None
            case _:
                raise ValueError("too many people")
'''


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A module to change."""
    monkeypatch.setattr(changes, "SOURCES", tmp_path)
    monkeypatch.setattr(trial, "SOURCES", tmp_path)
    path = tmp_path / "desk.py"
    path.write_text(SOURCE)
    return path


def names(path: Path) -> list[str]:
    """What the mutants of a file are called."""
    return [mutant.name for mutant in mutants_of(path)]


def test_a_module_is_changed_in_every_small_way(source: Path) -> None:
    """Given a module, when its mutants are listed, then each kind of change is among them, and no sentence is."""
    found = names(source)
    assert set(found) > {
        "(module): 5 → 6 in LIMIT: int = 5",
        "(module): entry 'one', 1 → removed in NAMES = {'one': 1, 'two': 2}",
        "Desk: True → False in open: bool = True",
        "Desk: 3 → 4",
        "Desk.may: self.open and count < most → self.open or count < most",
        "Desk.may: self.open and count < most → count < most",
        "Desk.may: self.open and count < most → not (self.open and count < most)",
        "Desk.may: count < most → count <= most",
        "Desk.may: count < most → count >= most",
        "Desk.may: return 'yes' → return None",
        "Desk.may: self.seen = count + 1 → removed",
        "Desk.may: count + 1 → count - 1",
        "Desk.may: case 7 → removed",
        "Desk.may: raise ValueError('too many people') → removed",
    }
    assert not [name for name in found if "sentence" in name or "never" in name or "people~" in name]


def test_each_mutant_is_made_as_it_is_called(source: Path) -> None:
    """Given the mutants of a module, when each is made, then it compiles, is another, and the file stays."""
    made = [compiled(source, mutant.number) for mutant in mutants_of(source)]
    assert len({str(ast.dump(changed(source, number))) for number in range(len(made))}) == len(made)
    assert len(set(names(source))) == len(made)
    assert source.read_text() == SOURCE


def changed(path: Path, number: int) -> ast.Module:
    """The tree of a file with its n-th change."""
    tree = ast.parse(path.read_text())
    [*changes_of(tree)][number].make()
    return tree


def test_a_name_outlives_moved_lines(source: Path) -> None:
    """Given a module, when lines are added above, then its mutants are called as before."""
    before = names(source)
    source.write_text("# one\n\n# two\n" + SOURCE)
    assert names(source) == before


def test_who_imported_a_function_by_name_has_the_change_too(source: Path) -> None:
    """Given a function that others hold already, when its code is changed, then they run the change."""
    module = ModuleType("desk")
    exec(compile(SOURCE, str(source), "exec"), module.__dict__)
    held: Callable[..., str | None] = module.Desk.may
    [mutant] = [one for one in mutants_of(source) if one.name == "Desk.may: count < most → count <= most"]
    where = {("desk", *name): [module.Desk.may] for name in mutant.functions}
    assert held(module.Desk(), 2) == "yes"
    with pytest.raises(ValueError, match="too many"):
        held(module.Desk(), 3)
    assert trial._swapped(mutant, where)
    assert held(module.Desk(), 3) == "yes"
    assert not trial._swapped(mutant, {}), "what does not exist is tried with a fresh import"


def test_a_module_is_loaded_changed(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a change of a module's own lines, when it is imported, then it is there, and nothing is written."""
    [mutant] = [one for one in mutants_of(source) if one.name.startswith("(module): 5 → 6")]
    monkeypatch.setattr(sys, "meta_path", [trial._Changed(mutant), *sys.meta_path])
    assert __import__("desk").LIMIT == 6
    del sys.modules["desk"]
    assert {path.name for path in source.parent.iterdir()} == {"desk.py"}


@pytest.mark.parametrize(
    ("child", "verdict", "by"),
    [
        (lambda _: ("survived", ""), "survived", ""),
        (lambda _: ("killed", "a test"), "killed", "a test"),
        (lambda _: sys.exit(3), "killed", "raised SystemExit"),
    ],
)
def test_what_a_child_tells_is_believed(
    source: Path, child: Callable[[Job], tuple[trial.Verdict, str]], verdict: str, by: str
) -> None:
    """Given a mutant, when its child ends well, fails or is brought down, then that is what became of it."""
    told = trial._forked(Job(mutants_of(source)[0], (), 0.0), child)
    assert (told.verdict, told.by) == (verdict, by)


def test_a_child_that_does_not_end_is_ended(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a mutant that runs on for ever, when it had its time, then it is ended and counts as noticed."""
    monkeypatch.setattr(trial, "_await", lambda _pid, _limit_s: (False, 11.0))
    told = trial._forked(Job(mutants_of(source)[0], (), 0.0), lambda _: _for_ever())
    assert told.verdict == "endless"


class Told:
    """A child that tells what is laid out for it, and remembers which tests it was to run."""

    def __init__(self, *answers: tuple[trial.Verdict, str]) -> None:
        self.answers = [*answers]
        self.asked: list[tuple[str, ...]] = []

    def forked(self, job: Job, _child: object) -> Trial:
        """In place of a fork."""
        self.asked.append(job.tests)
        return Trial(job.mutant.key, *self.answers.pop(0), 1.0)


@pytest.mark.parametrize(
    ("told", "asked", "verdict"),
    [
        ([("killed", "b"), ("killed", "b")], ["abc", "b"], "killed"),
        ([("killed", "b"), ("endless", "")], ["abc", "b"], "killed"),
        ([("killed", "b"), ("survived", ""), ("survived", "")], ["abc", "b", "ac"], "survived"),
        ([("killed", "b"), ("survived", ""), ("killed", "c"), ("killed", "c")], ["abc", "b", "ac", "c"], "killed"),
        ([("endless", ""), ("endless", "")], ["abc", "abc"], "endless"),
        ([("endless", ""), ("survived", "")], ["abc", "abc"], "survived"),
        ([("endless", ""), ("killed", "a"), ("killed", "a")], ["abc", "abc", "a"], "killed"),
        ([("killed", "story 2")], ["abc"], "killed"),
        ([("unswapped", "")], ["abc"], "unswapped"),
    ],
)
def test_what_is_caught_once_only_is_not_caught(
    monkeypatch: pytest.MonkeyPatch, told: list[tuple[trial.Verdict, str]], asked: list[str], verdict: str
) -> None:
    """Given a test that fails, or time that runs out, when that is not so again, then it has no say, others have."""
    child = Told(*told)
    monkeypatch.setattr(trial, "_forked", child.forked)
    agreed = trial._agreed(Job(TEN[0], tuple("abc"), 0.0), lambda _: ("survived", ""))
    assert (agreed.verdict, agreed.seconds) == (verdict, len(told))
    assert child.asked == [tuple(tests) for tests in asked]


def test_who_waits_for_a_processor_is_not_idle() -> None:
    """Given a session of its own that runs, and one that sleeps, when looked at, then only the second is asleep."""
    begun = "import time\nprint('begun', flush=True)\n"
    for script, is_asleep in ((f"{begun}while True: pass", False), (f"{begun}time.sleep(600)", True)):
        with subprocess.Popen([sys.executable, "-c", script], start_new_session=True, stdout=subprocess.PIPE) as child:
            assert child.stdout is not None
            child.stdout.readline()
            ends_s = monotonic() + 60
            while trial._is_asleep(child.pid) != is_asleep and monotonic() < ends_s:
                pass
            assert trial._is_asleep(child.pid) == is_asleep
            child.kill()


def _for_ever() -> tuple[trial.Verdict, str]:
    while True:
        pass


def a_mutant(number: int) -> Mutant:
    """One of ten."""
    return Mutant("restante/core/x.py", number, f"f: {number} → {number + 1}", number, number, (("f", 1),))


TEN = [a_mutant(number) for number in range(10)]


def test_the_score_counts_what_could_be_caught() -> None:
    """Given eight caught, one equivalent and one survivor, when counted, then the score is eight of nine."""
    trials = {mutant.key: Trial(mutant.key, "killed", "t", 0.5) for mutant in TEN[:8]}
    trials |= {mutant.key: Trial(mutant.key, "survived") for mutant in TEN[8:]}
    counted = score("core", TEN, trials=trials, equivalent={TEN[8].key: "why", TEN[0].key: "no longer so"})
    assert (counted.tried, counted.equivalent, counted.no_longer_equivalent) == (10, 2, (TEN[0].key,))
    assert counted.ratio == 7 / 8
    assert counted.within == (7 / 8, 7 / 8), "the whole was tried"
    assert [name.partition("  ")[0] for name in counted.survivors] == [TEN[9].key]
    assert [*caught_only(trials)] == [mutant.key for mutant in TEN[:8]]


def test_a_sample_tells_how_sure_it_is() -> None:
    """Given half of a part, when counted, then the interval holds the score; with a tenth it is wider."""
    trials = {mutant.key: Trial(mutant.key, "killed") for mutant in TEN[:5]}
    of_ten = score("core", TEN, trials=trials, equivalent={}).within
    of_fifty = score(
        "core", [*TEN, *(a_mutant(number) for number in range(10, 50))], trials=trials, equivalent={}
    ).within
    assert of_fifty[0] < of_ten[0] < 1.0
    assert of_ten[1] == pytest.approx(1.0)


def test_a_larger_sample_holds_the_smaller() -> None:
    """Given a seed, when more are drawn or others come, then those drawn before are among them."""
    assert drawn(TEN, 7, 1)[:4] == drawn(TEN, 4, 1)
    assert [one for one in drawn(TEN, 10, 1) if one != TEN[3]] == drawn([*TEN[:3], *TEN[4:]], 10, 1)
    assert drawn(TEN, 10, 1) != drawn(TEN, 10, 2)
    assert drawn(TEN, None, 1) == TEN


def test_a_torn_line_is_tried_again(tmp_path: Path) -> None:
    """Given an account that was cut off in a line, when it is read, then that mutant counts as not tried."""
    path = tmp_path / "account.jsonl"
    path.write_text('{"key":"a","verdict":"killed"}\n{"key":"b","verd')
    assert [*read_trials(path)] == ["a"]
    assert read_trials(tmp_path / "none") == {}


def test_the_quickest_tests_come_first() -> None:
    """Given tests that reach a line, when ordered, then the quick come first, and only as many as time allows."""
    reach = Reach(["a", "b", "c"], [3.0, 1.0, 2.0], {"x.py": {5: [0, 1], 6: [2]}})
    assert reach.of("x.py", 5, 6) == [1, 2, 0]
    assert reach.of("x.py", 9, 9) == []
    assert reach.whole() == [1, 2, 0]
    assert within([1, 2, 0], reach, 3.5) == [1, 2]
    assert within([0, 1], reach, 0.5) == [0], "one at least"


def test_the_reviewed_list_is_of_mutants_there_are() -> None:
    """Given the list of mutants that no test can notice, then each exists and has its reason."""
    listed = read_equivalent(EQUIVALENT)
    every = [mutant for part in PARTS.values() for path in part.paths() for mutant in mutants_of(path)]
    assert unknown(listed, every) == []
    assert all(len(why) > 20 for why in listed.values())
    assert len({mutant.key for mutant in every}) == len(every)
