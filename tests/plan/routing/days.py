"""Small days of routing, drawn by seed or by hand, for tests of the judge and of the solvers."""

import random

import numpy as np

from restante.plan.routing.day import (
    Begun,
    Break,
    Day,
    Depot,
    Errand,
    Option,
    Request,
    ServiceLevel,
    Stop,
    Van,
)

HOUR = 3600.0


def square(places: int, *, seed: int, side_m: int = 5_000) -> tuple[np.ndarray, np.ndarray]:
    """Seconds and metres between places drawn in a square, at 10 m/s."""
    chance = random.Random(seed)
    xy = np.array([(chance.randrange(side_m), chance.randrange(side_m)) for _ in range(places)], dtype=float)
    metres = np.sqrt(((xy[:, None] - xy[None, :]) ** 2).sum(axis=2))
    return metres / 10.0, metres


def a_day(*, seed: int = 1, requests: int = 8, vans: int = 3, fetched: bool = True, plain: bool = False) -> Day:
    """Homes with windows, two banks with few compartments of three sizes, parcels to fetch; a break and reloads."""
    chance = random.Random(seed)
    seconds, metres = square(requests + 3, seed=seed)
    banks = tuple(Stop(place, 0.0, 9 * HOUR, 60.0, tuple(chance.randint(0, 2) for _ in range(3))) for place in (1, 2))
    homes = []
    for at in range(requests):
        ready = chance.choice((0.0, 2 * HOUR, 4 * HOUR))
        homes.append(Stop(3 + at, ready, ready + 4 * HOUR, 90.0))
    asked = tuple(_request(at, chance, fetched=fetched) for at in range(requests))
    rests = () if plain else (Break(HOUR, 3 * HOUR, HOUR / 2),)
    fleet = tuple(
        Van(f"v{at}", (12.0, 9.0 + at), 0.0, 9 * HOUR, breaks=rests, reloads=0 if plain else 1, reload_s=600.0)
        for at in range(vans)
    )
    levels = (ServiceLevel(0, 0.5), ServiceLevel(1, 0.9))
    return Day(seconds, metres, (Depot(0, 0.0, 10 * HOUR),), fleet, (*banks, *homes), asked, levels)


def _request(at: int, chance: random.Random, *, fetched: bool) -> Request:
    home, banks = Option(2 + at, preparation_s=30.0), [Option(bank, level, 20.0) for level, bank in ((1, 0), (2, 1))]
    load, size = (float(chance.randint(1, 5)), float(chance.randint(1, 4))), chance.randrange(3)
    if fetched and chance.random() < 0.3:
        return Request(f"r{at}", load, (Option(chance.randrange(2)),), chance.choice(list(Errand)[1:]), size)
    return Request(f"r{at}", load, tuple([home, *banks][: chance.randint(1, 3)]), Errand.DELIVERY, size)


def out_already(day: Day) -> Day:
    """The same day with its first van out, one parcel aboard and something collected."""
    first = day.vans[0]
    van = Van(
        first.id, first.capacity, first.opens_s, first.closes_s, breaks=first.breaks,
        begun=Begun(3, HOUR, (1.0, 1.0)),
    )  # fmt: skip
    at = next(at for at, request in enumerate(day.requests) if request.errand is Errand.DELIVERY)
    one = day.requests[at]
    aboard = Request(one.id, one.load, one.options, one.errand, one.size, aboard=0)
    requests = (*day.requests[:at], aboard, *day.requests[at + 1 :])
    return Day(day.seconds, day.metres, day.depots, (van, *day.vans[1:]), day.stops, requests, day.levels)
