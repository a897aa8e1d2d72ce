"""Every metric: its name, kind and labels, the question it answers, and where its values come from.

Names follow the conventions of Prometheus: the program first, the unit last, ``_total`` on what only grows. A label's
values come from a table of the program's, so that none is a person, a parcel, a bank or an organisation.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Final

import msgspec

from restante import __version__
from restante.core.events import CaseKind
from restante.core.ids import Lane
from restante.hub.engine import Engine
from restante.hub.measures import MOST_LANES, OTHER_LANES, Measures, Route, Spread
from restante.hub.metrics.figures import AGES, Figures, Waiting, by_age
from restante.store.connect import PoolFigures

Row = tuple[tuple[str, ...], float | Spread]
"""The values of a metric's labels, and the value."""


class Kind(StrEnum):
    """How a metric moves."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


class Seen(msgspec.Struct, frozen=True):
    """What there is to show at one moment. ``figures`` is None while the database does not give any."""

    engine: Engine
    measures: Measures
    figures: Figures | None
    pools: Sequence[PoolFigures]


class Metric(msgspec.Struct, frozen=True):
    """One metric: ``bound`` says how many series it has at most, and ``read`` what they are now."""

    name: str
    kind: Kind
    labels: tuple[str, ...]
    question: str
    bound: str
    read: Callable[[Seen], Iterable[Row]]


def _lane(lane: int) -> str:
    return "other" if lane == OTHER_LANES else str(lane)


def _by_lane(values: Mapping[Lane, int]) -> Iterable[Row]:
    """The first lanes one by one; of the others the largest, for a sum would hide it."""
    lanes = sorted(values)
    yield from (((str(lane),), values[lane]) for lane in lanes[:MOST_LANES])
    if rest := lanes[MOST_LANES:]:
        yield ("other",), max(values[lane] for lane in rest)


def _spreads(spreads: Mapping[int, Spread]) -> Iterable[Row]:
    return [((_lane(lane),), spread) for lane, spread in sorted(spreads.items())]


def _commands(seen: Seen) -> Iterable[Row]:
    measured = seen.engine.measured
    yield ("accepted",), measured.accepted
    yield ("refused",), measured.refusals.total()
    yield ("failed",), measured.faults.total()


def _named(counts: Mapping[str, int]) -> Iterable[Row]:
    return [((name,), count) for name, count in sorted(counts.items())]


def _paired(counts: Mapping[tuple[str, str], int]) -> Iterable[Row]:
    return sorted(counts.items())


def _route(route: Route) -> str:
    return " ".join(route).strip() or "none"


def _answers(seen: Seen) -> Iterable[Row]:
    counts = seen.measures.answers.counts.items()
    return [((_route(route), str(status or "gone")), count) for (route, status), count in counts]


def _waiting(waiting: Mapping[str, Waiting] | None, field: str) -> Iterable[Row]:
    return [((kind,), getattr(one, field)) for kind, one in sorted((waiting or {}).items())]


def _outbox(seen: Seen) -> Mapping[str, Waiting]:
    return seen.figures.outbox if seen.figures else {}


def _timers(seen: Seen) -> Mapping[str, Waiting]:
    return seen.figures.timers if seen.figures else {}


def _behind(seen: Seen) -> Iterable[Row]:
    return _by_lane(seen.measures.readers.behind(seen.figures.heads)) if seen.figures else ()


def _connected(seen: Seen) -> Iterable[Row]:
    return [((), seen.measures.lines().open)] if seen.measures.lines else ()


def _unacknowledged(seen: Seen) -> Iterable[Row]:
    return _named(by_age(seen.measures.lines().unacknowledged)) if seen.measures.lines else ()


def _cases(seen: Seen) -> Iterable[Row]:
    if seen.figures:
        found = seen.figures.cases
        yield from (((kind.value, age), found.get((kind.value, age), 0)) for kind in CaseKind for age in AGES)


def _pools(seen: Seen) -> Iterable[Row]:
    for pool in seen.pools:
        yield (pool.name, "idle"), pool.idle
        yield (pool.name, "lent"), pool.lent


def _round(seen: Seen) -> Iterable[Row]:
    at = seen.measures.work.round_at
    return [((), at)] if at is not None else ()


_C, _G, _H = Kind.COUNTER, Kind.GAUGE, Kind.HISTOGRAM
_LANES: Final = "65: lanes 0 to 63 and the others"
_TASKS: Final = "one a kind of task, 9"
_TIMERS: Final = "one a kind of timer, 3"
_AGED: Final = "6: from 0 s, 1 minute, 10 minutes, 1 hour, 1 day, 7 days"

METRICS: Final[tuple[Metric, ...]] = (
    Metric(
        "restante_build_info", _G, ("version",), "Which version runs?", "1", lambda _: [((__version__,), 1)],
    ),
    Metric(
        "restante_batch_commands", _H, ("lane",), "How large do batches become? A rising load makes them larger.",
        _LANES, lambda seen: _spreads(seen.engine.measured.sizes),
    ),
    Metric(
        "restante_batch_seconds", _H, ("lane",), "How long does a lane take for a batch, retries included?",
        _LANES, lambda seen: _spreads(seen.engine.measured.seconds),
    ),
    Metric(
        "restante_commands_total", _C, ("outcome",), "Does the engine work, and how much of it is refused or fails?",
        "3", _commands,
    ),
    Metric(
        "restante_refusals_total", _C, ("code",),
        "Which rule says no? `busy` are commands that found the queue full and were answered with 503.",
        "one a refusal that commands meet, about 100", lambda seen: _named(seen.engine.measured.refusals),
    ),
    Metric(
        "restante_faults_total", _C, ("fault",), "What fails in the engine: the store, a lane, or the program itself?",
        "one a kind of fault, about 10", lambda seen: _named(seen.engine.measured.faults),
    ),
    Metric(
        "restante_queue_commands", _G, ("lane",), "Do commands pile up before a lane?",
        _LANES, lambda seen: _by_lane(seen.engine.queued),
    ),
    Metric(
        "restante_queue_limit_commands", _G, (), "How many commands may wait before callers are turned away?",
        "1", lambda seen: [((), seen.engine.queue_limit)],
    ),
    Metric(
        "restante_lane_head_events", _G, ("lane",), "Does a lane's log move on?",
        _LANES, lambda seen: _by_lane(seen.figures.heads) if seen.figures else (),
    ),
    Metric(
        "restante_feed_behind_events", _G, ("lane",),
        "By how many events is the last of those behind who read the feed here within the last hour?", _LANES, _behind,
    ),
    Metric(
        "restante_outbox_tasks", _G, ("kind",),
        "Do tasks pile up? Of each lane the first 1,000 are looked at.",
        _TASKS, lambda seen: _waiting(_outbox(seen), "count"),
    ),
    Metric(
        "restante_outbox_oldest_seconds", _G, ("kind",),
        "For how long has the oldest task that is not done been asked for, postponed ones included?",
        _TASKS, lambda seen: _waiting(_outbox(seen), "oldest_seconds"),
    ),
    Metric(
        "restante_timers_due", _G, ("kind",), "How many timers are due and not done? Counted as tasks are.",
        _TIMERS, lambda seen: _waiting(_timers(seen), "count"),
    ),
    Metric(
        "restante_timer_lateness_seconds", _G, ("kind",), "How late is the oldest timer that is due?",
        _TIMERS, lambda seen: _waiting(_timers(seen), "oldest_seconds"),
    ),
    Metric(
        "restante_tasks_total", _C, ("kind", "outcome"), "Which tasks does this worker do, postpone, or fail at?",
        "27: kinds of tasks by 3 outcomes", lambda seen: _paired(seen.measures.work.tasks),
    ),
    Metric(
        "restante_timers_total", _C, ("kind", "outcome"), "Which timers does this worker do, or fail at?",
        "6: kinds of timers by 2 outcomes", lambda seen: _paired(seen.measures.work.timers),
    ),
    Metric(
        "restante_tasks_in_progress", _G, (), "How many tasks are under way in this worker?",
        "1", lambda seen: [((), seen.measures.work.under_way)],
    ),
    Metric(
        "restante_round_timestamp_seconds", _G, (), "When did this worker last finish its round of all points?",
        "1", _round,
    ),
    Metric(
        "restante_notices_total", _C, ("channel", "outcome"),
        "Are notices taken, or bounced, or is a channel out of reach?",
        "3: one channel by 3 outcomes", lambda seen: _paired(seen.measures.work.notices),
    ),
    Metric(
        "restante_sources", _G, ("silence",),
        "How many banks and counters have been silent for how long? All of the network, whatever hub they call.",
        _AGED, lambda seen: _named(seen.figures.sources) if seen.figures else (),
    ),
    Metric(
        "restante_sources_connected", _G, (), "How many sources have a session with this hub process?", "1", _connected,
    ),
    Metric(
        "restante_sources_unacknowledged", _G, ("age",),
        "How many of them have not said for how long that their newest manifest is in force?", _AGED, _unacknowledged,
    ),
    Metric(
        "restante_cases_open", _G, ("kind", "age"), "How many cases wait for somebody, and for how long?",
        "102: kinds of cases by 6 ages", _cases,
    ),
    Metric(
        "restante_http_requests_total", _C, ("route", "status"),
        "What do callers ask, and what are they answered? The route is the template of the address.",
        "routes (about 40) by the statuses each answers, some 300", _answers,
    ),
    Metric(
        "restante_http_request_seconds", _H, ("route",),
        "How long do answers take? Those of the feed include waiting for news, and a stream lasts while it is read.",
        "one a route, about 40",
        lambda seen: [((_route(route),), spread) for route, spread in seen.measures.answers.seconds.items()],
    ),
    Metric(
        "restante_http_requests_in_progress", _G, (), "How many requests are under way?",
        "1", lambda seen: [((), seen.measures.answers.under_way)],
    ),
    Metric(
        "restante_pool_connections", _G, ("pool", "state"), "Are connections to the database lent or idle?",
        "16: pools by 2 states", _pools,
    ),
    Metric(
        "restante_pool_waiting", _G, ("pool",), "Does somebody wait for a connection to the database?",
        "8: one a pool", lambda seen: [((pool.name,), pool.waiting) for pool in seen.pools],
    ),
    Metric(
        "restante_figures_timestamp_seconds", _G, (),
        "When were the figures of the database last collected? Absent while they cannot be.",
        "1", lambda seen: [((), seen.figures.at)] if seen.figures else (),
    ),
)  # fmt: skip

PROCESS: Final[Mapping[str, str]] = {
    "process_cpu_seconds_total": "How much processor time has the program taken?",
    "process_max_fds": "How many files and sockets may it hold open?",
    "process_open_fds": "How many does it hold open?",
    "process_resident_memory_bytes": "How much memory does it occupy?",
    "process_start_time_seconds": "Since when does it run?",
    "process_virtual_memory_bytes": "How much memory has it asked for?",
}
"""What the library tells of the process, under the names that Prometheus gives them everywhere."""
