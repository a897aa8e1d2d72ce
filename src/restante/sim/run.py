"""One seed from beginning to end: the world is set up, goes on for some days, heals, comes to rest, and is judged."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec
from structlog.testing import capture_logs

from restante.core.ids import Lane, SourceId
from restante.edge.keeping import Keeps
from restante.sim.clock import DAY_MS, HOUR_MS
from restante.sim.invariants import ASKED, FINAL, Seen
from restante.sim.met import name_of
from restante.sim.telling import Telling
from restante.sim.world import World
from restante.store.check import check
from restante.store.ledger import JournalRow, Ledger, Recorded
from restante.wire.journal import MAX_BATCH, Entry

NOTHING_RAISES: Final = "nothing raises"
NO_BUG_LOGGED: Final = "no task or timer meets a bug"
REST_HOURS: Final = 30
MOST_HOURS: Final = 120
_PAGE: Final = 1_000
_TOLD_LINES: Final = 30


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What a seed came to: how often each rule was ``checked``, and which were ``breached``, the first one first.

    ``faults`` counts those that struck, ``felt`` how often each made a difference, ``met`` what came about while which
    was in force. ``seconds`` is what telling it took, ``cpu_seconds`` of a processor; ``wall_seconds`` is its share of
    the time that a proof took.
    """

    seed: int
    trace: str
    bank_hours: float
    parcels: int
    steps: int
    faults: dict[str, int]
    checked: dict[str, int]
    felt: dict[str, int] = {}
    met: dict[str, dict[str, int]] = {}
    violations: tuple[str, ...] = ()
    breached: tuple[str, ...] = ()
    story: tuple[str, ...] = ()
    ends: dict[str, int] = {}
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    wall_seconds: float = 0.0


def run(
    seed: int,
    *,
    ledger: Ledger | None = None,
    loop: asyncio.AbstractEventLoop | None = None,
    books: Path | None = None,
    plant: Callable[[World], None] | None = None,
    telling: Telling | None = None,
) -> Outcome:
    """Tell the story of a seed and judge it.

    ``telling`` tells it with less in it than the seed foresees. ``ledger`` (with the ``loop`` it lives in) and
    ``books`` put real stores under it; ``plant`` may break the world before it starts, to see whether anybody notices.
    """
    began_s, began_cpu_s = time.perf_counter(), time.process_time()
    with _loop_or_new(loop) as at, capture_logs() as logs:
        world = World(seed, at, ledger=ledger, books=books, telling=telling)
        try:
            world.set_up()
            if plant is not None:
                plant(world)
            world.clock.run(world.plot.days * DAY_MS)
            world.heal()
            come_to_rest(world)
            said = ask(world)
        except Exception as bug:  # noqa: BLE001 - a bug of the product's ends a story like any other breach
            said = {NOTHING_RAISES: [f"{type(bug).__name__}: {bug} ({_where(bug)})"]}
        said[NO_BUG_LOGGED] = [ASKED, *(str(log) for log in logs if log["log_level"] == "error")]
    outcome = _outcome(world, said)
    cpu_s, s = time.process_time() - began_cpu_s, time.perf_counter() - began_s
    return msgspec.structs.replace(outcome, seconds=round(s, 3), cpu_seconds=round(cpu_s, 3))


def come_to_rest(world: World) -> None:
    """Let time pass until every book has been told of and nothing is left to do, within reason."""
    world.clock.run(world.clock.now_ms + REST_HOURS * HOUR_MS)
    for _ in range(MOST_HOURS - REST_HOURS):
        if _is_at_rest(world):
            return
        world.clock.run(world.clock.now_ms + HOUR_MS)


def _is_at_rest(world: World) -> bool:
    for machine in world.machines:
        head = world.wait(world.rows.source(machine.source))
        if head is None or (head.forked_at is None and head.seq != machine.book.head.seq):
            return False
    return _tasks_left(world) == 0


def judge(world: World) -> dict[str, list[str]]:
    """The breaches of every rule asked at the end, by rule."""
    return {name: _breaches(said) for name, said in ask(world).items()}


def ask(world: World) -> dict[str, list[str]]:
    """What every rule asked at the end says, by rule: see ``ASKED``."""
    seen = _seen(world)
    for feed in seen.feeds.values():
        world.meeting.note_feed(feed, world.clock.start, world.places)
    return {name: _asked(rule, seen) for name, rule in FINAL.items()}


def _breaches(said: Sequence[str]) -> list[str]:
    return [what for what in said if what != ASKED]


def _asked(rule: Callable[[Seen], Iterator[str]], seen: Seen) -> list[str]:
    """What one rule says; where what is seen makes no sense at all, that is a breach."""
    try:
        return list(rule(seen))
    except Exception as senseless:  # noqa: BLE001 - as above
        return [f"what is seen makes no sense: {type(senseless).__name__} ({_where(senseless)})"]


def _seen(world: World) -> Seen:
    ledger = world.rows
    heads = world.wait(ledger.lane_heads())
    announced = sorted(world.ground.spots)
    journals = {machine.source: _journal(world, machine.book) for machine in world.machines}
    return Seen(
        ground=world.ground,
        season=world.telling.season,
        heads=heads,
        feeds={lane: _feed(world, lane) for lane in heads},
        parcels=world.wait(ledger.parcels(announced)),
        books={machine.source: entries_of(machine.book) for machine in world.machines},
        journals=journals,
        stays={machine.source: machine.agent.state.stays if machine.agent else {} for machine in world.machines},
        points=dict(zip(world.points, world.sources, strict=True)),
        told={name: world.mail.told[code] + world.mail.refused[code] for name, code in world.codes().items()},
        cloned=frozenset(clone.source for clone in world.clones),
        forked=frozenset(source for source in world.sources if _is_forked(world, source)),
        lost=frozenset(world.lost_books),
        ended_unheard=frozenset(world.ended_unheard),
        tasks_left=_tasks_left(world),
        counters=[f"{finding.what} {finding.key}: {finding.detail}" for finding in world.wait(check(ledger))],
    )


def _is_forked(world: World, source: SourceId) -> bool:
    head = world.wait(world.rows.source(source))
    return head is not None and head.forked_at is not None


def _feed(world: World, lane: Lane) -> Sequence[Recorded]:
    rows: list[Recorded] = []
    while page := world.wait(world.rows.feed(lane, len(rows), _PAGE)):
        rows += page
    return rows


def _journal(world: World, book: Keeps) -> Sequence[JournalRow]:
    source = SourceId(book.source)
    rows: list[JournalRow] = []
    for epoch in range(1, book.head.epoch + 1):
        rows += world.wait(world.rows.journal(source, epoch, range(1, book.head.seq + 1_000)))
    return rows


def entries_of(book: Keeps) -> Sequence[Entry]:
    """Every entry of every log of a book, oldest first."""
    spans = ((log.epoch, range(1, log.seq + 1, MAX_BATCH)) for log in book.extents())
    return [entry for epoch, span in spans for first in span for entry in book.entries_from(first, epoch=epoch)]


def _tasks_left(world: World) -> int:
    return len(world.wait(world.rows.claim_tasks(world.clock.now, 1_000, 0.0, codes=1_000)))


def explain(outcome: Outcome) -> str:
    """A failing seed in words: what was breached, and the end of the story."""
    if not outcome.violations:
        return f"seed {outcome.seed}: nothing was breached"
    breaches = "\n".join(f"  - {violation}" for violation in outcome.violations[:12])
    story = "\n".join(f"    {line}" for line in outcome.story)
    again = f"`restante prove sim --shrink {outcome.seed}` looks for the smallest story that still breaches this"
    return f"seed {outcome.seed} breaches:\n{breaches}\n  the story:\n{story}\n  {again}"


def _outcome(world: World, said: Mapping[str, Sequence[str]]) -> Outcome:
    every = [*world.breaches.items(), *((rule, _breaches(answers)) for rule, answers in said.items())]
    violations = tuple(f"{rule}: {what}" for rule, breaches in every for what in breaches)
    return Outcome(
        seed=world.seed,
        trace=world.story.trace,
        bank_hours=len(world.sources) * world.clock.now_ms / HOUR_MS,
        parcels=len(world.folk.items),
        steps=world.clock.steps,
        faults=dict(world.struck),
        checked={**world.watch.asked, **{rule: answers.count(ASKED) for rule, answers in said.items()}},
        felt={name_of(kind): count for kind, count in world.felt.items() if count},
        met={name: dict(counts) for name, counts in world.meeting.met.items()},
        violations=violations,
        breached=tuple(rule for rule, breaches in every if breaches),
        story=tuple(_story_of(world, violations)) if violations else (),
        ends=dict(
            Counter(str(spot) if isinstance(spot, str) else "behind a door" for spot in world.ground.spots.values())
        ),
    )


def _story_of(world: World, violations: Sequence[str]) -> list[str]:
    """The lines about the parcel of the first breach that names one, else the last lines."""
    first = " ".join(violations[:3])
    for code, item in world.folk.items.items():
        if code in first or item.id in first:
            return world.story.lines(code, _TOLD_LINES)
    return world.story.lines(last=_TOLD_LINES)


def _where(bug: BaseException) -> str:
    at = bug.__traceback__
    while at is not None and at.tb_next is not None:
        at = at.tb_next
    return f"{Path(at.tb_frame.f_code.co_filename).name}:{at.tb_lineno}" if at else "nowhere"


class _loop_or_new:  # noqa: N801 - reads as the phrase it stands in
    """The loop given, or one of the story's own that is closed after it."""

    def __init__(self, given: asyncio.AbstractEventLoop | None) -> None:
        self._given = given
        self._own: asyncio.AbstractEventLoop | None = None

    def __enter__(self) -> asyncio.AbstractEventLoop:
        if self._given is not None:
            return self._given
        self._own = asyncio.new_event_loop()
        return self._own

    def __exit__(self, *_raised: object) -> None:
        if self._own is not None:
            self._own.close()
