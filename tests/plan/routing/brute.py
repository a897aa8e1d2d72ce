"""Routing by trying everything, judged by the checker alone: for days so small that this ends."""

from collections.abc import Iterator

from restante.plan.routing.checker import violations
from restante.plan.routing.day import Day
from restante.plan.routing.driving import Entry, drive
from restante.plan.routing.proposal import Choice, Proposal
from restante.plan.routing.routes import FIRST_BREAK, RELOAD

Sequences = list[list[Entry]]


def empty(day: Day, *, reloads: bool = False) -> Sequences:
    """Every van's breaks, with a reload before them if asked for."""
    return [
        [*([RELOAD] if reloads and van.reloads else []), *(FIRST_BREAK - rest for rest in range(len(van.breaks)))]
        for van in day.vans
    ]


def as_plan(day: Day, sequences: Sequences) -> Proposal:
    """The plan that these sequences stand for, with whoever is left out as unserved."""
    used = [at for at, entries in enumerate(sequences) if _served(entries) or day.vans[at].begun]
    tours = tuple(drive(day, at, sequences[at]) for at in used)
    served = {choice.request for entries in sequences for choice in _served(entries)}
    plan = Proposal(tours, 0.0, tuple(at for at in range(len(day.requests)) if at not in served))
    stated = next((found.by for found in violations(day, plan) if found.rule == "metres-misstated"), 0.0)
    return Proposal(tours, stated, plan.unserved)


def _served(entries: list[Entry]) -> list[Choice]:
    return [entry for entry in entries if isinstance(entry, Choice)]


def spots(day: Day, sequences: Sequences, request: int) -> Iterator[Sequences]:
    """The sequences with one more request, at every option, in every place."""
    for option in range(len(day.requests[request].options)):
        for van, entries in enumerate(sequences):
            for column in range(len(entries) + 1):
                longer = [*entries[:column], Choice(request, option), *entries[column:]]
                yield [*sequences[:van], longer, *sequences[van + 1 :]]


def keeps_rules(day: Day, plan: Proposal) -> bool:
    """Whether nothing but the requests left out is wrong with a plan."""
    return all(found.rule == "request-unserved" for found in violations(day, plan))


def greedy(day: Day, *, reloads: bool = False) -> Proposal:
    """A plan that keeps to every rule, each request in its first best spot; some may be left out."""
    sequences = empty(day, reloads=reloads)
    for request in range(len(day.requests)):
        kept = [(plan.metres, at, longer) for at, longer in enumerate(spots(day, sequences, request))
                if keeps_rules(day, plan := as_plan(day, longer))]  # fmt: skip
        if kept:
            sequences = min(kept)[2]
    return as_plan(day, sequences)


def best_of_all(day: Day) -> tuple[int, float] | None:
    """Vans and metres of the best plan that serves everybody, or None when there is none."""
    found = [
        (plan.vans if day.vans_first else 0, round(plan.metres, 6))
        for sequences in _all(day, empty(day), 0)
        if not violations(day, plan := as_plan(day, sequences))
    ]
    return min(found, default=None)


def _all(day: Day, sequences: Sequences, request: int) -> Iterator[Sequences]:
    if request == len(day.requests):
        yield sequences
        return
    for longer in spots(day, sequences, request):
        yield from _all(day, longer, request + 1)
