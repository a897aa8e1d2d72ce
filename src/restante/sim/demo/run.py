"""The demo from start to end: set up, play, show, draw up the account, take everything down again."""

import asyncio
import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Final

import msgspec

from restante.edge.loopback import LoopbackClosed
from restante.sim.demo.account import Account, Evidence, as_lines, ask_hub, draw_up
from restante.sim.demo.children import ChildFailed
from restante.sim.demo.day import Day, Plan
from restante.sim.demo.setting import Stage, set_up
from restante.sim.demo.show import Show
from restante.sim.demo.watching import Watcher
from restante.store.postgres import open_ledger

LIVING_PACE: Final = 480.0
BOUNDED_PACE: Final = 1440.0
DRAIN_S: Final = 120.0
LONGEST_S: Final = 1_800.0
_QUIET_READS: Final = 4


class Wish(msgspec.Struct, frozen=True):
    """What kind of demo is wanted. A plan without a count of parcels is a living network without end.

    ``svg`` is where to draw a picture of the day at its fullest; ``longest_s`` bounds a bounded day in real time.
    """

    folder: Path
    plan: Plan
    pace: float
    seed: int = 1
    banks: int = 12
    counters: int = 2
    svg: Path | None = None
    longest_s: float = LONGEST_S


async def demo(wish: Wish, show: Show) -> Account | None:
    """Play a demo; the account of a bounded day, None of one that was ended. Faults: ``ChildFailed``, the store's."""
    _cancel_on_sigterm()
    chance = Random(wish.seed)  # noqa: S311 -- a story, not a secret
    async with set_up(wish.folder, pace=wish.pace, banks=wish.banks, counters=wish.counters, show=show) as stage:
        day = Day(stage.cast, wish.plan, clock=stage.clock, chance=chance)
        watcher = Watcher(stage.api, stage.picture, stage.cast.ground, crew=day, tell=show.tell)
        following = asyncio.create_task(watcher.follow())
        began_s = time.monotonic()
        try:
            with show.on_stage(stage):
                with suppress(TimeoutError):
                    async with asyncio.timeout(None if wish.plan.parcels is None else wish.longest_s):
                        await day.run(_watching(stage, day, show, following=following))
                show.note("every story has ended; the last facts go up")
                await _drain(stage, watcher, following)
        finally:
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)
            if wish.svg is not None:
                wish.svg.write_text(show.picture_at_its_fullest(), encoding="utf-8")
        return await _account(stage, time.monotonic() - began_s, asked=wish.plan.parcels)


def _watching(stage: Stage, day: Day, show: Show, *, following: "asyncio.Task[None]") -> Callable[[], None]:
    """What is looked at several times a second: programs that ended, lines that are cut, and the screen."""

    def watch() -> None:
        for child in stage.children.ended():
            raise ChildFailed(f"restante {child.name} has ended: {child.last_words()}")
        if following.done() and not following.cancelled() and (wrong := following.exception()) is not None:
            raise wrong
        for spot in stage.cast.spots:
            seen = stage.picture.points[spot.point]
            seen.cut_since = (seen.cut_since or stage.clock.now()) if spot.line.is_cut else None
        show.draw(day.doing)

    return watch


async def _drain(stage: Stage, watcher: Watcher, following: "asyncio.Task[None]") -> None:
    """Wait until every machine has sent all it has written, and the hub has nothing new to tell."""
    for spot in stage.cast.spots:
        spot.line.heal()
    ends_s = time.monotonic() + DRAIN_S
    for spot in stage.cast.spots:
        with suppress(LoopbackClosed):  # the account will say so
            left_s = max(1.0, ends_s - time.monotonic())
            await spot.person.until(lambda status: status.online and status.acknowledged == status.head, seconds=left_s)
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)
    quiet = 0
    while quiet < _QUIET_READS and time.monotonic() < ends_s:
        quiet = 0 if await watcher.read(wait_s=0.5) else quiet + 1


async def _account(stage: Stage, seconds: float, *, asked: int | None) -> Account:
    """Ask the hub, stop the programs, and compare."""
    cast = stage.cast
    hub = await ask_hub(stage.api, cast.ground)
    await stage.children.stop()
    newest = cast.sink.latest(1)
    evidence = Evidence(
        ground=cast.ground,
        spots=cast.spots,
        hub=hub,
        picture=stage.picture,
        mails=newest[0].number if newest else 0,
        refused_for_room=sum(carrier.refused for carrier in cast.carriers.values()),
        seconds=seconds,
        asked=asked,
    )
    async with open_ledger(stage.dsn) as ledger:
        return await draw_up(ledger, evidence)


def _cancel_on_sigterm() -> None:
    """SIGTERM ends the demo as Ctrl-C does."""
    running = asyncio.current_task()
    assert running is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, running.cancel)


def play(wish: Wish, show: Show) -> Account | None:
    """Play a demo until it ends or is ended."""
    os.umask(0o077)
    with suppress(KeyboardInterrupt, asyncio.CancelledError):
        return asyncio.run(demo(wish, show))
    return None


__all__ = ["Wish", "as_lines", "demo", "play"]
