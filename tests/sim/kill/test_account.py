"""The account of a kill proof: what it counts, what it takes for proven, and what its judges cannot be told."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import httpx
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from restante.core.refusals import Fault
from restante.edge.boards.steel import Unlock
from restante.edge.moments import Moment
from restante.sim.kill.banks import Aim, Outcome, aims, astray
from restante.sim.kill.drill import Drill
from restante.sim.kill.hubs import PARTS, Round
from restante.sim.kill.judge import Verdict, missing, pulsed_twice
from restante.sim.kill.load import Load, Request, Told, gaps
from restante.sim.kill.machine import Pulse, RecordedBoard
from restante.sim.kill.patience import patiently
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
    todo = [job for job in account.jobs() if not account.is_done(job)]
    assert [job.moment for job in todo if isinstance(job, Aim)] == [missed, missed]
    assert read(tmp_path, [*lines, bank(Aim("visit", missed, 1))]).is_proven()


def test_a_moment_that_no_act_has_reached_is_looked_for_again(tmp_path: Path) -> None:
    """Given records in which a moment is missing, when read, then it is named until a later record has it."""
    missed = Moment.AFTER_OLD_BOOK.value
    first = {"visit": {name: times for name, times in NOTES["visit"].items() if name != missed}}
    account = read(tmp_path, [Reached(first)])
    assert account.unnoted == {missed}
    again = read(tmp_path, [Reached(first), Reached({"visit": {missed: 3}, "trim": {"before-trim": 1}})])
    assert again.unnoted == set()
    assert again.acts == {"visit": {**first["visit"], missed: 3}, "trim": {"before-trim": 1}}


def test_a_story_that_was_broken_off_is_a_failure_and_no_loss(tmp_path: Path) -> None:
    """Given a bank that got stuck with unsent entries, when told, then it has failed, and nothing counts as lost."""
    aim = Aim("visit", Moment.AFTER_PULSE.value, 1)
    broken = BankKilled(Outcome(aim, 0, (), Verdict(lost=("entry 3",)), "Stuck: not so within 180 s"))
    account = read(tmp_path, [*whole(), broken])
    told = "\n".join(account.lines())
    assert not account.is_proven()
    assert "Broken off before anything could be judged: 1." in told
    assert "Acknowledged and lost: 0." in told
    assert "failed: visit after-pulse:1: Stuck" in told


@pytest.mark.parametrize(
    ("died_at", "is_astray"),
    [
        ([], False),
        ([(Moment.AFTER_PULSE, 2)], False),
        ([(Moment.AFTER_PULSE, 1)], True),
        ([(Moment.BEFORE_PULSE, 2)], True),
        ([(None, 0)], True),
        ([(Moment.AFTER_PULSE, 2), (Moment.BEFORE_BOOT, 1)], True),
    ],
)
def test_a_kill_counts_only_where_it_was_aimed(died_at: list[tuple[Moment | None, int]], is_astray: bool) -> None:
    """Given the moments at which a program was killed, then any but the one aimed at is named."""
    aim = Aim("visit", Moment.AFTER_PULSE.value, 2)
    assert bool(astray(aim, died_at)) is is_astray


def a_load(*, parcel: str) -> Load:
    """A load that has asked for one thing and been told of this parcel."""
    load = Load(cast(Any, SimpleNamespace(carrier_key="key", api_url="http://127.0.0.1:9")), (), name="callers")
    load.told["callers-1"] = Told(Request("callers-1", "/parcels"), {"parcel": parcel, "replayed": False})
    return load


@pytest.mark.parametrize(("parcel", "is_another"), [("one", False), ("two", True)])
async def test_another_answer_under_the_same_key_is_found(
    monkeypatch: pytest.MonkeyPatch, parcel: str, is_another: bool
) -> None:
    """Given a request sent once more, when it is answered as a repeated one, then only another parcel is found."""

    async def answer(*_: object) -> httpx.Response:
        return httpx.Response(200, json={"parcel": parcel, "replayed": True})

    monkeypatch.setattr("restante.sim.kill.load.send", answer)
    assert bool(await a_load(parcel="one").ask_again()) is is_another


async def test_a_request_that_is_not_answered_again_is_wrong_and_not_done_twice(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Given a hub that answers no more, when asked again, then that is told, and not taken for another answer."""

    async def silence(*_: object) -> None:
        return None

    monkeypatch.setattr("restante.sim.kill.load.send", silence)
    monkeypatch.setattr("restante.sim.kill.load.PATIENCE_SECONDS", -1.0)
    load = a_load(parcel="one")
    assert await load.ask_again() == []
    assert len(load.wrong) == 1
    assert "callers-1" in load.wrong[0]


class Busy(Fault):
    """The world is busy."""

    retryable = True


async def test_a_fault_that_may_pass_is_waited_for() -> None:
    """Given faults that may pass, when asked patiently, then it is asked again; at the end of patience, no more."""
    faults: list[Fault] = [Busy(), Busy()]

    async def ask() -> int:
        if faults:
            raise faults.pop()
        return 7

    assert await patiently(ask) == 7
    for fault, seconds in ((Busy(), -1.0), (Fault(), 60.0)):
        faults.append(fault)
        with pytest.raises(type(fault)):
            await patiently(ask, seconds=seconds)


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
