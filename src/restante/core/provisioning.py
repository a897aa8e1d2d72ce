"""Decisions about points, the banks and counters that stand there, and the sources' sessions."""

from collections import Counter
from collections.abc import Iterable
from typing import assert_never

from restante.core import commands as cmd
from restante.core import events as ev
from restante.core.adoption import MAX_POINT_CASES
from restante.core.bank import BankModule, Point, PointStatus
from restante.core.custody import Decision
from restante.core.ids import CaseId, derived_id, lane_of
from restante.core.refusals import Refusal
from restante.core.reservation import Room
from restante.core.surprises import words
from restante.core.world import World, case_key


def decide_point(command: cmd.PointCommand, world: World) -> Decision:
    """Decide one command about a point."""
    if isinstance(command, cmd.ProvisionPoint):
        definition = command.definition
        if world.points[definition.id] is not None:
            return Refusal("point-exists", "id", definition.id)
        if definition.source is not None:
            return Refusal("source-exists", "source", definition.source.id)
        return [ev.PointProvisioned(definition.id, definition)]
    point = world.points[command.point]
    if point is None:
        return Refusal("point-unknown", "point", command.point)
    match command:
        case cmd.ChangePoint(status=status):
            if point.status is PointStatus.GONE:
                return Refusal("point-gone", "point", command.point)
            return [] if point.status is status else [ev.PointChanged(command.point, status)]
        case cmd.InstallSource():
            return _install(command, point, world)
        case cmd.AddModule(source=source, module=module):
            if point.source is None or point.source.id != source:
                return Refusal("source-unknown", "source", source)
            if clash := _clash((*point.source.modules, module)):
                return Refusal("module-exists", "module", clash)
            return [ev.ModuleAdded(command.point, source, module)]
        case _:
            assert_never(command)


def _install(command: cmd.InstallSource, point: Point, world: World) -> Decision:
    source = command.source
    if point.source is not None or world.sources[source.id] is not None:
        return Refusal("source-exists", "source", source.id)
    if clash := _clash(source.modules):
        return Refusal("module-exists", "modules", clash)
    installed = ev.SourceInstalled(command.point, source.id, source.kind)
    return [installed, *(ev.ModuleAdded(command.point, source.id, module) for module in source.modules)]


def _clash(modules: Iterable[BankModule]) -> str:
    """Which module number or door stands twice, in words; empty when none does."""
    columns = list(modules)
    numbers = Counter(module.number for module in columns)
    doors = Counter(compartment.door for module in columns for compartment in module.compartments)
    twice = [f"module {number}" for number, count in numbers.items() if count > 1]
    return ", ".join([*twice, *(f"door {door}" for door, count in doors.items() if count > 1)])


def decide_source(
    command: cmd.NoteContact | cmd.ReportFork | cmd.StartEpoch | cmd.SettlePointCase | cmd.OpenPointCase, world: World
) -> Decision:
    """Decide one command about a source's session, or about a case of its point."""
    if isinstance(command, cmd.SettlePointCase):
        return _settle(command, world)
    if isinstance(command, cmd.OpenPointCase):
        return _open(command, world)
    head, room = world.sources[command.source], world.rooms[command.point]
    if head is None or head.point != command.point or room is None:
        return Refusal("source-unknown", "source", command.source)
    match command:
        case cmd.NoteContact(lost=lost):
            if lost == (room.lost_at is not None):
                return Refusal("contact-unchanged", "lost")
            return [(ev.ContactLost if lost else ev.ContactRegained)(command.point, command.source)]
        case cmd.ReportFork(epoch=epoch, seq=seq):
            if head.forked_at is not None:
                return []
            case = CaseId(derived_id(f"fork:{command.source}:{epoch}:{seq}", lane_of(command.point)))
            return [
                ev.ForkFound(command.point, command.source, epoch, seq),
                ev.PointCaseOpened(command.point, case, ev.CaseKind.FORKED, command.source),
            ]
        case cmd.StartEpoch(epoch=epoch):
            if epoch <= head.epoch:
                return Refusal("epoch-not-later", "epoch", str(head.epoch))
            return [ev.EpochStarted(command.point, command.source, epoch), *_fork_settled(command, room)]
        case _:
            assert_never(command)


def _fork_settled(command: cmd.StartEpoch, room: Room) -> Iterable[ev.AnyEvent]:
    case = room.cases.get(case_key(ev.CaseKind.FORKED, command.source))
    if case is not None:
        yield ev.PointCaseSettled(command.point, case, ev.CaseKind.FORKED, "a new epoch began")


def _open(command: cmd.OpenPointCase, world: World) -> Decision:
    room = world.rooms[command.point]
    if room is None:
        return Refusal("point-unknown", "point", command.point)
    about = words(command.about)
    key = case_key(command.what, about)
    if any(other == key or other.startswith(f"{key}: ") for other in room.cases):
        return Refusal("case-open", "about", about)
    if len(room.cases) >= MAX_POINT_CASES:
        return Refusal("too-many-cases", "point", command.point)
    name = f"case:{command.what}:{command.point}:{about}:{command.at.isoformat()}"
    detail = f"{about}: {words(command.told)}" if command.told else about
    return [ev.PointCaseOpened(command.point, CaseId(derived_id(name, lane_of(command.point))), command.what, detail)]


def _settle(command: cmd.SettlePointCase, world: World) -> Decision:
    room = world.rooms[command.point]
    if room is None:
        return Refusal("point-unknown", "point", command.point)
    for key, case in room.cases.items():
        if case == command.case:
            what = ev.CaseKind(key.partition(":")[0])
            return [ev.PointCaseSettled(command.point, case, what, command.how)]
    return Refusal("case-unknown", "case", command.case)
