"""Draws the stages of a parcel from the code: every command and fact is tried in every stage that can be reached."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from types import ModuleType
from typing import NamedTuple

import msgspec

from restante.core import commands as cmd
from restante.core import facts as fact
from restante.core.bank import Point, RoomClass
from restante.core.decide import execute
from restante.core.events import NoticeKind
from restante.core.ids import CommandId, Lane, OrgId, ParcelId, PointId, SourceId, laned_id
from restante.core.parcel import Direction, Parcel, current_stay, stage_of
from restante.core.refusals import Refusal
from restante.core.reservation import Firmness, Room, Window
from restante.core.status import STAGES
from restante.core.stay import DOOR, By, Evidence, RecallReason
from restante.core.time import Calendar, ElapsedHours
from restante.core.world import SourceHead, World

NOW = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
PARCEL = ParcelId(laned_id(NOW, b"parcel..", Lane(0)))
HERE, THERE = (PointId(laned_id(NOW, name, Lane(0))) for name in (b"here....", b"there..."))
SOURCE = SourceId(laned_id(NOW, b"source..", Lane(0)))
SMALL = RoomClass("0")
MAX_STAYS = 2


class Arrow(NamedTuple):
    """From one stage to another, and what leads there; ``begin`` stands for no parcel."""

    start: str
    end: str
    by: str


def arrows() -> list[Arrow]:
    """Every change of stage there is, each once, found by trying everything everywhere."""
    found: dict[Arrow, None] = {}
    waiting = [_nothing_yet()]
    seen = set[object]()
    for world in waiting:
        for label, command in _moves(world):
            after = msgspec.structs.replace(
                world, **{name: dict(getattr(world, name)) for name in World.__struct_fields__}
            )
            if isinstance(execute(command, after), Refusal):
                continue
            found[Arrow(_name(world), _name(after), label)] = None
            if (kind := _kind_of(after)) not in seen:
                seen.add(kind)
                waiting.append(after)
    return [arrow for arrow in found if arrow.start != arrow.end]


def _nothing_yet() -> World:
    calendar, hold = Calendar("UTC"), ElapsedHours(48)
    points = {at: Point(at, "", "", "", 0, 0, "", "", calendar, hold) for at in (HERE, THERE)}
    rooms = {at: Room(at, point.status, calendar, hold, SOURCE, supply={SMALL: 9}) for at, point in points.items()}
    return World({PARCEL: None}, {**rooms}, {SOURCE: SourceHead(SOURCE, HERE)}, {})


def _name(world: World) -> str:
    parcel = world.parcels[PARCEL]
    return type(stage_of(parcel)).__name__ if parcel else "begin"


def _kind_of(world: World) -> object:
    """What tells one reachable situation from another, as far as the rules care."""
    parcel = world.parcels[PARCEL]
    if parcel is None:
        return None
    last = parcel.stays[-1] if parcel.stays else None
    ended = parcel.cancelled_at is not None, parcel.released_at is not None
    hold = (last.hold.lapsed_at, last.hold.reasons) if last and last.hold else None
    behind = (last.by, last.recall, hold) if last else None
    return _name(world), len(parcel.stays), parcel.direction, parcel.promise and parcel.promise.point, ended, behind


def _moves(world: World) -> Iterator[tuple[str, cmd.AnyCommand]]:
    parcel = world.parcels[PARCEL]
    if parcel is None:
        for direction in Direction:
            yield (
                "announce-parcel",
                cmd.AnnounceParcel(CommandId(""), "", NOW, PARCEL, OrgId(""), "", direction, SMALL, 1),
            )
        return
    for command in _commands(parcel):
        yield str(type(command).__struct_config__.tag), command
    for label, told in _facts(parcel):
        yield label, _entry(world, told)


def _commands(parcel: Parcel) -> Iterator[cmd.AnyCommand]:
    later, stay = NOW + timedelta(days=9), current_stay(parcel)
    window = Window(NOW, later)
    promised = parcel.promise.point if parcel.promise else None
    yield cmd.ReserveRoom(CommandId(""), "", NOW, PARCEL, HERE, window, Firmness.HARD, NOW)
    yield cmd.CancelParcel(CommandId(""), "", NOW, PARCEL, promised)
    yield cmd.ReleaseParcel(CommandId(""), "", NOW, PARCEL, promised)
    yield cmd.RedirectParcel(CommandId(""), "", NOW, PARCEL, THERE, window, NOW, promised or HERE)
    if promised is not None:
        yield cmd.ReleaseRoom(CommandId(""), "", NOW, PARCEL, promised)
        yield cmd.ExpirePromise(CommandId(""), "", NOW, PARCEL, promised)
    if stay is not None:
        yield cmd.RecordNotice(
            CommandId(""), "", NOW, PARCEL, NoticeKind.READY, "", bounced=False, stay=stay.key, point=HERE
        )
        yield cmd.PauseHold(CommandId(""), "", NOW, PARCEL, HERE, DOOR)
        yield cmd.ResumeHold(CommandId(""), "", NOW, PARCEL, HERE, DOOR)
        yield cmd.LapseHold(CommandId(""), "", later, PARCEL, HERE)
        yield cmd.RecallParcel(CommandId(""), "", NOW, PARCEL, HERE, RecallReason.RETURNED)


def _facts(parcel: Parcel) -> Iterator[tuple[str, fact.AnyFact]]:
    stay = current_stay(parcel)
    if stay is not None:
        for by in By:
            yield f"taken out by {by}", fact.ParcelTakenOut(PARCEL, stay.key, "", 1, by, Evidence.SENSOR)
    elif len(parcel.stays) < MAX_STAYS:
        for by in (By.COURIER, By.SENDER):
            yield f"put in by {by}", fact.ParcelPutIn(PARCEL, "", 1, SMALL, by, Evidence.SENSOR)


def _entry(world: World, told: fact.AnyFact) -> cmd.AdoptFact:
    head = world.sources[SOURCE]
    assert head is not None
    return cmd.AdoptFact(
        CommandId(""), "", NOW, SOURCE, HERE, head.epoch, head.seq + 1, head.hash, f"{head.seq + 1}", told
    )


def page(parcel: ModuleType) -> str:
    """The page of stages: what each means, who acts next, and everything that leads from one to another."""
    found = arrows()
    rows = "".join(
        f"| {stage.__name__} | {_meaning(getattr(parcel, stage.__name__))} | {status.phase} | {status.actor} | "
        f"{'yes' if status.is_terminal else ''} |\n"
        for stage, status in STAGES.items()
    )
    drawn = "".join(
        f"    {'[*]' if start == 'begin' else start} --> {end}\n"
        for start, end in dict.fromkeys((arrow.start, arrow.end) for arrow in found)
        if not STAGES_ENDED & {start}
    )
    listed = "".join(
        f"| {start} | {end} | {', '.join(arrow.by for arrow in found if (arrow.start, arrow.end) == (start, end))} |\n"
        for start, end in dict.fromkeys((arrow.start, arrow.end) for arrow in found)
    )
    return (
        "# Stages of a parcel\n\nA stage follows from what is intended for a parcel and where it has stayed. "
        "This page is found by trying every command and\nevery fact in every stage.\n\n"
        f"| stage | meaning | phase | who acts next | terminal |\n|---|---|---|---|---|\n{rows}\n"
        "## What follows upon what\n\nArrows that leave a terminal stage are not drawn: only a fact that opens a case "
        f"leads there.\n\n```mermaid\nstateDiagram-v2\n{drawn}```\n\n"
        f"## What leads there\n\n| from | to | by |\n|---|---|---|\n{listed}"
    )


STAGES_ENDED = frozenset(stage.__name__ for stage, status in STAGES.items() if status.is_terminal)


def _meaning(stage: type) -> str:
    return " ".join((stage.__doc__ or "").split()).replace("|", "\\|")
