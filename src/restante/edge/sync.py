"""The source's end of a session, as a step: dial, greet, send the journal up in order, take manifests down.

    Resting --time--> Dialling --connected--> Greeting --welcome--> Live
       ^                 │                       │                    │
       └─────────────────┴── the line is lost, or was closed ─────────┘

Pure: `(state, input, now_ms) -> (state, effects)`; `now_ms` is the steady clock, chance comes with the input that needs
it. Entries go up in batches with a small window, and what is acknowledged is told to the book; a `nack` goes back to
where the hub wants to begin. What earlier epochs left unacknowledged (their *tails*) goes up first, the oldest epoch's
before the next one's, for a later entry may be about a stay that an earlier one began. Only entries of epochs that the
welcome has named are sent; those of others stay in the book.
"""

from collections.abc import Iterable, Iterator
from typing import Final, assert_never

import msgspec

from restante.edge import inputs as agent
from restante.wire import seal
from restante.wire import session as wire
from restante.wire.journal import Extent, Head

FIRST_WAIT_MS: Final = 1_000
LONGEST_WAIT_MS: Final = 300_000
GREETING_MS: Final = 20_000
SETTLED_MS: Final = 30_000
PING_MS: Final = wire.PING_SECONDS * 1_000
MISSES: Final = 2
WINDOW: Final = 2
RESEND_MS: Final = 5_000
UNANSWERED_MS: Final = 300_000
"""How long a batch may go without an answer: pings that are answered do not show that entries arrive."""

replace = msgspec.structs.replace


class Resting(msgspec.Struct, frozen=True):
    """No line; the next one is dialled at ``until_ms``, after ``attempts`` that came to nothing."""

    until_ms: int = 0
    attempts: int = 0


class Dialling(msgspec.Struct, frozen=True):
    """A line is being opened."""

    attempts: int


class Greeting(msgspec.Struct, frozen=True):
    """``hello`` was said; ``not_before_ms`` is when the hub wants to be tried again, if it has said so."""

    attempts: int
    since_ms: int
    head: Head
    acked: Head
    not_before_ms: int = 0
    extents: tuple[Extent, ...] = ()


class Tail(msgspec.Struct, frozen=True):
    """What is to be sent of an earlier epoch: it ends at ``head``, and entries up to ``sent`` are on their way."""

    epoch: int
    head: int
    acked: int
    sent: int


class Live(msgspec.Struct, frozen=True):
    """The session is open: entries up to ``sent`` are on their way, ``flying`` names batches not yet answered.

    Since ``answered_ms`` one of them waits for an answer. While there are ``tails`` the first of them is being sent,
    and nothing else.
    """

    attempts: int
    since_ms: int
    epoch: int
    head: int
    acked: int
    sent: int
    heard_ms: int
    pinged_ms: int
    flying: tuple[int, ...] = ()
    number: int = 0
    pings: int = 0
    resume_ms: int = 0
    forked: bool = False
    tails: tuple[Tail, ...] = ()
    answered_ms: int = 0


State = Resting | Dialling | Greeting | Live


class Ticked(msgspec.Struct, frozen=True):
    """Time passed."""


class Connected(msgspec.Struct, frozen=True):
    """The line is open; this is what to say on it, and how far the hub was known to hold the journal and older ones."""

    hello: wire.Hello
    acked: Head
    extents: tuple[Extent, ...] = ()


class Heard(msgspec.Struct, frozen=True):
    """A message came."""

    message: wire.FromHub


class LineLost(msgspec.Struct, frozen=True):
    """The line could not be opened, or is closed; ``chance`` from [0, 1) spreads the next attempts of many sources."""

    chance: float


class JournalGrew(msgspec.Struct, frozen=True):
    """The journal ends here now."""

    head: Head


class WholeWanted(msgspec.Struct, frozen=True):
    """The agent cannot use a difference."""

    why: str


Input = Ticked | Connected | Heard | LineLost | JournalGrew | WholeWanted


class Dial(msgspec.Struct, frozen=True):
    """Open a line to the hub; answered by `Connected` or `LineLost`."""


class CloseLine(msgspec.Struct, frozen=True):
    """Close the line; answered by `LineLost`."""

    why: str


class Send(msgspec.Struct, frozen=True):
    """Send a message."""

    message: wire.FromSource


class SendEntries(msgspec.Struct, frozen=True):
    """Send the entries from ``first`` to ``last`` of an epoch under this number."""

    number: int
    epoch: int
    first: int
    last: int


class Acknowledge(msgspec.Struct, frozen=True):
    """Tell the book that the hub holds everything up to here; if it holds another history, that is a fork."""

    head: Head


class ResendFrom(msgspec.Struct, frozen=True):
    """Tell the book that the hub, restored from a backup, wants entries again."""

    epoch: int
    seq: int


class Tell(msgspec.Struct, frozen=True):
    """Feed this to the agent, then `JournalGrew` to this step."""

    given: agent.Input


Effect = Dial | CloseLine | Send | SendEntries | Acknowledge | ResendFrom | Tell
Step = tuple[State, tuple[Effect, ...]]


def step(state: State, given: Input, now_ms: int) -> Step:
    """What the session does next; what does not belong to the present stage changes nothing."""
    match given:
        case LineLost(chance):
            return _lost(state, chance, now_ms)
        case Ticked():
            return _ticked(state, now_ms)
        case Connected(hello, acked, extents):
            if not isinstance(state, Dialling):
                return state, ()
            head = Head(hello.log_epoch, hello.last_seq, hello.last_hash)
            return Greeting(state.attempts, now_ms, head, acked, extents=extents), (Send(hello),)
        case Heard(message):
            return _heard(state, message, now_ms)
        case JournalGrew(head):
            return _grown(state, head, now_ms)
        case WholeWanted(why):
            return state, (Send(wire.ManifestWanted(why)),) if isinstance(state, Live) else ()
        case _:
            assert_never(given)


def _grown(state: State, head: Head, now_ms: int) -> Step:
    """The journal grew, perhaps while the hub is thinking about the hello."""
    match state:
        case Live() if head.epoch == state.epoch:
            return _pump(replace(state, head=head.seq), now_ms)
        case Greeting(extents=extents):
            grown = (replace(one, seq=head.seq) if one.epoch == head.epoch else one for one in extents)
            return replace(state, head=head, extents=tuple(grown)), ()
        case _:
            return state, ()


def wait_ms(attempts: int, chance: float) -> int:
    """How long to wait before the next attempt: anything up to 1 s, doubling up to 300 s ("full jitter")."""
    longest = min(FIRST_WAIT_MS << min(attempts, 16), LONGEST_WAIT_MS)
    return int(chance * longest)


def _lost(state: State, chance: float, now_ms: int) -> Step:
    match state:
        case Resting():
            return state, ()
        case Dialling(attempts):
            return Resting(now_ms + wait_ms(attempts, chance), attempts + 1), ()
        case Greeting(attempts=attempts, not_before_ms=not_before_ms):
            until_ms = max(now_ms, not_before_ms) + wait_ms(attempts, chance)
            return Resting(until_ms, attempts + 1), ()
        case Live():
            attempts = 0 if now_ms - state.since_ms >= SETTLED_MS else state.attempts
            resting = Resting(now_ms + wait_ms(attempts, chance), attempts + 1)
            return resting, (Tell(agent.SessionEnded()),)
        case _:
            assert_never(state)


def _ticked(state: State, now_ms: int) -> Step:
    match state:
        case Resting(until_ms, attempts):
            return (Dialling(attempts), (Dial(),)) if now_ms >= until_ms else (state, ())
        case Dialling():
            return state, ()
        case Greeting(since_ms=since_ms):
            return state, (CloseLine("no-welcome"),) if now_ms - since_ms >= GREETING_MS else ()
        case Live():
            return _live_ticked(state, now_ms)
        case _:
            assert_never(state)


def _live_ticked(state: Live, now_ms: int) -> Step:
    if now_ms - state.heard_ms >= PING_MS * (MISSES + 1):
        return state, (CloseLine("silent"),)
    if state.flying and not state.forked and now_ms - state.answered_ms >= UNANSWERED_MS:
        return state, (CloseLine("unanswered"),)
    state, effects = _pump(state, now_ms)
    if now_ms - state.pinged_ms < PING_MS:
        return state, effects
    pinged = replace(state, pinged_ms=now_ms, pings=state.pings + 1)
    return pinged, (*effects, Send(wire.Ping(pinged.pings)))


def _heard(state: State, message: wire.FromHub, now_ms: int) -> Step:
    if isinstance(state, Greeting):
        return _answered(state, message, now_ms)
    if not isinstance(state, Live):
        return state, ()
    state = replace(state, heard_ms=now_ms)
    match message:
        case wire.Ack():
            return _acknowledged(state, message, now_ms)
        case wire.Nack():
            return _not_acknowledged(state, message, now_ms)
        case wire.Forked():
            return replace(state, forked=True), (Tell(agent.ForkTold()),)
        case wire.ManifestSent() | wire.ManifestFresh():
            return state, (Tell(agent.ManifestCame(message)),)
        case wire.Ping(number):
            return state, (Send(wire.Pong(number)),)
        case wire.Pong(time=time):
            return state, () if time is None else (Tell(agent.HubTime(time)),)
        case wire.Welcome() | wire.Pending() | wire.Rejected():
            return state, (CloseLine("welcome-twice"),)
        case _:
            assert_never(message)


def _answered(state: Greeting, message: wire.FromHub, now_ms: int) -> Step:
    match message:
        case wire.Welcome() if not _has_keys(message):
            return state, (CloseLine("keys-unreadable"),)
        case wire.Welcome():
            return _welcomed(state, message, now_ms)
        case wire.Pending(retry_after=seconds) | wire.Rejected(retry_after=seconds):
            waiting = replace(state, not_before_ms=now_ms + int(min(max(seconds, 0), 3_600) * 1_000))
            return waiting, (CloseLine("not-welcome"),)
        case _:
            return state, (CloseLine("no-welcome"),)


def _has_keys(welcome: wire.Welcome) -> bool:
    """Whether codes and manifests can be checked with what the hub sent; the first manifest key is kept for good."""
    return bool(seal.from_text(welcome.source_key)) and seal.public_key_from_text(welcome.manifest_key) is not None


def _welcomed(state: Greeting, welcome: wire.Welcome, now_ms: int) -> Step:
    """A hub that wants entries we never wrote holds another history than ours.

    Where an acknowledgement was lost the last entry the hub has goes up once more, to be acknowledged by its hash.
    """
    ours = welcome.log_epoch == state.head.epoch
    head, acked = (state.head.seq, state.acked.seq) if ours else (0, 0)
    forked = welcome.forked or welcome.resume_from > head + 1 or welcome.log_epoch < state.head.epoch
    opened = agent.SessionOpened(
        hub_time=welcome.hub_time,
        log_epoch=welcome.log_epoch,
        source_key=welcome.source_key,
        manifest_key=welcome.manifest_key,
        forked=forked,
    )
    effects: tuple[Effect, ...] = (*_taken_back(state.extents, welcome), Tell(opened))
    if ours and welcome.resume_from <= acked:
        effects = (ResendFrom(welcome.log_epoch, welcome.resume_from), *effects)
    live = Live(
        state.attempts,
        now_ms,
        epoch=welcome.log_epoch,
        head=head,
        acked=welcome.resume_from - 1,
        sent=welcome.resume_from - 1 - (acked < welcome.resume_from - 1),
        heard_ms=now_ms,
        pinged_ms=now_ms,
        forked=forked,
        tails=tuple(_tails(state.extents, welcome)),
    )
    live_after, pumped = _pump(live, now_ms)
    return live_after, (*effects, *pumped)


def _wanted(welcome: wire.Welcome) -> dict[int, int]:
    return {tail.epoch: tail.from_seq for tail in welcome.tails if tail.epoch < welcome.log_epoch}


def _taken_back(extents: Iterable[Extent], welcome: wire.Welcome) -> Iterator[ResendFrom]:
    """Acknowledgements of earlier epochs that a hub restored from a backup does not stand by."""
    for one in extents:
        from_seq = _wanted(welcome).get(one.epoch)
        if from_seq is not None and from_seq <= one.acked:
            yield ResendFrom(one.epoch, from_seq)


def _tails(extents: Iterable[Extent], welcome: wire.Welcome) -> Iterator[Tail]:
    """What of earlier epochs goes up: from the first entry not acknowledged, or from where a restored hub wants it."""
    wanted = _wanted(welcome)
    for one in sorted(extents, key=lambda extent: extent.epoch):
        if one.epoch in wanted and (begin := max(0, min(one.acked, wanted[one.epoch] - 1))) < one.seq:
            yield Tail(one.epoch, one.seq, begin, begin)


def _acknowledged(state: Live, ack: wire.Ack, now_ms: int) -> Step:
    """What the hub has by its own word; what an answered batch held beyond that was cut off, and goes up once more."""
    flying = tuple(number for number in state.flying if number != ack.number)
    answered = replace(state, flying=flying, answered_ms=now_ms)
    if ack.epoch == state.epoch:
        acked = max(state.acked, ack.seq)
        state = replace(answered, acked=acked, sent=max(state.sent, acked))
        if not flying and acked < state.sent:
            state = replace(state, sent=acked, resume_ms=now_ms + RESEND_MS)
    elif state.tails and ack.epoch == state.tails[0].epoch:
        tail, *later = state.tails
        acked = max(tail.acked, ack.seq)
        if not flying and acked < tail.sent:
            answered = replace(answered, resume_ms=now_ms + RESEND_MS)
        tail = replace(tail, acked=acked, sent=max(tail.sent, acked) if flying else acked)
        state = replace(answered, tails=(tail, *later) if tail.acked < tail.head else tuple(later))
    else:
        return state, ()
    after, pumped = _pump(state, now_ms)
    return after, (Acknowledge(Head(ack.epoch, ack.seq, ack.head_hash)), *pumped)


def _not_acknowledged(state: Live, nack: wire.Nack, now_ms: int) -> Step:
    """Go back to where the hub wants to begin, a little later: what it refuses once it may refuse again."""
    if state.tails and (nack.epoch == state.tails[0].epoch or nack.number in state.flying):
        return _tail_not_acknowledged(state, state.tails[0], nack, now_ms=now_ms)
    if nack.epoch != state.epoch:
        return state, ()
    back = max(0, min(nack.from_seq, state.head + 1) - 1)
    again = replace(state, sent=back, acked=min(state.acked, back), flying=(), resume_ms=now_ms + RESEND_MS)
    return again, (ResendFrom(state.epoch, back + 1),) if back < state.acked else ()


def _tail_not_acknowledged(state: Live, tail: Tail, nack: wire.Nack, *, now_ms: int) -> Step:
    """The same of an earlier epoch; from nowhere sensible means from what is not acknowledged."""
    is_within = nack.epoch == tail.epoch and nack.from_seq <= tail.head
    back = max(0, nack.from_seq - 1) if is_within else tail.acked
    again = replace(tail, sent=back, acked=min(tail.acked, back))
    after = replace(state, tails=(again, *state.tails[1:]), flying=(), resume_ms=now_ms + RESEND_MS)
    return after, (ResendFrom(tail.epoch, back + 1),) if back < tail.acked else ()


def _pump(state: Live, now_ms: int) -> tuple[Live, tuple[Effect, ...]]:
    """Send what is not on its way yet, as far as the window allows."""
    if state.tails:
        return _pump_tail(state, state.tails[0], now_ms)
    effects: list[Effect] = []
    state = _with_nothing_flying(state, now_ms)
    while not state.forked and now_ms >= state.resume_ms and state.sent < state.head and len(state.flying) < WINDOW:
        number, last = state.number + 1, min(state.head, state.sent + wire.JOURNAL_BATCH)
        effects.append(SendEntries(number, state.epoch, state.sent + 1, last))
        state = replace(state, number=number, sent=last, flying=(*state.flying, number))
    return state, tuple(effects)


def _pump_tail(state: Live, tail: Tail, now_ms: int) -> tuple[Live, tuple[Effect, ...]]:
    """Send on of an earlier epoch, one batch at a time: it is seldom long, and what is wrong with it shows at once."""
    if state.forked or now_ms < state.resume_ms or tail.sent >= tail.head or state.flying:
        return state, ()
    number, last = state.number + 1, min(tail.head, tail.sent + wire.JOURNAL_BATCH)
    sending = replace(
        _with_nothing_flying(state, now_ms),
        number=number,
        flying=(number,),
        tails=(replace(tail, sent=last), *state.tails[1:]),
    )
    return sending, (SendEntries(number, tail.epoch, tail.sent + 1, last),)


def _with_nothing_flying(state: Live, now_ms: int) -> Live:
    """What is sent now, and nothing before it, begins to wait for an answer."""
    return state if state.flying else replace(state, answered_ms=now_ms)
