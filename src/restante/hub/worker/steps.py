"""One task or timer at a time: what it comes to, done, and what is left to do later.

Theory of operation. Every step reads the state, acts, and only then finishes the task; a crash in between repeats the
step. Custody changes by commands alone, whose ids make the repeat harmless; a mail may go out twice, a code is drawn
once. Nothing here waits or reads a clock: the program (or the simulator) says when, and the ports do the rest.
"""

from datetime import timedelta
from typing import Final, assert_never

import structlog

from restante.core import events as ev
from restante.core.ids import ParcelId, PointId
from restante.core.parcel import Parcel, current_stay
from restante.core.reactions import (
    AnyTask,
    GiveBackRoom,
    IssueCode,
    OrderRecall,
    RefreshManifest,
    ReserveOnward,
    SendNotice,
    StartClocks,
    StopClocks,
)
from restante.core.refusals import Fault, Refusal
from restante.core.time import Instant
from restante.core.timers import TimerKind
from restante.hub.measures import Work
from restante.hub.notices.choose import retry_wait
from restante.hub.people.forgetting import forget_old
from restante.hub.worker.handing import Handing
from restante.hub.worker.orders import ClockTask, ParcelTask, clock_commands, command_for, errand_of, timer_command
from restante.hub.worker.ports import Manners, Ports
from restante.hub.worker.telling import Facts, Message, channels_of, is_called_for, needs_code, stay_of
from restante.store.ledger import PointView, Recorded, TaskRow, TimerRow
from restante.store.vault import ContactDetails

_log = structlog.get_logger(__name__)

_NOT_NOW: Final = frozenset({"busy"})
_NO_ROOM_YET: Final = frozenset({"busy", "no-room", "point-closed"})


class Steps:
    """Does tasks and timers, each in one call that leaves it done, postponed, or leased until it is taken up again."""

    def __init__(self, ports: Ports, manners: Manners) -> None:
        self._ports = ports
        self._manners = manners

    @property
    def work(self) -> Work:
        """What was done."""
        return self._ports.work

    async def do_task(self, row: TaskRow) -> None:
        """Do a claimed task, then finish or postpone it. Never raises for what fails: it is tried again."""
        work, failed = self.work, False
        work.under_way += 1
        try:
            later = await self._task(row)
        except Exception as wrong:  # noqa: BLE001 -- one task that cannot be done must not stop the others
            later, failed = self._after_failure(row, wrong), True
        finally:
            work.under_way -= 1
        work.tasks[_kind(row), "failed" if failed else "done" if later is None else "postponed"] += 1
        try:
            await self._settle(row, later)
        except Fault as fault:
            _log.warning("task-left-leased", errand=errand_of(row).name, fault=_named(fault))

    async def do_timer(self, row: TimerRow) -> None:
        """Do what a claimed timer is for. It goes when its parcel changes; until then its lease spaces attempts."""
        outcome = "done"
        try:
            await self._timer(row)
        except Exception as wrong:  # noqa: BLE001 -- as above
            outcome = "failed"
            _log.warning("timer-failed", errand=errand_of(row).name, fault=_named(wrong))
        self.work.timers[row.kind.value, outcome] += 1

    async def tidy(self, point: PointId, *, thorough: bool = False) -> None:
        """Reconcile a point: give up codes of what is over, renew those of an earlier epoch, refresh the manifest."""
        view = await self._ports.ledger.view(point)
        if view is not None:
            await self._ports.codes.tidy(view, thorough=thorough)
            await self._ports.refresh(point)

    async def go_round(self, point: PointId) -> None:
        """Reconcile a point thoroughly; what is wrong there is logged, and keeps nobody from the next one.

        Faults: those that trying again can cure.
        """
        try:
            await self.tidy(point, thorough=True)
        except Exception as wrong:
            if isinstance(wrong, Fault) and wrong.retryable:
                raise
            _log.error("point-failed", point=point, fault=_named(wrong))

    async def forget_old(self) -> None:
        """Forget the people whose parcels have been over for as long as people are kept."""
        ports, kept = self._ports, timedelta(days=self._manners.person_days)
        forgotten = await forget_old(ports.vault, ports.ledger, ports.now() - kept)
        if forgotten:
            _log.info("people-forgotten", count=forgotten)

    async def _settle(self, row: TaskRow, later: Instant | None) -> None:
        ledger = self._ports.ledger
        if later is not None:
            await ledger.postpone_task(row, later)
            return
        if row.attempts:
            await self._ports.attempts.clear(errand_of(row))
        await ledger.finish_tasks([row])

    def _after_failure(self, row: TaskRow, wrong: Exception) -> Instant:
        if not isinstance(wrong, Fault) or not wrong.retryable:
            _log.error("task-failed", errand=errand_of(row).name, fault=_named(wrong), attempts=row.attempts)
        return self._retry_at(row)

    def _retry_at(self, row: TaskRow) -> Instant:
        ports = self._ports
        return ports.now() + retry_wait(row.attempts + 1, chance=ports.chance(), patience=self._manners.patience)

    async def _task(self, row: TaskRow) -> Instant | None:
        """Do a task; when to try again, if it is not done."""
        task: AnyTask = row.task
        match task:
            case IssueCode(parcel, point):
                await self._issue(parcel, point)
                return None
            case SendNotice():
                return await self._notice(row, task)
            case OrderRecall() | GiveBackRoom() | ReserveOnward():
                return await self._order(row, task)
            case StopClocks() | StartClocks():
                return await self._turn_clocks(row, task)
            case RefreshManifest(point):
                await self.tidy(point)
                return None
            case _:
                assert_never(task)

    async def _timer(self, row: TimerRow) -> None:
        parcel = await self._parcel(row.parcel)
        if parcel is None:
            return
        if row.kind is TimerKind.REMIND:
            await self._remind(row, parcel)
        elif (command := timer_command(row, parcel, self._ports.now())) is not None:
            await self._ports.engine.submit(command)

    async def _remind(self, row: TimerRow, parcel: Parcel) -> None:
        stay = current_stay(parcel)
        if stay is not None:
            message = Message(errand_of(row), parcel.id, ev.NoticeKind.REMINDER, stay.key, stay.point)
            await self._tell(message, None)

    async def _order(self, row: TaskRow, task: ParcelTask) -> Instant | None:
        command = command_for(task, row, self._ports.now(), promise_hours=self._manners.promise_hours)
        outcome = await self._ports.engine.submit(command)
        waits = _NO_ROOM_YET if isinstance(task, ReserveOnward) else _NOT_NOW
        return self._retry_at(row) if isinstance(outcome, Refusal) and outcome.code in waits else None

    async def _turn_clocks(self, row: TaskRow, task: ClockTask) -> Instant | None:
        view = await self._ports.ledger.view(task.point)
        if view is None:
            return None
        commands = clock_commands(task, row, view.stays, now=self._ports.now())
        outcomes = await self._ports.engine.submit_all(commands)
        is_busy = any(isinstance(one, Refusal) and one.code in _NOT_NOW for one in outcomes)
        return self._retry_at(row) if is_busy else None

    async def _issue(self, key: ParcelId, point: PointId) -> None:
        """Make the code of a promise that still stands."""
        parcel, view = await self._parcel(key), await self._ports.ledger.view(point)
        if parcel is not None and view is not None and parcel.promise is not None and parcel.promise.point == point:
            await self._code(parcel, view)

    async def _notice(self, row: TaskRow, task: SendNotice) -> Instant | None:
        if task.notice is ev.NoticeKind.DROP_OFF_CODE and task.point is not None:
            later = await self._until_known(row, task.parcel, task.point)
            if later is not None:
                return later
        message = Message(errand_of(row), task.parcel, task.notice, task.stay, task.point)
        return await self._tell(message, await self._event_of(row))

    async def _until_known(self, row: TaskRow, parcel: ParcelId, point: PointId) -> Instant | None:
        """When to look again whether the source knows the code of a parcel; None when it does, or had time enough.

        A code that is typed before its source knows it counts as a guess, and enough of these close code entry.
        """
        view, manners = await self._ports.ledger.view(point), self._manners
        if view is None or row.attempts >= len(manners.unknown_seconds):
            return None
        found = next((one for one in view.credentials if one.subject == parcel), None)
        if found is not None and await self._ports.is_known(view.head, found.verifier):
            return None
        return self._ports.now() + timedelta(seconds=manners.unknown_seconds[row.attempts] * manners.pace)

    async def _code(self, parcel: Parcel, view: PointView) -> str:
        issued = await self._ports.codes.issue(parcel, view)
        if issued is not None and issued.fresh:
            await self._ports.refresh(view.point.id)
        return issued.code.code if issued is not None else ""

    async def _tell(self, message: Message, cause: Recorded | None) -> Instant | None:
        """Tell a person; when to try again, if nobody took the notice yet."""
        parcel = await self._parcel(message.parcel)
        if parcel is None or not is_called_for(message, parcel):
            return None
        facts = await self._facts(message, parcel, cause)
        if facts is None:
            return None
        person = await self._person(parcel)
        needs = needs_code(message.kind)
        channels = channels_of(person.emails) if person is not None and (facts.code or not needs) else {}
        return await Handing(self._ports, self._manners, message=message, facts=facts).run(person, channels)

    async def _facts(self, message: Message, parcel: Parcel, cause: Recorded | None) -> Facts | None:
        stay = stay_of(message, parcel)
        point = message.point or (stay.point if stay is not None else None)
        view = await self._ports.ledger.view(point) if point is not None else None
        if view is None:
            return None
        code = await self._code(parcel, view) if needs_code(message.kind) else ""
        return Facts(parcel, view, code, await self._former(cause))

    async def _former(self, cause: Recorded | None) -> str:
        """The name of the place a parcel was redirected from."""
        if cause is None or not isinstance(cause.event, ev.ParcelRedirected) or cause.event.from_point is None:
            return ""
        view = await self._ports.ledger.view(cause.event.from_point)
        return view.point.name if view is not None else ""

    async def _event_of(self, row: TaskRow) -> Recorded | None:
        """The event a task follows from, where the notice tells of it."""
        if not isinstance(row.task, SendNotice) or row.task.notice is not ev.NoticeKind.MOVED:
            return None
        found = await self._ports.ledger.feed(row.lane, row.seq - 1, 1)
        return found[0] if found else None

    async def _person(self, parcel: Parcel) -> ContactDetails | None:
        if parcel.recipient is None:
            return None
        return (await self._ports.vault.recall([parcel.recipient])).get(parcel.recipient)

    async def _parcel(self, key: ParcelId) -> Parcel | None:
        return (await self._ports.ledger.parcels([key])).get(key)


def _kind(row: TaskRow) -> str:
    return str(type(row.task).__struct_config__.tag)


def _named(wrong: Exception) -> str:
    """What went wrong, without its words: those of a library may repeat what it was given."""
    return type(wrong).__name__
