"""From a task or timer to the commands it comes to: pure, and the same commands however often it is asked."""

from collections.abc import Iterable
from datetime import timedelta
from typing import assert_never

from restante.core.commands import (
    AnyCommand,
    ExpirePromise,
    LapseHold,
    PauseHold,
    RecallParcel,
    ReleaseRoom,
    ReserveRoom,
    ResumeHold,
)
from restante.core.ids import CommandId, lane_of
from restante.core.parcel import Held, Parcel, stage_of
from restante.core.reactions import GiveBackRoom, OrderRecall, ReserveOnward, StartClocks, StopClocks
from restante.core.reservation import Firmness, Window
from restante.core.stay import NO_CONTACT
from restante.core.time import Instant, millis
from restante.core.timers import TimerKind
from restante.hub.worker.telling import WORKER
from restante.store.attempts import Errand
from restante.store.ledger import OpenStay, TaskRow, TimerRow

ParcelTask = OrderRecall | GiveBackRoom | ReserveOnward
ClockTask = StopClocks | StartClocks


def errand_of(row: TaskRow | TimerRow) -> Errand:
    """The name of a task or timer, the same each time it is taken up; a timer that was moved is another one."""
    match row:
        case TaskRow(lane, seq, ordinal):
            return Errand(lane, f"task.{lane}.{seq}.{ordinal}")
        case TimerRow(parcel, kind, due):
            return Errand(lane_of(parcel), f"timer.{parcel}.{kind}.{millis(due)}")


def command_for(task: ParcelTask, row: TaskRow, now: Instant, *, promise_hours: int) -> AnyCommand:
    """The command that a task about a parcel comes to.

    Its id makes the effect one, though the task may be done twice. Room onward may be refused for now: each attempt
    there asks anew, and a promise that was given refuses the next one.
    """
    name = errand_of(row).name
    match task:
        case OrderRecall(parcel, point, reason):
            return RecallParcel(CommandId(name), WORKER, now, parcel=parcel, point=point, reason=reason)
        case GiveBackRoom(parcel, point):
            return ReleaseRoom(CommandId(name), WORKER, now, parcel=parcel, point=point)
        case ReserveOnward(parcel, point):
            until = now + timedelta(hours=promise_hours)
            return ReserveRoom(
                CommandId(f"{name}.{row.attempts}"),
                WORKER,
                now,
                parcel=parcel,
                point=point,
                window=Window(now, until),
                firmness=Firmness.HARD,
                until=until,
            )
        case _:
            assert_never(task)


def clock_commands(task: ClockTask, row: TaskRow, stays: Iterable[OpenStay], *, now: Instant) -> list[AnyCommand]:
    """A command for the clock of every open stay at a point; those without a running hold refuse it."""
    name = errand_of(row).name
    turn = PauseHold if isinstance(task, StopClocks) else ResumeHold
    return [
        turn(CommandId(f"{name}.{stay.key}"), WORKER, now, parcel=stay.parcel, point=stay.point, why=NO_CONTACT)
        for stay in stays
    ]


def timer_command(row: TimerRow, parcel: Parcel, now: Instant) -> AnyCommand | None:
    """The command that a timer comes to, if the parcel is still as the timer was set for; None for a reminder.

    It has no id: the state it meets makes it idempotent, and a refusal for now must not stand for good.
    """
    match row.kind:
        case TimerKind.EXPIRE_PROMISE if parcel.promise is not None:
            return ExpirePromise(CommandId(""), WORKER, now, parcel=parcel.id, point=parcel.promise.point)
        case TimerKind.LAPSE_HOLD if isinstance(stage := stage_of(parcel), Held):
            return LapseHold(CommandId(""), WORKER, now, parcel=parcel.id, point=stage.point)
        case _:
            return None
