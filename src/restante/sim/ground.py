"""The ground: where each parcel really is and whose hands it went through, whatever any machine believes.

Only hands move things here. The ground is what the hub's stages and the banks' books are compared with at the end.
"""

from enum import StrEnum

import msgspec

from restante.core.ids import ParcelId, SourceId


class Hands(StrEnum):
    """Who has a parcel that is not behind a door."""

    CARRIER = "its carrier"
    SENDER = "its sender"
    RECIPIENT = "its recipient"
    STRANGER = "somebody else"


class Behind(msgspec.Struct, frozen=True):
    """Behind a door, or on a shelf place."""

    source: SourceId
    door: int


Spot = Hands | Behind


class Move(msgspec.Struct, frozen=True):
    """A parcel changed its spot."""

    parcel: ParcelId
    before: Spot
    after: Spot


class Ground:
    """Where every parcel is, and how it got there.

    ``unseen`` are parcels that went where no machine can know: past a sensor that lied, or behind another's door.
    """

    def __init__(self) -> None:
        self.spots: dict[ParcelId, Spot] = {}
        self.moves: list[Move] = []
        self.unseen: set[ParcelId] = set()

    def appear(self, parcel: ParcelId, hands: Hands) -> None:
        """A parcel comes into the world in somebody's hands."""
        assert parcel not in self.spots
        self.spots[parcel] = hands

    def move(self, parcel: ParcelId, spot: Spot) -> None:
        """Somebody carries a parcel from where it is to another spot."""
        before = self.spots[parcel]
        assert before != spot, f"{parcel} is there already"
        self.moves.append(Move(parcel, before, spot))
        self.spots[parcel] = spot

    def behind(self, source: SourceId, door: int) -> list[ParcelId]:
        """What lies behind a door, in the order in which it was put there."""
        spot = Behind(source, door)
        inside = {parcel for parcel, where in self.spots.items() if where == spot}
        order = [move.parcel for move in self.moves if move.after == spot and move.parcel in inside]
        return list(dict.fromkeys(reversed(order)))[::-1]
