"""Telling a person: what there is to say about a parcel right now, and the way from channel to channel.

Theory of operation. A notice is made of what is true when it goes out, not of what was true when it was asked for; what
has been overtaken meanwhile is not sent. The text goes to the first channel that may take it. What a channel answers is
recorded by a command whose id is made of the errand and the channel, so that whoever repeats an errand after a crash
may send the same mail once more (with the same Message-ID), and never starts a hold or opens a case twice.
"""

from collections.abc import Sequence
from typing import assert_never

import msgspec

from restante.core import events as ev
from restante.core.bank import SourceKind
from restante.core.commands import RecordNotice
from restante.core.ids import CommandId, ParcelId, PointId, StayKey
from restante.core.parcel import Parcel, current_stay
from restante.core.refusals import Refusal
from restante.core.stay import Hold, Stay
from restante.core.time import Instant, hold_end
from restante.hub.notices.address import Address, check_address
from restante.hub.notices.choose import Tried
from restante.hub.notices.kinds import (
    About,
    DropOffCode,
    HeldLonger,
    Moved,
    Notice,
    OnItsWay,
    Overdue,
    Place,
    Ready,
    Receipt,
    Reminder,
    TakenBack,
)
from restante.hub.notices.outcome import Bounced, HandedOver, MailRefusesUs, MailUnreachable, Unreachable
from restante.store.attempts import Attempt, Errand
from restante.store.ledger import PointView

WORKER = "worker"
"""Who asks, in the commands of the worker."""

NO_CHANNEL = "none"
MAIL_BLOCKED = "mail-blocked"


class Message(msgspec.Struct, frozen=True):
    """A notice asked for: its errand, the parcel, what to tell, and the stay and point it is about."""

    errand: Errand
    parcel: ParcelId
    kind: ev.NoticeKind
    stay: StayKey | None = None
    point: PointId | None = None


class Facts(msgspec.Struct, frozen=True):
    """What a notice is made of; ``former`` names the place a parcel was redirected from."""

    parcel: Parcel
    view: PointView
    code: str = ""
    former: str = ""


def stay_of(message: Message, parcel: Parcel) -> Stay | None:
    """The stay a notice is about."""
    return parcel.stay(message.stay) if message.stay is not None else current_stay(parcel)


def needs_code(kind: ev.NoticeKind) -> bool:
    """Whether a notice of this kind shows the code."""
    return kind in _WITH_CODE


_WITH_CODE = frozenset(
    {
        ev.NoticeKind.READY,
        ev.NoticeKind.REMINDER,
        ev.NoticeKind.EXTENDED,
        ev.NoticeKind.OVERDUE,
        ev.NoticeKind.DROP_OFF_CODE,
    }
)


def is_called_for(message: Message, parcel: Parcel) -> bool:
    """Whether a notice still says something true and new."""
    stay = stay_of(message, parcel)
    hold = stay.hold if stay is not None and stay.is_open and stay.recall is None else None
    match message.kind:
        case ev.NoticeKind.READY:
            return stay is not None and stay.is_open and stay.recall is None and hold is None
        case ev.NoticeKind.REMINDER:
            return hold is not None and hold.lapsed_at is None and hold.reminded_at is None
        case ev.NoticeKind.EXTENDED:
            return hold is not None and hold.lapsed_at is None
        case ev.NoticeKind.OVERDUE:
            return stay is not None and stay.is_open and stay.hold is not None and stay.hold.lapsed_at is not None
        case ev.NoticeKind.MOVED:
            return parcel.promise is not None and parcel.promise.point == message.point
        case ev.NoticeKind.DROP_OFF_CODE:
            return parcel.promise is not None and parcel.promise.point == message.point
        case ev.NoticeKind.RECEIPT | ev.NoticeKind.TAKEN_BACK:
            return stay is not None and not stay.is_open
        case _:
            assert_never(message.kind)


def write_notice(message: Message, facts: Facts, now: Instant) -> Notice:
    """What to tell, as of ``now``; ``is_called_for`` has said yes, and there is a code if one is needed."""
    about, place = About(facts.parcel.code), place_of(facts.view)
    match message.kind:
        case ev.NoticeKind.READY:
            ends_at = hold_end(facts.view.room.hold, now, facts.view.room.calendar)
            return Ready(about, place, facts.code, ends_at)
        case ev.NoticeKind.REMINDER:
            ends_at = _hold(message, facts).ends_at
            left_hours = max(0, int((ends_at - now).total_seconds() // 3600))
            return Reminder(about, place, facts.code, ends_at, left_hours)
        case ev.NoticeKind.EXTENDED:
            return HeldLonger(about, place, facts.code, _hold(message, facts).ends_at)
        case ev.NoticeKind.OVERDUE:
            return Overdue(about, place, facts.code, _hold(message, facts).ends_at)
        case ev.NoticeKind.MOVED:
            return Moved(about, place, facts.former) if facts.former else OnItsWay(about, place)
        case ev.NoticeKind.DROP_OFF_CODE:
            promise = facts.parcel.promise
            assert promise is not None
            return DropOffCode(about, place, facts.code, promise.until)
        case ev.NoticeKind.RECEIPT:
            stay = stay_of(message, facts.parcel)
            assert stay is not None
            assert stay.withdrawn is not None
            return Receipt(about, place, stay.withdrawn.at)
        case ev.NoticeKind.TAKEN_BACK:
            return TakenBack(about, place)
        case _:
            assert_never(message.kind)


def _hold(message: Message, facts: Facts) -> Hold:
    stay = stay_of(message, facts.parcel)
    assert stay is not None
    assert stay.hold is not None
    return stay.hold


def place_of(view: PointView) -> Place:
    """A point as a notice speaks of it."""
    source = view.point.source
    staffed = source is not None and source.kind is SourceKind.COUNTER
    return Place(view.point.name, view.point.directions, view.point.calendar.zone, staffed=staffed)


def channels_of(emails: Sequence[str]) -> dict[str, Address]:
    """The channels of a person in order of preference, under names that tell nothing: ``email-1``, ``email-2``, …"""
    checked = [(number, check_address(text)) for number, text in enumerate(emails, start=1)]
    return {f"email-{number}": found for number, found in checked if not isinstance(found, Refusal)}


def given(message: Message, channel: str, at: Instant) -> RecordNotice:
    """The command that says a channel took a notice at ``at``; for ``ready`` the hold counts from there."""
    return RecordNotice(
        id=_command(message, channel, "given"),
        actor=WORKER,
        at=at,
        parcel=message.parcel,
        notice=message.kind,
        channel=channel,
        bounced=False,
        stay=message.stay,
        point=message.point,
    )


def not_given(message: Message, channel: str, at: Instant, *, last: bool) -> RecordNotice:
    """The command that says a channel refused a notice for good; the ``last`` one opens a case."""
    return RecordNotice(
        id=_command(message, channel, "last" if last else "bounced"),
        actor=WORKER,
        at=at,
        parcel=message.parcel,
        notice=message.kind,
        channel=channel,
        bounced=True,
        stay=message.stay,
        point=message.point,
        last_channel=last,
    )


def _command(message: Message, channel: str, what: str) -> CommandId:
    return CommandId(f"{message.errand.name}.{channel}.{what}")


def as_attempt(tried: Tried) -> Attempt:
    """A failed attempt as it is kept."""
    match tried.outcome:
        case Bounced(at, code, permanent):
            return Attempt(tried.channel, at, code=code, for_good=permanent)
        case Unreachable(at, fault):
            return Attempt(tried.channel, at, for_good=not fault.retryable)
        case HandedOver():
            raise AssertionError("what succeeded is no failed attempt")
        case _:
            assert_never(tried.outcome)


def as_tried(attempt: Attempt) -> Tried:
    """A failed attempt as the choice of the next step reads it."""
    if attempt.code:
        return Tried(attempt.channel, Bounced(attempt.at, attempt.code, permanent=attempt.for_good))
    fault = MailRefusesUs() if attempt.for_good else MailUnreachable()
    return Tried(attempt.channel, Unreachable(attempt.at, fault))
