"""From journal entries to facts: what an entry says, in the core's words, whatever its author wrote into it."""

from typing import Any, Final

import msgspec

from restante.core.commands import AdoptFact
from restante.core.facts import AnyFact, Known, Unknown
from restante.core.ids import CommandId, PointId, SourceId
from restante.core.time import Instant, believed
from restante.wire.journal import Entry, write_entry

_KINDS: Final = frozenset(kind.__struct_config__.tag for kind in Known.__args__)
_KNOWN: Final[Any] = Known


def fact_of(entry: Entry) -> AnyFact:
    """What an entry says.

    A kind that this version does not know, and a known kind whose data have not its form, are kept as ``Unknown``:
    nothing a source wrote is lost, and nothing it wrote is an error here.
    """
    if entry.kind not in _KINDS:
        return _unknown(entry)
    try:
        known: Known = msgspec.convert({**entry.data, "kind": entry.kind}, _KNOWN)
    except (msgspec.ValidationError, OverflowError):
        return _unknown(entry)
    return known


def adoption_of(entry: Entry, point: PointId, received_at: Instant) -> AdoptFact:
    """The command that records an entry of the source at ``point``; it has no id, for its number makes it unique."""
    return AdoptFact(
        id=CommandId(""),
        actor=f"source:{entry.source}",
        at=believed(entry.wall_time, received_at),
        source=SourceId(entry.source),
        point=point,
        epoch=entry.log_epoch,
        seq=entry.seq,
        previous_hash=entry.previous_hash,
        hash=entry.hash,
        fact=fact_of(entry),
        entry=write_entry(entry),
    )


def _unknown(entry: Entry) -> Unknown:
    return Unknown(entry.kind, entry.data)
