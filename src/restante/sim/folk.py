"""The people of a story: carriers announce and send couriers, recipients read mail and come, senders drop off.

Everybody acts on what they were told: a carrier on the hub's answers, a courier on the van's load, a recipient on the
mail in the box. What the plot foresees happens whether or not something is broken; who meets a closed door comes again.
"""

from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import partial
from random import Random
from typing import Final

import msgspec

from restante.core.access import parcel_code_from
from restante.core.bank import Ability, RoomClass, room_class
from restante.core.commands import (
    AnnounceParcel,
    AnyCommand,
    CancelParcel,
    ExtendHold,
    RedirectParcel,
    ReleaseParcel,
    ReserveRoom,
)
from restante.core.events import NoticeKind
from restante.core.ids import CommandId, ContactId, OrgId, ParcelId, PointId, lane_of, laned_id
from restante.core.parcel import Direction, Parcel, WithCourier, current_stay, stage_of
from restante.core.refusals import Refusal
from restante.core.reservation import Firmness, Window
from restante.core.time import Instant
from restante.hub.engine import Outcome
from restante.sim.chance import chance_of
from restante.sim.clock import HOUR_MS, MINUTE_MS, Clock, Story
from restante.sim.faults import Kind
from restante.sim.ground import Behind, Hands
from restante.sim.hubside import SETTINGS, HubSide
from restante.sim.mailbox import Letter, address_of
from restante.sim.plot import Bent, Errand, Round
from restante.sim.telling import Telling
from restante.sim.visits import USED_CODE, Box, Doorstep, Walk
from restante.store.vault import ContactDetails

_AGAIN_MS: Final = 3 * HOUR_MS
_MOST_VISITS: Final = 6
_NOT_YET_IN: Final = frozenset({Hands.CARRIER, Hands.SENDER})
_LOADING_MS: Final = 2 * HOUR_MS
_LONGEST_HOLD: Final = timedelta(hours=SETTINGS.longest_hold_hours)


class Item(msgspec.Struct):
    """A parcel as the people around it know it; ``letters`` has the code they were told, by point."""

    id: ParcelId
    code: str
    errand: Errand
    chance: Random
    letters: dict[str, str] = {}
    visits: int = 0
    is_bent: bool = False
    on_van: bool = False


class Stage(msgspec.Struct, frozen=True):
    """Where people act: points and their names and boxes, by number, and each carrier's code for rounds there."""

    points: tuple[PointId, ...]
    names: tuple[str, ...]
    boxes: tuple[Box, ...]
    rounds: dict[tuple[int, int], str]


class Folk:
    """Everybody, each doing what their errand says."""

    def __init__(
        self, telling: Telling, stage: Stage, hub: HubSide, *, clock: Clock, story: Story, doorstep: Doorstep
    ) -> None:
        self.plot = telling.plot
        self.items: dict[str, Item] = {}
        self._stage = stage
        self._hub = hub
        self._clock = clock
        self._story = story
        self._doorstep = doorstep
        self._chance = partial(chance_of, telling.seed)
        self._contacts: dict[tuple[int, int], ContactId] = {}
        self._are_home = False

    def begin(self) -> None:
        """Put everything down that the plot foresees."""
        for errand in self.plot.errands:
            self._clock.at(errand.announced_ms, partial(self._announce, errand))
        for each in self.plot.rounds:
            self._clock.at(each.at_ms - _LOADING_MS, partial(self._load, each))

    def go_home(self) -> None:
        """No more visits begin."""
        self._are_home = True

    # --- carriers

    def _announce(self, errand: Errand) -> None:
        """Tell the hub of a parcel and ask for room."""
        lane = lane_of(self._stage.points[errand.point])
        chance = self._chance(f"errand/{errand.number}")
        parcel = ParcelId(laned_id(self._clock.now, chance.randbytes(8), lane))
        code = parcel_code_from(chance.randbytes(64))
        assert code is not None
        item = self.items[code] = Item(parcel, code, errand, chance)
        self._doorstep.ground.appear(parcel, begins_with(errand))
        self._doorstep.codes[parcel], self._doorstep.owners[parcel] = code, errand.recipient
        if errand.is_drop_off:
            self._doorstep.senders.add(parcel)
        contact = self._contact(errand)
        commands: list[AnyCommand] = [self._announcement(item, contact), self._reservation(item, errand.point, 0)]
        self._ask(commands, partial(self._answered, item), before=partial(self._remember, errand, contact))

    def announce_again(self, item: Item, then: Callable[[], None]) -> None:
        """The hub has lost all that it was told of a parcel: its carrier tells it once more."""
        contact = self._contact(item.errand)
        commands: list[AnyCommand] = [self._announcement(item, contact)]
        if self._doorstep.ground.spots[item.id] in _NOT_YET_IN:
            commands.append(self._reservation(item, item.errand.point, 2))
        self._ask(commands, lambda _outcomes: then(), before=partial(self._remember, item.errand, contact))

    def _remember(self, errand: Errand, contact: ContactId) -> None:
        person = ContactDetails(f"Person {errand.recipient}", (address_of(errand.recipient),), language="en")
        self._hub.wait(self._hub.stores.vault.remember(contact, person))

    def _contact(self, errand: Errand) -> ContactId:
        """The same contact for all parcels that one carrier has for one person."""
        key = (errand.carrier, errand.recipient)
        if key not in self._contacts:
            lane = lane_of(self._stage.points[errand.point])
            drawn = self._chance(f"contact/{errand.carrier}/{errand.recipient}").randbytes(8)
            self._contacts[key] = ContactId(laned_id(self._clock.now, drawn, lane))
        return self._contacts[key]

    def _announcement(self, item: Item, contact: ContactId) -> AnnounceParcel:
        errand = item.errand
        return AnnounceParcel(
            CommandId(f"announce:{item.id}"),
            f"carrier-{errand.carrier}",
            self._clock.now,
            parcel=item.id,
            org=OrgId(f"carrier-{errand.carrier}"),
            code=item.code,
            direction=Direction.DROP_OFF if errand.is_drop_off else Direction.DELIVERY,
            room_class=_room_class(errand),
            weight_grams=1000,
            recipient=contact,
            destination=self._stage.points[errand.other] if errand.goes_on else None,
        )

    def _reservation(self, item: Item, point: int, attempt: int) -> ReserveRoom:
        return ReserveRoom(
            CommandId(f"reserve:{item.id}:{attempt}"),
            f"carrier-{item.errand.carrier}",
            self._clock.now,
            parcel=item.id,
            point=self._stage.points[point],
            window=Window(self._clock.now, self._clock.now + timedelta(hours=30)),
            firmness=Firmness.HARD,
            until=self._promised_until(),
        )

    def _promised_until(self) -> Instant:
        return self._clock.now + timedelta(hours=SETTINGS.promise_hours)

    def _answered(self, item: Item, outcomes: Sequence[Outcome]) -> None:
        """Take the other point where there is no room at the first, and plan what the plot has in store."""
        errand = item.errand
        self._story.tell(f"{item.code} is announced to {self._stage.names[errand.point]} by carrier {errand.carrier}")
        if isinstance(outcomes[-1], Refusal):
            self._story.tell(
                f"no room for {item.code} there ({outcomes[-1].code}); {self._stage.names[errand.other]} it is"
            )
            self._ask([self._reservation(item, errand.other, 1)], _let_be)
        if errand.bent in {Bent.CANCELLED, Bent.REDIRECTED}:
            self._clock.after(errand.bent_after_ms, partial(self._bend, item))

    def _bend(self, item: Item) -> None:
        """Cancel or redirect, whatever has become of the parcel meanwhile."""
        parcel = self._parcel(item)
        if parcel is None or item.is_bent:
            return
        item.is_bent = True
        stay = current_stay(parcel)
        here = parcel.promise.point if parcel.promise else stay.point if stay else None
        self._ask([self._bending(item, here)], lambda outcomes: self._bent(item, outcomes))

    def _bent(self, item: Item, outcomes: Sequence[Outcome]) -> None:
        answer = outcomes[0].code if isinstance(outcomes[0], Refusal) else "done"
        self._story.tell(f"{item.code} is to be {item.errand.bent.value}: {answer}")

    def _bending(self, item: Item, here: PointId | None) -> AnyCommand:
        if item.errand.bent is Bent.CANCELLED:
            return CancelParcel(CommandId(f"cancel:{item.id}"), "carrier", self._clock.now, item.id, here)
        return RedirectParcel(
            CommandId(f"redirect:{item.id}"),
            "recipient",
            self._clock.now,
            parcel=item.id,
            to_point=self._stage.points[item.errand.other],
            window=Window(self._clock.now, self._clock.now + timedelta(hours=40)),
            until=self._promised_until(),
            from_point=here,
        )

    def _load(self, each: Round) -> None:
        """Two hours before a round the van is loaded with what the hub has promised room to there."""
        load = []
        in_hand = [item for item in self.items.values() if self._may_load(item, each)]
        known = self._hub.parcels([item.id for item in in_hand]) if in_hand else {}
        for item in in_hand:
            parcel = known.get(item.id)
            if parcel is None:
                continue
            if parcel.promise is not None and parcel.promise.point == self._stage.points[each.point]:
                item.on_van = True
                load.append(item)
            elif isinstance(stage_of(parcel), WithCourier) and parcel.promise is None and parcel.destination is None:
                self._release(item)
        self._clock.at(each.at_ms, partial(self._arrive, each, load))

    def _may_load(self, item: Item, each: Round) -> bool:
        in_hand = self._doorstep.ground.spots[item.id] is Hands.CARRIER
        return in_hand and item.errand.carrier == each.carrier and not item.on_van

    def _release(self, item: Item) -> None:
        """What came back from a bank and is promised nowhere goes home with its carrier."""
        self._ask([ReleaseParcel(CommandId(f"release:{item.id}"), "carrier", self._clock.now, item.id)], _let_be)

    def _arrive(self, each: Round, load: list[Item]) -> None:
        for item in load:
            item.on_van = False
        if self._are_home:
            return
        box, code = self._stage.boxes[each.point], self._stage.rounds[each.carrier, each.point]
        self.walk(self._doorstep.round(box, code, [item.id for item in load]))

    # --- recipients and senders

    def reads(self, letter: Letter) -> None:
        """A letter is in somebody's box; they read it some time later."""
        item = self.items[letter.parcel_code]
        self._story.tell(f"person {item.errand.recipient} is told '{letter.kind.value}' about {item.code}")
        if letter.code is not None:
            item.letters[letter.point] = letter.code
        match letter.kind:
            case NoticeKind.READY:
                self._clock.after(item.errand.comes_after_ms, partial(self._decide, item, letter.point))
            case NoticeKind.DROP_OFF_CODE:
                self._clock.after(item.errand.comes_after_ms, partial(self._drop_off, item, letter.point))
            case NoticeKind.OVERDUE if item.errand.bent is Bent.LATE:
                self._clock.after(item.errand.comes_after_ms // 4, partial(self._fetch, item, letter.point))
            case _:
                pass

    def _decide(self, item: Item, point: str) -> None:
        """A recipient who has read the mail does what they are like."""
        number = self._stage.names.index(point)
        match item.errand.bent:
            case Bent.NO_SHOW | Bent.LATE:
                return
            case Bent.WRONG_CODES:
                wrong = [f"{item.chance.randrange(10**8):08}" for _ in range(item.chance.randrange(1, 7))]
                self.walk(self._doorstep.guess(self._stage.boxes[number], wrong))
            case Bent.WRONG_POINT:
                other = self._stage.boxes[(number + 1) % len(self._stage.boxes)]
                self.walk(self._doorstep.guess(other, [item.letters[point]]))
            case Bent.REDIRECTED_LATE if not item.is_bent:
                self._bend(item)
                return
            case Bent.EXTENDED:
                self._extend(item)
            case _:
                pass
        self._fetch(item, point)

    def _extend(self, item: Item) -> None:
        parcel = self._parcel(item)
        stay = current_stay(parcel) if parcel else None
        if stay is None or stay.hold is None:
            return
        ends_at = min(stay.hold.ends_at + timedelta(hours=20), stay.hold.started_at + _LONGEST_HOLD)
        longest = SETTINGS.longest_hold_hours
        extend = ExtendHold(
            CommandId(f"extend:{item.id}"), "recipient", self._clock.now, item.id, ends_at, longest_hold_hours=longest
        )
        self._ask([extend], _let_be)

    def _fetch(self, item: Item, point: str) -> None:
        """Go for a parcel, and go again if nothing came of it."""
        in_hand = self._doorstep.ground.spots[item.id] is Hands.RECIPIENT
        if self._are_home or in_hand or item.visits >= _MOST_VISITS or point not in item.letters:
            return
        item.visits += 1
        box = self._stage.boxes[self._stage.names.index(point)]
        leaves_it = item.errand.bent is Bent.LEAVES_IT and item.visits == 1
        self.walk(self._doorstep.collect(box, item.errand.recipient, item.letters[point], leaves_it=leaves_it))
        self._clock.after(_AGAIN_MS + item.chance.randrange(HOUR_MS), partial(self._fetch, item, point))

    def _drop_off(self, item: Item, point: str) -> None:
        if self._are_home or self._doorstep.ground.spots[item.id] is not Hands.SENDER or item.visits >= _MOST_VISITS:
            return
        item.visits += 1
        box = self._stage.boxes[self._stage.names.index(point)]
        self.walk(self._doorstep.drop_off(box, item.id, item.letters[point]))
        self._clock.after(_AGAIN_MS, partial(self._drop_off, item, point))

    # --- what goes wrong with people

    def understate(self, number: int) -> None:
        """A parcel turns out larger than was announced; nobody has measured it before."""
        if item := self._some_item(number, lambda item: self._doorstep.ground.spots[item.id] in _NOT_YET_IN):
            self._doorstep.sizes[item.id] = item.errand.rank + 1
            self._story.tell(f"{item.code} is larger than was announced")

    def pass_code_on(self, number: int) -> None:
        """A recipient sends somebody else with the code, and comes with it as well."""
        item = self._some_item(number, self._waits_for_somebody)
        if item is None:
            if not self._are_home:
                self._clock.after(HOUR_MS, partial(self.pass_code_on, number))
            return
        point, code = next(reversed(item.letters.items()))
        box = self._stage.boxes[self._stage.names.index(point)]
        self._story.tell(f"person {item.errand.recipient} passes the code of {item.code} on")
        self.walk(self._doorstep.collect(box, item.errand.recipient, code))
        wait_ms = item.chance.randrange(1, 40) * MINUTE_MS
        self._clock.after(wait_ms, partial(self._come_second, item, box, code))

    def _waits_for_somebody(self, item: Item) -> bool:
        """Whether somebody has the code of a parcel that lies behind a door."""
        is_inside = isinstance(self._doorstep.ground.spots[item.id], Behind)
        return is_inside and bool(item.letters) and not item.errand.is_drop_off

    def _come_second(self, item: Item, box: Box, code: str) -> None:
        """If the parcel went with the first, and the bank has seen it go, the code opens nothing to the second."""
        self._doorstep.felt[Kind.CODE_PASSED_ON] += 1
        if box.has_handed_out(item.id) and self._doorstep.ground.spots[item.id] is Hands.RECIPIENT:
            self.walk(self._doorstep.guess(box, [code], rule=USED_CODE))

    def _some_item(self, number: int, wanted: Callable[[Item], bool]) -> Item | None:
        found = [item for item in self.items.values() if wanted(item)]
        return found[number % len(found)] if found else None

    # --- ways and means

    def walk(self, steps: Walk) -> None:
        """Walk a visit step by step, each when its time has come."""
        wait_ms = next(steps, None)
        if wait_ms is not None:
            self._clock.after(wait_ms, partial(self.walk, steps))

    def _parcel(self, item: Item) -> Parcel | None:
        """What the hub says of a parcel, if it can say anything."""
        return self._hub.parcels([item.id]).get(item.id)

    def _ask(
        self,
        commands: Sequence[AnyCommand],
        then: Callable[[Sequence[Outcome]], None],
        *,
        before: Callable[[], None] | None = None,
    ) -> None:
        """Ask the hub, again every few minutes with the same ids until it answers; ``before`` is done each time."""
        if before is not None:
            before()
        outcomes = self._hub.submit(commands)
        if outcomes is None:
            self._clock.after(5 * MINUTE_MS, partial(self._ask, commands, then, before=before))
        else:
            then(outcomes)


def begins_with(errand: Errand) -> Hands:
    """Who has a parcel before it is anywhere."""
    return Hands.SENDER if errand.is_drop_off else Hands.CARRIER


def _room_class(errand: Errand) -> RoomClass:
    return room_class(errand.rank, (Ability.SEATED,) if errand.seated else ())


def _let_be(_outcomes: Sequence[Outcome]) -> None:
    """Whatever the hub says is accepted."""
