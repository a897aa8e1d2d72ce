"""Rows kept from one batch to the next, so that what is busy is not read and taken apart again and again.

Theory of operation. Rows of a lane change only under its lock, and every batch that changes one moves the lane's turn.
So rows that were the truth when a batch of this process ended still are, if the next one finds the lane at the turn
that batch left; if another process had the lane meanwhile, they are read anew. When the database was lost sight of, or
is met on a connection just opened, everything is let go: it may come back as it was some time ago, and count its turns
again from there.

A lane that was found as it had been left here is taken for this process's own: a batch may then be decided without
asking first, and the lane's turn is looked at as it is written. Who has guessed in vain wants to find the lane so twice
as often in a row before guessing there again, so that where processes share a lane they ask.
"""

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from itertools import islice
from typing import Any, Final

import msgspec

from restante.core.ids import Lane, lane_of

KEPT_ROWS: Final = 4096
"""How many rows of a kind are kept of one lane, those of the latest batches."""

MOST_WANTED: Final = 64
"""However often guesses were in vain: a lane found so many times as it was left is tried again."""

Row = tuple[int, Any]
"""A row's version and the row."""


class Seen(msgspec.Struct, frozen=True):
    """Rows found kept, by table and id, the turn of each lane they are of, and of what age everything kept was."""

    age: int
    turns: Mapping[Lane, int]
    rows: Mapping[str, Mapping[str, Row]]

    def stale(self, turns: Mapping[Lane, int]) -> dict[str, list[str]]:
        """The rows to read after all, by table, because their lane has another turn now."""
        gone = {lane for lane, turn in self.turns.items() if turns.get(lane) != turn}
        stale = {table: [key for key in rows if lane_of(key) in gone] for table, rows in self.rows.items()}
        return {table: keys for table, keys in stale.items() if keys}


class Stand(msgspec.Struct, frozen=True):
    """Where a lane stands: the position of its last event, and its turn."""

    head: int
    turn: int


class _Lane(msgspec.Struct):
    stand: Stand
    found: int = 0
    """How many batches in a row found it as it had been left."""
    tables: dict[str, dict[str, Row]] = {}


class KeptRows:
    """The rows that one process keeps."""

    def __init__(self, limit: int = KEPT_ROWS) -> None:
        self._limit = limit
        self._age = 0
        # How many batches in a row must find a lane as it was left before it is taken for an own one; 1 to begin with.
        self._wanted: dict[Lane, int] = {}
        self._lanes: dict[Lane, _Lane] = {}

    def find(self, lanes: Iterable[Lane], wanted: Mapping[str, AbstractSet[str]]) -> Seen:
        """Those of the ids wanted of each table that are kept; ``lanes`` are those the ids are of."""
        known = {lane: self._lanes[lane] for lane in lanes if lane in self._lanes}
        rows: dict[str, dict[str, Row]] = {table: {} for table in wanted}
        for kept in known.values():
            for table, ids in wanted.items():
                there = kept.tables.get(table, {})
                rows[table] |= {key: there[key] for key in ids & there.keys()}
        return Seen(self._age, {lane: kept.stand.turn for lane, kept in known.items()}, rows)

    def own(self, lane: Lane) -> Stand | None:
        """Where a lane was left; None unless it is taken for this process's own."""
        kept = self._lanes.get(lane)
        return kept.stand if kept is not None and kept.found >= self._wanted.get(lane, 1) else None

    def doubt(self, lane: Lane) -> None:
        """Note that a batch was decided in vain on what was kept of a lane."""
        self._wanted[lane] = min(2 * self._wanted.get(lane, 1), MOST_WANTED)

    def keep(self, lane: Lane, stands: tuple[Stand, Stand], rows: Mapping[str, Mapping[str, Row]], *, age: int) -> None:
        """Keep rows of a lane that a batch left.

        ``stands`` are where the lane stood before that batch and after; ``age`` is that of what the batch found kept.
        """
        before, after = stands
        kept = self._lanes.get(lane)
        if age != self._age or (kept is not None and kept.stand.turn > after.turn):
            # What the batch is of was lost sight of, or a later one was heard of first.
            return
        if kept is None or kept.stand != before:
            kept = self._lanes[lane] = _Lane(after)
        else:
            if self.own(lane) is not None:
                self._wanted[lane] = max(self._wanted.get(lane, 1) // 2, 1)
            kept.stand, kept.found = after, kept.found + 1
        for table, changed in rows.items():
            self._add(kept.tables.setdefault(table, {}), changed)

    def let_go(self) -> None:
        """Keep nothing of what was seen so far, nor of batches that are still under way."""
        self._age += 1
        self._lanes.clear()

    def _add(self, kept: dict[str, Row], changed: Mapping[str, Row]) -> None:
        # Taken out first, so that the oldest stand at the front.
        for key in changed:
            kept.pop(key, None)
        kept.update(changed)
        for key in list(islice(kept, max(0, len(kept) - self._limit))):
            del kept[key]
