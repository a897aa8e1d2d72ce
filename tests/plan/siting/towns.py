"""Small towns drawn from a seed, for the tests of the city's model."""

from itertools import product

import numpy as np

from restante.plan.siting.brief import Brief
from restante.plan.siting.cells import Cell, Site
from restante.plan.siting.city import City, Indices, ModuleKind, Numbers
from restante.plan.siting.model import Model
from restante.plan.siting.outcome import outcome_of, spent

SMALL = ModuleKind("small", 300, (6, 2))
LARGE = ModuleKind("large", 340, (1, 4))


def town(seed: int, *, cells: int = 6, sites: int = 4, room_modules: int = 2) -> tuple[City, Numbers]:
    """A town of so many cells and sites on two kilometres square, and walking distances (cells × sites)."""
    chance = np.random.default_rng(seed)
    at, stands = chance.uniform(0, 2000, (cells, 2)), chance.uniform(0, 2000, (sites, 2))
    metres = np.abs(at[:, None] - stands[None]).sum(axis=2)
    parcels = chance.uniform(0, 6, (cells, 2))
    made = City(
        sizes=("S", "L"),
        cells=tuple(
            Cell(f"c{n}", 48.2, 16.3, "north" if n % 2 else "south", (float(row[0]), float(row[1])))
            for n, row in enumerate(parcels)
        ),
        sites=tuple(
            Site(f"s{n}", 48.2, 16.3, "host", int(chance.integers(100, 900)), room_modules) for n in range(sites)
        ),
        modules=(SMALL, LARGE),
    )
    return made, metres


def every_plan(model: Model) -> list[Indices]:
    """All plans that the budget pays for and that open what has to be open."""
    choices = [range(0 if must else -1, int(fitting)) for must, fitting in zip(model.must, model.mixes, strict=True)]
    plans = (np.asarray(each, np.int64) for each in product(*choices))
    return [each for each in plans if spent(model, each) <= model.budget]


def worth(model: Model, mix: Indices) -> float:
    """What a plan counts, written down afresh: logit, then room for the largest parcels first."""
    total = 0.0
    pull = np.zeros((model.parcels.shape[1], len(mix)))
    way = np.zeros_like(pull)
    for k in range(len(model.parcels)):
        pull[:] = 0
        pull[model.cell, model.site] = model.pull[k]
        way[model.cell, model.site] = model.worth
        opened = np.flatnonzero(mix >= 0)
        share = pull[:, opened] / (1 + pull[:, opened].sum(axis=1, keepdims=True))
        for column, site in enumerate(opened):
            left = model.room[k, mix[site]].copy()
            for size in reversed(range(model.parcels.shape[2])):
                came = model.parcels[k, :, size] * share[:, column]
                taken = min(float(came.sum()), max(0.0, float(left[: size + 1].min())))
                left[: size + 1] -= taken
                if came.sum() > 0:
                    total += taken * float((came * way[:, site]).sum() / came.sum())
    return total


def best_of(model: Model) -> float:
    """The value of the best plan, by trying all of them."""
    return max(float(outcome_of(model, each).value.sum()) for each in every_plan(model))


def brief(budget: int = 2500) -> Brief:
    """A brief of this budget in which much is turned away, so that room matters."""
    return Brief(budget, full_chance=0.1, dwell_days=1.5)
