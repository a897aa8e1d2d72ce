"""The hub's end of a session with a bank or counter, as a step: state, input and time in; state and effects out.

Theory of operation. A session begins with ``Greeting``; the source's ``hello`` is placed against what the hub holds of
its journal (``Placing``), and is answered: ``welcome``, ``pending`` or ``rejected``. From then on (``Open``) entries
come up and are acknowledged once they are committed, manifests go down, and both sides ping. Questions to the store are
effects, and their answers are inputs; whoever runs the step performs the effects in order and feeds each answer back
before the next message, so at most one question is open at a time.

Two histories under one name (a cloned or restored disk) are reported and told; nothing is adopted until a person has
settled it. A source that knows less of its own journal than the hub does is such a one: its disk was put back. What it
wrote in earlier epochs comes first and is judged by itself (``tails``): another history there stops nobody.
"""

from collections.abc import Sequence
from typing import Final, assert_never

import msgspec

from restante.core.commands import AnyCommand, NoteContact, OpenPointCase, ReportFork
from restante.core.events import CaseKind
from restante.core.ids import CommandId
from restante.core.refusals import Refusal
from restante.core.world import SourceHead
from restante.hub.engine import Outcome
from restante.hub.fleet import tails
from restante.hub.fleet.alphabet import (
    Batch,
    Close,
    Compare,
    Compared,
    Confirm,
    Crowded,
    Effect,
    Ended,
    Enter,
    Find,
    Found,
    Greeting,
    Heard,
    Input,
    Now,
    Open,
    Ousted,
    Placing,
    Seal,
    Send,
    SetAside,
    Shelve,
    Shelved,
    State,
    Step,
    Stirred,
    Submit,
    Submitted,
    Ticked,
    WasSetAside,
)
from restante.hub.fleet.manifests import Held, step_to
from restante.hub.fleet.reading import adoption_of
from restante.store.ledger import JournalRow
from restante.wire import journal
from restante.wire import session as wire
from restante.wire.manifest import Difference, digest_of

HELLO_SECONDS: Final = 10.0
PENDING_SECONDS: Final = 60.0
CROWDED_SECONDS: Final = 10.0
REJECTED_SECONDS: Final = 300.0
FRESH_SECONDS: Final = 600.0
MISSES: Final = 2

replace = msgspec.structs.replace


__all__ = [
    "Batch",
    "Close",
    "Compare",
    "Compared",
    "Confirm",
    "Crowded",
    "Effect",
    "Ended",
    "Enter",
    "Find",
    "Found",
    "Greeting",
    "Heard",
    "Input",
    "Now",
    "Open",
    "Ousted",
    "Placing",
    "Seal",
    "Send",
    "SetAside",
    "Shelve",
    "Shelved",
    "State",
    "Step",
    "Stirred",
    "Submit",
    "Submitted",
    "Ticked",
    "WasSetAside",
    "fork_of",
    "is_due",
    "step",
]


def step(state: State, happened: Input, now: Now) -> Step:
    """What a session does next. Total: any input in any state leads somewhere, and none raises."""
    if isinstance(state, Ended):
        return state, []
    if isinstance(happened, Ousted):
        return _ended(happened.why)
    match state:
        case Greeting():
            return _greeting(state, happened, now)
        case Placing():
            return _placing(state, happened, now)
        case Open():
            return _open(state, happened, now)
        case _:
            assert_never(state)


def is_due(state: State, now: Now) -> bool:
    """Whether time alone makes a session do something by now."""
    match state:
        case Greeting(began_s=began_s):
            return now.steady_s - began_s >= HELLO_SECONDS
        case Open(ends_at=ends_at, pinged_s=pinged_s):
            return now.steady_s - pinged_s >= wire.PING_SECONDS or (ends_at is not None and now.at >= ends_at)
        case _:
            return False


def _ended(why: str, *said: wire.FromHub) -> Step:
    return Ended(why), [*(Send(message) for message in said), Close(why)]


# --- before the welcome


def _greeting(state: Greeting, happened: Input, now: Now) -> Step:
    match happened:
        case Heard(wire.Hello() as hello):
            return _hello(state, hello)
        case Heard(message):
            refusal = message if isinstance(message, Refusal) else Refusal("message-malformed", "type", "hello first")
            return _rejected(refusal)
        case Ticked() if now.steady_s - state.began_s >= HELLO_SECONDS:
            return _ended("no-hello")
        case Crowded():
            return _ended("hub-crowded", wire.Pending(CROWDED_SECONDS, "hub-crowded"))
        case _:
            return state, []


def _hello(state: Greeting, hello: wire.Hello) -> Step:
    if state.named is not None and state.named != hello.source:
        return _rejected(Refusal("certificate-other-source", "source"))
    version = wire.agreed_version(hello.versions)
    if version is None:
        return _rejected(Refusal("wire-version-unknown", "versions", f"spoken here: {wire.VERSIONS}"))
    return Placing(state.session, hello, version, state.ends_at), [Find(hello.source)]


def _rejected(refusal: Refusal) -> Step:
    return _ended(refusal.code, wire.Rejected(refusal.code, REJECTED_SECONDS, refusal.detail))


def _placing(state: Placing, happened: Input, now: Now) -> Step:
    if isinstance(happened, Found):
        if happened.head is None:
            return _ended("source-unknown", wire.Pending(PENDING_SECONDS, "source-unknown"))
        return _welcomed(state, happened, now)
    return state, []


def _welcomed(state: Placing, found: Found, now: Now) -> Step:
    hello, head = state.hello, found.head
    assert head is not None, "a source that is not installed is kept waiting"
    fork = fork_of(hello, head)
    is_forked = head.forked_at is not None or fork is not None
    opened = Open(
        state.session,
        head.source,
        head.point,
        head.epoch,
        Held(hello.hub_epoch, hello.generation, hello.manifest_digest),
        heard_s=now.steady_s,
        pinged_s=now.steady_s,
        ends_at=state.ends_at,
        forked=is_forked,
        seq=head.seq,
    )
    welcome = wire.Welcome(
        session=state.session,
        version=state.version,
        hub_epoch=found.hub_epoch,
        hub_time=now.at,
        log_epoch=head.epoch,
        resume_from=head.seq + 1,
        source_key=found.source_key,
        manifest_key=found.manifest_key,
        forked=is_forked,
        tails=tails.tails_of(head, found.aside),
    )
    effects: list[Effect] = [Enter(head.source, head.point, state.session)]
    if news := _news(opened, now, fork=fork, lost=found.lost):
        effects.append(news)
    effects.append(Send(welcome))
    if is_forked:
        effects.append(Send(wire.Forked(*(fork or (head.epoch, head.forked_at or 0)))))
    return opened, [*effects, Shelve(head.point, opened.held)]


def fork_of(hello: wire.Hello, head: SourceHead) -> tuple[int, int] | None:
    """Where two histories part, as (epoch, number), if what the source says of its journal is not what the hub holds.

    A later epoch than the hub has begun is such a history, and so is a journal that ends before what was acknowledged.
    An earlier epoch is a controller that has not heard of its new one yet: the welcome tells.
    """
    if hello.log_epoch != head.epoch:
        return (hello.log_epoch, max(hello.last_seq, 0)) if hello.log_epoch > head.epoch else None
    if hello.last_seq < head.seq:
        return head.epoch, max(hello.last_seq, 0) + 1
    if hello.last_seq == head.seq and head.seq > 0 and hello.last_hash != head.hash:
        return head.epoch, head.seq
    return None


def _news(state: Open, now: Now, *, fork: tuple[int, int] | None, lost: bool) -> Submit | None:
    """What the engine is to be told of a session: that the source is heard from again, and that it is two."""
    actor, commands = f"source:{state.source}", list[AnyCommand]()
    if lost:
        commands.append(NoteContact(CommandId(""), actor, now.at, state.point, state.source, lost=False))
    if fork:
        commands.append(ReportFork(CommandId(""), actor, now.at, state.point, state.source, *fork))
    return Submit(tuple(commands)) if commands else None


# --- the open session


def _open(state: Open, happened: Input, now: Now) -> Step:
    match happened:
        case Heard(message):
            return _message(replace(state, heard_s=now.steady_s, misses=0), message, now)
        case Compared():
            return _compared(state, happened, now)
        case WasSetAside():
            return _set_aside(state, happened, now)
        case Submitted(outcomes):
            return _submitted(state, outcomes, now)
        case Shelved():
            return _shelved(state, happened, now)
        case Stirred():
            return state, [Shelve(state.point, state.held)]
        case Ticked():
            return _ticked(state, now)
        case Found() | Crowded() | Ousted():
            return state, []
        case _:
            assert_never(happened)


def _message(state: Open, message: wire.FromSource | Refusal, now: Now) -> Step:
    match message:
        case wire.JournalSent():
            return _journal(state, message, now)
        case wire.ManifestWanted():
            return replace(state, whole=True), [Shelve(state.point, state.held)]
        case wire.Ping(number=number):
            return state, [Send(wire.Pong(number, now.at))]
        case wire.Pong():
            return state, []
        case wire.Hello():
            return _ended("hello-twice")
        case Refusal():
            return _ended(message.code)
        case _:
            assert_never(message)


def _ticked(state: Open, now: Now) -> Step:
    if state.ends_at is not None and now.at >= state.ends_at:
        return _ended("certificate-expired")
    if now.steady_s - state.pinged_s < wire.PING_SECONDS:
        return state, []
    if state.misses >= MISSES:
        return _ended("silent")
    pinged = replace(state, pinged_s=now.steady_s, pings=state.pings + 1, misses=state.misses + 1)
    return pinged, [Send(wire.Ping(pinged.pings))]


# --- entries coming up


def _journal(state: Open, sent: wire.JournalSent, now: Now) -> Step:
    if state.forked:
        return state, [_nack(state, sent.number, "source-forked")]
    if not 0 < len(sent.entries) <= wire.JOURNAL_BATCH:
        return state, [_nack(state, sent.number, "journal-broken")]
    entries: list[journal.Entry] = []
    for text in sent.entries:
        entry = journal.parse_entry(text.encode("utf-8", "replace"))
        if isinstance(entry, Refusal):
            case = _broken(state, now, about="an entry that cannot be read", told=entry.detail or entry.code)
            return state, [_nack(state, sent.number, entry.code), case]
        entries.append(entry)
    epoch = min(state.epoch, *(entry.log_epoch for entry in entries))
    if epoch < state.epoch and any(entry.log_epoch != epoch for entry in entries):
        return state, [_nack(state, sent.number, "journal-epoch")]
    span = range(min(entry.seq for entry in entries), max(entry.seq for entry in entries) + 1)
    span = range(span.start, min(span.stop, span.start + wire.JOURNAL_BATCH))
    waiting = replace(state, batch=Batch(sent.number, epoch, tuple(entries), sent.entries))
    return waiting, [Compare(state.source, epoch, span)]


def _nack(state: Open, number: int, code: str, *, from_seq: int | None = None, epoch: int | None = None) -> Send:
    return Send(wire.Nack(epoch or state.epoch, state.seq + 1 if from_seq is None else from_seq, code, number))


def _broken(state: Open, now: Now, *, about: str, told: str) -> Submit:
    """A damaged entry is somebody's business: a case, once, however often it is sent again."""
    return _case(state, CaseKind.JOURNAL_BROKEN, about, now=now, told=told)


def _case(state: Open, what: CaseKind, about: str, *, now: Now, told: str) -> Submit:
    return Submit((OpenPointCase(CommandId(""), f"source:{state.source}", now.at, state.point, what, about, told),))


def _compared(state: Open, compared: Compared, now: Now) -> Step:
    if state.batch is None:
        return state, []
    if compared.head.epoch != state.epoch:
        return _ended("journal-epoch")
    batch, state = state.batch, replace(state, seq=compared.head.seq, batch=None)
    head = tails.log_head(compared.head, batch.epoch)
    if head is None:
        return state, [_nack(state, batch.number, "journal-epoch")]
    if batch.epoch < state.epoch:
        return _tail_compared(state, batch, compared, now=now)
    match journal.check_batch(head, batch.entries, source=state.source, known=compared.known):
        case journal.Accepted(entries=()):
            return state, [Send(wire.Ack(head.epoch, head.seq, head.hash, batch.number))]
        case journal.Accepted(entries=entries):
            adopting = tuple(adoption_of(entry, state.point, now.at) for entry in entries)
            return replace(state, batch=replace(batch, adopting=adopting)), [Submit(adopting)]
        case journal.Gap(expected_seq=expected):
            return state, [_nack(state, batch.number, "journal-gap", from_seq=expected)]
        case journal.Fork(at_seq=seq):
            return _forked(state, (state.epoch, seq), now, number=batch.number)
        case journal.Broken(seq=seq, why=why):
            case = _broken(state, now, about=f"epoch {state.epoch} number {seq}", told=why)
            return state, [_nack(state, batch.number, "journal-broken"), case]
        case found:
            assert_never(found)


def _tail_compared(state: Open, batch: Batch, compared: Compared, *, now: Now) -> Step:
    """Entries of an ended epoch."""
    head, first = tails.log_head(compared.head, batch.epoch), (batch.epoch, batch.entries[0].seq)
    assert head is not None, "looked at before"
    state, is_stuck = replace(state, gap=None), state.gap == first
    verdict = tails.judge(
        head, batch.entries, source=state.source, known=compared.known, aside=compared.aside, is_stuck=is_stuck
    )
    match verdict:
        case tails.Follows(entries=()):
            return state, [_acknowledged(batch)]
        case tails.Follows(entries, is_all):
            adopting = tuple(adoption_of(entry, state.point, now.at) for entry in entries)
            return replace(state, batch=replace(batch, adopting=adopting, is_all=is_all)), [Submit(adopting)]
        case tails.Missing(from_seq):
            nack = _nack(state, batch.number, "journal-gap", from_seq=from_seq, epoch=batch.epoch)
            return replace(state, gap=first), [nack]
        case tails.Apart(index):
            apart = zip(batch.entries[index:], batch.texts[index:], strict=True)
            rows = tuple(JournalRow(state.source, batch.epoch, one.seq, one.hash, text.encode()) for one, text in apart)
            return replace(state, batch=replace(batch, apart=index)), [SetAside(rows)]
        case _:
            assert_never(verdict)


def _acknowledged(batch: Batch) -> Send:
    """To its source the last entry of a batch is the head, whatever the hub made of it."""
    last = batch.entries[-1]
    return Send(wire.Ack(batch.epoch, last.seq, last.hash, batch.number))


def _set_aside(state: Open, kept: WasSetAside, now: Now) -> Step:
    """A case names what was set aside, before the source may forget it."""
    if state.batch is None:
        return state, []
    told = f"{kept.count} entries, the first is number {kept.first_seq}"
    return state, [_case(state, CaseKind.ENTRIES_SET_ASIDE, f"epoch {state.batch.epoch}", now=now, told=told)]


def _aside_told(state: Open, batch: Batch, outcome: Outcome) -> Step:
    """The case is open, or was; if it could not be opened just now the entries are to come again."""
    if isinstance(outcome, Refusal) and outcome.code not in {"case-open", "too-many-cases"}:
        first = batch.entries[batch.apart or 0].seq
        return state, [_nack(state, batch.number, outcome.code, from_seq=first, epoch=batch.epoch)]
    return state, [_acknowledged(batch)]


def _forked(state: Open, fork: tuple[int, int], now: Now, *, number: int) -> Step:
    told = replace(state, forked=True)
    report = _news(told, now, fork=fork, lost=False)
    assert report is not None
    return told, [report, _nack(told, number, "journal-fork"), Send(wire.Forked(*fork))]


def _submitted(state: Open, outcomes: Sequence[Outcome], now: Now) -> Step:
    batch = state.batch
    if batch is None or not (batch.adopting or batch.apart is not None):
        return state, []
    state = replace(state, batch=None)
    if batch.apart is not None:
        return _aside_told(state, batch, outcomes[0])
    refused = next((index for index, outcome in enumerate(outcomes) if isinstance(outcome, Refusal)), len(outcomes))
    effects: list[Effect] = []
    if refused:
        last = batch.adopting[refused - 1]
        state = replace(state, seq=last.seq) if batch.epoch == state.epoch else state
        effects.append(Send(wire.Ack(last.epoch, last.seq, last.hash, batch.number)))
    if refused == len(outcomes) and batch.is_all:
        return state, effects
    if batch.epoch < state.epoch:
        return _rest_of_tail(state, batch, left=outcomes[refused:], effects=effects)
    refusal = outcomes[refused]
    assert isinstance(refusal, Refusal)
    after, more = _refused(state, refusal, now, number=batch.number)
    return after, [*effects, *more]


def _rest_of_tail(state: Open, batch: Batch, *, left: Sequence[Outcome], effects: list[Effect]) -> Step:
    """What of an ended epoch was not adopted is to come again, and is then judged by itself."""
    code = left[0].code if left and isinstance(left[0], Refusal) else "journal-broken"
    if code in {"journal-epoch", "source-unknown"}:
        return _ended(code)
    adopted = batch.adopting[: len(batch.adopting) - len(left)]
    from_seq = adopted[-1].seq + 1 if adopted else batch.adopting[0].seq
    nack = _nack(state, batch.number, code, from_seq=from_seq, epoch=batch.epoch)
    if code == "source-forked":
        return replace(state, forked=True), [*effects, nack, Send(wire.Forked(state.epoch, state.seq + 1))]
    return state, [*effects, nack]


def _refused(state: Open, refusal: Refusal, now: Now, *, number: int) -> Step:
    """The engine took no more of the batch: what happened between comparing and committing is told by its refusal."""
    match refusal.code:
        case "journal-fork":
            return _forked(state, (state.epoch, state.seq + 1), now, number=number)
        case "source-forked":
            told = replace(state, forked=True)
            return told, [_nack(told, number, refusal.code), Send(wire.Forked(state.epoch, state.seq + 1))]
        case "journal-epoch" | "source-unknown":
            return _ended(refusal.code)
        case code:
            return state, [_nack(state, number, code)]


# --- manifests going down


def _shelved(state: Open, shelved: Shelved, now: Now) -> Step:
    if not shelved.manifests:
        return state, []
    newest = shelved.manifests[0]
    if newest.log_epoch != state.epoch:
        return _ended("journal-epoch")
    effects: list[Effect] = []
    if shelved.lost and (news := _news(state, now, fork=None, lost=True)):
        effects.append(news)
    document = newest if state.whole else step_to(newest, shelved.manifests, state.held)
    if document is not None:
        digest = document.digest if isinstance(document, Difference) else digest_of(document)
        held = Held(newest.hub_epoch, newest.generation, digest)
        sent = replace(state, held=held, whole=False, confirmed_s=now.steady_s)
        return sent, [*effects, Seal(document)]
    if state.confirmed_s is not None and now.steady_s - state.confirmed_s < FRESH_SECONDS:
        return state, effects
    return replace(state, confirmed_s=now.steady_s), [*effects, Confirm(newest)]
