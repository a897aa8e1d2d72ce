"""Decisions about parcels: a command and the rows it names in, events or a refusal out.

Every function here is total over stages: what a stage does not allow is refused by a code of its own.
"""

from datetime import timedelta
from typing import assert_never

from restante.core import commands as cmd
from restante.core import events as ev
from restante.core.ids import CaseId, PointId, StayKey, derived_id, lane_of
from restante.core.parcel import (
    Deposited,
    DroppedOff,
    Held,
    Lapsed,
    Parcel,
    Recalled,
    is_ended,
    stage_of,
)
from restante.core.refusals import Refusal
from restante.core.reservation import Firmness, Promise, Room, Window, check_promise
from restante.core.stay import RecallReason, resumed
from restante.core.time import Instant, hold_end
from restante.core.world import World

Decision = list[ev.AnyEvent] | Refusal


def decide_parcel(command: cmd.ParcelCommand, world: World) -> Decision:
    """Decide one command about a parcel."""
    parcel = world.parcels[command.parcel]
    if isinstance(command, cmd.AnnounceParcel):
        return _announce(command, parcel)
    if parcel is None:
        return Refusal("parcel-unknown", "parcel", command.parcel)
    match command:
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
            return _turn_clock(command, parcel)
        case _:
            assert_never(command)


def _announce(command: cmd.AnnounceParcel, parcel: Parcel | None) -> Decision:
    if parcel is not None:
        return Refusal("parcel-exists", "parcel", command.parcel)
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
        )
    ]


def _reserve(command: cmd.ReserveRoom, parcel: Parcel, world: World) -> Decision:
    if refused := _check_not_ended(parcel) or _check_out_of_custody(parcel):
        return refused
    if parcel.promise is not None:
        return Refusal("already-promised", "point", parcel.promise.point)
    promise = _promise(parcel, command.point, command.window, command.firmness, command.until)
    return _promised(parcel, promise, world, command.at)


def _promise(parcel: Parcel, point: PointId, window: Window, firmness: Firmness, until: Instant) -> Promise:
    return Promise(point, parcel.room_class, window, parcel.org, firmness, until)


def _promised(parcel: Parcel, promise: Promise, world: World, now: Instant) -> Decision:
    room = world.rooms[promise.point]
    if room is None:
        return Refusal("point-unknown", "point", promise.point)
    if refused := check_promise(room, promise, now):
        return refused
    return [ev.RoomReserved(parcel.id, promise, parcel.promises + 1)]


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
    if refused := _check_not_ended(parcel) or _check_out_of_custody(parcel):
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
    if refused := _check_not_ended(parcel):
        return refused
    ended = _ended_promise(parcel, command.from_point, ev.PromiseEnd.MOVED)
    if isinstance(ended, Refusal):
        return ended
    recalled = _recalled_for_redirect(command, parcel)
    if isinstance(recalled, Refusal):
        return recalled
    promise = _promise(parcel, command.to_point, command.window, command.firmness, command.until)
    reserved = _promised(parcel, promise, world, command.at)
    if isinstance(reserved, Refusal):
        return reserved
    return [ev.ParcelRedirected(parcel.id, command.to_point, command.from_point), *ended, *reserved, *recalled]


def _recalled_for_redirect(command: cmd.RedirectParcel, parcel: Parcel) -> Decision:
    match stage_of(parcel):
        case Recalled(reason=RecallReason.REDIRECTED):
            return []
        case Recalled():
            return Refusal("already-recalled", "parcel", parcel.id)
        case (Deposited() | Held() | Lapsed() | DroppedOff()) as behind:
            if parcel.promise is None and command.from_point != behind.point:
                return Refusal("point-not-named", "from_point", behind.point)
            return [ev.RecallOrdered(parcel.id, behind.stay, behind.point, RecallReason.REDIRECTED)]
        case _:
            return []


def _recall(command: cmd.RecallParcel, parcel: Parcel) -> Decision:
    match stage_of(parcel):
        case Recalled():
            return Refusal("already-recalled", "parcel", parcel.id)
        case (Deposited() | Held() | Lapsed() | DroppedOff()) as behind:
            if command.point != behind.point:
                return Refusal("point-not-named", "point", behind.point)
            return [ev.RecallOrdered(parcel.id, behind.stay, behind.point, command.reason)]
        case _:
            return Refusal("parcel-not-waiting", "parcel", parcel.id)


def _turn_clock(command: cmd.ExtendHold | cmd.PauseHold | cmd.ResumeHold | cmd.LapseHold, parcel: Parcel) -> Decision:
    match stage_of(parcel):
        case Held() as held:
            return _turn_running_clock(command, parcel, held)
        case Lapsed() | Recalled():
            return Refusal("hold-lapsed", "parcel", parcel.id)
        case Deposited() | DroppedOff():
            return Refusal("hold-not-started", "parcel", parcel.id)
        case _:
            return Refusal("parcel-not-waiting", "parcel", parcel.id)


def _turn_running_clock(
    command: cmd.ExtendHold | cmd.PauseHold | cmd.ResumeHold | cmd.LapseHold, parcel: Parcel, held: Held
) -> Decision:
    hold, stay = held.hold, held.stay
    match command:
        case cmd.ExtendHold(ends_at=ends_at):
            if ends_at <= hold.ends_at:
                return Refusal("hold-not-longer", "ends_at", hold.ends_at.isoformat())
            if ends_at > hold.started_at + timedelta(hours=command.longest_hold_hours):
                return Refusal("hold-too-long", "ends_at", f"{command.longest_hold_hours} hours at most")
            return [ev.HoldExtended(parcel.id, stay, ends_at)]
        case cmd.PauseHold(why=why):
            if hold.paused_at is not None:
                return Refusal("hold-paused", "parcel", parcel.id)
            return [ev.HoldPaused(parcel.id, stay, why)]
        case cmd.ResumeHold():
            if hold.paused_at is None:
                return Refusal("hold-not-paused", "parcel", parcel.id)
            return [ev.HoldResumed(parcel.id, stay, resumed(hold, command.at).ends_at)]
        case cmd.LapseHold():
            if hold.paused_at is not None:
                return Refusal("hold-paused", "parcel", parcel.id)
            if hold.ends_at > command.at:
                return Refusal("hold-running", "at", hold.ends_at.isoformat())
            return [ev.HoldLapsed(parcel.id, stay)]
        case _:
            assert_never(command)


def _record_notice(command: cmd.RecordNotice, parcel: Parcel, world: World) -> Decision:
    if command.bounced:
        told: list[ev.AnyEvent] = [ev.NoticeBounced(parcel.id, command.notice, command.channel, command.stay)]
        return (
            [*told, *opened_case(parcel, ev.CaseKind.NOTICE_BOUNCED, command.channel)] if command.last_channel else told
        )
    told = [ev.NoticeGiven(parcel.id, command.notice, command.channel, command.stay)]
    match stage_of(parcel):
        case Deposited(stay=stay, point=point) if command.notice is ev.NoticeKind.READY and command.stay == stay:
            if command.point != point:
                return Refusal("point-not-named", "point", point)
            return [*told, *_started(parcel, stay, world.rooms[point], command.at)]
        case _:
            return told


def _started(parcel: Parcel, stay: StayKey, room: Room | None, now: Instant) -> list[ev.AnyEvent]:
    assert room is not None, "a stay is at a known point"
    started: list[ev.AnyEvent] = [ev.HoldStarted(parcel.id, stay, hold_end(room.hold, now, room.calendar))]
    if room.lost_at is not None:
        started.append(ev.HoldPaused(parcel.id, stay, "no contact"))
    return started


def _settle(command: cmd.SettleCase, parcel: Parcel) -> Decision:
    for kind, case in parcel.cases.items():
        if case == command.case:
            return [ev.CaseSettled(parcel.id, case, ev.CaseKind(kind), command.how)]
    return Refusal("case-unknown", "case", command.case)


def opened_case(parcel: Parcel, what: ev.CaseKind, detail: str = "") -> list[ev.AnyEvent]:
    """The opening of a case about a parcel, unless one of its kind is open already."""
    if what.value in parcel.cases:
        return []
    case = CaseId(derived_id(f"case:{what}:{parcel.id}:{parcel.version}", lane_of(parcel.id)))
    return [ev.CaseOpened(parcel.id, case, what, detail)]


def _check_not_ended(parcel: Parcel) -> Refusal | None:
    stage = stage_of(parcel)
    return Refusal("parcel-ended", "parcel", type(stage).__name__.lower()) if is_ended(stage) else None


def _check_out_of_custody(parcel: Parcel) -> Refusal | None:
    inside = isinstance(stage_of(parcel), Deposited | Held | Lapsed | DroppedOff | Recalled)
    return Refusal("parcel-in-custody", "parcel", parcel.id) if inside else None
