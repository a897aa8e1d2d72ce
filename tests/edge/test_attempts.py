"""A code is tried beside the event loop, and decided as if it had been tried on it."""

import asyncio
import threading
from collections.abc import AsyncIterator

import pytest

from restante.edge import attempts
from restante.edge.attempts import Attempt, Question
from restante.edge.inputs import CodeEntered, ManifestCame, ParcelScanned
from restante.wire.manifest import sign
from tests.edge.rig import COURIER, KEY, Rig, at_work

WRONG = "99998888"


class Slow:
    """A scrypt that takes until it is let go."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.may_end = threading.Event()
        self._loop = asyncio.get_running_loop()

    def __call__(self, question: Question) -> Attempt:
        """Say that it has begun, and wait."""
        self._loop.call_soon_threadsafe(self.begun.set)
        assert self.may_end.wait(10), "nobody came by while it took so long"
        return compute(question)


compute = attempts.compute


@pytest.fixture
async def slow(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Slow]:
    """The slow part, slower."""
    slow = Slow()
    monkeypatch.setattr(attempts, "compute", slow)
    yield slow
    slow.may_end.set()


def installed() -> Rig:
    """A bank where couriers may come."""
    rig = Rig()
    rig.install()
    return rig


async def test_the_loop_goes_on_while_a_code_is_tried(slow: Slow) -> None:
    """Given a code whose trial takes long, then time passes and doors are looked at meanwhile; then it is decided."""
    rig = installed()
    running = at_work(rig)
    running.boot = rig.boot
    typing = asyncio.create_task(running.heed(CodeEntered(COURIER)))
    await asyncio.wait_for(slow.begun.wait(), 10)
    before = rig.agent.state.waking
    running.tick()
    assert rig.agent.state.waking != before
    assert rig.agent.state.round is None
    slow.may_end.set()
    await typing
    assert rig.agent.state.round is not None


async def test_what_people_do_is_decided_in_their_order(slow: Slow) -> None:
    """Given a code and a scan right after it, when the code takes long, then the scan finds the round open."""
    rig = installed()
    running = at_work(rig)
    running.boot = rig.boot
    both = asyncio.gather(running.heed(CodeEntered(COURIER)), running.heed(ParcelScanned("P7")))
    await asyncio.wait_for(slow.begun.wait(), 10)
    assert rig.agent.state.round is None
    slow.may_end.set()
    await both
    assert rig.page == "round"
    assert rig.words.startswith("No parcel with this code is expected here.")


async def test_a_list_that_comes_meanwhile_counts(slow: Slow) -> None:
    """Given a code that is revoked while it is tried, then it opens nothing."""
    rig = installed()
    running = at_work(rig)
    running.boot = rig.boot
    typing = asyncio.create_task(running.heed(CodeEntered(COURIER)))
    await asyncio.wait_for(slow.begun.wait(), 10)
    rig.generation, rig.grants = rig.generation + 1, {}
    running.take(ManifestCame(sign(rig.manifest(), KEY)))
    slow.may_end.set()
    await typing
    assert rig.agent.state.round is None
    assert len(rig.facts("code-refused")) == 1


def test_the_answer_to_another_question_is_not_taken() -> None:
    """Given an attempt made for another code, key or epoch, when a code comes with it, then it is tried anew."""
    rig = installed()
    right = attempts.question_of(rig.agent.state, COURIER, "keypad")
    assert right is not None
    rig.feed(CodeEntered(WRONG, attempt=attempts.compute(right)))
    assert rig.agent.state.round is None
    rig.feed(CodeEntered(COURIER, attempt=Attempt(right, "what no grant holds")))
    assert rig.agent.state.round is None, "the answer to the very question is believed"
    rig.feed(CodeEntered(COURIER, attempt=Attempt(Question(COURIER, "", right.source, 9, right.settings), "stale")))
    assert rig.agent.state.round is not None


def test_nothing_is_computed_where_nothing_is_tried() -> None:
    """Given no list, no code or a lockout, when something is typed, then there is nothing to compute."""
    assert attempts.question_of(Rig().agent.state, COURIER, "keypad") is None
    rig = installed()
    assert attempts.question_of(rig.agent.state, "hello", "keypad") is None
    for _ in range(5):
        rig.code(WRONG)
    assert attempts.question_of(rig.agent.state, COURIER, "keypad") is None
    assert attempts.question_of(rig.agent.state, COURIER, "desk") is not None


def test_a_trial_does_not_show_what_it_was_made_of() -> None:
    """Given a code that is tried, when the values are shown in a log, then neither code nor key nor verifier is."""
    rig = installed()
    question = attempts.question_of(rig.agent.state, COURIER, "keypad")
    assert question is not None
    attempt = attempts.compute(question)
    shown = f"{question!r} {attempt!r}"
    assert not [one for one in (COURIER, question.source_key, attempt.verifier) if one in shown]
