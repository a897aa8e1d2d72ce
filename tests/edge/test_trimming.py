"""When old entries may go: by the time that the hub has named, whatever the machine's own clock says."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from restante.core.time import Instant
from restante.edge.book import Book, create_book
from restante.edge.clock import Now
from restante.edge.inputs import SessionOpened, Woke
from restante.edge.keeping import KeptAgent, next_boot
from restante.edge.running import Running
from restante.wire import seal
from tests.edge.rig import MANIFEST_KEY, SOURCE, SOURCE_KEY, START, nowhere


@pytest.fixture
def book(tmp_path: Path) -> Iterator[Book]:
    """A book with one entry, which the hub holds."""
    made = create_book(tmp_path / "book.sqlite", source=SOURCE)
    agent = woken(made, wall=START)
    heard(agent, at=START)
    made.acknowledge(made.head)
    yield made
    made.close()


def woken(book: Book, *, wall: Instant) -> KeptAgent:
    """The agent after a start at which the wall clock showed this."""
    agent = KeptAgent(book)
    agent.feed(Woke("test"), Now(wall, 0, next_boot(book)))
    return agent


def heard(agent: KeptAgent, *, at: Instant) -> None:
    """The hub says welcome and what time it is."""
    clock = agent.state.clock
    opened = SessionOpened(at, 1, seal.to_text(SOURCE_KEY), MANIFEST_KEY)
    agent.feed(opened, Now(clock.at, clock.monotonic_ms, clock.boot))


def trimmed(book: Book, agent: KeptAgent) -> list[int]:
    """The numbers of the entries that are left once the program has trimmed."""
    Running(agent, book, board=None, where=nowhere).trim()
    return [entry.seq for entry in book.entries_from(1)]


async def test_a_clock_that_woke_years_ahead_forgets_nothing(book: Book) -> None:
    """Given a wall clock ten years ahead and no line, when the program trims, then what is acknowledged stays."""
    assert trimmed(book, woken(book, wall=START + timedelta(days=3_650))) == [1, 2]


async def test_what_is_old_by_the_hubs_time_goes(book: Book) -> None:
    """Given entries that are old by the hub's word, when the program trims, then those that are acknowledged go."""
    agent = woken(book, wall=START)
    heard(agent, at=START + timedelta(days=31))
    assert trimmed(book, agent) == [2]
