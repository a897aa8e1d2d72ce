"""A book in memory, for virtual time and tests: what a crash leaves of it is what its last step flushed."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from restante.core.refusals import Refusal
from restante.wire import journal
from restante.wire.journal import Entry, Extent, Head, Stamp


class MemoryBook:
    """`book.Book` without a disk: same calls, same meaning, nothing survives the process."""

    def __init__(self, source: str, *, epoch: int = 1) -> None:
        self.source = source
        self.head = journal.first_head(source, epoch)
        self.kept: dict[str, bytes] = {}
        self.entries: dict[int, list[Entry]] = {epoch: []}
        self.acked: dict[int, Head] = {epoch: self.head}

    @contextmanager
    def step(self) -> Iterator["MemoryStep"]:
        """One transaction: all of it, or nothing when an exception comes out of it."""
        writing = MemoryStep(self)
        yield writing
        self.head, self.kept, self.acked = writing.head, writing.kept, writing.acked
        for entry in writing.appended:
            self.entries.setdefault(entry.log_epoch, []).append(entry)

    def take_in(self, old: "MemoryBook") -> tuple[Extent, ...]:
        """See `book.Book.take_in`."""
        taken = [epoch for epoch in old.entries if epoch < self.head.epoch and not self.entries.get(epoch)]
        for epoch in taken:
            self.entries[epoch], self.acked[epoch] = list(old.entries[epoch]), old.acked[epoch]
        return tuple(one for one in self.extents() if one.epoch in taken)

    def values(self, prefix: str = "") -> dict[str, bytes]:
        """All values whose names begin so, by name."""
        return {name: value for name, value in sorted(self.kept.items()) if name.startswith(prefix)}

    def acknowledged(self, epoch: int | None = None) -> Head:
        """How far the hub holds the log of this epoch, or of the one now written."""
        return self.acked[epoch or self.head.epoch]

    def extents(self) -> tuple[Extent, ...]:
        """How far each log of the book goes, oldest first."""
        return tuple(
            Extent(epoch, len(self.entries.get(epoch, [])), head.seq) for epoch, head in sorted(self.acked.items())
        )

    def entries_from(self, seq: int, limit: int = journal.MAX_BATCH, *, epoch: int | None = None) -> tuple[Entry, ...]:
        """Entries of an epoch from this number on."""
        return tuple(self.entries.get(epoch or self.head.epoch, [])[seq - 1 : seq - 1 + limit])


class MemoryStep:
    """What one transaction writes; nothing of it is in the book before the step ends."""

    def __init__(self, book: MemoryBook) -> None:
        self._book = book
        self.head = book.head
        self.kept = dict(book.kept)
        self.acked = dict(book.acked)
        self.appended: list[Entry] = []

    def append(self, stamp: Stamp, kind: str, data: dict[str, Any]) -> Entry:
        """Add a fact to the journal."""
        entry = journal.append_to(self.head, stamp, source=self._book.source, kind=kind, data=data)
        self.head = journal.head_after(entry)
        self.appended.append(entry)
        return entry

    def put(self, name: str, value: bytes) -> None:
        """Keep a value under a name."""
        self.kept[name] = value

    def drop(self, name: str) -> None:
        """Forget the value under a name."""
        self.kept.pop(name, None)

    def acknowledge(self, head: Head) -> Refusal | None:
        """Note that the hub holds everything up to this head. Refused: `journal-epoch`, `journal-fork`."""
        before = self.acked.get(head.epoch)
        if before is None:
            return Refusal("journal-epoch", detail=str(head.epoch))
        if head.seq < before.seq:
            return None
        if self._hash_at(head.epoch, head.seq) != head.hash:
            return Refusal("journal-fork", detail=f"{head.epoch}/{head.seq}")
        self.acked[head.epoch] = head
        return None

    def resend_from(self, seq: int, *, epoch: int | None = None) -> int:
        """Take acknowledgements back; the number from which entries go up again."""
        at = epoch or self.head.epoch
        acked_seq = min(self.acked[at].seq, max(0, seq - 1))
        self.acked[at] = Head(at, acked_seq, self._hash_at(at, acked_seq) or "")
        return acked_seq + 1

    def start_epoch(self, epoch: int) -> Refusal | None:
        """Begin a later log epoch. Refused: `epoch-not-later`."""
        if epoch <= self.head.epoch:
            return Refusal("epoch-not-later", detail=f"{epoch} after {self.head.epoch}")
        self.head = journal.first_head(self._book.source, epoch)
        self.acked[epoch] = self.head
        return None

    def _hash_at(self, epoch: int, seq: int) -> str | None:
        if seq == 0:
            return journal.first_head(self._book.source, epoch).hash
        entries = self._book.entries.get(epoch, [])
        return entries[seq - 1].hash if seq <= len(entries) else None
