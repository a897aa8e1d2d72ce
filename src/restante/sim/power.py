"""Power that fails at a chosen moment: before a write, inside one, after it or after any deed; and disks that fill."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from restante.edge.book_file import BookFull
from restante.edge.keeping import Keeps, WritingStep
from restante.sim.faults import Kind
from restante.sim.met import Felt
from restante.wire.journal import Entry, Extent, Head


class PowerLost(Exception):
    """The controller stopped here; what its book had flushed is all that is left."""


class Fuse:
    """Counts the moments at which power may fail, and fails at the one it was set to."""

    def __init__(self) -> None:
        self._left: int | None = None
        self._waits_for: int | None = None
        self.is_full = False
        self.felt: Felt = Counter()

    @property
    def is_whole(self) -> bool:
        """Whether nothing is about to fail here."""
        return self._left is None and self._waits_for is None and not self.is_full

    def set(self, moments: int) -> None:
        """Fail after so many moments more."""
        self._left = moments

    def set_for_work(self, moments: int) -> None:
        """Fail so many moments after the next lock was told to open, which is when it hurts."""
        self._waits_for = moments

    def work_begins(self) -> None:
        """A lock is told to open."""
        if self._waits_for is not None:
            self._left, self._waits_for = self._waits_for, None

    def fill(self) -> None:
        """The disk takes nothing more."""
        self.is_full = True

    def make_space(self) -> None:
        """The disk can be written again."""
        self.is_full = False

    def mend(self) -> None:
        """Power is there again."""
        self._left = None

    def check_space(self) -> None:
        """Raises ``BookFull`` while the disk takes nothing."""
        if self.is_full:
            self.felt[Kind.DISK_FULL] += 1
            raise BookFull

    def burn(self) -> None:
        """One moment. Raises ``PowerLost`` when it is the one."""
        if self._left is None:
            return
        self._left -= 1
        if self._left <= 0:
            self.felt[Kind.BANK_KILLED_IN_STEP] += 1
            raise PowerLost


class FusedBook:
    """A book whose writes the fuse may break: before, in the middle, and after the flush."""

    def __init__(self, book: Keeps, fuse: Fuse) -> None:
        self.inner = book
        self._fuse = fuse

    @property
    def source(self) -> str:
        """See ``Keeps``."""
        return self.inner.source

    @property
    def head(self) -> Head:
        """See ``Keeps``."""
        return self.inner.head

    @contextmanager
    def step(self) -> Iterator[WritingStep]:
        """See ``Keeps``."""
        self._fuse.check_space()
        self._fuse.burn()
        with self.inner.step() as writing:
            yield writing
            self._fuse.burn()
        self._fuse.burn()

    def values(self, prefix: str = "") -> dict[str, bytes]:
        """See ``Keeps``."""
        return self.inner.values(prefix)

    def acknowledged(self, epoch: int | None = None) -> Head:
        """See ``Keeps``."""
        return self.inner.acknowledged(epoch)

    def extents(self) -> tuple[Extent, ...]:
        """See ``Keeps``."""
        return self.inner.extents()

    def entries_from(self, seq: int, limit: int = 100, *, epoch: int | None = None) -> tuple[Entry, ...]:
        """See ``Keeps``."""
        return self.inner.entries_from(seq, limit, epoch=epoch)
