"""Reactions: an event in, tasks out. Tasks are run from the outbox, each at least once and with effect at most once."""

import msgspec

from restante.core import events as ev
from restante.core.ids import ParcelId, PointId, SourceId, StayKey
from restante.core.parcel import Direction, Parcel, is_drop_off, is_over, leg_of
from restante.core.stay import By, RecallReason


class Task(msgspec.Struct, frozen=True, tag_field="task", omit_defaults=True):
    """Something the hub owes the world because of an event."""


class IssueCode(Task, frozen=True, tag="issue-code"):
    """Make the code that opens a door at this point: for a delivery's recipient or a drop-off's sender.

    It is told when it is of use: a delivery's once the parcel lies there, a drop-off's once its point knows it.
    """

    parcel: ParcelId
    point: PointId


class SendNotice(Task, frozen=True, tag="send-notice"):
    """Tell the person."""

    parcel: ParcelId
    notice: ev.NoticeKind
    point: PointId | None = None
    stay: StayKey | None = None


class OrderRecall(Task, frozen=True, tag="order-recall"):
    """Have a courier take the parcel out."""

    parcel: ParcelId
    point: PointId
    reason: RecallReason


class GiveBackRoom(Task, frozen=True, tag="give-back-room"):
    """Release the promise that a deposit elsewhere left behind."""

    parcel: ParcelId
    point: PointId


class ReserveOnward(Task, frozen=True, tag="reserve-onward"):
    """Promise a drop-off room at its destination: a courier has it, and its way on is a delivery."""

    parcel: ParcelId
    point: PointId


class StopClocks(Task, frozen=True, tag="stop-clocks"):
    """Pause the hold of every open stay at a point, for the reason ``NO_CONTACT``."""

    point: PointId


class StartClocks(Task, frozen=True, tag="start-clocks"):
    """Take the reason ``NO_CONTACT`` away from the holds at a point."""

    point: PointId


class RefreshManifest(Task, frozen=True, tag="refresh-manifest"):
    """Bring the manifest of a point's source up to date. A timer does the same, so losing this costs time only."""

    point: PointId
    source: SourceId | None = None


AnyTask = (
    IssueCode | SendNotice | OrderRecall | GiveBackRoom | ReserveOnward | StopClocks | StartClocks | RefreshManifest
)


def react(event: ev.AnyEvent, parcel: Parcel | None) -> list[AnyTask]:
    """The tasks that follow from an event; ``parcel`` is the parcel after it, for events about one."""
    if isinstance(event, ev.ParcelEvent):
        assert parcel is not None
        return _react_to_parcel(event, parcel)
    match event:
        case ev.ContactLost(point=point):
            return [StopClocks(point)]
        case ev.ContactRegained(point=point):
            return [StartClocks(point)]
        case _:
            return [RefreshManifest(event.point)]


def _react_to_parcel(event: ev.AnyParcelEvent, parcel: Parcel) -> list[AnyTask]:
    match event:
        case ev.RoomReserved(promise=promise):
            issue = IssueCode(parcel.id, promise.point)
            if leg_of(parcel) is Direction.DELIVERY:
                return [issue]
            return [issue, SendNotice(parcel.id, ev.NoticeKind.DROP_OFF_CODE, promise.point)]
        case ev.PromiseEnded(promise=promise, why=why) if why is not ev.PromiseEnd.KEPT:
            return [RefreshManifest(promise.point)]
        case ev.ParcelDeposited():
            return _react_to_deposit(event, parcel)
        case ev.ParcelWithdrawn():
            return _react_to_withdrawal(event, parcel)
        case ev.HoldExtended(stay=stay):
            return [SendNotice(parcel.id, ev.NoticeKind.EXTENDED, stay=stay)]
        case ev.HoldLapsed(stay=stay):
            point = _point_of(parcel, stay)
            return [
                SendNotice(parcel.id, ev.NoticeKind.OVERDUE, point, stay),
                OrderRecall(parcel.id, point, RecallReason.LAPSED),
            ]
        case ev.RecallOrdered(point=point):
            return [RefreshManifest(point)]
        case ev.ParcelRedirected(to_point=to_point):
            return [SendNotice(parcel.id, ev.NoticeKind.MOVED, to_point)]
        case _:
            return []


def _react_to_deposit(event: ev.ParcelDeposited, parcel: Parcel) -> list[AnyTask]:
    tasks: list[AnyTask] = [RefreshManifest(event.point)]
    if parcel.promise is not None and parcel.promise.point != event.point:
        tasks.append(GiveBackRoom(parcel.id, parcel.promise.point))
    stay = parcel.stay(event.stay)
    assert stay is not None
    if parcel.cancelled_at is not None:
        tasks.append(OrderRecall(parcel.id, event.point, RecallReason.CANCELLED))
    elif not is_over(parcel) and not is_drop_off(parcel, stay):
        tasks.append(SendNotice(parcel.id, ev.NoticeKind.READY, event.point, event.stay))
    return tasks


def _react_to_withdrawal(event: ev.ParcelWithdrawn, parcel: Parcel) -> list[AnyTask]:
    if event.by in (By.RECIPIENT, By.NOMINEE):
        receipt = SendNotice(parcel.id, ev.NoticeKind.RECEIPT, event.point, event.stay)
        left = parcel.promise
        return [receipt, GiveBackRoom(parcel.id, left.point)] if left is not None else [receipt]
    stay = parcel.stay(event.stay)
    assert stay is not None
    goes_on = is_drop_off(parcel, stay) and leg_of(parcel) is Direction.DELIVERY
    if goes_on and parcel.destination is not None and parcel.promise is None and not is_over(parcel):
        return [ReserveOnward(parcel.id, parcel.destination)]
    return []


def _point_of(parcel: Parcel, key: StayKey) -> PointId:
    stay = parcel.stay(key)
    assert stay is not None
    return stay.point
