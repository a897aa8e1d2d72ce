"""The working copy inside one step: the state as changed so far and the effects asked for so far, in order."""

from typing import Any

import msgspec

from restante.core.facts import Known
from restante.edge.inputs import Effect, EpochBegun, Outward, Recorded, Show
from restante.edge.screens import Screen
from restante.edge.state import Opening, State


class Draft:
    """Lives for one step; `agent.step` makes it and takes its values out."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.effects: list[Effect] = []

    @property
    def now_ms(self) -> int:
        """The steady clock's reading of this step."""
        return self.state.clock.monotonic_ms

    def put(self, **changes: Any) -> None:
        """Change fields of the state."""
        self.state = msgspec.structs.replace(self.state, **changes)

    def record(self, fact: Known) -> int:
        """Write a fact to the journal; the number its entry will have."""
        self.effects.append(Recorded(fact))
        self.put(head_seq=self.state.head_seq + 1)
        return self.state.head_seq

    def begin_epoch(self, epoch: int) -> None:
        """Go on in a later log epoch, whose entries are numbered from 1."""
        assert not self.effects, "an epoch begins before any fact of its step"
        self.effects.append(EpochBegun(epoch))
        self.put(log_epoch=epoch, head_seq=0)

    def do(self, effect: Outward) -> None:
        """Ask for something outward; it happens once the step is flushed."""
        self.effects.append(effect)

    def show(self, screen: Screen) -> None:
        """Put a screen up, unless it stands already."""
        if screen != self.state.screen:
            self.do(Show(screen))
        self.put(screen=screen, shown_ms=self.now_ms)

    def put_opening(self, opening: Opening) -> None:
        """Remember an opening, in place of the one at the same door."""
        self.put(openings={**self.state.openings, opening.door: opening})

    def drop_opening(self, door: int) -> None:
        """Forget the opening of a door."""
        self.put(openings={other: one for other, one in self.state.openings.items() if other != door})
