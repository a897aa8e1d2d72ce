"""What follows from rows alone: what a parcel's points know of it, whom an event is about, whom tasks concern."""

from collections.abc import Iterable

from restante.core.events import ParcelEvent
from restante.core.ids import ParcelId, PointId, StayKey
from restante.core.parcel import Direction, Parcel, is_drop_off, leg_of
from restante.core.reactions import RefreshManifest
from restante.store.ledger import OpenPromise, OpenStay, Recorded, TaskRow


def open_promises(parcel: Parcel | None) -> dict[tuple[PointId, ParcelId], OpenPromise]:
    """The live promise of a parcel, as its point's lane is to know it."""
    if parcel is None or parcel.promise is None:
        return {}
    row = OpenPromise(parcel.id, parcel.promises, parcel.promise, parcel.code, leg_of(parcel), parcel.recipient or "")
    return {(parcel.promise.point, parcel.id): row}


def open_stays(parcel: Parcel | None) -> dict[StayKey, OpenStay]:
    """The open stays of a parcel, as their points' lanes are to know them."""
    if parcel is None:
        return {}
    return {
        stay.key: OpenStay(
            stay.key,
            parcel.id,
            stay.point,
            parcel.org,
            parcel.code,
            stay.door,
            stay.room_class,
            Direction.DROP_OFF if is_drop_off(parcel, stay) else Direction.DELIVERY,
            stay.deposited_at,
            stay.recall,
            parcel.recipient or "",
        )
        for stay in parcel.stays
        if stay.is_open
    }


def subject_of(row: Recorded) -> ParcelId | PointId:
    """The parcel or the point that an event is about."""
    return row.event.parcel if isinstance(row.event, ParcelEvent) else row.event.point


def refreshed(tasks: Iterable[TaskRow]) -> list[PointId]:
    """The points whose manifests these tasks would bring up to date."""
    return sorted({row.task.point for row in tasks if isinstance(row.task, RefreshManifest)})
