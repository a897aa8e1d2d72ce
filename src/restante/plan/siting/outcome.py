"""What comes of a plan: people choose by the logit among what is open, and a full point turns parcels away.

The state of a plan is kept so that one point's change costs no more than the cells around it.
"""

from typing import NamedTuple

import numpy as np

from restante.plan.compiled import compiled
from restante.plan.siting.city import Indices, Numbers
from restante.plan.siting.model import Model


class Outcome(NamedTuple):
    """The mix of each site (-1 is closed) and what follows, weighted by scenario.

    ``pulled[k, cell]`` is the attraction of all open sites, ``load[k, site, s]`` parcels a day that choose a site,
    ``worth[k, site, s]`` what they count, ``value[site]`` what those count that find room.
    """

    mix: Indices
    pulled: Numbers
    load: Numbers
    worth: Numbers
    value: Numbers


def nothing_open(model: Model) -> Outcome:
    """No point anywhere."""
    scenarios, cells, sizes = model.parcels.shape
    sites = len(model.mixes)
    shape = (scenarios, sites, sizes)
    empty = np.zeros((scenarios, cells))
    return Outcome(np.full(sites, -1, np.int64), empty, np.zeros(shape), np.zeros(shape), np.zeros(sites))


def outcome_of(model: Model, mix: Indices) -> Outcome:
    """The outcome of a plan, from nothing."""
    made = nothing_open(model)
    for site in np.flatnonzero(mix >= 0):
        turn(model, made, (int(site), int(mix[site])))
    return made


def spent(model: Model, mix: Indices) -> float:
    """What a plan costs a year."""
    opened = np.flatnonzero(mix >= 0)
    return float(model.cost[opened, mix[opened]].sum())


@compiled
def take(load: Numbers, room: Numbers, taken: Numbers) -> None:
    """How much of each size finds room, the largest first: what is left of a larger size's room serves smaller ones."""
    total = 0.0
    for size in range(len(load) - 1, -1, -1):
        taken[size] = min(load[size], max(0.0, room[size] - total))
        total += taken[size]


@compiled
def turn(model: Model, now: Outcome, change: tuple[int, int]) -> None:
    """Give one site another mix, or close it with -1; ``now`` is changed in place."""
    site, mix = change
    if now.mix[site] >= 0 and mix >= 0:
        now.mix[site] = mix
        assess(model, now, site)
        return
    for touched in shift(model, now, change):
        assess(model, now, touched)


@compiled
def shift(model: Model, now: Outcome, change: tuple[int, int]) -> Indices:
    """Open a site with a mix, or close it with -1: who chooses what then; and the sites where that differs."""
    site, mix = change
    now.mix[site] = mix
    sign = 1.0 if mix >= 0 else -1.0
    touched = np.zeros(len(now.mix), np.bool_)
    touched[site] = True
    now.load[:, site] = 0.0
    now.worth[:, site] = 0.0
    for pair in range(model.start[site], model.start[site + 1]):
        cell = model.cell[pair]
        for k in range(model.pull.shape[0]):
            old = now.pulled[k, cell]
            new = max(0.0, old + sign * model.pull[k, pair])
            now.pulled[k, cell] = new
            change_of_share = 1.0 / (1.0 + new) - 1.0 / (1.0 + old)
            for at in range(model.cell_start[cell], model.cell_start[cell + 1]):
                other = model.by_cell[at]
                there = model.site[other]
                if now.mix[there] < 0:
                    continue
                touched[there] = True
                share = model.pull[k, other] * (1.0 / (1.0 + new) if there == site else change_of_share)
                for size in range(model.parcels.shape[2]):
                    parcels = model.parcels[k, cell, size] * share
                    now.load[k, there, size] += parcels
                    now.worth[k, there, size] += parcels * model.worth[other]
    return np.flatnonzero(touched)


@compiled
def assess(model: Model, now: Outcome, site: int) -> None:
    """What the parcels count that find room at a site."""
    now.value[site] = 0.0
    if now.mix[site] < 0:
        return
    taken = np.empty(now.load.shape[2])
    for k in range(now.load.shape[0]):
        take(now.load[k, site], model.room[k, now.mix[site]], taken)
        for size in range(len(taken)):
            if now.load[k, site, size] > 0.0:
                now.value[site] += now.worth[k, site, size] * taken[size] / now.load[k, site, size]


@compiled
def accepted(model: Model, now: Outcome) -> Numbers:
    """The share of each size that finds room: scenarios × sites × sizes, 1 where nobody comes."""
    shares = np.ones(now.load.shape)
    taken = np.empty(now.load.shape[2])
    for site in np.flatnonzero(now.mix >= 0):
        for k in range(now.load.shape[0]):
            take(now.load[k, site], model.room[k, now.mix[site]], taken)
            for size in range(len(taken)):
                if now.load[k, site, size] > 0.0:
                    shares[k, site, size] = taken[size] / now.load[k, site, size]
    return shares


@compiled
def captured(model: Model, now: Outcome) -> tuple[Numbers, Numbers]:
    """Per cell: parcels a day that find room, and the kilometres people walk for them."""
    shares = accepted(model, now)
    parcels, km = np.zeros(model.parcels.shape[1]), np.zeros(model.parcels.shape[1])
    for pair in range(len(model.cell)):
        site, cell = model.site[pair], model.cell[pair]
        if now.mix[site] < 0:
            continue
        for k in range(model.parcels.shape[0]):
            share = model.pull[k, pair] / (1.0 + now.pulled[k, cell])
            for size in range(model.parcels.shape[2]):
                found = model.parcels[k, cell, size] * share * shares[k, site, size]
                parcels[cell] += found
                km[cell] += found * model.metres[pair] / 1000.0
    return parcels, km


@compiled
def shortage(model: Model, now: Outcome) -> float:
    """By how many parcels a day districts see fewer than they need, taken together."""
    if model.needed.max() <= 0.0:
        return 0.0
    seen = np.zeros(len(model.needed))
    parcels, _ = captured(model, now)
    for cell in range(len(parcels)):
        seen[model.district[cell]] += parcels[cell]
    return float(np.maximum(model.needed - seen, 0.0).sum())
