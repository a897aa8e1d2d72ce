"""The links between sources and hub in memory: each carries frames both ways, through the weather of the moment.

A link stands for one connection. In fair weather frames arrive in order after a moment. A cut link swallows what is
sent into it and tells nobody, as a dead network does. Rough weather breaks connections with frames still in them, and
doubles and shuffles frames, which a TCP connection would not do: what holds here holds there, and over batches and
telephones as well.
"""

from collections import Counter
from collections.abc import Callable
from functools import partial
from random import Random
from typing import Final

import msgspec

from restante.sim.altering import JOURNAL_FRAME, Altered, altered_batch
from restante.sim.clock import MINUTE_MS, Clock, Story
from restante.sim.faults import Kind
from restante.sim.met import Felt
from restante.sim.noise import noise_like

FAIR_DELAY_MS: Final = 40
_SLOW_DELAYS_MS: Final = (400, 2_500, 25_000)
_ALTERED_SHARE: Final = 0.5
_NOISY_SHARE: Final = 0.2
_BREAKS_SHARE: Final = 0.04
_DOUBLES_SHARE: Final = 0.15
_OPENING: Final = frozenset({"hello", "welcome", "pending", "rejected"})
"""What opens a session comes first by its nature, so no weather doubles or shuffles it."""

Deliver = Callable[[str | bytes], None]


class Weather:
    """What the network between one source and the hub is like at the moment: how many faults of each kind last."""

    def __init__(self, felt: Felt | None = None) -> None:
        self._felt: Felt = Counter() if felt is None else felt
        self._lasting: Counter[Kind] = Counter()
        self._is_fair_for_ever = False

    def begin(self, kind: Kind) -> None:
        """One fault more."""
        self._lasting[kind] += 1

    def end(self, kind: Kind) -> None:
        """One fault fewer."""
        self._lasting[kind] -= 1

    def clear(self) -> None:
        """From now on nothing is wrong any more."""
        self._is_fair_for_ever = True

    def has(self, kind: Kind) -> bool:
        """Whether a fault of this kind lasts; whoever asks feels it."""
        if self._is_fair_for_ever or self._lasting[kind] <= 0:
            return False
        self._felt[kind] += 1
        return True


class _Type(msgspec.Struct):
    """The one field of a frame that a link looks at."""

    type: str


_DECODER: Final = msgspec.json.Decoder(_Type)


class Link:
    """One connection, from the dial until either end drops it."""

    def __init__(self, clock: Clock, chance: Random, weather: Weather, *, story: Story) -> None:
        self._clock = clock
        self._chance = chance
        self._weather = weather
        self._story = story
        self._last_ms = {True: 0, False: 0}
        self.is_open = True
        self.on_down: Callable[[str], None] = _nobody
        self.on_altered: Callable[[Altered], None] = _nobody_notes
        self.on_noise: Callable[[Callable[[], None]], None] = _nothing_but
        self.to_hub: Deliver = _nobody
        self.to_source: Deliver = _nobody
        self.hub_hears_end: Callable[[], None] = _nothing
        self.source_hears_end: Callable[[], None] = _nothing

    def up(self, frame: str) -> None:
        """The source sends a frame to the hub."""
        if self._is_altered(frame):
            altered = altered_batch(frame, self._chance)
            self.on_altered(altered)
            frame = altered.frame
        self._send(frame, going_up=True)

    def down(self, frame: str) -> None:
        """The hub sends a frame to the source."""
        self.on_down(frame)
        self._send(frame, going_up=False)

    def drop(self, *, by_hub: bool) -> None:
        """One end lets go; the other hears of it, unless the line is cut."""
        if not self.is_open:
            return
        self.is_open = False
        hears = self.source_hears_end if by_hub else self.hub_hears_end
        self._clock.after(FAIR_DELAY_MS, lambda: None if self._weather.has(Kind.LINK_CUT) else hears())

    def _send(self, frame: str, *, going_up: bool) -> None:
        if not self.is_open or self._weather.has(Kind.LINK_CUT):
            return
        kind = _DECODER.decode(frame).type
        if self._weather.has(Kind.LINE_NOISY) and self._chance.random() < _NOISY_SHARE:
            self._bring_noise(frame, going_up=going_up)
        self._story.note(frame.encode())
        if kind == "ack" and self._weather.has(Kind.ACKS_LOST) and self._chance.random() < 0.5:
            self._break()
            return
        if not self._weather.has(Kind.LINK_ROUGH) or kind in _OPENING:
            self._deliver(frame, self._wait_ms(kind), going_up=going_up, in_order=not self._is_late(kind))
            return
        drawn = self._chance.random()
        if drawn < _BREAKS_SHARE:
            self._break()
            return
        for _ in range(2 if drawn < _BREAKS_SHARE + _DOUBLES_SHARE else 1):
            self._deliver(frame, self._chance.randrange(FAIR_DELAY_MS, 3000), going_up=going_up, in_order=False)

    def _bring_noise(self, frame: str, *, going_up: bool) -> None:
        """Something that is no message comes along with a frame; whoever watches has it arrive."""
        noise = noise_like(frame, self._chance)
        hears = partial(self._arrive, noise, going_up=going_up)
        self._clock.after(FAIR_DELAY_MS, lambda: self.on_noise(hears))

    def _break(self) -> None:
        """The frame is lost, and the connection with it: both ends hear of it."""
        self.is_open = False
        self._clock.after(FAIR_DELAY_MS, self._both_hear)

    def _both_hear(self) -> None:
        self.hub_hears_end()
        self.source_hears_end()

    def _is_altered(self, frame: str) -> bool:
        at_risk = frame.startswith(JOURNAL_FRAME) and self._weather.has(Kind.ENTRIES_ALTERED)
        return at_risk and self._chance.random() < _ALTERED_SHARE

    def _is_late(self, kind: str) -> bool:
        return kind.startswith("manifest") and self._weather.has(Kind.MANIFESTS_LATE)

    def _wait_ms(self, kind: str) -> int:
        if self._is_late(kind):
            return self._chance.randrange(10 * MINUTE_MS, 180 * MINUTE_MS)
        return self._chance.choice(_SLOW_DELAYS_MS) if self._weather.has(Kind.LINK_SLOW) else FAIR_DELAY_MS

    def _deliver(self, frame: str, wait_ms: int, *, going_up: bool, in_order: bool) -> None:
        at_ms = self._clock.now_ms + wait_ms
        if in_order:
            at_ms = self._last_ms[going_up] = max(at_ms, self._last_ms[going_up])
        self._clock.at(at_ms, lambda: self._arrive(frame, going_up=going_up))

    def _arrive(self, frame: str | bytes, *, going_up: bool) -> None:
        if self.is_open and not self._weather.has(Kind.LINK_CUT):
            (self.to_hub if going_up else self.to_source)(frame)


def _nothing_but(arrive: Callable[[], None]) -> None:
    """Nobody watches what arrives."""
    arrive()


def _nobody(_frame: str | bytes) -> None:
    """Frames that arrive before an end is there are lost."""


def _nobody_notes(_altered: Altered) -> None:
    """Nobody notes what was changed on the way."""


def _nothing() -> None:
    """An end that is not there hears nothing."""
