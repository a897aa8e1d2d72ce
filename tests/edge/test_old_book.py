"""A replaced controller's book taken into the book of the one in its place."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from restante.edge.book import create_book
from restante.edge.memory import MemoryBook
from restante.wire import journal
from tests.edge.test_book import SOURCE, reopened, write


def test_the_earlier_log_of_an_old_book_goes_up_first(tmp_path: Path) -> None:
    """Given a book in epoch 2, when it takes in its forerunner's, then what that one never sent goes up first."""
    book, old = (create_book(tmp_path / name, source=SOURCE) for name in ("new.book", "old.book"))
    sent = write(old, 2)
    assert old.acknowledge(journal.head_after(sent[-1])) is None
    unsent = write(old, 3)
    with book.step() as step:
        assert step.start_epoch(2) is None
    own = write(book, 1)
    assert book.take_in(old) == (journal.Extent(1, 5, 2),)
    assert book.take_in(old) == (), "once is enough"
    old.close()
    again = reopened(book, tmp_path / "new.book")
    assert again.head == journal.head_after(own[-1])
    assert again.unsent() == tuple(unsent)
    assert again.entries_from(1, epoch=1) == (*sent, *unsent)
    assert again.acknowledge(journal.head_after(unsent[-1])) is None
    assert again.unsent() == tuple(own)
    again.close()


def test_a_log_that_a_book_has_written_itself_is_not_written_over(tmp_path: Path) -> None:
    """Given books with two histories of one epoch, or an old one that goes as far, then nothing is taken over."""
    book, old = (create_book(tmp_path / name, source=SOURCE) for name in ("new.book", "old.book"))
    write(old, 2)
    assert book.take_in(old) == (), "the epoch is the one now written"
    mine = write(book, 1)
    with book.step() as step:
        assert step.start_epoch(2) is None
    assert book.take_in(old) == ()
    assert book.unsent() == tuple(mine)
    book.close()
    old.close()


def test_a_book_in_memory_takes_an_old_one_in_as_one_on_a_disk_does(tmp_path: Path) -> None:
    """Given both kinds of book with one story, when they take their forerunners in, then they hold the same."""
    kinds: list[Callable[[str], Any]] = [
        lambda name: create_book(tmp_path / name, source=SOURCE),
        lambda _name: MemoryBook(SOURCE),
    ]
    ends = []
    for make in kinds:
        book, old = make("new.book"), make("old.book")
        write(old, 3)
        assert book.take_in(old) == (), "the epoch is the one now written"
        with book.step() as step:
            assert step.start_epoch(2) is None
        ends.append((book.take_in(old), book.entries_from(1, epoch=1), book.extents(), book.take_in(old)))
    assert ends[0] == ends[1]
