"""What a story has met: which faults took effect in it, and what happened while they were in force.

A fault that strikes where nobody is proves nothing, so each kind says itself when it makes a difference (`Felt`). What
happens while a fault is in force is counted by kind of event and of entry, so that blind spots show.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from restante.core import events as ev
from restante.core.ids import ParcelId
from restante.core.time import Instant, millis
from restante.sim.clock import HOUR_MS
from restante.sim.faults import AT_THE_HUB, Fault, Kind
from restante.store.ledger import Recorded

Felt = Counter[Kind]
"""How often faults of each kind made a difference to somebody."""

Met = dict[str, Counter[str]]
"""By the fault in force, how often each kind of event, or of entry in a book, came about meanwhile."""

NO_FAULT: Final = "none"
_LASTS_AT_LEAST_MS: Final = HOUR_MS


class Meeting:
    """Counts what happens by the faults that are in force then, at the same source or at the hub."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.met: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self._faults = faults

    def note(self, what: str, at_ms: int, source: int | None) -> None:
        """Something came about at a source, by its number, or nowhere in particular."""
        kinds = {fault.kind for fault in self._faults if _is_in_force(fault, at_ms, source)}
        for name in sorted(map(name_of, kinds)) or [NO_FAULT]:
            self.met[name][what] += 1

    def note_feed(self, feed: Sequence[Recorded], start: Instant, places: Mapping[str, int]) -> None:
        """What was recorded in a lane; ``places`` are the numbers of points and sources."""
        for row, source in _placed(feed, places):
            self.note(ev_name(row.event), millis(row.recorded_at) - millis(start), source)


def name_of(kind: Kind) -> str:
    """A kind of fault as accounts name it."""
    return kind.name.lower().replace("_", "-")


def ev_name(event: ev.AnyEvent) -> str:
    """A kind of event as the feed names it."""
    return str(type(event).__struct_config__.tag)


def in_book(kind: str) -> str:
    """A kind of entry, told from events of the same name."""
    return f"{kind} in the book"


def every_event() -> frozenset[str]:
    """Every kind of event there is."""
    return frozenset(
        str(kind.__struct_config__.tag) for base in (ev.ParcelEvent, ev.PointEvent) for kind in base.__subclasses__()
    )


def _is_in_force(fault: Fault, at_ms: int, source: int | None) -> bool:
    here = fault.kind in AT_THE_HUB or fault.source == source
    return here and 0 <= at_ms - fault.at_ms < max(fault.lasts_ms, _LASTS_AT_LEAST_MS)


def _placed(feed: Sequence[Recorded], places: Mapping[str, int]) -> Iterator[tuple[Recorded, int | None]]:
    """Each event with the source it is about; one that names none is about where its parcel was last."""
    last: dict[ParcelId, int | None] = {}
    for row in feed:
        here = places.get(_place_of(row.event))
        if isinstance(row.event, ev.ParcelEvent):
            here = last[row.event.parcel] = last.get(row.event.parcel) if here is None else here
        yield row, here


def _place_of(event: ev.AnyEvent) -> str:
    stay, promise = getattr(event, "stay", None), getattr(event, "promise", None)
    if stay is not None:
        return str(stay.source)
    return str(promise.point if promise is not None else getattr(event, "point", ""))
