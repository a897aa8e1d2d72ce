"""The source's end of a session as a step: waits, greetings, windows, acknowledgements, pings and ends."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from restante.core.ids import SourceId
from restante.edge import inputs as agent
from restante.edge import sync
from restante.edge.sync import (
    Acknowledge,
    CloseLine,
    Connected,
    Dial,
    Dialling,
    Greeting,
    Heard,
    JournalGrew,
    LineLost,
    Live,
    ResendFrom,
    Resting,
    Send,
    SendEntries,
    Tell,
    Ticked,
    step,
    wait_ms,
)
from restante.wire import seal
from restante.wire import session as wire
from restante.wire.journal import Extent, Head
from tests.edge.rig import MANIFEST_KEY, SOURCE_KEY

AT = datetime(2026, 3, 1, tzinfo=UTC)
ZEROS = "0" * 64


def hello(seq: int = 0) -> wire.Hello:
    """What the source says first."""
    return wire.Hello(SourceId("bank-1"), (1,), 1, seq, ZEROS, 1, "test", 0, 0, "", wire.SourceClock("system", 1_000))


def welcome(resume_from: int, *, epoch: int = 1, forked: bool = False) -> wire.Welcome:
    """What the hub answers."""
    return wire.Welcome("s", 1, 1, AT, epoch, resume_from, seal.to_text(SOURCE_KEY), MANIFEST_KEY, forked)


def live(seq: int, *, acked: int = 0, resume_from: int = 1) -> tuple[Live, tuple[sync.Effect, ...]]:
    """A session that has just opened."""
    state, _ = step(Dialling(0), Connected(hello(seq), Head(1, acked, ZEROS)), 0)
    state, effects = step(state, Heard(welcome(resume_from)), 0)
    assert isinstance(state, Live)
    return state, effects


def spans(effects: tuple[sync.Effect, ...]) -> list[tuple[int, int]]:
    """Which entries are sent."""
    return [(effect.first, effect.last) for effect in effects if isinstance(effect, SendEntries)]


def test_it_dials_greets_and_is_welcomed() -> None:
    """Given a source at rest, when time comes, then it dials, says hello and tells the agent of the welcome."""
    state, effects = step(Resting(), Ticked(), 0)
    assert (state, effects) == (Dialling(0), (Dial(),))
    state, effects = step(state, Connected(hello(3), Head(1, 0, ZEROS)), 0)
    assert effects == (Send(hello(3)),)
    state, effects = step(state, Heard(welcome(1)), 0)
    assert isinstance(effects[0], Tell)
    assert isinstance(effects[0].given, agent.SessionOpened)
    assert spans(effects) == [(1, 3)]


@given(st.integers(0, 40), st.floats(0, 1, exclude_max=True))
def test_waits_are_spread_and_bounded(attempts: int, chance: float) -> None:
    """Given any attempt, then the wait is between nothing and 300 s, and grows on the whole."""
    assert 0 <= wait_ms(attempts, chance) <= min(1_000 * 2**attempts, 300_000)


def test_a_line_that_comes_to_nothing_is_tried_later_and_later() -> None:
    """Given no hub, when attempts fail, then each waits up to twice as long; a settled session starts afresh."""
    state: sync.State = Resting()
    for attempt in range(12):
        state, _ = step(Dialling(attempt), LineLost(0.999), 0)
        assert isinstance(state, Resting)
        assert state.attempts == attempt + 1
        assert step(state, Ticked(), state.until_ms - 1)[1] == ()
    session, _ = live(0)
    settled, effects = step(session, LineLost(0.5), 40_000)
    assert settled == Resting(40_500, 1)
    assert effects == (Tell(agent.SessionEnded()),)


@pytest.mark.parametrize("answer", [wire.Pending(60), wire.Rejected("certificate-revoked", 60)])
def test_a_hub_that_wants_to_be_left_alone_is(answer: wire.FromHub) -> None:
    """Given pending or rejected, when the line is closed, then the next attempt is not before the time given."""
    state, _ = step(Dialling(0), Connected(hello(), Head(1, 0, ZEROS)), 0)
    state, effects = step(state, Heard(answer), 0)
    assert isinstance(effects[0], CloseLine)
    state, _ = step(state, LineLost(0.5), 10)
    assert isinstance(state, Resting)
    assert state.until_ms >= 60_000


def test_no_welcome_ends_the_line() -> None:
    """Given a hub that says nothing, when twenty seconds pass, then the line is closed."""
    state, _ = step(Dialling(0), Connected(hello(), Head(1, 0, ZEROS)), 0)
    assert step(state, Ticked(), 19_999)[1] == ()
    assert step(state, Ticked(), 20_000)[1] == (CloseLine("no-welcome"),)
    assert step(state, Heard(wire.Ack(1, 1, ZEROS)), 0)[1] == (CloseLine("no-welcome"),)


@pytest.mark.parametrize("key", ["source_key", "manifest_key"])
@pytest.mark.parametrize("text", ["", "=", "ä", "AA=="])
def test_a_welcome_with_a_key_that_cannot_be_read_is_none(key: str, text: str) -> None:
    """Given a hub that sends no readable key, when it welcomes, then no session opens and nothing of it is kept."""
    state, _ = step(Dialling(0), Connected(hello(), Head(1, 0, ZEROS)), 0)
    spoilt = msgspec.structs.replace(welcome(1), **{key: text})
    assert step(state, Heard(spoilt), 0) == (state, (CloseLine("keys-unreadable"),))


def test_entries_go_up_in_batches_with_a_window() -> None:
    """Given 350 entries, when the hub acknowledges, then two batches of a hundred are on their way at a time."""
    state, effects = live(350)
    assert spans(effects) == [(1, 100), (101, 200)]
    after, effects = step(state, Heard(wire.Ack(1, 100, ZEROS, 1)), 0)
    assert effects[0] == Acknowledge(Head(1, 100, ZEROS))
    assert spans(effects) == [(201, 300)]
    after, effects = step(after, Heard(wire.Ack(1, 300, ZEROS, 3)), 0)
    assert spans(effects) == [(301, 350)]
    grown, effects = step(after, JournalGrew(Head(1, 360, ZEROS)), 0)
    assert spans(effects) == []
    _, effects = step(grown, Heard(wire.Ack(1, 350, ZEROS, 2)), 0)
    assert spans(effects) == [(351, 360)]


def test_what_is_cut_off_a_batch_goes_up_again_a_little_later() -> None:
    """Given a batch of ten of which the hub heard eight, when it acknowledges those, then the last two go up again."""
    state, _ = live(10)
    after, effects = step(state, Heard(wire.Ack(1, 8, ZEROS, 1)), 1_000)
    assert effects == (Acknowledge(Head(1, 8, ZEROS)),)
    assert spans(step(after, Ticked(), 5_999)[1]) == []
    resent, effects = step(after, Ticked(), 6_000)
    assert spans(effects) == [(9, 10)]
    assert step(resent, Heard(wire.Ack(1, 10, ZEROS, 2)), 6_100)[1] == (Acknowledge(Head(1, 10, ZEROS)),)


def test_what_is_cut_off_a_tail_goes_up_again_a_little_later() -> None:
    """Given entries 3 and 4 of an earlier log of which the hub heard one, when it acknowledges that, then 4 is sent."""
    state, effects = late(Extent(1, 4, 2), Extent(3, 2, 0), tails=(wire.Tail(1, 3),))
    assert spans(effects) == [(3, 4)]
    after, effects = step(state, Heard(wire.Ack(1, 3, ZEROS, 1)), 1_000)
    assert effects == (Acknowledge(Head(1, 3, ZEROS)),)
    assert spans(step(after, Ticked(), 5_999)[1]) == []
    assert spans(step(after, Ticked(), 6_000)[1]) == [(4, 4)]


def test_a_nack_goes_back_but_not_at_once() -> None:
    """Given a nack, when it comes, then entries go up again from there, a little later."""
    state, _ = live(10)
    back, effects = step(state, Heard(wire.Nack(1, 4, "journal-gap", 1)), 1_000)
    assert spans(effects) == []
    assert spans(step(back, Ticked(), 5_999)[1]) == []
    assert spans(step(back, Ticked(), 6_000)[1]) == [(4, 10)]


def test_a_restored_hub_gets_again_what_it_had() -> None:
    """Given entries acknowledged to 8, when the hub resumes from 5, then the book is told and they go up again."""
    _, effects = live(10, acked=8, resume_from=5)
    assert effects[0] == ResendFrom(1, 5)
    assert spans(effects) == [(5, 10)]


def test_a_lost_acknowledgement_is_asked_for() -> None:
    """Given a hub that has more than was acknowledged, when it resumes, then the last entry goes up once more."""
    _, effects = live(10, acked=3, resume_from=11)
    assert spans(effects) == [(10, 10)]


@pytest.mark.parametrize(
    "answer", [welcome(12), welcome(1, forked=True), welcome(1, epoch=0)], ids=["ahead", "told", "older epoch"]
)
def test_another_history_is_a_fork(answer: wire.Welcome) -> None:
    """Given a hub that holds another history, when it says welcome, then nothing is sent and the agent is told."""
    state, _ = step(Dialling(0), Connected(hello(10), Head(1, 0, ZEROS)), 0)
    _, effects = step(state, Heard(answer), 0)
    assert spans(effects) == []
    (told,) = [effect.given for effect in effects if isinstance(effect, Tell)]
    assert isinstance(told, agent.SessionOpened)
    assert told.forked


def test_a_later_epoch_waits_for_its_journal() -> None:
    """Given a new controller, when the hub names epoch 2, then entries are sent once the journal is in that epoch."""
    state, _ = step(Dialling(0), Connected(hello(), Head(1, 0, ZEROS)), 0)
    state, effects = step(state, Heard(welcome(1, epoch=2)), 0)
    assert spans(effects) == []
    assert spans(step(state, JournalGrew(Head(1, 5, ZEROS)), 0)[1]) == []
    assert spans(step(state, JournalGrew(Head(2, 1, ZEROS)), 0)[1]) == [(1, 1)]


def test_entries_that_nobody_answers_end_the_line() -> None:
    """Given a hub that answers pings and not a batch, when minutes have passed, then the line is ended, not before."""
    state: sync.State = live(2)[0]
    state, _ = step(state, Heard(wire.Pong(1, AT)), sync.UNANSWERED_MS - 1)
    state, effects = step(state, Ticked(), sync.UNANSWERED_MS - 1)
    assert not [effect for effect in effects if isinstance(effect, CloseLine)]
    _, effects = step(state, Ticked(), sync.UNANSWERED_MS)
    assert effects == (CloseLine("unanswered"),)


@pytest.mark.parametrize("answer", [wire.Ack(1, 2, ZEROS, 1), wire.Nack(1, 1, "journal-gap", 1), wire.Forked(1, 2)])
def test_entries_that_are_answered_end_no_line(answer: wire.FromHub) -> None:
    """Given a batch that is acknowledged, refused or a fork, when minutes have passed, then the line stays."""
    state: sync.State = live(2)[0]
    state, _ = step(state, Heard(answer), sync.UNANSWERED_MS - 1)
    _, effects = step(state, Ticked(), sync.UNANSWERED_MS)
    assert not [effect for effect in effects if isinstance(effect, CloseLine)]


def test_what_is_sent_after_a_rest_has_its_own_time_to_be_answered() -> None:
    """Given a session that had nothing to send for an hour, when it sends, then the answer may take as long as ever."""
    state: sync.State = live(0)[0]
    for at_ms in range(0, 3_600_000, 60_000):
        state, _ = step(state, Heard(wire.Pong(1, AT)), at_ms)
    state, effects = step(state, JournalGrew(Head(1, 1, ZEROS)), 3_540_000)
    assert spans(effects) == [(1, 1)]
    _, effects = step(state, Ticked(), 3_545_000)
    assert not [effect for effect in effects if isinstance(effect, CloseLine)]


def test_both_sides_ping_and_silence_ends_the_line() -> None:
    """Given a session, when half a minute passes, then a ping; when nothing comes for three, then the end."""
    state, _ = live(0)
    pinged, effects = step(state, Ticked(), 30_000)
    assert effects == (Send(wire.Ping(1)),)
    assert step(state, Heard(wire.Ping(7)), 1)[1] == (Send(wire.Pong(7)),)
    told = step(pinged, Heard(wire.Pong(1, AT)), 31_000)
    assert told[1] == (Tell(agent.HubTime(AT)),)
    assert step(pinged, Ticked(), 89_999)[1] != (CloseLine("silent"),)
    assert step(pinged, Ticked(), 90_000)[1] == (CloseLine("silent"),)


MESSAGES = st.one_of(
    st.builds(wire.Ack, st.integers(0, 2), st.integers(0, 400), st.just(ZEROS), st.integers(0, 9)),
    st.builds(wire.Nack, st.integers(0, 2), st.integers(-5, 500), st.just("journal-gap"), st.integers(0, 9)),
    st.builds(welcome, st.integers(0, 300), epoch=st.integers(0, 2)),
    st.builds(wire.Pending, st.floats(-1e9, 1e9)),
    st.just(wire.Forked(1, 3)),
    st.builds(wire.Ping, st.integers(0, 9)),
)
INPUTS = st.one_of(
    st.builds(Heard, MESSAGES),
    st.just(Ticked()),
    st.builds(LineLost, st.floats(0, 1, exclude_max=True)),
    st.builds(
        Connected, st.builds(hello, st.integers(0, 300)), st.builds(Head, st.just(1), st.just(0), st.just(ZEROS))
    ),
    st.builds(JournalGrew, st.builds(Head, st.integers(1, 2), st.integers(0, 400), st.just(ZEROS))),
)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(INPUTS, st.integers(0, 200_000)), max_size=40))
def test_any_order_of_anything_keeps_the_bounds(given: list[tuple[sync.Input, int]]) -> None:
    """Given any inputs at any times, then no exception, no batch beyond its bound, nothing sent that is not written."""
    state: sync.State = Resting()
    for one, now_ms in given:
        state, effects = step(state, one, now_ms)
        for effect in effects:
            if isinstance(effect, SendEntries):
                assert isinstance(state, Live)
                assert 0 < effect.first <= effect.last <= state.head
                assert effect.last - effect.first < wire.JOURNAL_BATCH
        assert not isinstance(state, Live) or len(state.flying) <= sync.WINDOW
        assert isinstance(state, Resting | Dialling | Greeting | Live)


def late(*extents: Extent, tails: tuple[wire.Tail, ...]) -> tuple[sync.State, tuple[sync.Effect, ...]]:
    """A session of epoch 3 of a book with these logs, welcomed by a hub that wants these tails."""
    said = msgspec.structs.replace(hello(0), log_epoch=3)
    state, _ = step(Dialling(0), Connected(said, Head(3, 0, ZEROS), extents), 0)
    return step(state, Heard(msgspec.structs.replace(welcome(1, epoch=3), tails=tails)), 0)


def epochs(effects: tuple[sync.Effect, ...]) -> list[tuple[int, int, int]]:
    """Which entries of which epochs are sent."""
    return [(effect.epoch, effect.first, effect.last) for effect in effects if isinstance(effect, SendEntries)]


def test_earlier_epochs_go_up_first_and_the_oldest_before_them() -> None:
    """Given unsent ends of two epochs, when the session opens, then one after the other, then the present one."""
    logs = (Extent(1, 4, 2), Extent(2, 130, 0), Extent(3, 2, 0))
    state, effects = late(*logs, tails=(wire.Tail(1, 3), wire.Tail(2, 1)))
    assert epochs(effects) == [(1, 3, 4)]
    state, effects = step(state, JournalGrew(Head(3, 2, ZEROS)), 0)
    assert epochs(effects) == []
    sent = []
    for ack in (wire.Ack(1, 4, "a", 1), wire.Ack(2, 100, "b", 2), wire.Ack(2, 130, "c", 3)):
        state, effects = step(state, Heard(ack), 0)
        assert effects[0] == Acknowledge(Head(ack.epoch, ack.seq, ack.head_hash))
        sent += epochs(effects)
    assert sent == [(2, 1, 100), (2, 101, 130), (3, 1, 2)]


def test_what_the_hub_does_not_ask_for_stays_in_the_book() -> None:
    """Given an end of an epoch the hub does not name, as an older hub does, then only the present one is sent."""
    state, _ = late(Extent(1, 4, 2), Extent(3, 2, 0), tails=())
    assert epochs(step(state, JournalGrew(Head(3, 2, ZEROS)), 0)[1]) == [(3, 1, 2)]


@pytest.mark.parametrize(("from_seq", "first", "is_taken_back"), [(3, 3, False), (9, 3, False), (2, 2, True)])
def test_an_earlier_epoch_begins_where_another_history_would_show(
    from_seq: int, first: int, is_taken_back: bool
) -> None:
    """Given a hub that holds more or less than was acknowledged, then sending begins at the earlier of the two."""
    _, effects = late(Extent(1, 4, 2), tails=(wire.Tail(1, from_seq),))
    assert epochs(effects) == [(1, first, 4)]
    assert (ResendFrom(1, from_seq) in effects) == is_taken_back


def test_a_refused_tail_is_tried_again_before_anything_later() -> None:
    """Given a nack of a tail, or of its batch without its epoch, then it is sent again, and nothing else is."""
    for nack, first in ((wire.Nack(1, 2, "journal-gap", 1), 2), (wire.Nack(3, 1, "busy", 1), 3)):
        state, _ = late(Extent(1, 4, 2), Extent(3, 2, 0), tails=(wire.Tail(1, 3),))
        state, _ = step(state, JournalGrew(Head(3, 2, ZEROS)), 0)
        state, effects = step(state, Heard(nack), 0)
        assert effects == ((ResendFrom(1, 2),) if first == 2 else ())
        assert epochs(step(state, Ticked(), sync.RESEND_MS)[1]) == [(1, first, 4)]


def test_what_is_written_while_the_hub_thinks_belongs_to_its_epoch() -> None:
    """Given facts written between hello and a welcome that names a later epoch, then they go up with the old end."""
    state, _ = step(Dialling(0), Connected(hello(2), Head(1, 2, ZEROS), (Extent(1, 2, 2),)), 0)
    state, _ = step(state, JournalGrew(Head(1, 5, ZEROS)), 0)
    answer = msgspec.structs.replace(welcome(1, epoch=2), tails=(wire.Tail(1, 3),))
    assert epochs(step(state, Heard(answer), 0)[1]) == [(1, 3, 5)]


@pytest.mark.parametrize(
    ("from_seq", "resent_from", "is_taken_back"), [(4, 4, True), (9, 9, False), (11, None, False), (99, None, False)]
)
def test_a_nack_takes_acknowledgements_back_as_far_as_it_goes(
    from_seq: int, resent_from: int | None, *, is_taken_back: bool
) -> None:
    """Given ten entries of which eight are held, when the hub wants some again, then those, and no more than exist."""
    state, _ = live(10, acked=8, resume_from=9)
    back, effects = step(state, Heard(wire.Nack(1, from_seq, "journal-gap", 1)), 0)
    assert effects == ((ResendFrom(1, from_seq),) if is_taken_back else ())
    again = spans(step(back, Ticked(), sync.RESEND_MS)[1])
    assert again == ([] if resent_from is None else [(resent_from, 10)])


@pytest.mark.parametrize("from_seq", [0, -7])
def test_a_nack_from_before_the_first_entry_means_all(from_seq: int) -> None:
    """Given a nack that names no number there is, when it comes, then everything goes up again from the first."""
    state, _ = live(10, acked=8, resume_from=9)
    back, effects = step(state, Heard(wire.Nack(1, from_seq, "journal-gap", 1)), 0)
    assert effects == (ResendFrom(1, 1),)
    assert spans(step(back, Ticked(), sync.RESEND_MS)[1]) == [(1, 10)]


def test_a_nack_of_another_epoch_changes_nothing() -> None:
    """Given a session of epoch 1, when a nack or an acknowledgement of epoch 7 comes, then it is passed over."""
    state, _ = live(10, acked=8, resume_from=9)
    for message in (wire.Nack(7, 1, "journal-gap", 99), wire.Ack(7, 10, ZEROS, 99)):
        after, effects = step(state, Heard(message), 5)
        assert effects == ()
        assert after == msgspec.structs.replace(state, heard_ms=5)


def test_an_old_acknowledgement_takes_nothing_back() -> None:
    """Given entries held up to 8, when an acknowledgement of 3 comes late, then nothing up to 8 is sent again."""
    state, _ = live(10, acked=8, resume_from=9)
    after, effects = step(state, Heard(wire.Ack(1, 3, ZEROS, 1)), 0)
    assert spans(effects) == []
    assert isinstance(after, Live)
    assert (after.acked, after.sent, after.flying) == (8, 8, ())
    assert spans(step(after, Ticked(), 5_000)[1]) == [(9, 10)]


def test_a_session_that_was_short_waits_as_long_as_those_before_it() -> None:
    """Given attempts that failed, when a session ends before it has settled, then the next wait goes on growing."""
    state, _ = step(Dialling(5), Connected(hello(), Head(1, 0, ZEROS)), 0)
    state, _ = step(state, Heard(welcome(1)), 0)
    assert step(state, LineLost(0.5), sync.SETTLED_MS - 1)[0] == Resting(sync.SETTLED_MS - 1 + 16_000, 6)
    assert step(state, LineLost(0.5), sync.SETTLED_MS)[0] == Resting(sync.SETTLED_MS + 500, 1)


@pytest.mark.parametrize(
    ("seconds", "waits_ms"), [(60, 60_000), (0, 0), (-5, 0), (3_600, 3_600_000), (1e9, 3_600_000), (0.25, 250)]
)
@pytest.mark.parametrize("answer", [wire.Pending, lambda after: wire.Rejected("x", after)])
def test_a_hub_may_ask_for_an_hour_of_rest_at_most(answer: Any, seconds: float, waits_ms: int) -> None:
    """Given a hub that names how long to wait, then that long, never less than nothing nor more than an hour."""
    state, _ = step(Dialling(0), Connected(hello(), Head(1, 0, ZEROS)), 0)
    state, effects = step(state, Heard(answer(seconds)), 1_000)
    assert effects == (CloseLine("not-welcome"),)
    assert step(state, LineLost(0.0), 1_000)[0] == Resting(1_000 + waits_ms, 1)


@pytest.mark.parametrize("message", [welcome(1), wire.Pending(1), wire.Rejected("x", 1)])
def test_a_second_welcome_ends_the_line(message: wire.FromHub) -> None:
    """Given an open session, when the hub answers the hello once more, then the line is closed."""
    assert step(live(0)[0], Heard(message), 0)[1] == (CloseLine("welcome-twice"),)


@pytest.mark.parametrize("state", [Resting(5, 2), Dialling(2)])
def test_what_does_not_belong_to_a_line_that_is_down_changes_nothing(state: sync.State) -> None:
    """Given no session, when messages, facts or wishes come, then nothing happens; nor does a line connect twice."""
    for came in (Heard(welcome(1)), JournalGrew(Head(1, 1, ZEROS)), sync.WholeWanted("x")):
        assert step(state, came, 0) == (state, ())
    assert step(Resting(5, 2), Connected(hello(), Head(1, 0, ZEROS)), 0) == (Resting(5, 2), ())
    assert step(Resting(5, 2), LineLost(0.5), 0) == (Resting(5, 2), ())


def test_the_whole_list_is_asked_for_and_lists_are_handed_on() -> None:
    """Given a session, when the agent wants the whole, then it is asked for; what the hub sends goes to the agent."""
    state, _ = live(0)
    assert step(state, sync.WholeWanted("manifest-base"), 0) == (state, (Send(wire.ManifestWanted("manifest-base")),))
    for sent in (wire.ManifestSent("{}", "s", True), wire.ManifestFresh("{}", "s")):
        assert step(state, Heard(sent), 0)[1] == (Tell(agent.ManifestCame(sent)),)
    assert step(state, Heard(wire.Forked(1, 3)), 0)[1] == (Tell(agent.ForkTold()),)
    assert step(state, Heard(wire.Pong(1)), 0)[1] == ()


def test_nothing_goes_up_once_the_hub_has_told_of_a_fork() -> None:
    """Given a session, when the hub tells of a fork, then what is written from then on stays, also of earlier logs."""
    state, _ = step(live(0)[0], Heard(wire.Forked(1, 3)), 0)
    assert spans(step(state, JournalGrew(Head(1, 5, ZEROS)), 0)[1]) == []
    tailed, _ = late(Extent(1, 150, 0), tails=(wire.Tail(1, 1),))
    forked, _ = step(tailed, Heard(wire.Forked(1, 3)), 0)
    assert epochs(step(forked, Heard(wire.Ack(1, 100, ZEROS, 1)), 0)[1]) == []


def test_pings_are_numbered_and_half_a_minute_apart() -> None:
    """Given a session that is answered, when time passes, then a ping each half minute, numbered on."""
    state: sync.State = live(0)[0]
    said = []
    for at_ms in range(0, 95_000, 5_000):
        state, _ = step(state, Heard(wire.Pong(1)), at_ms)
        state, effects = step(state, Ticked(), at_ms)
        said += [(at_ms, effect.message) for effect in effects if isinstance(effect, Send)]
    assert said == [(30_000, wire.Ping(1)), (60_000, wire.Ping(2)), (90_000, wire.Ping(3))]


def test_what_is_acknowledged_after_a_nack_is_not_sent_again() -> None:
    """Given entries refused from the third on, when they are acknowledged after all, then only later ones go up."""
    state: sync.State = live(10)[0]
    state, _ = step(state, Heard(wire.Nack(1, 3, "busy", 1)), 0)
    state, effects = step(state, Heard(wire.Ack(1, 8, ZEROS, 1)), 0)
    assert effects == (Acknowledge(Head(1, 8, ZEROS)),)
    assert spans(step(state, Ticked(), sync.RESEND_MS)[1]) == [(9, 10)]


def test_a_tail_that_is_refused_from_before_its_first_entry_goes_up_whole() -> None:
    """Given the end of an earlier epoch, when a nack names no number there is, then all of it goes up again."""
    state, _ = late(Extent(1, 4, 2), tails=(wire.Tail(1, 3),))
    back, effects = step(state, Heard(wire.Nack(1, 0, "journal-gap", 1)), 0)
    assert effects == (ResendFrom(1, 1),)
    assert epochs(step(back, Ticked(), sync.RESEND_MS)[1]) == [(1, 1, 4)]


def test_what_a_nack_took_back_is_not_taken_back_twice() -> None:
    """Given a nack that took acknowledgements back, when a later one goes less far, then the book is told no more."""
    state: sync.State = live(10, acked=8, resume_from=9)[0]
    state, effects = step(state, Heard(wire.Nack(1, 4, "journal-gap", 1)), 0)
    assert effects == (ResendFrom(1, 4),)
    assert step(state, Heard(wire.Nack(1, 6, "journal-gap", 1)), 0)[1] == ()
