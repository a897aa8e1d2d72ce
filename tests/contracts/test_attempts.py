"""What every keeper of failed attempts promises."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from restante.core.ids import Lane
from restante.sim.cupboard import MemoryAttempts
from restante.store.attempts import Attempt, Attempts, Errand, open_attempts

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
ERRAND = Errand(Lane(1), "task.1.7.0")
FIRST, SECOND = Attempt("email-1", NOW, 550, for_good=True), Attempt("email-2", NOW)


@pytest.fixture(params=["memory", pytest.param("postgres", marks=pytest.mark.postgres)])
async def attempts(request: pytest.FixtureRequest) -> AsyncIterator[Attempts]:
    """Each implementation of the port in turn."""
    if request.param == "memory":
        yield MemoryAttempts()
        return
    async with open_attempts(request.getfixturevalue("database")) as attempts:
        yield attempts


async def test_attempts_come_back_in_order(attempts: Attempts) -> None:
    """Given attempts kept in any order, when asked for, then they come back oldest first, for their errand alone."""
    await attempts.add(ERRAND, 1, SECOND)
    await attempts.add(ERRAND, 0, FIRST)
    assert list(await attempts.made(ERRAND)) == [FIRST, SECOND]
    assert list(await attempts.made(Errand(Lane(0), ERRAND.name))) == []


async def test_an_attempt_once_kept_stays(attempts: Attempts) -> None:
    """Given two workers at the same errand, when both keep an attempt under one number, then the first one counts."""
    await attempts.add(ERRAND, 0, FIRST)
    await attempts.add(ERRAND, 0, SECOND)
    assert list(await attempts.made(ERRAND)) == [FIRST]


async def test_a_done_errand_is_forgotten(attempts: Attempts) -> None:
    """Given attempts, when their errand is done, then nothing is left; clearing nothing is no fault."""
    await attempts.add(ERRAND, 0, FIRST)
    await attempts.clear(ERRAND)
    await attempts.clear(ERRAND)
    assert list(await attempts.made(ERRAND)) == []
