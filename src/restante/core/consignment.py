"""A consignment: items under one reference, and the status that follows from theirs."""

from collections.abc import Iterable

import msgspec

from restante.core.ids import ConsignmentId, OrgId, ParcelId
from restante.core.parcel import Parcel
from restante.core.status import Phase, Status, status_of


class Consignment(msgspec.Struct, frozen=True):
    """Items that one party sent under one reference; the reference itself is kept with the carrier's other words."""

    id: ConsignmentId
    org: OrgId
    parcels: tuple[ParcelId, ...]


class ConsignmentStatus(msgspec.Struct, frozen=True):
    """How many items stand in each phase; the consignment is as far as the item that is furthest behind."""

    items: dict[Phase, int]
    status: Status

    @property
    def is_split(self) -> bool:
        """Whether the items are not all in one phase: some may be ready while others are on their way."""
        return len(self.items) > 1


_ORDER = (Phase.ANNOUNCED, Phase.PROMISED, Phase.TAKEN_OUT, Phase.IN_CUSTODY, Phase.ENDED)


def consignment_status(parcels: Iterable[Parcel]) -> ConsignmentStatus:
    """The status of a consignment of at least one item."""
    statuses = [status_of(parcel) for parcel in parcels]
    assert statuses, "a consignment has items"
    items: dict[Phase, int] = {}
    for status in statuses:
        items[status.phase] = items.get(status.phase, 0) + 1
    return ConsignmentStatus(items, min(statuses, key=lambda status: _ORDER.index(status.phase)))
