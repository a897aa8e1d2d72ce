"""Announce parcels: check what is said, give each its id and code once, keep who it is for, and have room promised.

Theory of operation. The reference is written into the directory first, with the parcel's id; then the recipient's
details are kept; then the engine is told. Whoever is interrupted in between and announces again finds the id and goes
on. A parcel that the engine knows has had its room decided as well, for both commands go to it together.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from typing import Final

import msgspec

from restante.core import commands as cmd
from restante.core.bank import RoomClass, room_class
from restante.core.ids import (
    ConsignmentId,
    ContactId,
    ParcelId,
    PointId,
    derived_id,
    is_laned_id,
    lane_for,
    lane_of,
    laned_id,
)
from restante.core.parcel import Parcel
from restante.core.refusals import Refusal
from restante.core.reservation import Window
from restante.core.size import Dimensions, smallest_rank
from restante.core.time import Instant
from restante.hub.callers import Attempt, Principal
from restante.hub.engine import Engine, Outcome
from restante.hub.intake.schemas import (
    WARNINGS,
    Announcement,
    BulkAnswer,
    ItemAnswer,
    ParcelAccepted,
    PromiseMade,
    RecipientGiven,
    Warned,
    WindowGiven,
)
from restante.hub.problems import NearPoint, problem_of
from restante.hub.settings import Settings
from restante.store.directory import Claim, Directory, Named, contact_of
from restante.store.gathering import Gathering
from restante.store.ledger import Ledger
from restante.store.vault import ContactDetails, Vault

LATER_ELSEWHERE: Final = frozenset({"no-room", "never-fits", "point-gone", "point-closed"})
"""Refusals of room for which another point may help."""

_ENCODER: Final = msgspec.json.Encoder(order="deterministic")

CheckAddress = Callable[[str], str | Refusal]
"""An e-mail address as it will be written to, or why it cannot be."""

IsPoint = Callable[[PointId], Awaitable[bool]]
"""Whether a point is part of the network."""

FindRoom = Callable[[PointId, RoomClass, Window], Awaitable[list[NearPoint]]]
"""The nearest points that have room when another has none."""


class Checks(msgspec.Struct, frozen=True):
    """What the intake asks of other parts of the hub."""

    address: CheckAddress
    is_point: IsPoint
    find_room: FindRoom


class _Item(msgspec.Struct, frozen=True):
    """An announcement that has passed its checks."""

    given: Announcement
    rank: int
    details: ContactDetails
    warnings: list[Warned]
    claim: Claim
    window: Window

    @property
    def wanted(self) -> RoomClass:
        """What the parcel asks for."""
        return room_class(self.rank, set(self.given.needs))


class Intake:
    """The way of parcels into the network."""

    def __init__(
        self,
        engine: Engine,
        ledger: Ledger,
        directory: Directory,
        *,
        vault: Vault,
        settings: Settings,
        checks: Checks,
    ) -> None:
        self._engine = engine
        self._ledger = ledger
        self._directory = directory
        self._settings = settings
        self._checks = checks
        self._people: Gathering[tuple[ContactId, ContactDetails], None] = Gathering(_remembering(vault))

    async def announce(
        self, given: Sequence[Announcement], caller: Principal, attempt: Attempt
    ) -> list[ParcelAccepted | Refusal]:
        """What becomes of each announcement, in order.

        Refusals: ``parcel-too-large``, ``parcel-too-heavy``, ``size-unknown``, ``size-missing``, ``point-unknown``,
        ``reference-taken``, ``busy``. A refusal of room is no refusal of the parcel.
        """
        # One after the other: where the points are is known, so that a task for each would only cost.
        checked = [await self._check(one, caller, attempt, index=i) for i, one in enumerate(given)]
        items = [item for item in checked if isinstance(item, _Item)]
        answers = iter(await self._take(items, caller, attempt)) if items else iter(())
        return [next(answers) if isinstance(item, _Item) else item for item in checked]

    async def _check(self, given: Announcement, caller: Principal, attempt: Attempt, *, index: int) -> _Item | Refusal:
        rank = self._rank(given)
        if isinstance(rank, Refusal):
            return rank
        if (refused := await self._check_points(given)) is not None:
            return refused
        details, warnings = self._details(given)
        chance = attempt.chance(f"parcel:{index}")
        lane = lane_of(given.point) if given.point else lane_for(chance.hex(), self._settings.lanes)
        claim = Claim(
            org=caller.org,
            name=self._directory.reference_name(caller.org, given.reference),
            content=self._directory.keyed("content", _ENCODER.encode(given)),
            parcel=ParcelId(laned_id(attempt.at, chance, lane)),
            at=attempt.at,
        )
        window = _window(given.window, attempt.at, self._settings.promise_hours)
        return _Item(given, rank, details, warnings + _doubts(given, attempt.at), claim, window)

    def _rank(self, given: Announcement) -> int | Refusal:
        """The smallest size class that takes the parcel, or the larger one that was named."""
        ladder = self._settings.ladder
        named = None if given.size is None else ladder.rank(given.size)
        if given.size is not None and named is None:
            return Refusal("size-unknown", "size", given.size)
        if given.dimensions is None:
            return Refusal("size-missing", "dimensions") if named is None else self._carrying(named, given.weight_grams)
        sides = Dimensions(given.dimensions.width_mm, given.dimensions.height_mm, given.dimensions.depth_mm)
        rank = smallest_rank(ladder, sides, given.weight_grams)
        return rank if isinstance(rank, Refusal) else max(rank, named or 0)

    def _carrying(self, rank: int, weight_grams: int) -> int | Refusal:
        classes = self._settings.ladder.classes
        strong = (at for at in range(rank, len(classes)) if weight_grams <= classes[at].max_weight_grams)
        found = next(strong, None)
        return Refusal("parcel-too-heavy", "weight_grams", f"{weight_grams} g") if found is None else found

    async def _check_points(self, given: Announcement) -> Refusal | None:
        for field, point in (("point", given.point), ("destination", given.destination)):
            if point is not None and not (is_laned_id(point) and await self._checks.is_point(PointId(point))):
                return Refusal("point-unknown", field, point)
        return None

    def _details(self, given: Announcement) -> tuple[ContactDetails, list[Warned]]:
        """Who the parcel is for, with the addresses that can be written to, and a warning for each that cannot."""
        person = given.recipient or RecipientGiven("-")
        emails, warnings = list[str](), list[Warned]()
        for index, email in enumerate(person.emails):
            address = self._checks.address(email)
            if isinstance(address, Refusal):
                warnings.append(Warned(address.code, f"recipient.emails[{index}]", address.rule))
            else:
                emails.append(address)
        if not emails:
            warnings.append(_warned("nobody-to-tell", "recipient.emails"))
        details = ContactDetails(
            name=person.name,
            emails=tuple(emails),
            phone=person.phone,
            language=person.language,
            street_address=person.street_address,
            reference=given.reference,
        )
        return details, warnings

    async def _take(
        self, items: Sequence[_Item], caller: Principal, attempt: Attempt
    ) -> list[ParcelAccepted | Refusal]:
        named = await self._directory.claim([item.claim for item in items])
        again = [one.parcel for item, one in zip(items, named, strict=True) if one.parcel != item.claim.parcel]
        known = await self._ledger.parcels(again) if again else {}
        fresh = [(item, one) for item, one in zip(items, named, strict=True) if one.same and one.parcel not in known]
        outcomes = await self._tell(fresh, caller, attempt)
        answers = [self._answer(item, one, known, outcomes=outcomes) for item, one in zip(items, named, strict=True)]
        return [await answers[0]] if len(answers) == 1 else list(await asyncio.gather(*answers))

    async def _tell(
        self, fresh: Sequence[tuple[_Item, Named]], caller: Principal, attempt: Attempt
    ) -> dict[ParcelId, list[Outcome]]:
        """Keep the people, then tell the engine; what it said, by parcel."""
        if not fresh:
            return {}
        await self._people.ask([(contact_of(one.parcel), _kept_for(one.parcel, item.details)) for item, one in fresh])
        commands: list[cmd.AnyCommand] = []
        # One reference may stand twice in one request; it means one parcel all the same.
        for item, one in {one.parcel: (item, one) for item, one in fresh}.values():
            commands += self._commands(item, one, caller, attempt=attempt)
        said = await self._engine.submit_all(commands)
        outcomes: dict[ParcelId, list[Outcome]] = {}
        for command, outcome in zip(commands, said, strict=True):
            assert isinstance(command, cmd.AnnounceParcel | cmd.ReserveRoom)
            outcomes.setdefault(command.parcel, []).append(outcome)
        return outcomes

    def _commands(
        self, item: _Item, one: Named, caller: Principal, *, attempt: Attempt
    ) -> list[cmd.AnnounceParcel | cmd.ReserveRoom]:
        given, parcel = item.given, one.parcel
        announce = cmd.AnnounceParcel(
            id=attempt.command_id(f"announce:{parcel}"),
            actor=caller.actor,
            at=attempt.at,
            parcel=parcel,
            org=caller.org,
            code=one.code,
            direction=given.direction,
            room_class=item.wanted,
            weight_grams=given.weight_grams,
            recipient=contact_of(parcel) if given.recipient else None,
            consignment=self._consignment(given, caller),
            destination=PointId(given.destination) if given.destination else None,
        )
        if given.point is None:
            return [announce]
        reserve = cmd.ReserveRoom(
            id=attempt.command_id(f"reserve:{parcel}"),
            actor=caller.actor,
            at=attempt.at,
            parcel=parcel,
            point=PointId(given.point),
            window=item.window,
            firmness=given.firmness,
            until=item.window.closes_at,
        )
        return [announce, reserve]

    def _consignment(self, given: Announcement, caller: Principal) -> ConsignmentId | None:
        if given.consignment is None:
            return None
        named = self._directory.keyed("consignment", caller.org, given.consignment).hex()
        return ConsignmentId(derived_id(named, lane_for(named, self._settings.lanes)))

    async def _answer(
        self, item: _Item, one: Named, known: Mapping[ParcelId, Parcel], *, outcomes: Mapping[ParcelId, list[Outcome]]
    ) -> ParcelAccepted | Refusal:
        if not one.same:
            return Refusal("reference-taken", "reference")
        if one.parcel in known:
            return self._accepted(item, one, promise=_promise_of(known[one.parcel]), replayed=True)
        announced, *reserved = outcomes[one.parcel]
        if isinstance(announced, Refusal):
            if announced.code != "parcel-exists":
                return announced
            parcel = (await self._ledger.parcels([one.parcel]))[one.parcel]
            return self._accepted(item, one, promise=_promise_of(parcel), replayed=True)
        bare = self._accepted(item, one, promise=None, replayed=announced.replayed)
        if not reserved:
            return bare
        if isinstance(reserved[0], Refusal):
            return await self._without_room(item, bare, reserved[0])
        window = item.window
        promise = PromiseMade(PointId(item.given.point or ""), window.opens_at, window.closes_at, window.closes_at)
        return msgspec.structs.replace(bare, promise=promise)

    async def _without_room(self, item: _Item, bare: ParcelAccepted, refused: Refusal) -> ParcelAccepted:
        nearest = None
        if refused.code in LATER_ELSEWHERE:
            nearest = await self._checks.find_room(PointId(item.given.point or ""), item.wanted, item.window)
        return msgspec.structs.replace(bare, problem=problem_of(refused, nearest=nearest))

    def _accepted(
        self, item: _Item, one: Named, *, promise: PromiseMade | None, replayed: bool = False
    ) -> ParcelAccepted:
        size = self._settings.ladder.classes[item.rank].name
        return ParcelAccepted(one.parcel, one.code, size, replayed, promise=promise, warnings=item.warnings)


def bulk_answer(answers: Sequence[ParcelAccepted | Refusal]) -> BulkAnswer:
    """The answer to a bulk announcement."""
    items = [
        ItemAnswer(index, "refused", problem=problem_of(answer))
        if isinstance(answer, Refusal)
        else ItemAnswer(index, "accepted", accepted=answer)
        for index, answer in enumerate(answers)
    ]
    refused = sum(1 for answer in answers if isinstance(answer, Refusal))
    return BulkAnswer(len(items) - refused, refused, items)


def _kept_for(parcel: ParcelId, details: ContactDetails) -> ContactDetails:
    return msgspec.structs.replace(details, kept_for=parcel)


def _remembering(
    vault: Vault,
) -> Callable[[Sequence[tuple[ContactId, ContactDetails]]], Awaitable[Sequence[None]]]:
    async def remember(people: Sequence[tuple[ContactId, ContactDetails]]) -> Sequence[None]:
        await vault.remember_all(dict(people))
        return [None] * len(people)

    return remember


def _window(given: WindowGiven | None, now: Instant, hours: int) -> Window:
    return Window(now, now + timedelta(hours=hours)) if given is None else Window(given.opens_at, given.closes_at)


def _promise_of(parcel: Parcel) -> PromiseMade | None:
    promise = parcel.promise
    if promise is None:
        return None
    return PromiseMade(promise.point, promise.window.opens_at, promise.window.closes_at, promise.until)


def _doubts(given: Announcement, now: Instant) -> list[Warned]:
    doubts = []
    if given.point is None:
        doubts.append(_warned("no-point", "point"))
    if given.window is not None and given.window.opens_at < now - timedelta(days=1):
        doubts.append(_warned("window-odd", "window.opens_at"))
    if given.window is not None and given.point is None:
        doubts.append(_warned("window-odd", "window"))
    return doubts


def _warned(code: str, field: str) -> Warned:
    return Warned(code, field, WARNINGS[code])
