"""One round against the hub: load, journals and feeds go on while hub, worker or database are killed at random."""

import asyncio
import secrets
import signal
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Final

import msgspec

from restante.edge.moments import NOWHERE
from restante.sim.kill.banks import put_up, roomy_point
from restante.sim.kill.judge import Verdict
from restante.sim.kill.load import Load
from restante.sim.kill.machine import BROKEN_OFF
from restante.sim.kill.network import Network, second_hub
from restante.sim.kill.patience import PATIENCE_SECONDS
from restante.sim.kill.reckoning import reckon
from restante.sim.kill.story import Story

SOURCES: Final = 2
PARCELS_A_SOURCE: Final = 4
REST_SECONDS: Final = (0.8, 2.5)
STILL_SECONDS: Final = 12.0
"""Longer than any limit of a session in `store.connect`."""
TWO_HUBS: Final = "two-hubs"
KILLS_A_ROUND: Final[Mapping[str, int]] = {"hub": 6, "postgres": 6, TWO_HUBS: 2}

Kill = Callable[[Network], Awaitable[None]]


class Round(msgspec.Struct, frozen=True):
    """What came of a round: kills by kind, seconds from each until a command was accepted again, and the verdict."""

    part: str
    seed: int
    kills: dict[str, int]
    without_service: dict[str, list[float]]
    acknowledged: int
    sent_again: int
    events: int
    mails: int
    mails_again: int
    verdict: Verdict
    fault: str = ""

    @property
    def is_clean(self) -> bool:
        """Whether nothing was lost, doubled or wrong, and something was killed."""
        return not (self.verdict.lost or self.verdict.doubled or self.verdict.wrong or self.fault) and bool(self.kills)


async def _kill_hub(network: Network) -> None:
    await network.hub.kill()
    await network.start_hub()


async def _kill_worker(network: Network) -> None:
    await network.worker.kill()
    await network.start_worker()


async def _kill_both(network: Network) -> None:
    await asyncio.gather(_kill_hub(network), _kill_worker(network))


async def _kill_postmaster(network: Network) -> None:
    assert network.server is not None, "only a database of one's own is killed"
    await asyncio.to_thread(network.server.kill_hard)
    await asyncio.to_thread(network.server.start)


async def _kill_backend(network: Network) -> None:
    """Kill the server's process of one connection, whoever has it."""
    assert network.server is not None, "only a database of one's own is killed"
    await asyncio.to_thread(network.server.kill_backend, secrets.randbelow(1_000))


async def _stand_still(network: Network) -> None:
    """Stop one of two hubs in whatever it does, for longer than the database waits for anybody, and let it go on."""
    assert network.second is not None, "there are two hubs in this part"
    network.second.send(signal.SIGSTOP)
    await asyncio.sleep(STILL_SECONDS)
    network.second.send(signal.SIGCONT)


PARTS: Final[Mapping[str, Mapping[str, Kill]]] = {
    "hub": {"hub": _kill_hub, "worker": _kill_worker, "hub and worker": _kill_both},
    "postgres": {"postmaster": _kill_postmaster, "backend": _kill_backend},
    TWO_HUBS: {"a hub that stood still": _stand_still},
}
"""What is killed in each part, by name."""


class Tally(msgspec.Struct):
    """What was killed in a round, how long nothing was answered around each kill, and what broke the round off.

    ``heads`` is how far the lanes had come when the callers were told to stop: readers have read at least that.
    """

    kills: Counter[str] = msgspec.field(default_factory=Counter)
    without_service: dict[str, list[float]] = {}
    heads: dict[int, int] = {}
    fault: str = ""


async def play_round(network: Network, folder: Path, *, part: str, seed: int) -> Round:
    """Load for as long as the kills of a part take; then everybody's account is held to the log."""
    name, tally = f"{part}-{seed}", Tally()
    stories = [
        await put_up(network, folder / f"{name}-{number}", NOWHERE, parcels=PARCELS_A_SOURCE)
        for number in range(SOURCES)
    ]
    points = [await roomy_point(network, f"{name}-{side}") for side in ("a", "b")]
    async with AsyncExitStack() as stack:
        urls = [network.api_url]
        if part == TWO_HUBS:
            urls.append(await stack.enter_async_context(second_hub(network)))
        load = Load(network, points, name=name, urls=urls)
        await _under_load(network, load, stories, part=part, chance=Random(seed), tally=tally)  # noqa: S311 -- a story
    for story in stories:
        await story.machine.close()
    return await _account(network, load, stories, part=part, seed=seed, tally=tally)


async def _under_load(
    network: Network, load: Load, stories: list[Story], *, part: str, chance: Random, tally: Tally
) -> None:
    over = asyncio.Event()
    running = asyncio.create_task(load.run(over))
    lives = []
    try:
        for story in stories:  # a bank that finds no hub to enrol at waits for half a minute
            await story.start()
            await story.installed()
        lives = [asyncio.create_task(_live(story)) for story in stories]
        for _ in range(KILLS_A_ROUND[part]):
            await asyncio.sleep(chance.uniform(*REST_SECONDS))
            kind, kill = chance.choice(list(PARTS[part].items()))
            at_s = time.monotonic()
            await kill(network)
            tally.kills[kind] += 1
            tally.without_service.setdefault(kind, []).append(await _without_service(load, at_s))
        await asyncio.gather(*lives)
    except BROKEN_OFF as stuck:
        tally.fault = f"{type(stuck).__name__}: {stuck}"
    tally.heads = await network.heads()
    over.set()
    await running
    for task in lives:
        task.cancel()
    await asyncio.gather(*lives, return_exceptions=True)


async def _live(story: Story) -> None:
    """A bank at work: every parcel goes in and comes out."""
    for number in range(len(story.parcels)):
        await story.deposit(number)()
        await story.leave()
        await story.collect(number)()
    await story.whole()


async def _without_service(load: Load, since_s: float) -> float:
    """The longest time since then in which no command was answered, once one is again. Faults: `TimeoutError`."""
    restarted_s = time.monotonic()
    async with asyncio.timeout(PATIENCE_SECONDS):
        await load.answer_after(restarted_s)
    moments = [since_s, *(at_s for at_s in load.answered_s if at_s > since_s)]
    return round(max(after - before for before, after in pairwise(moments)), 3)


async def _account(network: Network, load: Load, stories: list[Story], *, part: str, seed: int, tally: Tally) -> Round:
    found = await reckon(network, load, stories, heads=tally.heads, changed=await load.ask_again())
    return Round(
        part=part,
        seed=seed,
        kills=dict(tally.kills),
        without_service=tally.without_service,
        acknowledged=found.acknowledged,
        sent_again=found.sent_again,
        events=found.events,
        mails=found.mails,
        mails_again=found.mails_again,
        verdict=found.verdict,
        fault=tally.fault,
    )
