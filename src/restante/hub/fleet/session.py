"""The hub's end of a session with a bank or counter, as a step: state, input and time in; state and effects out.

Theory of operation. A session begins with ``Greeting``; the source's ``hello`` is placed against what the hub holds of
its journal (``Placing``), and is answered: ``welcome``, ``pending`` or ``rejected``. From then on (``Open``) entries
come up and are acknowledged once they are committed, manifests go down, and both sides ping. Questions to the store are
effects, and their answers are inputs; whoever runs the step performs the effects in order and feeds each answer back
before the next message, so at most one question is open at a time.

Two histories under one name (a cloned or restored disk) are reported and told; nothing is adopted until a person has
settled it. A source that knows less of its own journal than the hub does is such a one: its disk was put back.
"""

from collections.abc import Mapping, Sequence
from typing import Final, assert_never

import msgspec

from restante.core.commands import AdoptFact, AnyCommand, NoteContact, ReportFork
from restante.core.ids import CommandId, PointId, SourceId
from restante.core.refusals import Refusal
from restante.core.time import Instant
from restante.core.world import SourceHead
from restante.hub.engine import Outcome
from restante.hub.fleet.manifests import Held, step_to
from restante.hub.fleet.reading import adoption_of
from restante.wire import journal
from restante.wire import session as wire
from restante.wire.manifest import Difference, Manifest, digest_of

HELLO_SECONDS: Final = 10.0
PENDING_SECONDS: Final = 60.0
REJECTED_SECONDS: Final = 300.0
FRESH_SECONDS: Final = 600.0
MISSES: Final = 2

replace = msgspec.structs.replace


class Now(msgspec.Struct, frozen=True):
    """What time it is: on the wall, and on the session's steady clock in seconds."""

    at: Instant
    steady_s: float


# --- states


class Greeting(msgspec.Struct, frozen=True):
    """Nobody has said ``hello`` yet.

    ``named`` is the source in the certificate, None on a plain line; ``ends_at`` is the certificate's end. ``session``
    is 128 bits of chance from the shell.
    """

    session: str
    began_s: float
    named: SourceId | None = None
    ends_at: Instant | None = None


class Placing(msgspec.Struct, frozen=True):
    """A ``hello`` was heard; what the hub holds of the source is being looked up."""

    session: str
    hello: wire.Hello
    version: int
    ends_at: Instant | None


class Batch(msgspec.Struct, frozen=True):
    """Entries that came and are being compared or committed."""

    number: int
    entries: tuple[journal.Entry, ...]
    adopting: tuple[AdoptFact, ...] = ()


class Open(msgspec.Struct, frozen=True):
    """The session is open; ``held`` is the manifest the source has, as far as the hub knows."""

    session: str
    source: SourceId
    point: PointId
    epoch: int
    held: Held
    heard_s: float
    pinged_s: float
    ends_at: Instant | None = None
    forked: bool = False
    seq: int = 0
    misses: int = 0
    pings: int = 0
    batch: Batch | None = None
    whole: bool = False
    confirmed_s: float | None = None


class Ended(msgspec.Struct, frozen=True):
    """The session is over, and why."""

    why: str


State = Greeting | Placing | Open | Ended


# --- inputs


class Heard(msgspec.Struct, frozen=True):
    """A message came, or something that is none."""

    message: wire.FromSource | Refusal


class Found(msgspec.Struct, frozen=True):
    """What the hub holds of the source that said ``hello``; ``head`` is None when it is not installed."""

    head: SourceHead | None
    lost: bool = False
    hub_epoch: int = 0
    source_key: str = ""
    manifest_key: str = ""


class Compared(msgspec.Struct, frozen=True):
    """The head of the source's journal just now, and the hashes of entries below it that came again."""

    head: SourceHead
    known: Mapping[int, str]


class Submitted(msgspec.Struct, frozen=True):
    """What the engine made of the commands handed in."""

    outcomes: Sequence[Outcome]


class Shelved(msgspec.Struct, frozen=True):
    """The manifests kept for the source, newest first; ``lost`` when the point is held to be out of contact."""

    manifests: tuple[Manifest, ...]
    lost: bool = False


class Ticked(msgspec.Struct, frozen=True):
    """Time passed."""


class Stirred(msgspec.Struct, frozen=True):
    """The point's manifest may have to change."""


class Ousted(msgspec.Struct, frozen=True):
    """The session must end: ``displaced`` by a newer one, ``certificate-revoked``, ``hub-stopping``, ``store-down``."""

    why: str


Input = Heard | Found | Compared | Submitted | Shelved | Ticked | Stirred | Ousted


# --- effects


class Send(msgspec.Struct, frozen=True):
    """Send a message."""

    message: wire.FromHub


class Seal(msgspec.Struct, frozen=True):
    """Sign a manifest or a difference, and send it."""

    document: Manifest | Difference


class Confirm(msgspec.Struct, frozen=True):
    """Sign the word that this manifest is still in force, and send it."""

    manifest: Manifest


class Find(msgspec.Struct, frozen=True):
    """Look up the source; answered by ``Found``."""

    source: SourceId


class Enter(msgspec.Struct, frozen=True):
    """Record that this is the source's session now, which ends any other, in whatever hub process it is."""

    source: SourceId
    point: PointId
    session: str


class Compare(msgspec.Struct, frozen=True):
    """Read the journal's head and the hashes of a span of numbers; answered by ``Compared``."""

    source: SourceId
    epoch: int
    span: range


class Submit(msgspec.Struct, frozen=True):
    """Hand commands to the engine in one call; answered by ``Submitted``."""

    commands: tuple[AnyCommand, ...]


class Shelve(msgspec.Struct, frozen=True):
    """Bring the point's manifest up to date; answered by ``Shelved``."""

    point: PointId
    held: Held


class Close(msgspec.Struct, frozen=True):
    """Close the line."""

    why: str


Effect = Send | Seal | Confirm | Find | Enter | Compare | Submit | Shelve | Close
Step = tuple[State, list[Effect]]


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
        case Submitted(outcomes):
            return _submitted(state, outcomes, now)
        case Shelved():
            return _shelved(state, happened, now)
        case Stirred():
            return state, [Shelve(state.point, state.held)]
        case Ticked():
            return _ticked(state, now)
        case Found() | Ousted():
            return state, []
        case _:
            assert_never(happened)


def _message(state: Open, message: wire.FromSource | Refusal, now: Now) -> Step:
    match message:
        case wire.JournalSent():
            return _journal(state, message)
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


def _journal(state: Open, sent: wire.JournalSent) -> Step:
    if state.forked:
        return state, [_nack(state, sent.number, "source-forked")]
    if not 0 < len(sent.entries) <= wire.JOURNAL_BATCH:
        return state, [_nack(state, sent.number, "journal-broken")]
    entries: list[journal.Entry] = []
    for text in sent.entries:
        entry = journal.parse_entry(text.encode("utf-8", "replace"))
        if isinstance(entry, Refusal):
            return state, [_nack(state, sent.number, entry.code)]
        entries.append(entry)
    if any(entry.log_epoch < state.epoch for entry in entries):
        return state, [_nack(state, sent.number, "journal-epoch")]
    span = range(min(entry.seq for entry in entries), max(entry.seq for entry in entries) + 1)
    span = range(span.start, min(span.stop, span.start + wire.JOURNAL_BATCH))
    waiting = replace(state, batch=Batch(sent.number, tuple(entries)))
    return waiting, [Compare(state.source, state.epoch, span)]


def _nack(state: Open, number: int, code: str, *, from_seq: int | None = None) -> Send:
    return Send(wire.Nack(state.epoch, state.seq + 1 if from_seq is None else from_seq, code, number))


def _compared(state: Open, compared: Compared, now: Now) -> Step:
    if state.batch is None:
        return state, []
    if compared.head.epoch != state.epoch:
        return _ended("journal-epoch")
    batch, state = state.batch, replace(state, seq=compared.head.seq, batch=None)
    head = _head_of(compared.head)
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
        case journal.Broken():
            return state, [_nack(state, batch.number, "journal-broken")]
        case found:
            assert_never(found)


def _head_of(head: SourceHead) -> journal.Head:
    if head.seq == 0:
        return journal.first_head(head.source, head.epoch)
    return journal.Head(head.epoch, head.seq, head.hash)


def _forked(state: Open, fork: tuple[int, int], now: Now, *, number: int) -> Step:
    told = replace(state, forked=True)
    report = _news(told, now, fork=fork, lost=False)
    assert report is not None
    return told, [report, _nack(told, number, "journal-fork"), Send(wire.Forked(*fork))]


def _submitted(state: Open, outcomes: Sequence[Outcome], now: Now) -> Step:
    batch = state.batch
    if batch is None or not batch.adopting:
        return state, []
    state = replace(state, batch=None)
    refused = next((index for index, outcome in enumerate(outcomes) if isinstance(outcome, Refusal)), len(outcomes))
    effects: list[Effect] = []
    if refused:
        last = batch.adopting[refused - 1]
        state = replace(state, seq=last.seq)
        effects.append(Send(wire.Ack(last.epoch, last.seq, last.hash, batch.number)))
    if refused == len(outcomes):
        return state, effects
    refusal = outcomes[refused]
    assert isinstance(refusal, Refusal)
    after, more = _refused(state, refusal, now, number=batch.number)
    return after, [*effects, *more]


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
    document = newest if state.whole else step_to(newest, shelved.manifests, state.held.digest)
    if document is not None:
        held = Held(newest.hub_epoch, newest.generation, digest_of(newest))
        sent = replace(state, held=held, whole=False, confirmed_s=now.steady_s)
        return sent, [*effects, Seal(document)]
    if state.confirmed_s is not None and now.steady_s - state.confirmed_s < FRESH_SECONDS:
        return state, effects
    return replace(state, confirmed_s=now.steady_s), [*effects, Confirm(newest)]
