"""What search compiles: all of it before the first second of a limit is counted."""

import sys
from collections.abc import Iterator
from typing import Any, cast

import numba
import pytest
from numba.core.dispatcher import Dispatcher

from restante.plan.routing import solving
from restante.plan.routing.effort import Effort
from restante.plan.routing.solving import plan_routes, warm_up
from tests.plan.routing.days import a_day

PACKAGE = "restante.plan.routing"
WAYS_IN = ("restante.plan.routing.routes", "restante.plan.routing.search", "restante.plan.routing.solving")


def steps() -> Iterator[tuple[str, Dispatcher]]:
    """Every compiled function of routing, by its full name."""
    for name, module in list(sys.modules.items()):
        if name.startswith(PACKAGE):
            for label, found in vars(module).items():
                if isinstance(found, Dispatcher) and found.__module__ == name:
                    yield f"{name}.{label}", found


def listen(patch: pytest.MonkeyPatch, heard: set[tuple[object, ...]]) -> None:
    """Have every call from Python into compiled code noted, with the types of its arguments."""
    ways_in = {id(step): name for name, step in steps()}

    def noting(name: str, step: Any) -> Any:
        def call(*args: Any) -> Any:
            heard.add((name, *(cast(Any, numba).typeof(one) for one in args)))
            return step(*args)

        return call

    for module in WAYS_IN:
        for name, found in list(vars(sys.modules[module]).items()):
            if id(found) in ways_in:
                patch.setattr(sys.modules[module], name, noting(ways_in[id(found)], found))


def test_warming_up_compiles_all_that_a_search_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is called from Python while a day with everything is planned was called, with such types, before."""
    warmed, called = set[tuple[object, ...]](), set[tuple[object, ...]]()
    with monkeypatch.context() as patch:
        listen(patch, warmed)
        warm_up.__wrapped__()
    with monkeypatch.context() as patch:
        listen(patch, called)
        plan_routes(a_day(seed=3, requests=9), seed=1, effort=Effort(iterations=600))
    assert called
    assert called <= warmed


def test_a_limit_counts_from_when_all_is_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that runs only while code is compiled is never seen to move by a search."""
    now_s = [0.0]
    monkeypatch.setattr(solving, "warm_up", lambda: now_s.append(60.0))
    shares: list[float] = []
    effort = Effort(iterations=600, seconds=10.0, clock=lambda: now_s[-1])
    plan_routes(a_day(seed=1), seed=1, effort=effort, progress=lambda one: shares.append(one.share))
    assert now_s == [0.0, 60.0]
    assert len(shares) > 1
    assert shares[0] < 1.0


def test_a_limit_of_seconds_ends_a_search() -> None:
    """A search without a number of iterations ends once its clock has gone on by the seconds of its limit."""
    ticks = iter(range(10**6))
    plan_routes(a_day(seed=1), seed=1, effort=Effort(seconds=20.0, clock=lambda: float(next(ticks))))
    assert next(ticks) > 20
