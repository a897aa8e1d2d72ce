"""A book in memory is a book on a disk in all but what survives: one story, told to both, leaves both the same."""

import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from restante.core.refusals import Refusal
from restante.edge.book import Book, create_book
from restante.edge.memory import MemoryBook
from restante.wire.journal import Head
from tests.edge.test_book import SOURCE, stamp

NAMES = st.sampled_from(["a", "a/1", "a/2", "b"])
DEEDS = st.one_of(
    st.tuples(st.just("append"), st.integers(1, 4)),
    st.tuples(st.just("put"), NAMES, st.binary(max_size=3)),
    st.tuples(st.just("drop"), NAMES),
    st.tuples(st.just("acknowledge"), st.integers(1, 5), st.integers(0, 9), st.booleans()),
    st.tuples(st.just("resend"), st.integers(-1, 9)),
    st.tuples(st.just("begin epoch"), st.integers(1, 5)),
    st.tuples(st.just("fail half way")),
)


class Lost(Exception):
    """The power goes inside a step."""


def done(book: Any, deed: tuple[Any, ...]) -> object:
    """Do one thing to a book, in a step of its own; what it answers."""
    try:
        with book.step() as step:
            return _done_in(step, book, deed)
    except Lost:
        return "lost"


def _done_in(step: Any, book: Any, deed: tuple[Any, ...]) -> object:
    match deed:
        case ("append", count):
            return [step.append(stamp(), "Deposited", {"number": number}) for number in range(count)]
        case ("put", name, value):
            return step.put(name, value)
        case ("drop", name):
            return step.drop(name)
        case ("acknowledge", epoch, seq, is_true):
            held = {entry.seq: entry.hash for entry in book.entries_from(1, 100, epoch=epoch)}
            return _code(step.acknowledge(Head(epoch, seq, held.get(seq, "0" * 64) if is_true else "0" * 64)))
        case ("resend", seq):
            return step.resend_from(seq)
        case ("begin epoch", epoch):
            return _code(step.start_epoch(epoch))
        case _:
            step.append(stamp(), "Deposited", {})
            step.put("a", b"lost")
            step.acknowledge(book.head)
            step.resend_from(1)
            raise Lost


def _code(answer: Refusal | None) -> object:
    return answer if answer is None else (answer.code, answer.detail)


def told(book: Any) -> list[object]:
    """Everything that can be asked of a book."""
    epochs = [extent.epoch for extent in book.extents()]
    logs = [(book.acknowledged(epoch), book.entries_from(2, 3, epoch=epoch)) for epoch in epochs]
    values = [book.values(prefix) for prefix in ("", "a", "a/", "c")]
    return [book.source, book.head, book.extents(), logs, values, book.acknowledged(), book.entries_from(1)]


@settings(max_examples=30, deadline=None)
@given(st.lists(DEEDS, max_size=14))
def test_both_kinds_of_book_answer_alike(story: list[tuple[Any, ...]]) -> None:
    """For any story: a book on a disk and one in memory give the same answers and hold the same, step by step."""
    with tempfile.TemporaryDirectory() as folder:
        books: tuple[Book, MemoryBook] = (create_book(Path(folder) / "book", source=SOURCE), MemoryBook(SOURCE))
        for deed in story:
            on_disk, in_memory = (done(book, deed) for book in books)
            assert on_disk == in_memory, deed
            assert told(books[0]) == told(books[1]), deed
        books[0].close()
