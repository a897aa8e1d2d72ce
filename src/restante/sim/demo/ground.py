"""What is really so: which parcel is in whose hands or behind which door, as the people of the demo carried it there.

This is the third account of a day, beside the hub's and the machines' own, and nobody but the people writes it.
"""

import asyncio
import time
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

import msgspec

from restante.core.bank import SourceKind
from restante.edge.person import Person
from restante.sim.demo.lines import Line

IN: Final = "in"
OUT: Final = "out"


class Deed(msgspec.Struct, frozen=True):
    """A parcel went in or out at a door, by whose hands; ``at_s`` is the steady clock when the door was shut."""

    source: str
    door: int
    way: str
    by: str
    at_s: float


class Spot(msgspec.Struct):
    """A pick-up point as people meet it: its machine, the line to it, room for one person at a time."""

    code: str
    name: str
    kind: SourceKind
    point: str
    source: str
    folder: Path
    line: Line
    person: Person
    turn: asyncio.Lock = msgspec.field(default_factory=asyncio.Lock)
    cuts: list[tuple[float, float]] = msgspec.field(default_factory=list)

    @property
    def staffed(self) -> bool:
        """Whether people hand over in place of doors."""
        return self.kind is SourceKind.COUNTER

    @property
    def channel(self) -> str:
        """Where a code is typed here."""
        return "desk" if self.staffed else "keypad"

    def was_cut(self, at_s: float) -> bool:
        """Whether the line was cut at a moment of the steady clock."""
        return any(began_s <= at_s <= ended_s for began_s, ended_s in self.cuts)


class Role(StrEnum):
    """What becomes of a parcel in the story of the day."""

    COLLECTS = "collects"
    WAITS_FOR_REMINDER = "waits for the reminder"
    NEVER_COMES = "never comes"
    EXTENDS = "extends"
    REDIRECTS_EARLY = "redirects before it is brought"
    REDIRECTS_LATE = "redirects while it waits"
    IS_CALLED_OFF = "is called off"
    DROPS_OFF = "drops off"
    MISTYPES = "mistypes the code first"
    MEETS_A_JAM = "meets a jammed door"
    HAS_A_DEAD_MAILBOX = "has a mailbox that is gone"


class Item(msgspec.Struct):
    """One parcel: whom it is for, where it is bound, where it is, and every deed done with it."""

    reference: str
    org: str
    email: str
    role: Role
    rank: int
    id: str = ""
    code: str = ""
    spot: Spot | None = None
    behind: tuple[str, int] | None = None
    deeds: list[Deed] = msgspec.field(default_factory=list)
    ended: str = ""
    recalled: bool = False
    mails: int = 0
    first_code_s: float | None = None
    notes: list[str] = msgspec.field(default_factory=list)

    @property
    def is_in_hand(self) -> bool:
        """Whether no machine has it."""
        return self.behind is None


class Ground:
    """All parcels of the day, and what lies where."""

    def __init__(self) -> None:
        self.items: dict[str, Item] = {}
        self.breaches: list[str] = []
        self.wrong_codes = 0
        self.stuck_doors = 0

    def add(self, item: Item) -> None:
        """A parcel has come into the world."""
        self.items[item.id] = item

    def put(self, item: Item, spot: Spot, door: int, *, by: str) -> None:
        """A parcel was put behind a door and the door shut."""
        strangers = [one for one in self.behind(spot.source, door) if one.email != item.email]
        if strangers and not spot.staffed:
            self.breaches.append(f"{item.code} was put behind door {door} of {spot.name}, on {strangers[0].code}")
        item.behind = (spot.source, door)
        item.deeds.append(Deed(spot.source, door, IN, by, time.monotonic()))

    def take(self, item: Item, spot: Spot, *, by: str) -> None:
        """A parcel was taken out and the door shut."""
        if item.behind is None or item.behind[0] != spot.source:
            self.breaches.append(f"{item.code} was taken at {spot.name}, where it never was")
            return
        item.deeds.append(Deed(spot.source, item.behind[1], OUT, by, time.monotonic()))
        item.behind = None

    def behind(self, source: str, door: int) -> list[Item]:
        """What lies behind a door."""
        return [item for item in self.items.values() if item.behind == (source, door)]

    def forget(self, item: Item) -> None:
        """A parcel whose story has ended is of no more interest; for a day that never ends."""
        self.items.pop(item.id, None)

    def open_items(self) -> list[Item]:
        """Parcels whose story has not ended."""
        return [item for item in self.items.values() if not item.ended]

    def as_plain(self, item: Item) -> dict[str, Any]:
        """A parcel for a report."""
        return {"reference": item.reference, "code": item.code, "role": item.role.value, "ended": item.ended}
