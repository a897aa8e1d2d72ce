"""Decisions about parcels: a command and the rows it names in, events or a refusal out.

Every function here is total over stages: what a stage does not allow is refused by a code of its own.
"""

from collections.abc import Iterable
from typing import assert_never

from msgspec import UNSET

from restante.core import commands as cmd
from restante.core import events as ev
from restante.core.bank import is_room_class
from restante.core.clocks import clock_at_start, turn_clock
from restante.core.ids import PointId
from restante.core.parcel import Parcel, current_stay, is_drop_off, is_ended, stage_of, waiting_at
from restante.core.refusals import Refusal
from restante.core.reservation import Promise, Room, check_promise, promise_number, with_promise
from restante.core.stay import Evidence, RecallReason, Stay
from restante.core.surprises import deposited, opened_case
from restante.core.time import Instant, hold_end
from restante.core.world import World, case_key

Decision = list[ev.AnyEvent] | Refusal


def decide_parcel(command: cmd.AnyParcelCommand, world: World) -> Decision:
    """Decide one command about a parcel."""
    parcel = world.parcels[command.parcel]
    if isinstance(command, cmd.AnnounceParcel):
        return _announce(command, parcel)
    if parcel is None or command.owner not in (UNSET, parcel.org):
        return Refusal("parcel-unknown", "parcel", command.parcel)
    match command:
        case cmd.ClaimStray():
            return _claim(command, parcel, world)
        case cmd.ReserveRoom():
            return _reserve(command, parcel, world)
        case cmd.ReleaseRoom():
            return _end_promise(parcel, command.point, ev.PromiseEnd.RELEASED)
        case cmd.ExpirePromise():
            return _expire(command, parcel, world)
        case cmd.CancelParcel():
            return _cancel(command, parcel)
        case cmd.RedirectParcel():
            return _redirect(command, parcel, world)
        case cmd.RecallParcel():
            return _recall(command, parcel)
        case cmd.ReleaseParcel():
            return _release(command, parcel)
        case cmd.RecordNotice():
            return _record_notice(command, parcel, world)
        case cmd.SettleCase():
            return _settle(command, parcel)
        case cmd.ExtendHold() | cmd.PauseHold() | cmd.ResumeHold() | cmd.LapseHold():
            return turn_clock(command, parcel, world)
        case _:
            assert_never(command)


def _announce(command: cmd.AnnounceParcel, parcel: Parcel | None) -> Decision:
    if parcel is not None:
        return Refusal("parcel-exists", "parcel", command.parcel)
    if not is_room_class(command.room_class):
        return Refusal("room-class-malformed", "room_class", command.room_class[:80])
    return [
        ev.ParcelAnnounced(
            parcel=command.parcel,
            org=command.org,
            code=command.code,
            direction=command.direction,
            room_class=command.room_class,
            weight_grams=command.weight_grams,
            recipient=command.recipient,
            consignment=command.consignment,
            destination=command.destination,
        )
    ]


def _claim(command: cmd.ClaimStray, parcel: Parcel, world: World) -> Decision:
    room = world.rooms[command.point]
    stray = room.strays.get(str(command.stay)) if room else None
    if room is None or stray is None or stray.parcel != parcel.id:
        return Refusal("stray-unknown", "stay", str(command.stay))
    opened = ev.ParcelDeposited(
        parcel.id, command.stay, command.point, stray.door, stray.room_class, stray.by, Evidence.NONE, stray.shared
    )
    claimed: list[ev.AnyEvent] = [ev.StrayClaimed(command.point, command.stay)]
    if case := room.cases.get(case_key(ev.CaseKind.PARCEL_UNKNOWN, parcel.id)):
        claimed.append(ev.PointCaseSettled(command.point, case, ev.CaseKind.PARCEL_UNKNOWN, "announced since"))
    return [*claimed, *deposited(parcel, opened, command.at)]


def _reserve(command: cmd.ReserveRoom, parcel: Parcel, world: World) -> Decision:
    if refused := _check_still_wanted(parcel) or _check_out_of_custody(parcel):
        return refused
    if parcel.promise is not None:
        return Refusal("already-promised", "point", parcel.promise.point)
    promise = _promise(command, parcel, command.point)
    return _promised(parcel, promise, world, now=command.at)


def _promise(command: cmd.ReserveRoom | cmd.RedirectParcel, parcel: Parcel, point: PointId) -> Promise:
    return Promise(point, parcel.room_class, command.window, parcel.org, command.firmness, command.until)


def _promised(parcel: Parcel, promise: Promise, world: World, *, now: Instant) -> Decision:
    room = world.rooms[promise.point]
    if room is None:
        return Refusal("point-unknown", "point", promise.point)
    given_up = parcel.promise
    left = room if given_up is None or given_up.point != promise.point else with_promise(room, given_up, -1)
    if refused := check_promise(left, promise, now):
        return refused
    return [ev.RoomReserved(parcel.id, promise, promise_number(parcel.promises, now))]


def _end_promise(parcel: Parcel, point: PointId, why: ev.PromiseEnd) -> Decision:
    if parcel.promise is None or parcel.promise.point != point:
        return Refusal("not-promised", "point", point)
    return [ev.PromiseEnded(parcel.id, parcel.promise, why)]


def _expire(command: cmd.ExpirePromise, parcel: Parcel, world: World) -> Decision:
    if parcel.promise is not None and parcel.promise.until > command.at:
        return Refusal("promise-running", "at", parcel.promise.until.isoformat())
    room = world.rooms[command.point]
    if room is not None and room.lost_at is not None:
        return Refusal("source-unheard", "point", command.point)
    return _end_promise(parcel, command.point, ev.PromiseEnd.EXPIRED)


def _cancel(command: cmd.CancelParcel, parcel: Parcel) -> Decision:
    if refused := _check_still_wanted(parcel) or _check_out_of_custody(parcel):
        return refused
    ended = _ended_promise(parcel, command.point, ev.PromiseEnd.CANCELLED)
    return ended if isinstance(ended, Refusal) else [*ended, ev.ParcelCancelled(parcel.id)]


def _release(command: cmd.ReleaseParcel, parcel: Parcel) -> Decision:
    if refused := _check_not_ended(parcel) or _check_out_of_custody(parcel):
        return refused
    ended = _ended_promise(parcel, command.point, ev.PromiseEnd.RELEASED)
    return ended if isinstance(ended, Refusal) else [*ended, ev.ParcelReleased(parcel.id)]


def _ended_promise(parcel: Parcel, named: PointId | None, why: ev.PromiseEnd) -> Decision:
    """The end of the promise, if there is one: its room must be among those the command named."""
    if parcel.promise is None:
        return []
    if parcel.promise.point != named:
        return Refusal("point-not-named", "point", parcel.promise.point)
    return [ev.PromiseEnded(parcel.id, parcel.promise, why)]


def _redirect(command: cmd.RedirectParcel, parcel: Parcel, world: World) -> Decision:
    if refused := _check_still_wanted(parcel):
        return refused
    ended = _ended_promise(parcel, command.from_point, ev.PromiseEnd.MOVED)
    if isinstance(ended, Refusal):
        return ended
    recalled = _recalled_for_redirect(command, parcel)
    if isinstance(recalled, Refusal):
        return recalled
    promise = _promise(command, parcel, command.to_point)
    reserved = _promised(parcel, promise, world, now=command.at)
    if isinstance(reserved, Refusal):
        return reserved
    return [ev.ParcelRedirected(parcel.id, command.to_point, command.from_point), *ended, *reserved, *recalled]


def _recalled_for_redirect(command: cmd.RedirectParcel, parcel: Parcel) -> Decision:
    stay = current_stay(parcel)
    if stay is None:
        return []
    if stay.recall is not None:
        redirected = stay.recall is RecallReason.REDIRECTED
        return [] if redirected else Refusal("already-recalled", "parcel", parcel.id)
    if stay.point == command.to_point:
        return Refusal("already-there", "to_point", stay.point)
    if parcel.promise is None and command.from_point != stay.point:
        return Refusal("point-not-named", "from_point", stay.point)
    return [ev.RecallOrdered(parcel.id, stay.key, stay.point, RecallReason.REDIRECTED)]


def _recall(command: cmd.RecallParcel, parcel: Parcel) -> Decision:
    stay = waiting_at(parcel, command.point)
    if isinstance(stay, Refusal):
        return stay
    if stay.recall is not None:
        return Refusal("already-recalled", "parcel", parcel.id)
    return [ev.RecallOrdered(parcel.id, stay.key, stay.point, command.reason)]


def _record_notice(command: cmd.RecordNotice, parcel: Parcel, world: World) -> Decision:
    if command.bounced:
        told: list[ev.AnyEvent] = [ev.NoticeBounced(parcel.id, command.notice, command.channel, command.stay)]
        return (
            [*told, *opened_case(parcel, ev.CaseKind.NOTICE_BOUNCED, command.channel)] if command.last_channel else told
        )
    told = [ev.NoticeGiven(parcel.id, command.notice, command.channel, command.stay)]
    stay = parcel.stay(command.stay) if command.stay and command.notice is ev.NoticeKind.READY else None
    if stay is None or not stay.is_open or stay.hold or stay.recall or is_drop_off(parcel, stay):
        return told
    if command.point != stay.point:
        return Refusal("point-not-named", "point", stay.point)
    return [*told, *_started(parcel, stay, world.rooms[stay.point], now=command.at)]


def _started(parcel: Parcel, stay: Stay, room: Room | None, *, now: Instant) -> Iterable[ev.AnyEvent]:
    assert room is not None, "a stay is at a known point"
    yield ev.HoldStarted(parcel.id, stay.key, hold_end(room.hold, now, room.calendar))
    yield from clock_at_start(parcel, stay, room)


def _settle(command: cmd.SettleCase, parcel: Parcel) -> Decision:
    for kind, case in parcel.cases.items():
        if case == command.case:
            return [ev.CaseSettled(parcel.id, case, ev.CaseKind(kind), command.how)]
    return Refusal("case-unknown", "case", command.case)


def _check_still_wanted(parcel: Parcel) -> Refusal | None:
    if refused := _check_not_ended(parcel):
        return refused
    return Refusal("already-cancelled", "parcel", parcel.id) if parcel.cancelled_at is not None else None


def _check_not_ended(parcel: Parcel) -> Refusal | None:
    stage = stage_of(parcel)
    return Refusal("parcel-ended", "parcel", type(stage).__name__.lower()) if is_ended(stage) else None


def _check_out_of_custody(parcel: Parcel) -> Refusal | None:
    return Refusal("parcel-in-custody", "parcel", parcel.id) if current_stay(parcel) else None
