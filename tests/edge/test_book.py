"""The book: what a step has written survives everything short of the disk, and damage is found and named."""

import os
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from restante.core.refusals import Refusal
from restante.edge import book_file
from restante.edge.book import Book, create_book, open_book
from restante.edge.book_file import (
    BookDamaged,
    BookExists,
    BookFault,
    BookForeign,
    BookFull,
    BookInUse,
    BookMissing,
    BookReadOnly,
    BookUnreadable,
)
from restante.wire import codec, journal
from restante.wire.journal import Accepted, Clock, Entry, Head, Stamp

SOURCE = "bank-1"
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
WRITER = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from restante.edge.book import open_book
from restante.wire.journal import Clock, Stamp

book = open_book(Path(sys.argv[1]), source="bank-1")
while True:
    with book.step() as step:
        entry = step.append(Stamp(1, datetime(2026, 3, 1, tzinfo=UTC), 0, Clock("ntp", 1)), "Deposited", {"stay": "s"})
        step.put("stay", str(entry.seq).encode())
    print(entry.seq, entry.hash, flush=True)
"""


def stamp(at: datetime = NOON) -> Stamp:
    """A stamp at this wall time."""
    return Stamp(1, at, 0, Clock("ntp", 20))


def write(book: Book, count: int, *, at: datetime = NOON) -> list[Entry]:
    """Append so many entries, each in a step of its own."""
    entries = []
    for number in range(count):
        with book.step() as step:
            entries.append(step.append(stamp(at), "Deposited", {"number": number}))
    return entries


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


def reopened(book: Book, path: Path) -> Book:
    """The same book closed and opened again."""
    book.close()
    return open_book(path, source=SOURCE)


# --- steps


def test_a_step_keeps_all_of_it_or_nothing(book: Book, path: Path) -> None:
    """Given a step that fails half way, then neither entries nor values of it are there."""
    write(book, 1)
    with pytest.raises(ZeroDivisionError):
        _fail_half_way(book)
    assert (book.head.seq, book.get("stay")) == (1, None)
    with book.step() as step:
        assert step.append(stamp(), "Withdrawn", {}).seq == 2
        step.put("stay", b"whole")
        assert step.get("stay") == b"whole"
    again = reopened(book, path)
    assert (again.head, again.get("stay")) == (book.head, b"whole")
    again.close()


def _fail_half_way(book: Book) -> None:
    with book.step() as step:
        step.append(stamp(), "Deposited", {})
        step.put("stay", b"half")
        step.drop("nothing")
        raise ZeroDivisionError


def test_entries_come_back_as_they_were_written_and_pass_the_hubs_check(book: Book, path: Path) -> None:
    """Given entries in a book, when read after reopening, then the hub accepts them hash for hash."""
    entries = write(book, 5)
    again = reopened(book, path)
    assert again.unsent(3) == tuple(entries[:3])
    assert again.entries_from(4) == tuple(entries[3:])
    start = journal.first_head(SOURCE, 1)
    assert journal.check_batch(start, again.unsent(), source=SOURCE) == Accepted(tuple(entries), again.head)
    again.close()


def test_values_are_found_by_the_beginning_of_their_names(book: Book) -> None:
    """Given values, then they are listed by prefix, replaced when put again, and gone when dropped."""
    with book.step() as step:
        for name in ("grant-use/b", "grant-use/a", "grant%", "manifest"):
            step.put(name, name.encode())
        step.put("manifest", b"newer")
        step.drop("grant-use/b")
    assert book.values("grant-use/") == {"grant-use/a": b"grant-use/a"}
    assert book.values("grant%") == {"grant%": b"grant%"}
    assert book.values()["manifest"] == b"newer"


def test_two_steps_at_once_are_a_bug(book: Book) -> None:
    """Given an open step, when another is begun, then an assertion speaks, and the first is undone with it."""
    with pytest.raises(AssertionError), book.step(), book.step():
        pass
    assert book.head.seq == 0


def test_an_entry_is_never_changed(book: Book) -> None:
    """Given an entry, when something would update it in place, then the file itself refuses."""
    write(book, 1)
    with pytest.raises(sqlite3.IntegrityError):
        book._db.execute("UPDATE entry SET hash = 'x'")


def test_every_commit_is_flushed_and_the_lock_is_held(book: Book, path: Path) -> None:
    """Given an open book, then SQLite syncs each commit, and nobody else can open the book until it is closed."""
    assert book._db.execute("PRAGMA synchronous").fetchone() == (2,)
    assert book._db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    with pytest.raises(BookInUse):
        open_book(path, source=SOURCE)
    reopened(book, path).close()


# --- acknowledging, trimming, epochs


def test_what_is_acknowledged_is_not_sent_again(book: Book, path: Path) -> None:
    """Given acknowledgements in any order, then the highest counts, and it survives reopening."""
    entries = write(book, 4)
    assert book.acknowledge(journal.head_after(entries[2])) is None
    assert book.acknowledge(journal.head_after(entries[0])) is None
    assert book.acknowledge(journal.head_after(entries[2])) is None
    again = reopened(book, path)
    assert again.acknowledged() == journal.head_after(entries[2])
    assert again.unsent() == (entries[3],)
    assert again.acknowledge(again.head) is None
    assert again.unsent() == ()
    again.close()


@pytest.mark.parametrize(
    ("head", "code"),
    [(Head(1, 2, "0" * 64), "journal-fork"), (Head(1, 9, "0" * 64), "journal-fork"), (Head(2, 1, ""), "journal-epoch")],
)
def test_an_acknowledgement_of_another_history_is_refused(book: Book, head: Head, code: str) -> None:
    """Given a hub that holds another hash, a longer log or another epoch, then a refusal, and nothing moves."""
    write(book, 3)
    result = book.acknowledge(head)
    assert isinstance(result, Refusal)
    assert result.code == code
    assert book.acknowledged().seq == 0


def test_a_restored_hub_gets_entries_again(book: Book) -> None:
    """Given acknowledged entries, when the hub asks from an earlier number, then they go up again from there."""
    entries = write(book, 5)
    book.acknowledge(book.head)
    with book.step() as step:
        assert step.resend_from(3) == 3
    assert book.unsent() == tuple(entries[2:])
    with book.step() as step:
        assert step.resend_from(99) == 3
        assert step.resend_from(-5) == 1
    assert book.unsent() == tuple(entries)


def test_only_old_acknowledged_entries_are_trimmed(book: Book, path: Path) -> None:
    """Given old and young, acknowledged and other entries, then only old acknowledged ones go, and the chain holds."""
    old = write(book, 4, at=NOON - timedelta(days=31))
    young = write(book, 2, at=NOON - timedelta(days=29))
    assert book.trim(30, NOON) == 0
    book.acknowledge(journal.head_after(old[2]))
    assert book.trim(0, NOON) == 3
    assert book.trim(0, NOON) == 0
    again = reopened(book, path)
    assert again.entries_from(1) == (old[3], *young)
    again.acknowledge(again.head)
    assert again.trim(60, NOON) == 0
    assert again.trim(7, NOON) == 1
    assert again.trim(7, NOON + timedelta(days=9)) == 2
    last = reopened(again, path)
    assert last.head == journal.head_after(young[-1])
    assert write(last, 1)[0].previous_hash == young[-1].hash
    with last.step() as step:
        assert step.resend_from(1) == 7
    last.close()


def test_a_new_epoch_follows_an_older_one(book: Book, path: Path) -> None:
    """Given entries not yet sent, when a later epoch begins, then the older go up first, and epochs never go back."""
    first = write(book, 2)
    with book.step() as step:
        assert step.start_epoch(4) is None
        fresh = step.append(stamp(), "StayInherited", {})
    again = reopened(book, path)
    assert again.head == Head(4, 1, fresh.hash)
    assert again.unsent() == tuple(first)
    assert again.acknowledge(journal.head_after(first[-1])) is None
    assert again.unsent() == (fresh,)
    with again.step() as step:
        refusal = step.start_epoch(4)
    assert isinstance(refusal, Refusal)
    assert refusal.code == "epoch-not-later"
    again.close()


def test_a_replaced_controller_begins_a_book_in_the_epoch_it_is_given(path: Path) -> None:
    """Given a new controller, when its book begins in epoch 3, then its chain starts from that epoch's own hash."""
    book = create_book(path, source=SOURCE, epoch=3)
    assert book.head == journal.first_head(SOURCE, 3)
    book.close()


# --- the world fails


def test_a_full_disk_is_a_fault_and_loses_nothing(book: Book, path: Path) -> None:
    """Given no more pages, when writing, then a retryable fault names what to do; with room again, all goes on."""
    write(book, 3)
    book.close()
    small = open_book(path, source=SOURCE, max_pages=1)
    kept, told = 3, list[Entry]()
    with pytest.raises(BookFull, match="free some space") as caught:
        _write_without_end(small, told)
    kept += len(told)
    assert (caught.value.retryable, caught.value.blame) == (True, "bank")
    assert small.head.seq == kept
    assert len(small.entries_from(1, 1000)) == kept
    roomy = reopened(small, path)
    assert roomy.head.seq == kept
    assert write(roomy, 1)[0].seq == kept + 1
    roomy.close()


def _write_without_end(book: Book, told: list[Entry]) -> None:
    for _ in range(1000):
        with book.step() as step:
            entry = step.append(stamp(), "Deposited", {"text": "x" * 2000})
        told.append(entry)


def test_using_a_closed_book_is_a_bug(book: Book) -> None:
    """Given a closed book, when used, then that is no fault of the world."""
    book.close()
    with pytest.raises(sqlite3.ProgrammingError):
        book.get("manifest")


def test_a_failing_write_ends_the_use_of_the_book_until_it_is_reopened(book: Book, path: Path) -> None:
    """Given a disk that takes no more bytes of the log file, then a fault, the same for all after it, and no loss."""
    write(book, 3)
    with _files_no_larger_than(path.with_name(path.name + "-wal").stat().st_size):
        for _ in range(2):
            with pytest.raises(BookUnreadable, match="check the disk"), book.step() as step:
                step.append(stamp(), "Deposited", {})
    with pytest.raises(BookUnreadable):
        book.get("anything")
    again = reopened(book, path)
    assert again.head.seq == 3
    write(again, 1)
    again.close()


@contextmanager
def _files_no_larger_than(size: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_book_that_may_not_be_written_says_so() -> None:
    """Given a file, or its folder, without permission to write, when opened, then a fault names what to do."""
    folder = Path(tempfile.mkdtemp(dir="/tmp"))
    path = folder / "bank.book"
    create_book(path, source=SOURCE).close()
    try:
        for file_mode, folder_mode in ((0o444, 0o777), (0o666, 0o555)):
            path.chmod(file_mode)
            folder.chmod(folder_mode)
            with _without_privileges():
                with pytest.raises(BookReadOnly, match="writable"):
                    open_book(path, source=SOURCE)
                if folder_mode == 0o555:
                    with pytest.raises(BookReadOnly):
                        create_book(folder / "other.book", source=SOURCE)
    finally:
        folder.chmod(0o700)
        shutil.rmtree(folder)


@contextmanager
def _without_privileges() -> Iterator[None]:
    """Root may write everywhere, so step down for a moment if that is who we are."""
    user = os.geteuid()
    os.seteuid(65534 if user == 0 else user)
    try:
        yield
    finally:
        os.seteuid(user)


def test_a_book_is_never_made_over_another_and_never_made_by_opening(book: Book, path: Path) -> None:
    """Given a book, then creating it again is a fault, and so is opening none, another's or a later one."""
    with pytest.raises(BookExists):
        create_book(path, source=SOURCE)
    with pytest.raises(BookMissing):
        open_book(path.with_name("none"), source=SOURCE)
    book.close()
    with pytest.raises(BookForeign):
        open_book(path, source="bank-2")
    db = sqlite3.connect(path)
    db.execute("PRAGMA user_version = 2")
    db.close()
    with pytest.raises(BookForeign):
        open_book(path, source=SOURCE)
    path.unlink()
    path.with_name(path.name + "-wal").write_bytes(b"another book's")
    with pytest.raises(BookExists):
        create_book(path, source=SOURCE)


def test_a_creation_that_fails_leaves_nothing_behind(path: Path) -> None:
    """Given a disk without room, when a book is created, then a fault, and the place is free for the next try."""
    with _files_no_larger_than(2000), pytest.raises(BookFault):
        create_book(path, source=SOURCE)
    assert list(path.parent.iterdir()) == []
    create_book(path, source=SOURCE).close()


@pytest.mark.parametrize("content", [b"", b"not a book at all" * 1000, bytes(8192)])
def test_a_file_that_is_no_book_is_damaged(path: Path, content: bytes) -> None:
    """Given some other file, when opened as a book, then it is a damaged one."""
    path.write_bytes(content)
    with pytest.raises(BookDamaged):
        open_book(path, source=SOURCE)


TAMPERING = {
    "DELETE FROM entry WHERE seq = 3": "entry 1/3 is missing",
    "DELETE FROM entry WHERE seq = 5": "ends at 4, not at 5",
    "DELETE FROM entry WHERE seq >= 1": "ends at 0, not at 5",
    "UPDATE entry SET body = replace(body, 'Deposited', 'Withdrawn') WHERE seq = 2": "entry 1/2 was changed",
    "UPDATE entry SET hash = substr(hash, 2) || 'x' WHERE seq = 5": "entry 1/5 was changed",
    "UPDATE entry SET wall_ms = wall_ms - 1 WHERE seq = 2": "entry 1/2 does not follow",
    "UPDATE entry SET seq = CASE seq WHEN 2 THEN -3 ELSE -2 END WHERE seq IN (2, 3)": "is missing",
    "UPDATE log SET anchor_hash = substr(anchor_hash, 2) || 'x'": "entry 1/1 does not follow",
    "UPDATE log SET acked_seq = 5": "the acknowledged entry 1/5 is another one",
    "UPDATE log SET head_seq = 4": "ends at 5, not at 4",
    "UPDATE log SET head_hash = substr(head_hash, 2) || 'x'": "ends at 5, not at 5",
    "UPDATE log SET acked_hash = substr(acked_hash, 2) || 'x'": "the acknowledged entry 1/2 is another one",
    "UPDATE log SET acked_seq = 0": "the acknowledged entry 1/0 is another one",
    "UPDATE log SET acked_hash = anchor_hash": "the acknowledged entry 1/2 is another one",
    "UPDATE kept SET value = x'00'": "the value 'manifest' was changed",
    "UPDATE kept SET name = 'lockout'": "the value 'lockout' was changed",
    "DELETE FROM log": "no log",
    "DROP TABLE kept": "no such table",
    "PRAGMA application_id = 1": "not a book",
}


@pytest.mark.parametrize(("statement", "named"), TAMPERING.items())
def test_what_was_tampered_with_is_named(book: Book, path: Path, statement: str, named: str) -> None:
    """Given a book changed behind our back, when opened, then the fault names the place and says what to do."""
    entries = write(book, 5)
    book.acknowledge(journal.head_after(entries[1]))
    with book.step() as step:
        step.put("manifest", b"signed")
    book.close()
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("DROP TRIGGER entry_is_final")
    statement = statement.replace("replace(body", "CAST(replace(body").replace("'Withdrawn')", "'Withdrawn') AS BLOB)")
    db.execute(statement)
    db.close()
    with pytest.raises(BookDamaged, match="keep the file") as caught:
        open_book(path, source=SOURCE)
    assert named in str(caught.value)


def test_entries_made_to_fit_but_not_readable_are_damage(book: Book, path: Path) -> None:
    """Given a body that is no entry under a hash that fits it, when opened, then it is damaged all the same."""
    write(book, 1)
    book.close()
    db = sqlite3.connect(path)
    db.execute("DROP TRIGGER entry_is_final")
    db.execute("UPDATE entry SET body = x'7b7d', hash = ?", (codec.digest(b"{}"),))
    db.commit()
    db.close()
    with pytest.raises(BookDamaged):
        open_book(path, source=SOURCE)


def test_damage_found_while_open_ends_the_use_of_the_book(book: Book) -> None:
    """Given a value changed under an open book, when read, then a fault, and none of the book is trusted any more."""
    with book.step() as step:
        step.put("manifest", b"signed")
    book._db.execute("UPDATE kept SET value = x'00'")
    for _ in range(2):
        with pytest.raises(BookDamaged, match="'manifest' was changed"):
            book.get("manifest")
    with pytest.raises(BookDamaged), book.step():
        pass


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, tuple[Entry, ...], dict[str, bytes]]:
    """A closed book with entries and values, and what is in it."""
    path = tmp_path_factory.mktemp("filled") / "bank.book"
    book = create_book(path, source=SOURCE)
    write(book, 12)
    with book.step() as step:
        step.put("manifest", b"m" * 6000)
        step.put("floor", b"17")
    found = (path, book.entries_from(1), book.values())
    book.close()
    return found


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_flipped_byte_is_found_or_does_no_harm(
    filled: tuple[Path, tuple[Entry, ...], dict[str, bytes]], tmp_path: Path, data: st.DataObject
) -> None:
    """Given any bytes of the file changed or its end cut off, when opened, then a fault, or every fact as it was."""
    original, entries, values = filled
    raw = bytearray(original.read_bytes())
    if data.draw(st.booleans()):
        del raw[data.draw(st.integers(0, len(raw) - 1)) :]
    else:
        for _ in range(data.draw(st.integers(1, 3))):
            raw[data.draw(st.integers(0, len(raw) - 1))] ^= data.draw(st.integers(1, 255))
    copy = tmp_path / "copy.book"
    copy.with_name(copy.name + "-wal").unlink(missing_ok=True)
    copy.write_bytes(raw)
    try:
        book = open_book(copy, source=SOURCE)
    except BookFault:
        return
    assert (book.entries_from(1), book.values()) == (entries, values)
    book.close()


def test_loss_of_power_after_a_step_loses_nothing(book: Book, path: Path) -> None:
    """Given the files as they are on the disk after each step, when opened elsewhere, then all of it is there."""
    for number in range(1, 8):
        with book.step() as step:
            entry = step.append(stamp(), "Deposited", {"number": number})
            step.put("stay", str(number).encode())
        copy = _copied(path, f"copy-{number}")
        after = open_book(copy, source=SOURCE)
        assert (after.head, after.get("stay")) == (journal.head_after(entry), str(number).encode())
        after.close()


def test_loss_of_power_inside_a_step_leaves_the_step_before(book: Book, path: Path) -> None:
    """Given the files as they are in the middle of a step, when opened elsewhere, then the book as of the last one."""
    write(book, 2)
    head = book.head
    with book.step() as step:
        step.append(stamp(), "Deposited", {})
        copy = _copied(path, "copy")
    after = open_book(copy, source=SOURCE)
    assert after.head == head
    after.close()


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.floats(0, 1), st.binary(max_size=64))
def test_a_torn_write_ahead_log_leaves_a_whole_earlier_step(tmp_path: Path, share: float, noise: bytes) -> None:
    """Given a log torn at any byte, with noise after it, when opened, then all is of one and the same step."""
    folder = Path(tempfile.mkdtemp(dir=tmp_path))
    path = folder / "bank.book"
    book = create_book(path, source=SOURCE)
    for number in range(1, 5):
        with book.step() as step:
            step.append(stamp(), "Deposited", {})
            step.put("stay", str(number).encode())
    copy = _copied(path, "copy")
    book.close()
    wal = copy.with_name(copy.name + "-wal")
    raw = wal.read_bytes()
    wal.write_bytes(raw[: int(len(raw) * share)] + noise)
    after = open_book(copy, source=SOURCE)
    assert (after.get("stay") or b"0") == str(after.head.seq).encode()
    after.close()


def _copied(path: Path, name: str) -> Path:
    copy = path.with_name(name)
    for end in ("", "-wal"):
        shutil.copyfile(path.with_name(path.name + end), copy.with_name(copy.name + end))
    return copy


@pytest.mark.parametrize("lines", [1, 7, 40])
def test_a_killed_program_loses_no_entry_it_told_of(path: Path, lines: int) -> None:
    """Given a real process that tells of each entry after its step, when it is killed, then all of them are there."""
    create_book(path, source=SOURCE).close()
    source_folder = str(Path(book_file.__file__).parents[2])
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path)],
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": source_folder},
        text=True,
    ) as writer:
        assert writer.stdout is not None
        told = [writer.stdout.readline().split() for _ in range(lines)]
        writer.send_signal(signal.SIGKILL)
        told += [line.split() for line in writer.stdout.read().splitlines()]
    book = open_book(path, source=SOURCE)
    entries = book.entries_from(1, 100_000)
    assert len(told) >= lines
    assert [[str(entry.seq), entry.hash] for entry in entries[: len(told)]] == told
    assert len(entries) <= len(told) + 1
    assert book.get("stay") == str(book.head.seq).encode()
    book.close()


def test_what_an_earlier_epoch_left_unacknowledged_is_never_trimmed(path: Path) -> None:
    """Given an old epoch half acknowledged, when a new one began and a year passed, then its end is kept and named."""
    book = create_book(path, source=SOURCE)
    entries = write(book, 4)
    assert book.acknowledge(journal.head_after(entries[1])) is None
    with book.step() as step:
        assert step.start_epoch(2) is None
        last = step.append(stamp(), "started", {"software": "test"})
    assert book.acknowledge(journal.head_after(last)) is None
    book.trim(30, entries[0].wall_time + timedelta(days=366))
    book.close()
    again = open_book(path, source=SOURCE)
    assert again.extents() == (journal.Extent(1, 4, 2), journal.Extent(2, 1, 1))
    assert again.entries_from(3, epoch=1) == tuple(entries[2:])
    assert again.acknowledge(journal.head_after(entries[3])) is None
    assert again.extents()[0] == journal.Extent(1, 4, 4)
    again.close()
