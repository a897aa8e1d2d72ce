"""What the demo shows while it runs: a live screen in a terminal, lines elsewhere, nothing where a machine reads."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from rich.console import Console
from rich.live import Live
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from restante.sim.demo.display import Scene, as_line, as_svg, render, sentence
from restante.sim.demo.picture import Picture, Told
from restante.sim.demo.setting import Stage

REDRAWS_A_SECOND: Final = 4
SENTENCE_S: Final = 5.0


class Show:
    """The demo's audience. ``quiet`` shows nothing; ``all_events`` prints every event where there is no terminal."""

    def __init__(self, console: Console, *, quiet: bool = False, all_events: bool = False) -> None:
        self._console = console
        self._quiet = quiet
        self._all_events = all_events
        self._is_live = console.is_terminal and not quiet
        self._progress: Progress | None = None
        self._bar: TaskID | None = None
        self._live: Live | None = None
        self._stage: Stage | None = None
        self._said_s = 0.0
        self._fullest = (-1, "")

    def step(self, name: str, *, of: int) -> None:
        """A step of the set-up is done."""
        if self._quiet:
            return
        if not self._is_live:
            self._console.print(f"ready: {name}", highlight=False)
            return
        if self._progress is None or self._bar is None:
            columns = (TextColumn("Setting up the network"), BarColumn(), TextColumn("{task.description}"))
            self._progress = Progress(*columns, TimeElapsedColumn(), console=self._console, transient=True)
            self._progress.start()
            self._bar = self._progress.add_task(name, total=of)
        self._progress.update(self._bar, advance=1, description=name)

    @contextmanager
    def on_stage(self, stage: Stage) -> Iterator[None]:
        """The set-up is over; show this until left."""
        self._stage = stage
        self.end_set_up()
        if not self._is_live:
            yield
            return
        with Live(console=self._console, refresh_per_second=REDRAWS_A_SECOND, screen=True) as self._live:
            yield
        self._live = None

    def end_set_up(self) -> None:
        """Take the progress bar away."""
        if self._progress is not None:
            self._progress.stop()
            self._progress = None

    def draw(self, doing: str) -> None:
        """Bring the screen up to date."""
        if self._stage is None:
            return
        picture = self._stage.picture
        if picture.waiting > self._fullest[0] and any(one.cut_since for one in picture.points.values()):
            self._fullest = (picture.waiting, self._as_svg(doing))
        if self._live is not None:
            self._live.update(render(picture, self._scene(doing), width=self._console.width))
        elif not self._quiet and time.monotonic() - self._said_s > SENTENCE_S:
            self._said_s = time.monotonic()
            self._console.print(f"-- {sentence(picture)} {doing}".rstrip(), highlight=False)

    def tell(self, told: Told) -> None:
        """An event has happened."""
        if self._stage is None or self._is_live or self._quiet or not (self._all_events or told.stands_out):
            return
        self._console.print(as_line(told, self._stage.cast.city.zone))

    def note(self, words: str) -> None:
        """Say something beside the events."""
        if not self._is_live and not self._quiet:
            self._console.print(f"-- {words}", highlight=False)

    def picture_at_its_fullest(self) -> str:
        """The screen as a picture, as it was when most parcels lay behind doors while a bank was cut off."""
        return self._fullest[1] or self._as_svg("")

    def _as_svg(self, doing: str) -> str:
        assert self._stage is not None, "there is nothing to draw before the set-up is over"
        return as_svg(self._stage.picture, self._scene(doing))

    def _scene(self, doing: str) -> Scene:
        assert self._stage is not None
        stage = self._stage
        city = stage.cast.city
        return Scene(stage.clock.now(), city.zone, stage.clock.pace, stage.links, city.credit, doing)


__all__ = ["Picture", "Show"]
