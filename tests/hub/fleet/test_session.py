"""The hub's end of a session, step by step."""

from datetime import timedelta

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from restante.core.commands import NoteContact, ReportFork
from restante.core.ids import SourceId
from restante.core.refusals import CODES, Refusal
from restante.core.world import SourceHead
from restante.hub.engine import Accepted
from restante.hub.fleet import session as s
from restante.hub.fleet.manifests import Held
from restante.wire import session as wire
from restante.wire.manifest import Manifest, Settings, digest_of
from tests.hub.fleet.town import BANK, NOW, POINT, Book, an_id

HEAD = SourceHead(BANK, POINT, epoch=2, seq=5, hash="5" * 64)


def at(seconds: float = 0.0) -> s.Now:
    """So many seconds into the session."""
    return s.Now(NOW + timedelta(seconds=seconds), seconds)


def greeting(**more: object) -> s.Greeting:
    """A line on which nobody has spoken."""
    return msgspec.structs.replace(s.Greeting("0" * 32, 0.0, BANK), **more)


def hello(**more: object) -> wire.Hello:
    """A hello that agrees with ``HEAD``."""
    agreeing = Book(epoch=2).hello(last_seq=5, last_hash=HEAD.hash)
    return msgspec.structs.replace(agreeing, **more)


def welcomed(head: SourceHead = HEAD, said: wire.Hello | None = None, *, lost: bool = False) -> s.Step:
    """The state and the effects after a hello was placed."""
    state, _ = s.step(greeting(), s.Heard(said or hello()), at())
    return s.step(state, s.Found(head, lost, 7, "k", "m"), at())


def opened(**more: object) -> s.Open:
    """An open session."""
    state, _ = welcomed()
    assert isinstance(state, s.Open)
    return msgspec.structs.replace(state, **more)


def sent(effects: list[s.Effect]) -> list[wire.FromHub]:
    """The messages among effects."""
    return [effect.message for effect in effects if isinstance(effect, s.Send)]


def a_manifest(generation: int = 1, log_epoch: int = 2) -> Manifest:
    """A manifest that permits nothing."""
    return Manifest(BANK, 7, generation, NOW, log_epoch, Settings(name=f"name {generation}"))


def test_a_known_source_is_welcomed_told_where_to_resume_and_given_its_manifest() -> None:
    """Given agreeing heads, when hello is placed, then the session is entered first, welcomed, and the manifest due."""
    state, effects = welcomed()
    assert isinstance(state, s.Open)
    entered, welcome, shelve = effects
    assert entered == s.Enter(BANK, POINT, "0" * 32)
    assert isinstance(welcome, s.Send)
    assert welcome.message == wire.Welcome("0" * 32, 1, 7, NOW, 2, 6, "k", "m", forked=False)
    assert isinstance(shelve, s.Shelve)


def test_an_unknown_source_is_kept_waiting() -> None:
    """Given no such source here, when hello is placed, then it is pending and the line closes."""
    state, _ = s.step(greeting(), s.Heard(hello()), at())
    state, effects = s.step(state, s.Found(None), at())
    assert isinstance(state, s.Ended)
    assert [type(message) for message in sent(effects)] == [wire.Pending]
    assert effects[-1] == s.Close("source-unknown")


@pytest.mark.parametrize(
    ("said", "code"),
    [
        (hello(source=SourceId(an_id(77))), "certificate-other-source"),
        (hello(versions=(99, 0)), "wire-version-unknown"),
        (hello(versions=()), "wire-version-unknown"),
        (wire.Ping(1), "message-malformed"),
        (Refusal("message-malformed"), "message-malformed"),
    ],
)
def test_who_may_not_speak_is_rejected_by_name(said: wire.FromSource | Refusal, code: str) -> None:
    """Given a greeting, when what comes is no hello we may answer, then it is rejected with the rule's code."""
    state, effects = s.step(greeting(), s.Heard(said), at())
    assert isinstance(state, s.Ended)
    (rejected,) = sent(effects)
    assert isinstance(rejected, wire.Rejected)
    assert rejected.code == code
    assert code in CODES


def test_a_line_that_says_nothing_ends() -> None:
    """Given a greeting, when ten seconds pass without a hello, then the line closes."""
    assert s.step(greeting(), s.Ticked(), at(9.9))[1] == []
    assert s.step(greeting(), s.Ticked(), at(10.0))[1] == [s.Close("no-hello")]


@pytest.mark.parametrize(
    ("said", "fork"),
    [
        ({"last_seq": 4}, (2, 5)),
        ({"last_seq": 0, "last_hash": ""}, (2, 1)),
        ({"last_hash": "6" * 64}, (2, 5)),
        ({"log_epoch": 3, "last_seq": 2}, (3, 2)),
        ({"last_seq": 9, "last_hash": "9" * 64}, None),
        ({"log_epoch": 1, "last_seq": 9}, None),
        ({"last_seq": -3}, (2, 1)),
    ],
)
def test_where_histories_part(said: dict[str, object], fork: tuple[int, int] | None) -> None:
    """Given what hello says of its journal, when placed, then a fork is reported and told, or there is none."""
    state, effects = welcomed(said=hello(**said))
    assert isinstance(state, s.Open)
    reports = [c for effect in effects if isinstance(effect, s.Submit) for c in effect.commands]
    assert [(c.epoch, c.seq) for c in reports if isinstance(c, ReportFork)] == ([fork] if fork else [])
    told = [(one.epoch, one.seq) for one in sent(effects) if isinstance(one, wire.Forked)]
    assert told == ([fork] if fork else [])
    assert state.forked == (fork is not None)
    [welcome] = [one for one in sent(effects) if isinstance(one, wire.Welcome)]
    assert welcome.forked == state.forked


def test_a_fork_that_is_known_is_told_and_not_reported_twice() -> None:
    """Given a forked source, when it says a hello that agrees, then it is told again and nothing is reported."""
    _, effects = welcomed(msgspec.structs.replace(HEAD, forked_at=4))
    assert [type(one) for one in sent(effects)] == [wire.Welcome, wire.Forked]
    assert not [effect for effect in effects if isinstance(effect, s.Submit)]


def test_contact_is_regained_by_a_session() -> None:
    """Given a point out of contact, when its source is welcomed or is noticed to be there, then the engine is told."""
    _, effects = welcomed(lost=True)
    [submit] = [effect for effect in effects if isinstance(effect, s.Submit)]
    [note] = submit.commands
    assert isinstance(note, NoteContact)
    assert not note.lost
    _, effects = s.step(opened(), s.Shelved((a_manifest(),), lost=True), at())
    assert isinstance(effects[0], s.Submit)


def test_both_ping_and_two_misses_end_the_session() -> None:
    """Given silence, when pings go unanswered, then after two the session is dead; any word in between saves it."""
    state: s.State = opened()
    for seconds in (30, 60):
        state, effects = s.step(state, s.Ticked(), at(seconds))
        assert [type(one) for one in sent(effects)] == [wire.Ping]
    saved, _ = s.step(state, s.Heard(wire.Pong(2)), at(61))
    assert s.step(saved, s.Ticked(), at(90))[1] == [s.Send(wire.Ping(3))]
    assert s.step(state, s.Ticked(), at(89))[1] == []
    assert s.step(state, s.Ticked(), at(90))[1] == [s.Close("silent")]
    assert s.step(opened(), s.Heard(wire.Ping(9)), at(5))[1] == [s.Send(wire.Pong(9, at(5).at))]


def test_a_session_ends_with_its_certificate_and_by_order() -> None:
    """Given an end of the certificate, when it comes, or another session or a revocation does, then the line closes."""
    state = opened(ends_at=NOW + timedelta(seconds=20))
    assert s.step(state, s.Ticked(), at(19))[1] == []
    assert s.step(state, s.Ticked(), at(20))[1] == [s.Close("certificate-expired")]
    for why in ("displaced", "certificate-revoked", "hub-stopping"):
        assert s.step(state, s.Ousted(why), at()) == (s.Ended(why), [s.Close(why)])
    assert s.step(state, s.Heard(hello()), at())[1] == [s.Close("hello-twice")]


def test_manifests_go_whole_as_a_difference_or_as_a_word_that_they_stand() -> None:
    """Given what the source holds, when manifests are shelved, then it is sent exactly what leads to the newest."""
    first, second = a_manifest(1), a_manifest(2)
    state, effects = s.step(opened(), s.Shelved((first,)), at())
    assert effects == [s.Seal(first)]
    assert isinstance(state, s.Open)
    assert state.held == Held(7, 1, digest_of(first))
    assert s.step(state, s.Shelved((first,)), at(599))[1] == []
    assert s.step(state, s.Shelved((first,)), at(600))[1] == [s.Confirm(first)]
    _, effects = s.step(state, s.Shelved((second, first)), at())
    [seal] = effects
    assert isinstance(seal, s.Seal)
    assert not isinstance(seal.document, Manifest)
    wanting, effects = s.step(state, s.Heard(wire.ManifestWanted("manifest-base")), at())
    assert effects == [s.Shelve(POINT, state.held)]
    assert s.step(wanting, s.Shelved((second, first)), at())[1] == [s.Seal(second)]
    known, _ = s.step(opened(held=state.held), s.Shelved((first,)), at())
    assert isinstance(known, s.Open)
    assert known.confirmed_s == 0.0
    assert s.step(state, s.Shelved((a_manifest(3, log_epoch=3),)), at())[1] == [s.Close("journal-epoch")]


def test_what_the_engine_refuses_meanwhile_is_told() -> None:
    """Given entries being committed, when the engine takes the first only, then only that one is acknowledged."""
    book = Book()
    book.put_in(1)
    book.put_in(2)
    state = opened(epoch=1, seq=0)
    for refusal, expected in (("busy", "busy"), ("journal-gap", "journal-gap"), ("source-forked", "source-forked")):
        waiting, _ = s.step(state, s.Heard(book.batch()), at())
        waiting, effects = s.step(waiting, s.Compared(SourceHead(BANK, POINT), {}), at())
        assert [len(effect.commands) for effect in effects if isinstance(effect, s.Submit)] == [2]
        after, effects = s.step(waiting, s.Submitted([Accepted(), Refusal(refusal)]), at())
        ack, nack, *_ = sent(effects)
        assert ack == wire.Ack(1, 1, book.entries[0].hash, 1)
        assert nack == wire.Nack(1, 2, expected, 1)
        assert isinstance(after, s.Open)
        assert after.forked == (refusal == "source-forked")


def test_a_source_that_comes_with_too_many_others_is_asked_to_come_again() -> None:
    """Given a line nobody has spoken on, when too many others are being welcomed, then the source is told when."""
    state, effects = s.step(greeting(), s.Crowded(), at())
    assert (state, sent(effects)) == (s.Ended("hub-crowded"), [wire.Pending(s.CROWDED_SECONDS, "hub-crowded")])
    assert s.step(opened(), s.Crowded(), at()) == (opened(), [])


@pytest.mark.parametrize("seconds", [0.0, 9.0, 10.0, 29.0, 30.0, 59.0, 60.0])
@pytest.mark.parametrize("state", [greeting(), opened(), opened(ends_at=NOW + timedelta(seconds=59)), s.Ended("over")])
def test_what_is_not_due_does_nothing(state: s.State, seconds: float) -> None:
    """Given a session for which nothing is due, when time is told, then nothing happens; else something does."""
    after, effects = s.step(state, s.Ticked(), at(seconds))
    assert s.is_due(state, at(seconds)) == (bool(effects) or after != state)


MESSAGES: st.SearchStrategy[s.Input] = st.one_of(
    st.builds(s.Heard, st.binary(max_size=60).map(wire.read_from_source)),
    st.builds(s.Heard, st.from_type(wire.JournalSent) | st.from_type(wire.ManifestWanted) | st.from_type(wire.Ping)),
    st.builds(s.Heard, st.builds(hello, last_seq=st.integers(), log_epoch=st.integers(), generation=st.integers())),
    st.builds(s.Found, st.none() | st.just(HEAD), st.booleans()),
    st.builds(s.Compared, st.just(HEAD), st.dictionaries(st.integers(0, 9), st.text(max_size=3))),
    st.builds(s.Submitted, st.lists(st.just(Accepted()) | st.just(Refusal("busy")), max_size=3)),
    st.builds(s.Shelved, st.sampled_from([(), (a_manifest(),), (a_manifest(2), a_manifest())]), st.booleans()),
    st.just(s.Ticked()),
    st.just(s.Stirred()),
    st.just(s.Crowded()),
    st.builds(s.Ousted, st.just("displaced")),
)


@settings(max_examples=150)
@given(st.lists(MESSAGES, max_size=12))
def test_no_input_in_any_state_is_an_error(inputs: list[s.Input]) -> None:
    """Given any inputs in any order, when stepped, then every state has an answer, and an ended session has none."""
    state: s.State = greeting()
    for number, happened in enumerate(inputs):
        over = isinstance(state, s.Ended)
        state, effects = s.step(state, happened, at(7.0 * number))
        assert not (over and effects)
        for message in sent(effects):
            assert not isinstance(wire.read_from_hub(wire.encode(message)), Refusal)
