"""The worker when it is killed, doubled or starved: what is done twice has its effect once."""

import asyncio
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

import psycopg
import pytest

from restante.core import commands as cmd
from restante.core.bank import PointStatus
from restante.core.events import NoticeKind, RecallOrdered
from restante.core.ids import Lane, ParcelId, PointId
from restante.core.parcel import Deposited, Direction, Held, Recalled, stage_of
from restante.core.reactions import IssueCode, OrderRecall, RefreshManifest, SendNotice, StopClocks
from restante.core.stay import By, RecallReason
from restante.core.timers import TimerKind
from restante.hub.engine import Engine
from restante.store.ledger import Ledger, StoreDown, TaskRow, TimerRow
from tests.hub.worker.town import HOUR, Town, soon


class Killed(BaseException):
    """The worker's process ends here."""


class Forgetful:
    """A ledger whose worker is killed just before it finishes a task."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def __getattr__(self, name: str) -> object:
        return getattr(self._ledger, name)

    async def finish_tasks(self, done: Iterable[TaskRow]) -> None:
        """End the process."""
        raise Killed


async def test_a_worker_killed_before_the_finish_is_redone_without_a_second_effect(town: Town) -> None:
    """Given a crash after the effect of every single task, when another worker repeats them, custody moved once."""
    point = await town.open_point()
    parcel = await town.announce(point)
    await town.deposit(parcel, point)
    rows = await town.ledger.claim_tasks(town.now, 10, 60, codes=10)
    assert len(rows) > 2, "at least a code, a manifest, a notice"
    whole, town.ledger = town.ledger, Forgetful(town.ledger)  # type: ignore[assignment]
    steps = town.steps()
    for row in rows:
        with pytest.raises(Killed):
            await steps.do_task(row)
    town.ledger = whole
    first = await town.kinds(parcel)
    code = await town.vault.open_code(parcel)
    town.now += timedelta(seconds=61)
    assert await town.drain() == len(rows)
    assert await town.kinds(parcel) == first
    assert await town.vault.open_code(parcel) == code
    assert first.count("hold-started") == 1
    assert first.count("notice-given") == 1
    assert 1 <= len(town.subjects()) <= 2
    assert {*town.codes()} == {code.code if code else None}


async def test_a_recall_repeated_late_does_not_recall_the_next_stay(town: Town) -> None:
    """Given a lapse whose recall was done but not finished, when it is repeated after a new deposit, that one stays."""
    point = await town.open_point()
    parcel = await town.announce(point)
    stay = await town.deposit(parcel, point)
    await town.drain()
    town.now += 48 * HOUR
    await town.drain()
    assert isinstance(stage_of(await town.parcel(parcel)), Recalled)
    recall = next(one for one in await town.ledger.history(parcel) if isinstance(one.event, RecallOrdered))
    await town.withdraw(parcel, point, stay, by=By.COURIER)
    await town.reserve(parcel, point)
    await town.deposit(parcel, point)
    lapse = recall.command.split(".")
    row = TaskRow(Lane(int(lapse[1])), int(lapse[2]), int(lapse[3]), OrderRecall(parcel, point, RecallReason.LAPSED))
    await town.steps().do_task(row)
    await town.drain()
    assert isinstance(stage_of(await town.parcel(parcel)), Held)


async def test_two_workers_share_the_work(town: Town) -> None:
    """Given many deposits, when two workers drain side by side, then everybody is told exactly once."""
    point = await town.open_point()
    parcels = [await town.announce(point, emails=(f"p{n}@people.example",)) for n in range(10)]
    for door, parcel in enumerate(parcels, start=1):
        await town.deposit(parcel, point, door=door)
    await asyncio.gather(town.worker(at_once=3).drain(), town.worker(at_once=3).drain())
    await town.drain()
    for number, parcel in enumerate(parcels):
        assert isinstance(stage_of(await town.parcel(parcel)), Held)
        assert len(town.subjects(f"p{number}@people.example")) == 1
    view = await town.ledger.view(point)
    assert view is not None
    assert len({one.verifier for one in view.credentials}) == 10


async def test_mail_that_cannot_go_out_goes_out_later_and_a_person_hears_of_it(town: Town) -> None:
    """Given a mail server that is down, when hours pass, then one case opens, and the mail goes out when it is back."""
    point = await town.open_point()
    parcel = await town.announce(point)
    await town.deposit(parcel, point)
    port = town.sink.port
    await town.sink.close()
    for _ in range(8):
        await town.drain()
        town.now += HOUR
    await town.drain()
    assert isinstance(stage_of(await town.parcel(parcel)), Deposited)
    assert (await town.kinds(parcel)).count("case-opened") == 1
    await town.sink.listen(port)
    town.now += HOUR
    await town.drain()
    held = stage_of(await town.parcel(parcel))
    assert isinstance(held, Held)
    assert held.hold.started_at == town.now
    assert len(town.subjects()) == 1


async def test_a_point_that_cannot_be_reconciled_keeps_no_other_from_it(
    town: Town, capsys: pytest.CaptureFixture[str]
) -> None:
    """Given a code whose seal is broken, when the worker goes round, then the points after it are gone round too."""
    first, second = await town.open_point(), await town.open_point()
    await town.announce(first)
    await town.drain()
    with psycopg.connect(town.dsn, autocommit=True) as db:
        db.execute("UPDATE sealed_code SET sealed = sealed || '\\x00'")
    town.refreshed.clear()
    await town.worker().reconcile()
    assert town.refreshed == [second]
    said = "".join(capsys.readouterr())
    assert all(one in said for one in ("point-failed", first, "SealBroken"))


class Broken:
    """A ledger that a mistake or a fault sits in: reads fail, and what was done cannot be finished."""

    def __init__(self, ledger: Ledger, wrong: Exception) -> None:
        self._ledger = ledger
        self._wrong = wrong

    def __getattr__(self, name: str) -> object:
        return getattr(self._ledger, name)

    async def parcels(self, ids: object) -> object:
        """Fail."""
        raise self._wrong

    async def finish_tasks(self, done: object) -> None:
        """Fail."""
        raise StoreDown

    async def postpone_task(self, task: TaskRow, until: datetime) -> None:
        """Fail for a fault, and work for a mistake."""
        if isinstance(self._wrong, StoreDown):
            raise StoreDown
        await self._ledger.postpone_task(task, until)


@pytest.mark.parametrize("wrong", [StoreDown(), ValueError("aino@people.example")])
async def test_what_fails_is_tried_again_and_the_log_says_nothing_of_people(
    town: Town, wrong: Exception, capsys: pytest.CaptureFixture[str]
) -> None:
    """Given a store or a program that fails at tasks and timers, then they are done later, and words are not logged."""
    point = await town.open_point()
    parcel = await town.announce(point)
    await town.deposit(parcel, point)
    whole, town.ledger = town.ledger, Broken(town.ledger, wrong)  # type: ignore[assignment]
    for row in await whole.claim_tasks(town.now, 10, 60, codes=10):
        await town.steps().do_task(row)
    await town.steps().do_timer(TimerRow(parcel, TimerKind.LAPSE_HOLD, town.now))
    town.ledger = whole
    # Which of the two streams the log goes to is set once for the whole process, by whoever runs a program in it.
    assert "timer-failed" in (said := "".join(capsys.readouterr()))
    assert "aino" not in said
    town.now += HOUR
    await town.drain()
    assert isinstance(stage_of(await town.parcel(parcel)), Held)


async def test_tasks_about_what_is_not_there_come_to_nothing(town: Town) -> None:
    """Given tasks and timers whose parcel or point is not known, then they are done and nothing happens."""
    point, nowhere = await town.open_point(), PointId(town.an_id())
    parcel, steps = await town.announce(point, emails=()), town.steps()
    unknown = ParcelId(town.an_id())
    for task in (
        SendNotice(unknown, NoticeKind.READY, point),
        SendNotice(parcel, NoticeKind.MOVED, nowhere),
        IssueCode(unknown, point),
        StopClocks(nowhere),
        RefreshManifest(nowhere),
    ):
        await steps.do_task(TaskRow(Lane(0), 1, 9, task))
    for kind in TimerKind:
        await steps.do_timer(TimerRow(unknown, kind, town.now))
    await steps.do_timer(TimerRow(parcel, TimerKind.REMIND, town.now))
    await steps.do_timer(TimerRow(parcel, TimerKind.LAPSE_HOLD, town.now))
    assert await town.kinds(parcel) == ["parcel-announced", "room-reserved"]


async def test_a_full_queue_postpones(town: Town) -> None:
    """Given an engine that is too busy, when tasks come to commands, then they are done once there is room."""
    point = await town.open_point()
    parcel = await town.announce(point)
    await town.deposit(parcel, point)
    town.engine, whole = Engine(town.ledger, lambda: town.now, max_batch=8, queue_limit=0), town.engine
    await town.drain()
    assert isinstance(stage_of(await town.parcel(parcel)), Deposited)
    town.engine = whole
    town.now += HOUR
    await town.drain()
    assert isinstance(stage_of(await town.parcel(parcel)), Held)


async def test_room_onward_is_asked_for_again_while_there_is_none(town: Town) -> None:
    """Given a destination that is full, when a drop-off goes on, then room is promised once there is some."""
    here, there = await town.open_point(), await town.open_point(lane=1)
    parcel = await town.announce(here, direction=Direction.DROP_OFF, destination=there)
    await town.does(cmd.ChangePoint(**town.by(), point=there, status=PointStatus.CLOSED))
    stay = await town.deposit(parcel, here, by=By.SENDER)
    await town.withdraw(parcel, here, stay, by=By.COURIER)
    await town.drain()
    assert (await town.parcel(parcel)).promise is None
    await town.does(cmd.ChangePoint(**town.by(), point=there, status=PointStatus.OPEN))
    town.now += HOUR
    await town.drain()
    promise = (await town.parcel(parcel)).promise
    assert promise is not None
    assert promise.point == there


async def test_the_program_tells_at_once_and_in_bursts(town: Town) -> None:
    """Given a running worker, when many parcels are deposited, then each mail is there without a poll."""
    point = await town.open_point()
    parcels = [await town.announce(point, emails=(f"p{n}@people.example",)) for n in range(10)]
    running = asyncio.create_task(town.worker(poll_seconds=60.0).run())
    try:
        for door, parcel in enumerate(parcels, start=1):
            await town.deposit(parcel, point, door=door)
        for number in range(10):
            await soon(town.sink.next_mail(f"p{number}@people.example"))
    finally:
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running


async def test_a_notice_does_not_wait_for_a_burst_of_codes(town: Town) -> None:
    """Given many codes to be made, none of which comes to an end, when a parcel is ready, then its mail goes out."""
    point = await town.open_point()
    parcel = await town.announce(point)
    await town.drain()
    never = asyncio.Event()

    async def stuck(_slow: Callable[[], str]) -> str:
        await never.wait()
        raise AssertionError("it was never let go")

    town.aside = stuck
    for number in range(40):
        await town.announce(await town.open_point() if number % 9 == 0 else town.points[-1])
    running = asyncio.create_task(town.worker().run())
    try:
        await town.deposit(parcel, point)
        await soon(town.sink.next_mail("aino@people.example"))
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_the_program_lives_through_a_database_that_goes_away(town: Town) -> None:
    """Given a worker whose every connection is cut, when the database is back, then it goes on."""
    point = await town.open_point()
    parcel = await town.announce(point)
    running = asyncio.create_task(town.worker(poll_seconds=0.1, fault_seconds=0.05).run())
    try:
        async with await psycopg.AsyncConnection.connect(town.dsn, autocommit=True) as db:
            await db.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        await soon(town.patiently(lambda: town.deposit(parcel, point)))
        async with asyncio.timeout(10):
            while not town.subjects():
                town.now += timedelta(seconds=10)
                await asyncio.sleep(0.05)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
