"""The bank's book: one SQLite file that holds its journal and everything else it must not forget.

Theory of operation. A *step* is one transaction: the entries it appends and the values it puts are all kept, or none
is. Leaving the step is the flush: afterwards they survive loss of power, so doors move and screens change only then. A
step that cannot be kept raises a fault that names what to do, and leaves the book as it was before.

The file is opened in WAL mode with ``synchronous=FULL``: one flush of one growing file per step, where a rollback
journal needs three and a change of directory, which is slower and wears flash memory. The lock is exclusive for as long
as the book is open: two programs can never write one log, and no shared-memory file is needed. What belongs together on
the disk is ``<book>`` and ``<book>-wal``.

Opening checks every page, the hash of every entry, the chain from the first kept entry to the head, and a digest over
every other value. Entries are only ever added; the oldest are trimmed once they are acknowledged and old enough, and
the hash they ended with stays as the anchor of the chain.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import msgspec

from restante.core.refusals import Refusal
from restante.core.time import Instant, millis
from restante.edge.book_file import (
    BookDamaged,
    BookFault,
    BookUnreadable,
    Log,
    create_file,
    damaged,
    fault_for,
    hash_at,
    log_of,
    logs_in,
    open_file,
    value_digest,
)
from restante.edge.moments import Moment, reached
from restante.wire import codec, journal
from restante.wire.journal import Entry, Extent, Head, Stamp

KEPT_DAYS_AT_LEAST: Final = 30
TRIM_AT_ONCE: Final = 10_000


class Step:
    """What one transaction writes; made by `Book.step` and of no use after it."""

    def __init__(self, db: sqlite3.Connection, source: str, head: Head) -> None:
        self._db = db
        self._source = source
        self.head = head

    def append(self, stamp: Stamp, kind: str, data: dict[str, Any]) -> Entry:
        """Add a fact to the journal. It counts once the step has ended without a fault."""
        entry = journal.append_to(self.head, stamp, source=self._source, kind=kind, data=data)
        row = (entry.log_epoch, entry.seq, entry.hash, millis(entry.wall_time), journal.entry_body(entry))
        self._db.execute("INSERT INTO entry (epoch, seq, hash, wall_ms, body) VALUES (?, ?, ?, ?, ?)", row)
        self._set_head(journal.head_after(entry))
        return entry

    def put(self, name: str, value: bytes) -> None:
        """Keep a value under a name in place of the one before."""
        row = (name, value, value_digest(name, value))
        self._db.execute("INSERT OR REPLACE INTO kept (name, value, digest) VALUES (?, ?, ?)", row)

    def get(self, name: str) -> bytes | None:
        """The value under a name, with what this step has put."""
        return _get(self._db, name)

    def drop(self, name: str) -> None:
        """Forget the value under a name, if there is one."""
        self._db.execute("DELETE FROM kept WHERE name = ?", (name,))

    def acknowledge(self, head: Head) -> Refusal | None:
        """Note that the hub holds everything up to this head; one it said before does no harm.

        Refused: `journal-epoch` and `journal-fork`, when the hub holds another history than this book.
        """
        log = log_of(self._db, head.epoch)
        if log is None:
            return Refusal(code="journal-epoch", detail=str(head.epoch))
        if head.seq < log.acked_seq:
            return None
        if hash_at(self._db, log, head.seq) != head.hash:
            return Refusal(code="journal-fork", detail=f"{head.epoch}/{head.seq}")
        self._db.execute(
            "UPDATE log SET acked_seq = ?, acked_hash = ? WHERE epoch = ?", (head.seq, head.hash, head.epoch)
        )
        return None

    def resend_from(self, seq: int, *, epoch: int | None = None) -> int:
        """Take acknowledgements back, for a hub restored from a backup: the number from which entries go up again.

        It is `seq`, or the first number not trimmed, or the one after the last acknowledged, whichever fits.
        """
        log = log_of(self._db, epoch or self.head.epoch)
        assert log is not None, "asked for an epoch that this book has"
        acked_seq = max(log.anchor_seq, min(log.acked_seq, seq - 1))
        acked_hash = hash_at(self._db, log, acked_seq)
        self._db.execute(
            "UPDATE log SET acked_seq = ?, acked_hash = ? WHERE epoch = ?", (acked_seq, acked_hash, log.epoch)
        )
        return acked_seq + 1

    def start_epoch(self, epoch: int) -> Refusal | None:
        """Begin a later log epoch; older entries stay and still go up first. Refused: `epoch-not-later`."""
        if epoch <= self.head.epoch:
            return Refusal(code="epoch-not-later", detail=f"{epoch} after {self.head.epoch}")
        self.head = _begin(self._db, self._source, epoch)
        return None

    def _set_head(self, head: Head) -> None:
        self._db.execute(
            "UPDATE log SET head_seq = ?, head_hash = ? WHERE epoch = ?", (head.seq, head.hash, head.epoch)
        )
        self.head = head


class Book:
    """An open book; `open_book` and `create_book` make one."""

    def __init__(self, db: sqlite3.Connection, source: str, head: Head) -> None:
        self.source = source
        self.head = head
        self._db = db
        self._broken: BookFault | None = None

    @contextmanager
    def step(self) -> Iterator[Step]:
        """One transaction. Any exception inside, or a fault at its end, leaves the book as it was before."""
        with self._guard():
            assert not self._db.in_transaction, "one step at a time"
            self._db.execute("BEGIN IMMEDIATE")
            step = Step(self._db, self.source, self.head)
            try:
                yield step
                self._db.execute("COMMIT")
            except BaseException:
                self._roll_back()
                raise
            self.head = step.head

    def get(self, name: str) -> bytes | None:
        """The value under a name, or None."""
        with self._guard():
            return _get(self._db, name)

    def values(self, prefix: str = "") -> dict[str, bytes]:
        """All values whose names begin so, by name."""
        with self._guard():
            rows = self._db.execute(
                "SELECT name FROM kept WHERE substr(name, 1, ?) = ? ORDER BY name", (len(prefix), prefix)
            ).fetchall()
            found = {name: _get(self._db, name) for (name,) in rows}
        return {name: value for name, value in found.items() if value is not None}

    def acknowledged(self, epoch: int | None = None) -> Head:
        """How far the hub holds the log of this epoch, or of the one now written."""
        with self._guard():
            log = log_of(self._db, epoch or self.head.epoch)
        assert log is not None, "asked for an epoch that this book has"
        return Head(epoch=log.epoch, seq=log.acked_seq, hash=log.acked_hash)

    def extents(self) -> tuple[Extent, ...]:
        """How far each log of the book goes, oldest first."""
        with self._guard():
            return tuple(Extent(log.epoch, log.head_seq, log.acked_seq) for log in logs_in(self._db))

    def acknowledge(self, head: Head) -> Refusal | None:
        """`Step.acknowledge` in a step of its own."""
        with self.step() as step:
            return step.acknowledge(head)

    def unsent(self, limit: int = journal.MAX_BATCH) -> tuple[Entry, ...]:
        """The next entries the hub does not hold yet: in order, all of one epoch, older epochs first."""
        with self._guard():
            row = self._db.execute(
                "SELECT epoch, acked_seq FROM log WHERE acked_seq < head_seq ORDER BY epoch LIMIT 1"
            ).fetchone()
        return () if row is None else self.entries_from(row[1] + 1, limit, epoch=row[0])

    def entries_from(self, seq: int, limit: int = journal.MAX_BATCH, *, epoch: int | None = None) -> tuple[Entry, ...]:
        """Kept entries of an epoch from this number on."""
        with self._guard():
            rows = self._db.execute(
                "SELECT hash, body FROM entry WHERE epoch = ? AND seq >= ? ORDER BY seq LIMIT ?",
                (epoch or self.head.epoch, seq, limit),
            ).fetchall()
            return tuple(_entry(*row) for row in rows)

    def trim(self, keep_days: int, now: Instant) -> int:
        """Forget acknowledged entries older than so many days, at least 30; how many went, at most 10,000 a time.

        `now` must come from a clock that is trusted: one that is ahead lets entries go early.
        """
        before_ms = millis(now - timedelta(days=max(keep_days, KEPT_DAYS_AT_LEAST)))
        with self.step():
            gone = sum(_trim(self._db, log, before_ms) for log in logs_in(self._db))
            reached(Moment.BEFORE_TRIM)
        reached(Moment.AFTER_TRIM)
        return gone

    def take_in(self, old: "Book") -> tuple[Extent, ...]:
        """Take over the earlier logs of another book of this source, whole; what of them is now here.

        A replaced controller's disk may hold entries that never went up; here they go up before this book's own. A log
        that this book has written itself is left as it is, for one book holds one history of an epoch.
        """
        assert old.source == self.source, "a book is opened as its own source's"
        with old._guard(), self.step():
            taken = [log for log in logs_in(old._db) if log.epoch < self.head.epoch and self._is_empty(log.epoch)]
            for log in taken:
                _copy_log(log, old._db, self._db)
            reached(Moment.BEFORE_OLD_BOOK)
        reached(Moment.AFTER_OLD_BOOK)
        return tuple(Extent(log.epoch, log.head_seq, log.acked_seq) for log in taken)

    def _is_empty(self, epoch: int) -> bool:
        log = log_of(self._db, epoch)
        return log is None or log.head_seq == 0

    def close(self) -> None:
        """Put the write-ahead log away and let go of the file."""
        self._db.close()

    @contextmanager
    def _guard(self) -> Iterator[None]:
        """Turn what SQLite raises into faults; one that leaves the file in doubt ends the use of this book."""
        if self._broken is not None:
            raise type(self._broken)(str(self._broken)) from self._broken
        try:
            yield
        except sqlite3.ProgrammingError:
            raise  # a closed book or another thread: a bug of ours
        except sqlite3.Error as error:
            fault = fault_for(error)
            self._broken = None if fault.retryable else fault
            raise fault from error
        except BookDamaged as fault:
            self._broken = fault
            raise
        except UnicodeDecodeError as error:
            self._broken = BookDamaged()
            raise self._broken from error

    def _roll_back(self) -> None:
        """End the transaction if SQLite has not done so; if it cannot, the file itself is in doubt until reopened."""
        try:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
        except sqlite3.Error as error:
            self._broken = BookUnreadable()
            self._broken.__cause__ = error


def create_book(path: Path, *, source: str, epoch: int = 1) -> Book:
    """Begin a bank's book. A replaced controller passes the epoch the hub gave it, later than any before.

    Faults: `BookExists`, and as `open_book`.
    """
    create_file(path, lambda db: _begin(db, source, epoch))
    return open_book(path, source=source)


def open_book(path: Path, *, source: str, max_pages: int | None = None) -> Book:
    """Open a bank's book and check all of it; `max_pages` bounds its size in pages of 4 KiB.

    Faults: `BookMissing`, `BookInUse`, `BookReadOnly`, `BookFull`, `BookUnreadable`, `BookForeign`, `BookDamaged`.
    """
    db, last = open_file(path, source)
    if max_pages is not None:
        db.execute(f"PRAGMA max_page_count = {int(max_pages)}")
    return Book(db, source, Head(last.epoch, last.head_seq, last.head_hash))


def _begin(db: sqlite3.Connection, source: str, epoch: int) -> Head:
    head = journal.first_head(source, epoch)
    row = (epoch, source, *(0, head.hash) * 3)
    db.execute("INSERT INTO log VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
    return head


def _copy_log(log: Log, old: sqlite3.Connection, new: sqlite3.Connection) -> None:
    new.execute("DELETE FROM log WHERE epoch = ?", (log.epoch,))
    new.execute("INSERT INTO log VALUES (?, ?, ?, ?, ?, ?, ?, ?)", msgspec.structs.astuple(log))
    rows = old.execute("SELECT epoch, seq, hash, wall_ms, body FROM entry WHERE epoch = ?", (log.epoch,))
    new.executemany("INSERT INTO entry (epoch, seq, hash, wall_ms, body) VALUES (?, ?, ?, ?, ?)", rows)


def _entry(digest: str, body: bytes) -> Entry:
    document = codec.decode(body)
    entry = document if isinstance(document, Refusal) else journal.entry_from(document | {"hash": digest})
    if isinstance(entry, Refusal):
        damaged(f"an entry cannot be read: {entry.code} {entry.detail}")
    return entry


def _get(db: sqlite3.Connection, name: str) -> bytes | None:
    row = db.execute("SELECT value, digest FROM kept WHERE name = ?", (name,)).fetchone()
    if row is None:
        return None
    value, digest = row
    if digest != value_digest(name, value):
        damaged(f"the value {name!r} was changed")
    assert isinstance(value, bytes)
    return value


def _trim(db: sqlite3.Connection, log: Log, before_ms: int) -> int:
    """Forget the oldest entries of one epoch up to the first that is unacknowledged or young enough."""
    row = db.execute(
        "SELECT min(seq) FROM (SELECT seq FROM entry WHERE epoch = ? AND (wall_ms >= ? OR seq > ?) "
        "ORDER BY seq LIMIT 1)",
        (log.epoch, before_ms, log.acked_seq),
    ).fetchone()
    first_kept = row[0] if row[0] is not None else log.head_seq + 1
    last = min(first_kept - 1, log.anchor_seq + TRIM_AT_ONCE)
    if last <= log.anchor_seq:
        return 0
    anchor = (last, hash_at(db, log, last), log.epoch)
    db.execute("UPDATE log SET anchor_seq = ?, anchor_hash = ? WHERE epoch = ?", anchor)
    db.execute("DELETE FROM entry WHERE epoch = ? AND seq <= ?", (log.epoch, last))
    return last - log.anchor_seq
