"""The book at its bounds: a fork by hash alone, entries that only look like some, drafts, pages, modes and trims."""

import shutil
import sqlite3
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from restante.core.refusals import Refusal
from restante.edge import book as book_module
from restante.edge.book import Book, create_book, open_book
from restante.edge.book_file import BookDamaged
from restante.wire import codec, journal
from restante.wire.journal import Head
from tests.edge.test_book import NOON, SOURCE, write


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the book is to be."""
    return tmp_path / "bank.book"


@pytest.fixture
def book(path: Path) -> Iterator[Book]:
    """A new book."""
    made = create_book(path, source=SOURCE)
    yield made
    made.close()


def test_the_same_number_under_another_hash_is_a_fork(book: Book) -> None:
    """Given an acknowledged entry, when the hub acknowledges its number again with another hash, then a refusal."""
    entries = write(book, 3)
    assert book.acknowledge(journal.head_after(entries[1])) is None
    refused = book.acknowledge(Head(1, 2, "0" * 64))
    assert isinstance(refused, Refusal)
    assert (refused.code, refused.detail) == ("journal-fork", "1/2")


def test_an_entry_that_fits_its_chain_but_is_no_entry_is_damage_when_read(book: Book, path: Path) -> None:
    """Given a body with a number, hash and time that fit and no kind, when entries are read, then a fault says so."""
    [entry] = write(book, 1)
    book.close()
    bones = {"source": SOURCE, "log_epoch": 1, "seq": 1, "previous_hash": entry.previous_hash}
    body = codec.canonical(bones | {"wall_time": "2026-03-01T12:00:00.000Z"})
    assert isinstance(body, bytes)
    db = sqlite3.connect(path)
    db.execute("DROP TRIGGER entry_is_final")
    db.execute("UPDATE entry SET body = ?, hash = ?", (body, codec.digest(body)))
    db.execute("UPDATE log SET head_hash = ?", (codec.digest(body),))
    db.commit()
    db.close()
    again = open_book(path, source=SOURCE)
    for _ in range(2):
        with pytest.raises(BookDamaged, match="an entry cannot be read"):
            again.unsent()
    again.close()


def test_what_a_creation_that_lost_power_left_is_not_played_into_the_next(book: Book, path: Path) -> None:
    """Given half a book and its write-ahead log under the draft's name, when a book is made, then it is a new one."""
    write(book, 3)
    other = path.with_name("other.book")
    draft = other.with_name(other.name + ".new")
    draft.write_bytes(b"half")
    shutil.copyfile(path.with_name(path.name + "-wal"), draft.with_name(draft.name + "-wal"))
    made = create_book(other, source=SOURCE)
    assert (made.head, made.entries_from(1)) == (journal.first_head(SOURCE, 1), ())
    made.close()
    assert sorted(one.name for one in path.parent.iterdir() if one.name.startswith("other")) == ["other.book"]


def test_a_book_has_room_for_so_many_pages_and_no_more_if_told(book: Book, path: Path) -> None:
    """Given a bound on the pages, when the book is opened, then SQLite goes by it; without one, by its own."""
    assert book._db.execute("PRAGMA max_page_count").fetchone()[0] > 1_000_000
    book.close()
    small = open_book(path, source=SOURCE, max_pages=77)
    assert small._db.execute("PRAGMA max_page_count").fetchone() == (77,)
    small.close()


def test_a_file_of_a_book_is_private_and_hardened(book: Book, path: Path) -> None:
    """Given a new book, then nobody else may read it, and SQLite trusts no code in its schema."""
    assert path.stat().st_mode & 0o777 == 0o600
    assert book._db.execute("PRAGMA trusted_schema").fetchone() == (0,)
    assert book._db.execute("PRAGMA locking_mode").fetchone() == ("exclusive",)
    assert book._db.execute("PRAGMA journal_size_limit").fetchone() == (4_194_304,)
    assert not path.with_name(path.name + "-shm").exists()


def test_a_trim_takes_so_many_at_once_and_the_rest_the_next_time(book: Book, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given more old entries than go at once, when trimmed again and again, then all go, and the chain still holds."""
    monkeypatch.setattr(book_module, "TRIM_AT_ONCE", 3)
    entries = write(book, 7, at=NOON - timedelta(days=31))
    book.acknowledge(book.head)
    assert [book.trim(30, NOON) for _ in range(4)] == [3, 3, 1, 0]
    assert book.entries_from(1) == ()
    assert book.acknowledged() == book.head == journal.head_after(entries[-1])
