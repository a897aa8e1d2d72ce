"""The moments at which a proof may kill a source: nothing without both keys, and then exactly where it was aimed."""

import os
import re
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import restante.edge
from restante.edge import moments
from restante.edge.boards.emulated import EmulatedBoard, LiveBoard
from restante.edge.boards.steel import Deed, Knobs, board_of
from restante.edge.drivers.bus import MONOTONIC
from restante.edge.drivers.opening import open_door
from restante.edge.inputs import Choice
from restante.edge.moments import NOTES_FILE, VARIABLE, AimWrong, Moment, arm, disarm, noted, parse_aim, reached
from tests.edge.rig import Rig, at_work, collect, deposit

EDGE = Path(restante.edge.__path__[0])


@pytest.fixture(autouse=True)
def unarmed() -> Iterator[None]:
    """Leave this process as it was."""
    yield
    disarm()


@pytest.mark.parametrize("keys", ["neither", "the variable alone", "the file alone"])
def test_one_key_is_not_enough(tmp_path: Path, keys: str) -> None:
    """Given one key of the two at most, when a moment is reached, then nothing is done and nothing noted."""
    if keys == "the file alone":
        (tmp_path / NOTES_FILE).touch()
    arm({VARIABLE: "before-boot:1"} if keys == "the variable alone" else {}, tmp_path)
    reached(Moment.BEFORE_BOOT)
    assert keys != "the file alone" or noted(tmp_path) == []


def test_moments_are_noted_in_their_order(tmp_path: Path) -> None:
    """Given both keys and no aim, when moments are reached, then they stand in the notes and the program lives."""
    (tmp_path / NOTES_FILE).touch()
    arm({VARIABLE: "nowhere"}, tmp_path)
    for moment in (Moment.BEFORE_BOOT, Moment.AFTER_BOOT, Moment.BEFORE_BOOT):
        reached(moment)
    assert noted(tmp_path) == [[Moment.BEFORE_BOOT, Moment.AFTER_BOOT, Moment.BEFORE_BOOT]]


def test_the_program_dies_where_it_was_aimed(tmp_path: Path) -> None:
    """Given an aim at the second time of a moment, when it is reached again, then nothing runs after it."""
    (tmp_path / NOTES_FILE).touch()
    script = (
        "import os, sys, pathlib; from restante.edge.moments import *; arm(os.environ, pathlib.Path(sys.argv[1]));"
        "[(reached(Moment.AFTER_BOOT), print(n, flush=True)) for n in range(3)]"
    )
    environ = {VARIABLE: "after-boot:2"}
    told = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)], env=environ, capture_output=True, text=True, check=False
    )
    assert (told.returncode, told.stdout) == (-signal.SIGKILL, "0\n")
    assert noted(tmp_path) == [[Moment.AFTER_BOOT] * 2]


@given(st.text(max_size=40) | st.sampled_from(list(Moment)).map(str) | st.just("before-boot:0"))
def test_any_other_aim_is_a_fault(text: str) -> None:
    """Given text that is no aim, when read, then a fault that says what to do."""
    if text == moments.NOWHERE:
        return
    with pytest.raises(AimWrong, match="unset RESTANTE_KILL_AT"):
        parse_aim(text)


def test_every_moment_stands_at_one_place() -> None:
    """Given the sources of the edge, when their moments are counted, then each is named once beside its definition."""
    sources = [path.read_text() for path in EDGE.rglob("*.py") if path.name != "moments.py"]
    found = Counter(name for source in sources for name in re.findall(r"\bMoment\.([A-Z_]+)", source))
    assert found == dict.fromkeys(Moment.__members__, 1)


def test_every_flush_and_every_deed_of_a_visit_is_a_moment(tmp_path: Path) -> None:
    """Given a proof that takes notes, when a parcel comes and goes, then its flushes are noted, before and after."""
    (tmp_path / NOTES_FILE).touch()
    arm({VARIABLE: moments.NOWHERE}, tmp_path)
    rig = Rig()
    rig.install(d1=deposit(1), c1=collect(1, "12345678"))
    door = rig.put_in(1)
    rig.code("00000000")
    rig.choose(Choice.CLOSE_ROUND)
    rig.code("12345678")
    rig.do(door, Deed.TAKE, Deed.PUSH)
    rig.epoch = 2
    rig.open_session()
    [found] = noted(tmp_path)
    told = ["boot", "state", "started", "manifest", "state", *("intent", "door", "deposit"), "code"]
    told += [*("intent", "door", "withdrawal"), "epoch"]
    flushes = [moment for moment in found if moment.value.partition("-")[2] in set(told)]
    assert [moment.value for moment in flushes[::2]] == [f"before-{one.value[6:]}" for one in flushes[1::2]]
    kept = [moment.value.partition("-")[2] for moment in flushes[::2]]
    assert [name for name in kept if name != "state"] == [name for name in told if name != "state"]


@pytest.mark.parametrize(("count", "killed_at"), [(1, 1), (3, 3)])
def test_a_proof_kills_at_the_count_it_aims_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int, killed_at: int
) -> None:
    """Given an aim, when other moments and earlier times of it pass, then the signal is sent at that time of it."""
    (tmp_path / NOTES_FILE).touch()
    signals = list[tuple[int, int]]()
    monkeypatch.setattr(os, "kill", lambda pid, number: signals.append((pid, number)))
    arm({VARIABLE: f"after-boot:{count}"}, tmp_path)
    for time in range(1, 5):
        reached(Moment.BEFORE_BOOT)
        assert len(signals) == (time > killed_at)
        reached(Moment.AFTER_BOOT)
        assert len(signals) == (time >= killed_at)
    assert signals == [(os.getpid(), signal.SIGKILL)]


def test_a_disarmed_program_notes_nothing_more(tmp_path: Path) -> None:
    """Given a program that took notes, when it is disarmed, then moments pass unnoted, and once more does no harm."""
    (tmp_path / NOTES_FILE).touch()
    arm({VARIABLE: moments.NOWHERE}, tmp_path)
    reached(Moment.BEFORE_BOOT)
    disarm()
    disarm()
    reached(Moment.AFTER_BOOT)
    assert noted(tmp_path) == [[Moment.BEFORE_BOOT]]
    arm({VARIABLE: moments.NOWHERE}, tmp_path)
    assert noted(tmp_path) == [[Moment.BEFORE_BOOT], []], "each start begins a line of its own"


async def test_a_book_is_tried_between_two_moments(tmp_path: Path) -> None:
    """Given a proof that takes notes, when the book is tried again, then before its flush is noted, and after it."""
    rig = Rig()
    rig.install()
    running = at_work(rig)
    (tmp_path / NOTES_FILE).touch()
    arm({VARIABLE: moments.NOWHERE}, tmp_path)
    running._try_the_book()
    assert noted(tmp_path)[0][:2] == [Moment.BEFORE_TRY, Moment.AFTER_TRY]
    await running.stop()


async def test_a_pulse_is_between_two_moments(tmp_path: Path) -> None:
    """Given a proof that takes notes, when a door is opened, then right before and right after its pulse is noted."""
    (tmp_path / NOTES_FILE).touch()
    arm({VARIABLE: moments.NOWHERE}, tmp_path)
    live = LiveBoard(board_of(1))
    live.put(Knobs(opening_ms=0))
    await open_door(EmulatedBoard(live), 1, deadline_ms=MONOTONIC.now_ms() + 10_000, clock=MONOTONIC)
    assert noted(tmp_path) == [[Moment.BEFORE_PULSE, Moment.AFTER_PULSE]]
    live.close()
