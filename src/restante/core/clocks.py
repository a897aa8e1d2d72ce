"""Decisions about the clock of a hold: extend, pause, resume, lapse. None of them moves its end earlier."""

from collections.abc import Iterable
from datetime import timedelta
from typing import assert_never

from restante.core import commands as cmd
from restante.core import events as ev
from restante.core.bank import OPENABLE, Condition
from restante.core.ids import StayKey
from restante.core.parcel import Parcel, current_stay, waiting_at
from restante.core.refusals import Refusal
from restante.core.reservation import Room
from restante.core.stay import DOOR, NO_CONTACT, Hold, Stay, resumed
from restante.core.time import Instant
from restante.core.world import World

ClockCommand = cmd.ExtendHold | cmd.PauseHold | cmd.ResumeHold | cmd.LapseHold


def turn_clock(command: ClockCommand, parcel: Parcel, world: World) -> list[ev.AnyEvent] | Refusal:
    """Decide one command about the clock of a hold."""
    stay = current_stay(parcel) if isinstance(command, cmd.ExtendHold) else waiting_at(parcel, command.point)
    if isinstance(stay, Refusal):
        return stay
    if stay is None:
        return Refusal("parcel-not-waiting", "parcel", parcel.id)
    if stay.recall is not None:
        return Refusal("already-recalled", "parcel", parcel.id)
    if stay.hold is None:
        return Refusal("hold-not-started", "parcel", parcel.id)
    if stay.hold.lapsed_at is not None:
        return Refusal("hold-lapsed", "parcel", parcel.id)
    turned = _turned(command, stay, stay.hold, world=world)
    return turned if isinstance(turned, Refusal) else [turned]


def _turned(command: ClockCommand, stay: Stay, hold: Hold, *, world: World) -> ev.AnyEvent | Refusal:
    match command:
        case cmd.ExtendHold():
            return _extended(command, stay.key, hold)
        case cmd.PauseHold(why=why):
            if why in hold.reasons:
                return Refusal("hold-paused", "why", why)
            if why == NO_CONTACT and not _is_unheard(world.rooms[command.point]):
                return Refusal("source-heard", "point", command.point)
            return ev.HoldPaused(command.parcel, stay.key, why)
        case cmd.ResumeHold(why=why):
            if why not in hold.reasons:
                return Refusal("hold-not-paused", "why", why)
            if why == NO_CONTACT and _is_unheard(world.rooms[command.point]):
                return Refusal("source-unheard", "point", command.point)
            return ev.HoldResumed(command.parcel, stay.key, resumed(hold, why, command.at).ends_at, why)
        case cmd.LapseHold():
            return _lapsed(command, stay.key, hold, room=world.rooms[command.point])
        case _:
            assert_never(command)


def _extended(command: cmd.ExtendHold, key: StayKey, hold: Hold) -> ev.AnyEvent | Refusal:
    if command.ends_at <= hold.ends_at:
        return Refusal("hold-not-longer", "ends_at", hold.ends_at.isoformat())
    if command.ends_at > hold.started_at + timedelta(hours=command.longest_hold_hours):
        return Refusal("hold-too-long", "ends_at", f"{command.longest_hold_hours} hours at most")
    return ev.HoldExtended(command.parcel, key, command.ends_at)


def _lapsed(command: cmd.LapseHold, key: StayKey, hold: Hold, *, room: Room | None) -> ev.AnyEvent | Refusal:
    if hold.paused_at is not None:
        return Refusal("hold-paused", "parcel", ", ".join(hold.reasons))
    if _is_unheard(room):
        return Refusal("source-unheard", "point", command.point)
    if hold.ends_at > command.at:
        return Refusal("hold-running", "at", hold.ends_at.isoformat())
    return ev.HoldLapsed(command.parcel, key)


def _is_unheard(room: Room | None) -> bool:
    assert room is not None, "a stay is at a known point"
    return room.lost_at is not None


def clock_at_start(parcel: Parcel, stay: Stay, room: Room) -> Iterable[ev.AnyEvent]:
    """The reasons for which the clock of a hold that starts now stands from the first moment."""
    if room.lost_at is not None:
        yield ev.HoldPaused(parcel.id, stay.key, NO_CONTACT)
    faulty = room.faulty.get(str(stay.door))
    if faulty is not None and faulty.condition not in OPENABLE:
        yield ev.HoldPaused(parcel.id, stay.key, DOOR)


def clock_at_door(parcel: Parcel, stay: Stay, *, condition: Condition, at: Instant) -> Iterable[ev.AnyEvent]:
    """What the condition of its door does to the clock of a stay."""
    hold = stay.hold
    if hold is None or hold.lapsed_at is not None:
        return
    if condition not in OPENABLE and DOOR not in hold.reasons:
        yield ev.HoldPaused(parcel.id, stay.key, DOOR)
    if condition in OPENABLE and DOOR in hold.reasons:
        yield ev.HoldResumed(parcel.id, stay.key, resumed(hold, DOOR, at).ends_at, DOOR)
