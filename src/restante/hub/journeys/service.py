"""See parcels and steer them: every command names the point that the parcel is promised or lies at just now."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

from msgspec import UNSET, UnsetType

from restante.core import commands as cmd
from restante.core.access import parse_parcel_code
from restante.core.bank import RoomClass, parts
from restante.core.ids import CommandId, ContactId, OrgId, ParcelId, PointId, is_laned_id, lane_of
from restante.core.parcel import Parcel, current_stay, stage_of
from restante.core.refusals import Refusal
from restante.core.reservation import Window
from restante.core.status import STAGES
from restante.core.stay import RecallReason, Stay
from restante.core.time import Instant
from restante.hub.callers import Attempt, Attempts, Principal
from restante.hub.engine import Accepted, Engine, Outcome
from restante.hub.journeys.feed import show_event
from restante.hub.journeys.schemas import (
    Done,
    EventPage,
    HoldShown,
    ParcelPage,
    ParcelShown,
    Position,
    PromiseShown,
    RoomWanted,
    StayShown,
)
from restante.hub.journeys.schemas import Window as WindowGiven
from restante.hub.paging import read_cursor, write_cursor
from restante.hub.problems import NearPoint, Refused
from restante.hub.settings import Settings
from restante.store import bodies, statements
from restante.store.directory import Directory, contact_of
from restante.store.ledger import Ledger, Recorded
from restante.store.tables import Rows, Tables
from restante.store.vault import ContactDetails, Vault

MOST_READ: Final = 1000
MOST_ORGS_KNOWN: Final = 200_000
MOVED_TRIES: Final = 3
NONE: Final = "00000000-0000-0000-0000-000000000000"
ELSEWHERE: Final = frozenset({"no-room", "never-fits", "point-gone", "point-closed"})

FindRoom = Callable[[PointId, RoomClass, Window], Awaitable[list[NearPoint]]]
Make = Callable[[Parcel, PointId | None, str], cmd.AnyParcelCommand | Refusal]
"""A command for a parcel, the point it is promised or lies at, and the command's number among tries."""

_SQL: Final = {name: one.text.encode() for name, one in statements.load("restante.hub.journeys").items()}
STAGE_NAMES: Final = {kind: str(kind.__struct_config__.tag) for kind in STAGES}


class Journeys:
    """Parcels on their way."""

    def __init__(
        self,
        engine: Engine,
        ledger: Ledger,
        reads: Tables,
        *,
        directory: Directory,
        vault: Vault,
        settings: Settings,
        attempts: Attempts,
        find_room: FindRoom,
    ) -> None:
        self._engine = engine
        self._ledger = ledger
        self._reads = reads
        self._directory = directory
        self._vault = vault
        self._settings = settings
        self._attempts = attempts
        self._find_room = find_room
        self._orgs: dict[ParcelId, OrgId] = {}

    # --- seeing

    async def own(self, parcel: str, caller: Principal) -> Parcel:
        """A parcel of the caller's. Refused with ``parcel-unknown``, which it is to everybody else."""
        key = _known(parcel)
        found = (await self._ledger.parcels([key])).get(key)
        if found is None or not caller.may_see(found.org):
            raise Refused(Refusal("parcel-unknown", "parcel", parcel[:80]))
        if len(self._orgs) >= MOST_ORGS_KNOWN:
            self._orgs.clear()
        self._orgs[key] = found.org
        return found

    async def check_own(self, parcel: str, caller: Principal) -> ParcelId:
        """As ``own``, without reading the parcel again: the organisation of a parcel never changes."""
        org = self._orgs.get(ParcelId(parcel))
        if org is None or not caller.may_see(org):
            return (await self.own(parcel, caller)).id
        return ParcelId(parcel)

    async def show(self, parcels: Sequence[Parcel], caller: Principal) -> list[ParcelShown]:
        """Parcels as the caller sees them, with their references."""
        contacts = {parcel.id: contact_of(parcel.id) for parcel in parcels}
        people = await self._vault.recall(contacts.values()) if parcels else {}
        return [self._shown(parcel, people, caller) for parcel in parcels]

    async def page(
        self, caller: Principal, *, point: str | None, stage: str | None, cursor: str, limit: int
    ) -> ParcelPage:
        """The caller's parcels (the operator's: everybody's) in the order they were announced in."""
        about = f"parcels:{point or ''}:{stage or ''}"
        after = read_cursor(about, cursor, str) if cursor else NONE
        if after != NONE and not is_laned_id(after):
            raise Refused(Refusal("cursor-malformed", "cursor"))
        if point is not None and not is_laned_id(point):
            raise Refused(Refusal("point-unknown", "point", point[:80]))
        found: list[Parcel] = []
        read, more = 0, True
        while more and len(found) < limit and read < MOST_READ:
            batch = await self._batch(caller, point, after=after, limit=limit)
            more, read = len(batch) == limit, read + len(batch)
            for parcel in batch:
                after = parcel.id
                if stage is None or STAGE_NAMES[type(stage_of(parcel))] == stage:
                    found.append(parcel)
                if len(found) == limit:
                    more = True
                    break
        return ParcelPage(await self.show(found, caller), write_cursor(about, after) if more else None)

    async def by_reference(self, reference: str, caller: Principal) -> Parcel:
        """The parcel that the caller announced under a reference. Refused with ``parcel-unknown``."""
        found = await self._directory.parcel_of(self._directory.reference_name(caller.org, reference))
        return await self.own(found or "", caller)

    async def by_code(self, code: str, caller: Principal) -> Parcel:
        """The parcel with a parcel code, as people write it.

        Refused with ``parcel-unknown``, ``parcel-code-malformed``.
        """
        parsed = parse_parcel_code(code)
        if parsed is None:
            raise Refused(Refusal("parcel-code-malformed", "code"))
        return await self.own(await self._directory.parcel_of_code(parsed) or "", caller)

    async def events(self, parcel: ParcelId, *, cursor: str, limit: int) -> EventPage:
        """What happened to a parcel, in order."""
        about = f"events:{parcel}"
        after = read_cursor(about, cursor, int) if cursor else 0
        if not 0 <= after < 2**31:
            raise Refused(Refusal("cursor-malformed", "cursor"))
        given = {"lane": lane_of(parcel), "parcel": parcel, "after": after, "limit": limit}
        rows = await self._rows("parcel_events", given)
        items = [show_event(_recorded(row)) for row in rows]
        return EventPage(items, write_cursor(about, items[-1].version) if len(items) == limit else None)

    async def _batch(self, caller: Principal, point: str | None, *, after: str, limit: int) -> list[Parcel]:
        org = None if caller.is_operator else caller.org
        given: dict[str, Any] = {"after": after, "limit": limit, "org": org}
        if point is None:
            name = "all_parcels" if org is None else "own_parcels"
            rows = await self._rows(name, given | {"lanes": list(range(self._settings.lanes))})
            return [bodies.PARCEL.decode(body) for _, body in rows]
        ids = await self._rows("parcels_at", given | {"lane": lane_of(point), "point": point})
        known = await self._ledger.parcels(ParcelId(row[0]) for row in ids)
        return [known[ParcelId(row[0])] for row in ids if ParcelId(row[0]) in known]

    async def _rows(self, name: str, given: Mapping[str, Any]) -> Rows:
        return await self._reads.rows(_SQL[name], given)

    def _shown(self, parcel: Parcel, people: Mapping[ContactId, ContactDetails], caller: Principal) -> ParcelShown:
        stage = type(stage_of(parcel))
        status, (rank, needs) = STAGES[stage], parts(parcel.room_class)
        person = people.get(contact_of(parcel.id))
        stay = current_stay(parcel)
        return ParcelShown(
            id=parcel.id,
            code=parcel.code,
            org=parcel.org,
            direction=parcel.direction,
            stage=STAGE_NAMES[stage],
            phase=status.phase,
            actor=status.actor,
            is_terminal=status.is_terminal,
            size=self._settings.ladder.classes[rank].name,
            needs=sorted(needs),
            weight_grams=parcel.weight_grams,
            version=parcel.version,
            reference=person.reference if person else "",
            announced_at=parcel.announced_at,
            promise=_promise_shown(parcel),
            stay=_stay_shown(stay, caller) if stay else None,
            destination=parcel.destination,
            cases=sorted(parcel.cases),
        )

    # --- steering

    async def reserve(self, parcel: str, wanted: RoomWanted, caller: Principal, *, attempt: Attempt) -> Done:
        """Have room promised. Refused as ``ReserveRoom`` is, with the nearest points that have room."""
        window = self._window(wanted.window, attempt.at)

        def make(one: Parcel, _: PointId | None, number: str) -> cmd.AnyParcelCommand | Refusal:
            return cmd.ReserveRoom(
                id=attempt.command_id(f"reserve{number}"),
                actor=caller.actor,
                at=attempt.at,
                parcel=one.id,
                point=PointId(wanted.point),
                window=window,
                firmness=wanted.firmness,
                until=window.closes_at,
            )

        return await self._to_point(parcel, wanted, caller, attempt=attempt, make=make, window=window)

    async def redirect(self, parcel: str, wanted: RoomWanted, caller: Principal, *, attempt: Attempt) -> Done:
        """Send the parcel to another point. Refused as ``RedirectParcel`` is, with the nearest that have room."""
        window = self._window(wanted.window, attempt.at)

        def make(one: Parcel, point: PointId | None, number: str) -> cmd.AnyParcelCommand | Refusal:
            return cmd.RedirectParcel(
                id=attempt.command_id(f"redirect{number}"),
                actor=caller.actor,
                at=attempt.at,
                parcel=one.id,
                to_point=PointId(wanted.point),
                window=window,
                until=window.closes_at,
                from_point=point,
                firmness=wanted.firmness,
            )

        return await self._to_point(parcel, wanted, caller, attempt=attempt, make=make, window=window)

    async def give_room_back(self, parcel: str, caller: Principal, *, attempt: Attempt) -> Done:
        """Give promised room back. Refused with ``not-promised``."""

        def make(one: Parcel, point: PointId | None, number: str) -> cmd.AnyParcelCommand | Refusal:
            if point is None:
                return Refusal("not-promised", "parcel", one.id)
            return cmd.ReleaseRoom(attempt.command_id(f"room{number}"), caller.actor, attempt.at, one.id, point)

        return await self._steer(parcel, caller, attempt=attempt, make=make)

    async def cancel(self, parcel: str, caller: Principal, *, attempt: Attempt) -> Done:
        """Call a parcel off. Refused as ``CancelParcel`` is."""
        if attempt.note is None:
            # Most have no promise to name, and then looking at the parcel beforehand would only cost.
            outcome = await self._engine.submit(
                cmd.CancelParcel(CommandId(""), caller.actor, attempt.at, _known(parcel), owner=_owner(caller))
            )
            if isinstance(outcome, Accepted) or outcome.code != "point-not-named":
                return _done(ParcelId(parcel), outcome)

        def make(one: Parcel, point: PointId | None, number: str) -> cmd.AnyParcelCommand | Refusal:
            named = point if one.promise or attempt.note else None
            return cmd.CancelParcel(attempt.command_id(f"cancel{number}"), caller.actor, attempt.at, one.id, named)

        return await self._steer(parcel, caller, attempt=attempt, make=make)

    async def release(self, parcel: str, caller: Principal, *, attempt: Attempt) -> Done:
        """Let a parcel leave the network. Refused as ``ReleaseParcel`` is."""

        def make(one: Parcel, point: PointId | None, number: str) -> cmd.AnyParcelCommand | Refusal:
            return cmd.ReleaseParcel(attempt.command_id(f"release{number}"), caller.actor, attempt.at, one.id, point)

        return await self._steer(parcel, caller, attempt=attempt, make=make)

    async def recall(self, parcel: str, reason: RecallReason, caller: Principal, *, attempt: Attempt) -> Done:
        """Have a courier take the parcel out. Refused as ``RecallParcel`` is."""

        def make(one: Parcel, _: PointId | None, number: str) -> cmd.AnyParcelCommand | Refusal:
            stay = current_stay(one)
            if stay is None:
                return Refusal("parcel-not-waiting", "parcel", one.id)
            id_ = attempt.command_id(f"recall{number}")
            return cmd.RecallParcel(id_, caller.actor, attempt.at, one.id, stay.point, reason)

        return await self._steer(parcel, caller, attempt=attempt, make=make)

    async def extend(self, parcel: str, ends_at: Instant, caller: Principal, *, attempt: Attempt) -> Done:
        """Move the end of a hold later. Refused as ``ExtendHold`` is."""
        command = cmd.ExtendHold(
            attempt.command_id("extend"),
            caller.actor,
            attempt.at,
            _known(parcel),
            ends_at,
            self._settings.longest_hold_hours,
            owner=_owner(caller),
        )
        return _done(command.parcel, await self._engine.submit(command))

    async def _to_point(
        self, parcel: str, wanted: RoomWanted, caller: Principal, *, attempt: Attempt, make: Make, window: Window
    ) -> Done:
        if not is_laned_id(wanted.point):
            raise Refused(Refusal("point-unknown", "point", wanted.point))
        try:
            return await self._steer(parcel, caller, attempt=attempt, make=make)
        except Refused as refused:
            if refused.refusal.code in ELSEWHERE:
                room = (await self.own(parcel, caller)).room_class
                refused.nearest = await self._find_room(PointId(wanted.point), room, window)
            raise

    async def _steer(self, parcel: str, caller: Principal, *, attempt: Attempt, make: Make) -> Done:
        """Decide on the parcel as it is, and anew if it moved meanwhile; a repeated request goes by its first look."""
        for number in range(MOVED_TRIES):
            one = await self.own(parcel, caller)
            point = PointId(await self._attempts.pin(attempt, _bound_to(one) or "")) or None
            command = make(one, point, f":{number}")
            outcome = command if isinstance(command, Refusal) else await self._engine.submit(command)
            if isinstance(outcome, Accepted) or outcome.code != "point-not-named" or attempt.note:
                return _done(one.id, outcome)
        raise Refused(Refusal("point-not-named", "parcel", parcel))

    def _window(self, given: WindowGiven | None, now: Instant) -> Window:
        if given is None:
            return Window(now, now + timedelta(hours=self._settings.promise_hours))
        return Window(given.opens_at, given.closes_at)


def _bound_to(parcel: Parcel) -> PointId | None:
    """The point whose room a command about the parcel has to name."""
    if parcel.promise is not None:
        return parcel.promise.point
    stay = current_stay(parcel)
    return stay.point if stay else None


def _known(parcel: str) -> ParcelId:
    """A parcel's id as a caller wrote it. Refused with ``parcel-unknown``."""
    if not is_laned_id(parcel):
        raise Refused(Refusal("parcel-unknown", "parcel", parcel[:80]))
    return ParcelId(parcel)


def _owner(caller: Principal) -> OrgId | UnsetType:
    """Whose parcels the caller's commands may touch: see ``core.commands.Owned``."""
    return UNSET if caller.is_operator else caller.org


def _done(parcel: ParcelId, outcome: Outcome) -> Done:
    if isinstance(outcome, Refusal):
        raise Refused(outcome)
    return Done(parcel, [Position(lane, seq) for lane, seq in outcome.positions], outcome.replayed)


def _promise_shown(parcel: Parcel) -> PromiseShown | None:
    promise = parcel.promise
    if promise is None:
        return None
    return PromiseShown(
        promise.point, promise.window.opens_at, promise.window.closes_at, promise.until, promise.firmness
    )


def _stay_shown(stay: Stay, caller: Principal) -> StayShown:
    hold = stay.hold
    shown = None if hold is None else HoldShown(hold.started_at, hold.ends_at, hold.paused_at, hold.lapsed_at)
    door = stay.door if caller.is_operator else None
    return StayShown(stay.point, stay.deposited_at, shown, stay.recall, door)


def _recorded(row: tuple[Any, ...]) -> Recorded:
    lane, seq, recorded_at, at, version, org, actor, body = row
    return Recorded(lane, seq, at, recorded_at, actor, CommandId(""), bodies.EVENT.decode(body), version, org)


def known_stage(name: str | None) -> str | None:
    """The name of a stage, checked. Refused with ``field-malformed``."""
    if name is not None and name not in STAGE_NAMES.values():
        raise Refused(Refusal("field-malformed", "stage", f"one of {', '.join(sorted(STAGE_NAMES.values()))}"))
    return name
