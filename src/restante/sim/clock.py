"""Virtual time: what happens when, in an order that the seed alone decides, and the story it makes.

Nothing waits here. An action is put down for a millisecond of the story; `run` jumps from one to the next. Actions of
the same millisecond happen in the order in which they were put down, so a story told twice is the same to the letter:
its trace, a hash over everything that was told and sent, says so.
"""

import heapq
from collections import deque
from collections.abc import Callable
from datetime import timedelta
from hashlib import sha256
from typing import Final

from restante.core.time import Instant

SECOND_MS: Final = 1000
MINUTE_MS: Final = 60 * SECOND_MS
HOUR_MS: Final = 60 * MINUTE_MS
DAY_MS: Final = 24 * HOUR_MS

_REMEMBERED_LINES: Final = 400

Action = Callable[[], None]


class Clock:
    """True time, which only the story itself knows; the clocks of its machines may say something else."""

    def __init__(self, start: Instant) -> None:
        self.start = start
        self.now_ms = 0
        self.steps = 0
        self._queue: list[tuple[int, int, Action]] = []
        self._count = 0

    @property
    def now(self) -> Instant:
        """True time as an instant."""
        return self.start + timedelta(milliseconds=self.now_ms)

    def at(self, at_ms: int, action: Action) -> None:
        """Put an action down for a millisecond of the story; one that has passed means now."""
        self._count += 1
        heapq.heappush(self._queue, (max(at_ms, self.now_ms), self._count, action))

    def after(self, wait_ms: int, action: Action) -> None:
        """Put an action down for so many milliseconds from now."""
        self.at(self.now_ms + wait_ms, action)

    def run(self, until_ms: int) -> None:
        """Let everything happen that is put down up to this millisecond, then stand at it."""
        queue = self._queue
        while queue and queue[0][0] <= until_ms:
            self.now_ms, _, action = heapq.heappop(queue)
            self.steps += 1
            action()
        self.now_ms = max(self.now_ms, until_ms)


class Story:
    """What happened, in words for people, and as a hash over all of it and over every byte that was sent."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._digest = sha256()
        self._lines: deque[str] = deque(maxlen=_REMEMBERED_LINES)

    def tell(self, text: str) -> None:
        """Add a line."""
        line = f"{when(self._clock.now_ms)}  {text}"
        self._lines.append(line)
        self._digest.update(line.encode())

    def note(self, data: bytes) -> None:
        """Count bytes that were sent into the trace without telling them."""
        self._digest.update(self._clock.now_ms.to_bytes(8, "big") + data)

    def lines(self, about: str = "", last: int = 40) -> list[str]:
        """The newest lines, or the newest that speak of something."""
        return [line for line in self._lines if about in line][-last:]

    @property
    def trace(self) -> str:
        """The hash over everything so far: two runs of one seed agree in it, or chance came from elsewhere."""
        return self._digest.hexdigest()


def when(at_ms: int) -> str:
    """A moment of a story as it is told: ``day 2 07:15:00``."""
    day, rest = divmod(at_ms, DAY_MS)
    hours, rest = divmod(rest, HOUR_MS)
    minutes, rest = divmod(rest, MINUTE_MS)
    return f"day {day + 1} {hours:02}:{minutes:02}:{rest // SECOND_MS:02}"
