"""Rows kept from one batch to the next, so that what is busy is not read and taken apart again and again.

Theory of operation. Rows of a lane change only under its lock, and every batch that changes one moves the lane's turn.
So rows that were the truth when a batch of this process ended still are, if the next one finds the lane at the turn
that batch left; if another process had the lane meanwhile, they are read anew. When the database was lost sight of, or
is met on a connection just opened, everything is let go: it may come back as it was some time ago, and count its turns
again from there.
"""

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, Final

import msgspec

from restante.core.ids import Lane, lane_of

KEPT_ROWS: Final = 4096
"""How many rows of a kind are kept of one lane, those of the latest batches."""

Row = tuple[int, Any]
"""A row's version and the row."""


class Seen(msgspec.Struct, frozen=True):
    """Rows found kept, by table and id, and the turn of each lane they are of."""

    turns: Mapping[Lane, int]
    rows: Mapping[str, Mapping[str, Row]]

    def stale(self, turns: Mapping[Lane, int]) -> dict[str, list[str]]:
        """The rows to read after all, by table, because their lane has another turn now."""
        gone = {lane for lane, turn in self.turns.items() if turns.get(lane) != turn}
        stale = {table: [key for key in rows if lane_of(key) in gone] for table, rows in self.rows.items()}
        return {table: keys for table, keys in stale.items() if keys}


class _Lane(msgspec.Struct):
    turn: int
    tables: dict[str, dict[str, Row]]


class KeptRows:
    """The rows that one process keeps."""

    def __init__(self, limit: int = KEPT_ROWS) -> None:
        self._limit = limit
        self._lanes: dict[Lane, _Lane] = {}

    def find(self, wanted: Mapping[str, Iterable[str]]) -> Seen:
        """Those of the ids wanted of each table that are kept."""
        rows = {table: dict(self._of(table, ids)) for table, ids in wanted.items()}
        lanes = {lane_of(key) for found in rows.values() for key in found}
        return Seen({lane: self._lanes[lane].turn for lane in lanes}, rows)

    def keep(self, lane: Lane, turns: tuple[int, int], rows: Mapping[str, Mapping[str, Row]]) -> None:
        """Keep rows of a lane that a batch left; ``turns`` are the lane's before that batch and after."""
        before, after = turns
        kept = self._lanes.setdefault(lane, _Lane(before, {}))
        if kept.turn > after:
            # A later batch was heard of first.
            return
        if kept.turn != before:
            kept.tables.clear()
        kept.turn = after
        for table, changed in rows.items():
            self._add(kept.tables.setdefault(table, {}), changed)

    def let_go(self) -> None:
        """Keep nothing of what was seen so far."""
        self._lanes.clear()

    def _of(self, table: str, ids: Iterable[str]) -> Iterator[tuple[str, Row]]:
        for key in ids:
            lane = self._lanes.get(lane_of(key))
            row = lane.tables.get(table, {}).get(key) if lane else None
            if row is not None:
                yield key, row

    def _add(self, kept: dict[str, Row], changed: Mapping[str, Row]) -> None:
        for key, row in changed.items():
            # Taken out first, so that the oldest stand at the front.
            kept.pop(key, None)
            kept[key] = row
        for key in list(islice(kept, max(0, len(kept) - self._limit))):
            del kept[key]
