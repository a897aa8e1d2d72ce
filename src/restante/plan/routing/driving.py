"""Sequences turned into tours with times: everybody leaves as early as can be, and rests only when a rest is owed."""

from collections.abc import Iterator, Mapping, Sequence

from restante.plan.routing.day import Day
from restante.plan.routing.proposal import Choice, Proposal, Reload, Rest, Step, Tour, Visit
from restante.plan.routing.routes import FIRST_BREAK, RELOAD
from restante.plan.routing.search import Kept

Entry = Choice | int
"""A request at an option, or a reload or break by its number in a sequence."""


def proposal(day: Day, kept: Kept) -> Proposal:
    """The plan that a kept solution stands for."""
    option_first = [0]
    for request in day.requests:
        option_first.append(option_first[-1] + len(request.options))
    sequences: dict[int, list[Entry]] = {}
    for number in range(len(day.vans)):
        entries = [int(entry) for entry in kept.entries[number, : kept.length[number]]]
        sequences[number] = [Choice(at, int(kept.chosen[at]) - option_first[at]) if at >= 0 else at for at in entries]
    return driven(day, sequences)


def driven(day: Day, sequences: Mapping[int, Sequence[Entry]]) -> Proposal:
    """The plan in which vans, by number, do these things in their order; vans that serve nobody stay where they are."""
    tours = [
        drive(day, number, entries)
        for number, entries in sequences.items()
        if day.vans[number].begun is not None or any(isinstance(entry, Choice) for entry in entries)
    ]
    served = {entry.request for entries in sequences.values() for entry in entries if isinstance(entry, Choice)}
    unserved = tuple(at for at in range(len(day.requests)) if at not in served)
    return Proposal(tuple(tours), sum(_metres(day, tour) for tour in tours), unserved)


def drive(day: Day, van: int, entries: Sequence[Entry]) -> Tour:
    """One van's tour through these entries, without those breaks at its end that it is home before."""
    its, depot = day.vans[van], day.depots[day.vans[van].depot]
    here = its.begun.place if its.begun else depot.place
    leave_s = free_s = max(its.opens_s, its.begun.at_s if its.begun else depot.ready_s)
    steps: list[Step] = []
    groups = list(_groups(day, entries))
    for at, group in enumerate(groups):
        match group:
            case [Choice() as first, *_]:
                stop = day.stops[_stop(day, first)]
                start_s = max(stop.ready_s, free_s + float(day.seconds[here, stop.place]))
                choices = tuple(entry for entry in group if isinstance(entry, Choice))
                work_s = sum(day.requests[one.request].options[one.option].preparation_s for one in choices)
                here, free_s = stop.place, start_s + stop.service_s + work_s
                steps.append(Visit(_stop(day, first), start_s, free_s, choices))
            case [entry] if entry == RELOAD:
                start_s = max(depot.ready_s, free_s + float(day.seconds[here, depot.place]))
                here, free_s = depot.place, start_s + its.reload_s
                steps.append(Reload(start_s, free_s))
            case _:
                (entry,) = group
                assert isinstance(entry, int)
                rule, home_s = its.breaks[FIRST_BREAK - entry], float(day.seconds[here, depot.place])
                if free_s + home_s <= rule.latest_s and all(_is_break(later) for later in groups[at:]):
                    break
                start_s = max(free_s, rule.earliest_s)
                free_s = start_s + rule.length_s
                steps.append(Rest(FIRST_BREAK - entry, start_s, free_s))
    return Tour(van, leave_s, tuple(steps), free_s + float(day.seconds[here, depot.place]))


def _groups(day: Day, entries: Sequence[Entry]) -> Iterator[list[Entry]]:
    """Neighbours at one stop together, reloads and breaks alone. A break amid a visit is taken after it."""
    visit: list[Entry] = []
    held: list[Entry] = []
    for entry in entries:
        if isinstance(entry, Choice) and visit and _stop(day, entry) == _stop(day, visit[0]):
            visit.append(entry)
        elif isinstance(entry, int) and _is_break([entry]):
            held.append(entry)
        else:
            yield from filter(None, [visit, *([rest] for rest in held)])
            visit, held = ([entry], []) if isinstance(entry, Choice) else ([], [])
            if isinstance(entry, int):
                yield [entry]
    yield from filter(None, [visit, *([rest] for rest in held)])


def _is_break(group: Sequence[Entry]) -> bool:
    return isinstance(group[0], int) and group[0] <= FIRST_BREAK


def _stop(day: Day, choice: Entry) -> int:
    assert isinstance(choice, Choice)
    return day.requests[choice.request].options[choice.option].stop


def _metres(day: Day, tour: Tour) -> float:
    van = day.vans[tour.van]
    home = day.depots[van.depot].place
    places = [van.begun.place if van.begun else home]
    for step in tour.steps:
        match step:
            case Visit():
                places.append(day.stops[step.stop].place)
            case Reload():
                places.append(home)
            case Rest():
                pass
    return sum(float(day.metres[a, b]) for a, b in zip(places, [*places[1:], home], strict=True))
