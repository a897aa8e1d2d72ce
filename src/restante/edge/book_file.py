"""The file under the bank's book: its tables, how it is opened, how it is checked, and what its failures mean."""

import hashlib
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Final, Literal, NoReturn

import msgspec

from restante.core.refusals import Fault
from restante.core.time import millis
from restante.edge.moments import Moment, reached
from restante.wire import codec

_APPLICATION: Final = 0x52535442  # "RSTB" in the file's header
_VERSION: Final = 1

_STATEMENTS: Final = (
    f"PRAGMA application_id = {_APPLICATION}",
    f"PRAGMA user_version = {_VERSION}",
    """CREATE TABLE log (
        epoch INTEGER PRIMARY KEY, source TEXT NOT NULL,
        anchor_seq INTEGER NOT NULL, anchor_hash TEXT NOT NULL,
        acked_seq INTEGER NOT NULL, acked_hash TEXT NOT NULL,
        head_seq INTEGER NOT NULL, head_hash TEXT NOT NULL
    ) STRICT""",
    """CREATE TABLE entry (
        epoch INTEGER NOT NULL, seq INTEGER NOT NULL, hash TEXT NOT NULL, wall_ms INTEGER NOT NULL, body BLOB NOT NULL,
        PRIMARY KEY (epoch, seq)
    ) STRICT, WITHOUT ROWID""",
    """CREATE TABLE kept (
        name TEXT PRIMARY KEY, value BLOB NOT NULL, digest BLOB NOT NULL
    ) STRICT, WITHOUT ROWID""",
    """CREATE TRIGGER entry_is_final BEFORE UPDATE ON entry
    BEGIN SELECT RAISE(ABORT, 'an entry is never changed'); END""",
)


class BookFault(Fault):
    """The bank's book cannot be used."""

    blame: Literal["hub", "bank", "partner"] = "bank"


class BookFull(BookFault):
    """The bank's disk is full: free some space. Nothing was lost; no door opens until facts can be written again."""

    retryable = True


class BookInUse(BookFault):
    """Another program holds the bank's book: stop it first. Two must never write one journal."""

    retryable = True


class BookReadOnly(BookFault):
    """The bank's book cannot be written: make the file and its folder writable for this user, and the disk too."""


class BookUnreadable(BookFault):
    """The bank's disk failed while the book was read or written: check the disk, then start the program again."""


class BookMissing(BookFault):
    """There is no book at this place: check the path, or enrol the bank to begin a new one."""


class BookExists(BookFault):
    """There is a book at this place already: it is never written over."""


class BookForeign(BookFault):
    """This book is another bank's, or of a later version: use the bank's own, or a program at least as new."""


class BookDamaged(BookFault):
    """The bank's book is damaged: keep the file for inspection, and enrol again to begin a new log epoch."""


_FAULTS: Final[dict[int, type[BookFault]]] = {
    sqlite3.SQLITE_FULL: BookFull,
    sqlite3.SQLITE_BUSY: BookInUse,
    sqlite3.SQLITE_LOCKED: BookInUse,
    sqlite3.SQLITE_READONLY: BookReadOnly,
    sqlite3.SQLITE_PERM: BookReadOnly,
    sqlite3.SQLITE_CANTOPEN: BookReadOnly,
    sqlite3.SQLITE_IOERR: BookUnreadable,
}


UNREADABLE: Final = (msgspec.MsgspecError, UnicodeDecodeError)
"""What reading a damaged file raises beside SQLite's own: a body that is no entry, text (even a message) not UTF-8."""


class Log(msgspec.Struct, frozen=True):
    """One log epoch in the book: what its kept entries follow, what is acknowledged, and where it ends."""

    epoch: int
    source: str
    anchor_seq: int
    anchor_hash: str
    acked_seq: int
    acked_hash: str
    head_seq: int
    head_hash: str


class _Bones(msgspec.Struct, frozen=True):
    """What the check at opening reads of an entry's body."""

    source: str
    log_epoch: int
    seq: int
    previous_hash: str
    wall_time: datetime


def create_file(path: Path, fill: Callable[[sqlite3.Connection], object]) -> None:
    """Make a new file whole under another name first, so that loss of power never leaves half a book at `path`."""
    draft = path.with_name(path.name + ".new")
    if path.exists() or _wal(path).exists():  # the write-ahead log of another book would be played into this one
        raise BookExists
    try:
        _wal(draft).unlink(missing_ok=True)
        draft.unlink(missing_ok=True)
        os.close(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except OSError as error:
        raise BookReadOnly from error
    try:
        _fill(draft, fill)
        reached(Moment.BEFORE_BOOK_NAMED)
        draft.rename(path)
        reached(Moment.AFTER_BOOK_NAMED)
        _flush_folder(path)
    except BaseException:
        _wal(draft).unlink(missing_ok=True)
        draft.unlink(missing_ok=True)
        raise


def _wal(path: Path) -> Path:
    return path.with_name(path.name + "-wal")


def _fill(path: Path, fill: Callable[[sqlite3.Connection], object]) -> None:
    db = _connect(path)
    with _closing_on_fault(db):
        db.execute("BEGIN EXCLUSIVE")
        for statement in _STATEMENTS:
            db.execute(statement)
        fill(db)
        db.execute("COMMIT")
    db.close()  # which also puts the write-ahead log into the file


def open_file(path: Path, source: str) -> tuple[sqlite3.Connection, Log]:
    """Open and check the whole file; its connection, and the log now written."""
    if not path.exists():
        raise BookMissing
    if not (_is_permitted(path, os.R_OK | os.W_OK) and _is_permitted(path.parent, os.W_OK | os.X_OK)):
        raise BookReadOnly
    db = _connect(path)
    with _closing_on_fault(db):
        db.execute("BEGIN EXCLUSIVE")
        last = _check(db, source)
        db.execute("COMMIT")
    return db, last


def _is_permitted(path: Path, mode: int) -> bool:
    return os.access(path, mode, effective_ids=True)


def _connect(path: Path) -> sqlite3.Connection:
    try:
        db = sqlite3.connect(f"{path.resolve().as_uri()}?mode=rw", uri=True, timeout=0, isolation_level=None)
    except sqlite3.Error as error:
        raise fault_for(error) from error
    with _closing_on_fault(db):
        db.execute("PRAGMA locking_mode = EXCLUSIVE")  # before the first look at the file, so no -shm is made
        mode = db.execute("PRAGMA journal_mode = WAL").fetchone()
        db.execute("PRAGMA synchronous = FULL")
        db.execute("PRAGMA journal_size_limit = 4194304")
        db.execute("PRAGMA trusted_schema = OFF")
        if mode != ("wal",):
            raise BookUnreadable(f"the disk cannot hold a write-ahead log: {mode}")
    return db


@contextmanager
def _closing_on_fault(db: sqlite3.Connection) -> Iterator[None]:
    """Close the file when opening it fails, and say why in a fault."""
    try:
        yield
    except sqlite3.Error as error:
        db.close()
        raise fault_for(error) from error
    except UNREADABLE as error:
        db.close()
        damaged(repr(error))
    except BaseException:
        db.close()
        raise


def fault_for(error: sqlite3.Error) -> BookFault:
    """The fault for what SQLite raised; what is not about space, locks or the disk is damage."""
    kind = _FAULTS.get(getattr(error, "sqlite_errorcode", 0) & 0xFF, BookDamaged)
    return kind(f"{kind.__doc__} ({error})")


def damaged(what: str) -> NoReturn:
    """Raise `BookDamaged`, saying where."""
    raise BookDamaged(f"{BookDamaged.__doc__} ({what})")


def logs_in(db: sqlite3.Connection) -> list[Log]:
    """The log epochs of the book, oldest first."""
    fields = ", ".join(Log.__struct_fields__)
    return [Log(*row) for row in db.execute(f"SELECT {fields} FROM log ORDER BY epoch")]  # noqa: S608


def log_of(db: sqlite3.Connection, epoch: int) -> Log | None:
    """One log epoch, if the book has it."""
    return next((log for log in logs_in(db) if log.epoch == epoch), None)


def hash_at(db: sqlite3.Connection, log: Log, seq: int) -> str | None:
    """The hash of an entry of the log, or of the anchor its kept entries follow."""
    if seq == log.anchor_seq:
        return log.anchor_hash
    row = db.execute("SELECT hash FROM entry WHERE epoch = ? AND seq = ?", (log.epoch, seq)).fetchone()
    return row[0] if row else None


def value_digest(name: str, value: bytes) -> bytes:
    """What tells a value changed by accident: both parts count, and neither can lend a byte to the other."""
    return hashlib.sha256(len(name).to_bytes(8, "big") + name.encode() + value).digest()[:16]


def _flush_folder(path: Path) -> None:
    """Make the new file's name itself survive loss of power."""
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _check(db: sqlite3.Connection, source: str) -> Log:
    """Check header, pages, chains and values; the log now written, or a fault that names what is wrong."""
    _check_header(db)
    _check_pages(db)
    logs = logs_in(db)
    if not logs:
        damaged("there is no log in it")
    if any(log.source != source for log in logs):
        raise BookForeign
    for log in logs:
        _check_chain(db, log)
    _check_values(db)
    return logs[-1]


def _check_header(db: sqlite3.Connection) -> None:
    application, version = (db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version"))
    if application != _APPLICATION:
        damaged("not a book")
    if version != _VERSION:
        raise BookForeign


def _check_pages(db: sqlite3.Connection) -> None:
    found = db.execute("PRAGMA quick_check(1)").fetchone()
    if found != ("ok",):
        damaged(str(found))


def _check_chain(db: sqlite3.Connection, log: Log) -> None:
    """Follow the chain of one epoch from anchor to head, and name the first entry that is not what it was."""
    read = msgspec.json.Decoder(_Bones)
    seq, previous = log.anchor_seq, log.anchor_hash
    acked = log.acked_seq == seq and log.acked_hash == previous
    rows = db.execute("SELECT seq, hash, wall_ms, body FROM entry WHERE epoch = ? ORDER BY seq", (log.epoch,))
    for number, digest, wall_ms, body in rows:
        seq += 1
        if number != seq:
            damaged(f"entry {log.epoch}/{seq} is missing")
        if codec.digest(body) != digest:
            damaged(f"entry {log.epoch}/{seq} was changed")
        bones = read.decode(body)
        if (bones.source, bones.log_epoch, bones.seq, bones.previous_hash, millis(bones.wall_time)) != (
            (log.source, log.epoch, seq, previous, wall_ms)
        ):
            damaged(f"entry {log.epoch}/{seq} does not follow the one before it")
        previous = digest
        acked = acked or (seq == log.acked_seq and digest == log.acked_hash)
    if (seq, previous) != (log.head_seq, log.head_hash):
        damaged(f"the log {log.epoch} ends at {seq}, not at {log.head_seq}")
    if not acked:
        damaged(f"the acknowledged entry {log.epoch}/{log.acked_seq} is another one")


def _check_values(db: sqlite3.Connection) -> None:
    for name, value, digest in db.execute("SELECT name, value, digest FROM kept"):
        if digest != value_digest(name, value):
            damaged(f"the value {name!r} was changed")
