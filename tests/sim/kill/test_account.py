"""The account of a kill proof: what it counts, what it takes for proven, and what its judges cannot be told."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from restante.edge.boards.steel import Unlock
from restante.edge.moments import Moment
from restante.sim.kill.banks import Aim, Outcome, aims
from restante.sim.kill.drill import Drill
from restante.sim.kill.hubs import PARTS, Round
from restante.sim.kill.judge import Verdict, missing, pulsed_twice
from restante.sim.kill.load import gaps
from restante.sim.kill.machine import Pulse, RecordedBoard
from restante.sim.kill.prove import Account, BankKilled, HubKilled, Line, Reached, Restored, read_account
from restante.sim.kill.story import ACTS
from restante.store.ledger import JournalRow
from restante.wire.journal import write_entry
from tests.hub.fleet.town import BANK, Book

CLEAN = Verdict()
NOTES = {"visit": {moment.value: 2 for moment in Moment}, "trim": {"before-trim": 1}}


def bank(aim: Aim, *, verdict: Verdict = CLEAN, kills: int = 1) -> BankKilled:
    """The line of one bank."""
    return BankKilled(Outcome(aim, kills, ((0.5, 1.0),) * kills, verdict))


def whole() -> list[Line]:
    """The lines of a proof in which all went well."""
    account = Account(acts=NOTES)
    found: list[Line] = [Reached(NOTES)]
    for job in account.jobs():
        if isinstance(job, Aim):
            found.append(bank(job))
        elif job[0] == "restore":
            found.append(Restored(Drill(job[1], 5, 0, 0, (1, 2), 1.0, 2.0, CLEAN)))
        else:
            kind = next(iter(PARTS[job[0]]))
            found.append(HubKilled(Round(job[0], job[1], {kind: 1}, {kind: [0.5]}, 9, 1, 20, 2, 0, CLEAN)))
    return found


def read(tmp_path: Path, lines: list[Line], tail: bytes = b"") -> Account:
    """The account of these lines in a file."""
    path = tmp_path / "kill.jsonl"
    path.write_bytes(b"".join(msgspec.json.encode(line) + b"\n" for line in lines) + tail)
    return read_account(path)


def test_a_whole_proof_is_proven_and_says_its_figures(tmp_path: Path) -> None:
    """Given every story played and clean, when read, then the proof is proven, and its figures are told."""
    account = read(tmp_path, whole(), b'{"type":"bank","outc')
    assert account.is_proven()
    told = "\n".join(account.lines())
    assert f"{len(Moment)} of {len(Moment)} named moments, {2 * len(Moment) + 1} kills" in told
    assert "Acknowledged and lost: 0. Done twice: 0. Otherwise wrong: 0." in told


@pytest.mark.parametrize("gone", range(1, 200, 23))
def test_a_story_that_is_missing_leaves_the_proof_open(tmp_path: Path, gone: int) -> None:
    """Given one story not played, when read, then the proof is not proven, and that story is what is left to do."""
    lines = whole()
    gone %= len(lines)
    account = read(tmp_path, lines[:gone] + lines[gone + 1 :])
    assert not account.is_proven()
    assert gone == 0 or len([job for job in account.jobs() if not account.is_done(job)]) == 1


@pytest.mark.parametrize(
    "verdict", [Verdict(lost=("entry 7",)), Verdict(doubled=("door 1",)), Verdict(wrong=("a parcel",))]
)
def test_a_story_that_went_wrong_is_told_and_played_again(tmp_path: Path, verdict: Verdict) -> None:
    """Given one bad story, when read, then it is named and not proven; once it is played again well, it is proven."""
    aim = Aim("visit", Moment.AFTER_PULSE.value, 1)
    lines = [*whole(), bank(aim, verdict=verdict)]
    account = read(tmp_path, lines)
    assert not account.is_proven()
    assert "visit after-pulse:1" in account.failures[0]
    assert read(tmp_path, [*lines, bank(aim)]).is_proven()


def test_a_moment_at_which_nothing_was_killed_is_named(tmp_path: Path) -> None:
    """Given a moment whose kills never took place, when read, then it is named as not reached."""
    missed = Moment.BEFORE_TRY.value
    lines = [
        bank(line.outcome.aim, kills=0) if isinstance(line, BankKilled) and line.outcome.aim.moment == missed else line
        for line in whole()
    ]
    account = read(tmp_path, lines)
    assert account.unreached == [missed]
    assert not account.is_proven()


@given(
    st.dictionaries(st.sampled_from(sorted(ACTS)), st.dictionaries(st.sampled_from(list(Moment)), st.integers(1, 9)))
)
def test_every_moment_that_is_reached_is_aimed_at(found: dict[str, dict[Moment, int]]) -> None:
    """Given what acts reach, then each of it is aimed at, and nothing that is not reached."""
    made = aims(found, most=3)
    assert {(aim.act, aim.moment) for aim in made} == {(act, one.value) for act, of in found.items() for one in of}
    assert all(aim.count <= min(3, found[aim.act][Moment(aim.moment)]) for aim in made)
    assert len(made) == len(set(made))


@pytest.mark.parametrize(
    ("seen", "is_whole"),
    [
        ([1, 2, 3], True),
        ([1, 2, 3, 4], True),
        ([1, 3], False),
        ([1, 2], False),
        ([1, 2, 2, 3], False),
        ([2, 1, 3], False),
    ],
)
def test_a_feed_with_a_gap_a_repeat_or_an_inversion_is_found(seen: list[int], is_whole: bool) -> None:
    """Given what a reader has read of a lane, then anything but every position once and in order is named."""
    assert (gaps({0: seen}, {0: 3}) == []) is is_whole


def a_story(book: Book, pulses: list[Pulse]) -> Any:
    """What the judges look at of a story."""
    steel = SimpleNamespace(pulses=pulses, controller=1)
    return cast(Any, SimpleNamespace(machine=SimpleNamespace(steel=steel, source=BANK)))


def rows_of(book: Book) -> list[JournalRow]:
    """A book as the hub adopted it."""
    return [JournalRow(BANK, one.log_epoch, one.seq, one.hash, write_entry(one)) for one in book.entries]


def test_a_pulse_without_an_intent_of_its_start_is_found() -> None:
    """Given one intent, then one pulse in its start is right, and a second one or one after a restart is not."""
    book = Book()
    book.write("intent-recorded", {"door": 3, "grant": "g", "action": "collect"})
    rows, pulse = rows_of(book), Pulse(1, 1, 3)
    assert list(pulsed_twice(a_story(book, [pulse]), rows)) == []
    assert len(list(pulsed_twice(a_story(book, [pulse, pulse]), rows))) == 1
    assert len(list(pulsed_twice(a_story(book, [Pulse(1, 2, 3)]), rows))) == 1
    assert len(list(pulsed_twice(a_story(book, [Pulse(1, 1, 4)]), rows))) == 1


def test_an_entry_that_is_not_at_the_hub_is_found() -> None:
    """Given a book of three entries, then one lost, one changed or a gap at the hub is named."""
    book = Book()
    for door in (1, 2, 3):
        book.write("door-shut", {"door": door})
    rows, written = rows_of(book), {(1, entry.seq): entry.hash for entry in book.entries}
    assert list(missing(written, rows)) == []
    assert len(list(missing(written, rows[:2]))) == 1
    assert len(list(missing(written, [rows[0], rows[2]]))) == 2
    assert len(list(missing({**written, (1, 2): "0" * 64}, rows))) == 1


async def test_a_pulse_before_the_program_has_said_its_start_is_of_that_start() -> None:
    """Given a lock pulsed as soon as a program wakes, when it says which start it is, then the pulse is of that one."""
    steel = RecordedBoard()
    steel.named(1)
    steel.put(Unlock(2))
    steel.boot = 0
    steel.put(Unlock(2))
    steel.named(2)
    assert [pulse.boot for pulse in steel.pulses] == [1, 2]
    steel.close()
