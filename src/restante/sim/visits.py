"""What people do at a door or a counter, as one reads it off a screen: each visit a walk of steps with waits between.

People follow the screen and their eyes, not the program: they put in where a door stands open and the screen asks them
to, take what bears their name, push doors shut, and go when nothing happens. Whatever a visit finds that must never be
is said at once (`Doorstep.breach`).
"""

from collections import Counter
from collections.abc import Callable, Generator, Mapping
from random import Random
from typing import Final, Protocol

from restante.core.ids import ParcelId, SourceId
from restante.edge.boards.steel import Deed
from restante.edge.inputs import Choice, Chosen, CodeEntered, Input, ParcelScanned
from restante.edge.screens import Screen
from restante.sim.clock import MINUTE_MS, SECOND_MS
from restante.sim.faults import Kind
from restante.sim.ground import Behind, Ground, Hands
from restante.sim.met import Felt
from restante.sim.steelwork import Steelwork

Walk = Generator[int, None, None]
"""The steps of a visit; each value is how many milliseconds pass before the next one."""

Breach = Callable[[str, str], None]
"""Say that a rule is breached, and how."""

USED_CODE: Final = "2: a used code opens nothing"
WRONG_CODE: Final = "a wrong code opens nothing"
OWN_DOOR: Final = "a door opens for those whose parcels lie behind it"
FREE_DOOR: Final = "5: no compartment is chosen that has somebody else's parcel in it"
_FETCHES_MS: Final = 4 * SECOND_MS
"""What a courier takes to fetch the next parcel from the van."""
_LOOKS = 40
_LOOK_MS = 500
_PATIENCE_LOOKS = 40


class Box(Protocol):
    """One pick-up point as people meet it: a screen, doors, and a place in front of it for one person at a time."""

    source: SourceId
    steel: Steelwork
    is_taken: bool

    @property
    def screen(self) -> Screen | None:
        """What the screen shows; None while it is dark."""

    def give(self, given: Input) -> None:
        """Type, scan or press something."""

    def listed(self, door: int) -> list[ParcelId]:
        """What staff at a counter are to hand out from a shelf place."""

    def has_handed_out(self, parcel: ParcelId) -> bool:
        """Whether its book says that this parcel was taken out."""


class Doorstep:
    """What visits need to know of parcels: whose they are, what is written on them, and whom to tell of a breach."""

    def __init__(self, ground: Ground, chance: Random, *, breach: Breach, tell: Callable[[str], None]):
        self.ground = ground
        self.chance = chance
        self.breach = breach
        self.tell = tell
        self.senders: set[ParcelId] = set()
        self.owners: dict[ParcelId, int] = {}
        self.codes: dict[ParcelId, str] = {}
        self.sizes: dict[ParcelId, int] = {}
        self.hasty: set[SourceId] = set()
        self.careless: set[SourceId] = set()
        self.undecided: set[SourceId] = set()
        self.left_to_bring: Counter[SourceId] = Counter()
        self.felt: Felt = Counter()
        self.on_guess: Callable[[SourceId], None] = _nobody_counts
        self.type: Callable[[Box, CodeEntered], None] = lambda box, given: box.give(given)
        self.on_round: Callable[[SourceId, str | None], None] = _nobody_notes

    def hands_of(self, parcel: ParcelId) -> Hands:
        """Who gets a parcel back that could not be put in."""
        return Hands.SENDER if parcel in self.senders else Hands.CARRIER

    # --- recipients

    def collect(self, box: Box, person: int, code: str, *, leaves_it: bool = False) -> Walk:
        """A recipient types a code, takes what is theirs from each door that opens, and shuts it."""
        yield from self.queue(box)
        try:
            if box.steel.staffed:
                yield from self._collect_at_desk(box, person, code)
            else:
                yield from self._collect_at_doors(box, person, code, leaves_it=leaves_it)
        finally:
            self.leave(box)

    def _collect_at_doors(self, box: Box, person: int, code: str, *, leaves_it: bool) -> Walk:
        for _ in range(3):
            self.type(box, CodeEntered(code, _channel(box)))
            door = yield from self._wait_for_door(box, _asks_to_take)
            if door is None:
                yield from self._help_oneself(box, person)
                return
            opens_again = self._is_undecided(box)
            yield from self._take_mine(box, door, person, leaves_it=leaves_it or opens_again)
            yield from self._settle(box)
            if not opens_again and (leaves_it or not self._more(box)):
                return

    def _collect_at_desk(self, box: Box, person: int, code: str) -> Walk:
        """Staff fetch what the screen lists and press "done"; if it goes dark over it, once more when it is back.

        However long that takes: what was handed over is out of the shelf, and the counter does not know.
        """
        handed = False
        for _ in range(3):
            self.type(box, CodeEntered(code, _channel(box)))
            yield 2 * SECOND_MS
            if box.screen is None or box.screen.door is None or not _asks_to_take(box.screen):
                return
            if not handed:
                yield from self._take_mine(box, box.screen.door, person, leaves_it=False)
                handed = True
            else:
                box.give(Chosen(Choice.DONE))
            yield SECOND_MS
            if _page(box) == "done":
                return
            while not _is_in_service(box):
                yield MINUTE_MS

    def _help_oneself(self, box: Box, person: int) -> Walk:
        """The screen says nothing useful, but a door stands open and one's own parcel lies there: most take it."""
        yield 3 * SECOND_MS
        for door in box.steel.open_doors():
            mine = [parcel for parcel in self.ground.behind(box.source, door) if self.owners[parcel] == person]
            if mine and self.chance.random() < 0.7:
                yield from self._take_mine(box, door, person, leaves_it=False)

    def guess(self, box: Box, codes: list[str], *, rule: str = WRONG_CODE) -> Walk:
        """Somebody types codes that open nothing here, or nothing any more."""
        yield from self.queue(box)
        try:
            for code in codes:
                before = box.steel.pulses
                self.type(box, CodeEntered(code, _channel(box)))
                if _says(box, "kiosk.code.wrong"):
                    self.on_guess(box.source)
                yield 3 * SECOND_MS
                if box.steel.pulses != before or _is_at_door(box):
                    self.breach(rule, f"a wrong code opened something at {box.source}")
                    return
        finally:
            self.leave(box)

    def _take_mine(self, box: Box, door: int, person: int, *, leaves_it: bool) -> Walk:
        inside = self.ground.behind(box.source, door)
        mine = [parcel for parcel in inside if self.owners[parcel] == person]
        if not mine and self._is_mixed_up(inside):
            yield from self._shut(box, door)
            return
        if not mine:
            what = self._named(inside) or "nothing"
            self.breach(OWN_DOOR, f"door {door} of {box.source} opened for person {person} on {what}")
        if len(mine) < len(inside) and not box.steel.staffed and not self._is_mixed_up(inside):
            what = f"somebody else's {self._named(inside)}"
            self.breach(OWN_DOOR, f"door {door} of {box.source} opened for person {person} on {what}")
        yield self.chance.randrange(2, 20) * SECOND_MS
        if not leaves_it and not self._is_in_haste(box):
            for parcel in self._handed_out(box, door, mine):
                box.steel.take(parcel, door, Hands.RECIPIENT)
                self.tell(f"person {person} takes {self.codes[parcel]} from door {door} of {box.source[-6:]}")
        yield from self._shut(box, door)

    def _handed_out(self, box: Box, door: int, behind: list[ParcelId]) -> list[ParcelId]:
        """At a bank all that one finds behind the door; at a counter what staff are to hand out."""
        return [parcel for parcel in behind if parcel in box.listed(door)] if box.steel.staffed else behind

    # --- senders and couriers

    def drop_off(self, box: Box, parcel: ParcelId, code: str) -> Walk:
        """A sender types the code and puts the parcel in."""
        yield from self.queue(box)
        try:
            for _ in range(2):
                self.type(box, CodeEntered(code, _channel(box)))
                yield from self._put_where_asked(box, parcel, {self.codes[parcel]: parcel})
                if box.screen is not None:
                    break
                yield from self._wait_for_light(box)
            if box.steel.staffed and _page(box) != "done":
                self._hand_back(box, parcel)
        finally:
            self.leave(box)

    def round(self, box: Box, code: str, load: list[ParcelId]) -> Walk:
        """A courier opens a round, puts in what was brought, takes back what is listed, and closes the round."""
        yield from self.queue(box)
        try:
            is_open = yield from self.open_round(box, code)
            if not is_open:
                return
            taken_for = self._mixed_up(box, load)
            named = {self.codes[scanned]: parcel for scanned, parcel in taken_for}
            for done, (scanned, parcel) in enumerate(taken_for):
                self.left_to_bring[box.source] = len(load) - done
                yield _FETCHES_MS
                if self.ground.spots[parcel] is Hands.CARRIER:
                    yield from self._deposit(box, parcel, code, scanned=scanned, named=named)
            yield from self._take_back(box)
            box.give(Chosen(Choice.CLOSE_ROUND))
            yield SECOND_MS
        finally:
            self.left_to_bring.pop(box.source, None)
            self.on_round(box.source, None)
            self.leave(box)

    def try_code(self, box: Box, code: str) -> Walk:
        """Somebody types a code, and goes when it does something."""
        yield from self.queue(box)
        try:
            self.type(box, CodeEntered(code, _channel(box)))
            yield 2 * SECOND_MS
            box.give(Chosen(Choice.CLOSE_ROUND))
        finally:
            self.leave(box)

    def open_round(self, box: Box, code: str) -> Generator[int, None, bool]:
        """Type a courier's code, once more if nothing comes of it; whether a round is open."""
        for _ in range(2):
            self.type(box, CodeEntered(code, _channel(box)))
            yield 2 * SECOND_MS
            if _page(box) == "round":
                self.on_round(box.source, code)
                return True
        return False

    def _mixed_up(self, box: Box, load: list[ParcelId]) -> list[tuple[ParcelId, ParcelId]]:
        """What is scanned, and what is put in for it: the same, unless the courier takes one parcel for another."""
        if box.source not in self.careless or len(load) < 2:
            return list(zip(load, load, strict=True))
        self.careless.remove(box.source)
        self.felt[Kind.PARCELS_MIXED_UP] += 1
        one, other, *rest = load
        self.ground.unseen |= {one, other}
        self.tell(f"the courier takes {self.codes[one]} for {self.codes[other]}, and the other way round")
        return [(one, other), (other, one), *zip(rest, rest, strict=True)]

    def _deposit(
        self, box: Box, parcel: ParcelId, code: str, *, scanned: ParcelId, named: Mapping[str, ParcelId]
    ) -> Walk:
        """Scan and put in; if the machine goes dark over it, once more when it is back."""
        for _ in range(3):
            box.give(ParcelScanned(self.codes[scanned]))
            put_in = yield from self._put_where_asked(box, parcel, named)
            if put_in not in {None, parcel}:
                continue
            if _page(box) == "round":
                break
            yield from self._wait_for_light(box)
            is_open = yield from self.open_round(box, code)
            if not is_open:
                break
        if box.steel.staffed and not _says(box, "kiosk.deposit.done", "kiosk.deposit.used"):
            self._hand_back(box, parcel)

    def _hand_back(self, box: Box, parcel: ParcelId) -> None:
        """What staff cannot register they do not keep."""
        spot = self.ground.spots[parcel]
        if isinstance(spot, Behind):
            box.steel.take(parcel, spot.door, self.hands_of(parcel))

    def _put_where_asked(
        self, box: Box, brought: ParcelId, named: Mapping[str, ParcelId]
    ) -> Generator[int, None, ParcelId | None]:
        """Put what the screen names behind each door it asks for, until one of them keeps it; what was put in.

        That is what was brought, or by its name in ``named`` what was scanned before and is still at hand, since a
        door that was slow to open may ask for it late.
        """
        for _ in range(8):
            door = yield from self._wait_for_door(box, _asks_to_put)
            if door is None:
                return None
            parcel = self._asked_for(box, brought, named)
            if parcel is None:
                box.give(Chosen(Choice.REFUSED))
                yield from self._shut(box, door)
                continue
            self._look_for_strangers(box, door, parcel)
            yield self.chance.randrange(3, 15) * SECOND_MS
            if box.screen is not None and self._asked_for(box, brought, named) != parcel:
                yield from self._shut(box, door)
                continue
            if not self._fits(box, parcel, door):
                yield from self._say_too_big(box, door, parcel)
                continue
            if self._is_in_haste(box):
                yield from self._shut(box, door)
                yield from self._settle(box)
                return None
            self._hand_back(box, parcel)
            box.steel.put(parcel, door)
            self.tell(f"{self.codes[parcel]} is put behind door {door} of {box.source[-6:]}")
            yield from self._shut(box, door)
            yield from self._settle(box)
            return parcel
        return None

    def _look_for_strangers(self, box: Box, door: int, parcel: ParcelId) -> None:
        """Behind a door that was opened for a parcel nobody else's may lie."""
        strangers = [one for one in self.ground.behind(box.source, door) if self.owners[one] != self.owners[parcel]]
        if strangers and not box.steel.staffed and not self._is_mixed_up([parcel, *strangers]):
            what = f"door {door} of {box.source} was chosen, with {self._named(strangers)} behind it"
            self.breach(FREE_DOOR, what)

    def _say_too_big(self, box: Box, door: int, parcel: ParcelId) -> Walk:
        self.tell(f"{self.codes[parcel]} does not fit behind door {door} of {box.source[-6:]}")
        self.felt[Kind.SIZE_WRONG] += 1
        box.give(Chosen(Choice.TOO_BIG))
        if not box.steel.staffed:
            yield from self._shut(box, door)

    def _asked_for(self, box: Box, brought: ParcelId, named: Mapping[str, ParcelId]) -> ParcelId | None:
        """Which of the parcels at hand the screen asks for by name; None where it asks for none of them."""
        asked = named.get(_named_to_put(box.screen)) if box.screen is not None else None
        at_hand = asked == brought or (asked is not None and self.ground.spots[asked] is self.hands_of(asked))
        return asked if at_hand else None

    def _fits(self, box: Box, parcel: ParcelId, door: int) -> bool:
        return box.steel.sizes[door - 1] >= self.sizes.get(parcel, 0)

    def _is_in_haste(self, box: Box) -> bool:
        """Whether somebody pushes this door shut before the parcel is through; it happens once."""
        if box.steel.staffed or box.source not in self.hasty:
            return False
        self.hasty.remove(box.source)
        self.felt[Kind.DOOR_SHUT_EARLY] += 1
        self.tell(f"somebody at {box.source[-6:]} pushes the door shut too early")
        return True

    def _is_undecided(self, box: Box) -> bool:
        """Whether somebody shuts this door on the parcel and types the code again; it happens once."""
        if box.source not in self.undecided:
            return False
        self.undecided.remove(box.source)
        self.tell(f"somebody at {box.source[-6:]} shuts a door on what lies behind it and opens it again")
        return True

    def _is_mixed_up(self, parcels: list[ParcelId]) -> bool:
        """Whether one of them went where no machine could know, so that what is found proves nothing."""
        return not self.ground.unseen.isdisjoint(parcels)

    def _take_back(self, box: Box) -> Walk:
        for _ in range(12):
            screen = box.screen
            if screen is None or Choice.TAKE_BACK.value not in screen.choices:
                return
            box.give(Chosen(Choice.TAKE_BACK))
            door = yield from self._wait_for_door(box, _asks_to_take)
            if door is None:
                return
            for parcel in self._handed_out(box, door, self.ground.behind(box.source, door)):
                box.steel.take(parcel, door, Hands.CARRIER)
                self.senders.discard(parcel)
                self.tell(f"a courier takes {self.codes[parcel]} back from door {door} of {box.source[-6:]}")
            yield 4 * SECOND_MS
            yield from self._shut(box, door)
            yield from self._settle(box)

    # --- screens and doors

    def queue(self, box: Box) -> Walk:
        """Wait until nobody else stands there."""
        while box.is_taken:
            yield MINUTE_MS
        box.is_taken = True

    def _wait_for_door(self, box: Box, asked: Callable[[Screen], bool]) -> Generator[int, None, int | None]:
        """The door that the screen asks for once it stands open; None when the screen shows no door, or goes dark."""
        for _ in range(_LOOKS):
            screen = box.screen
            if screen is None or screen.page != "door" or screen.door is None:
                return None
            if asked(screen) and box.steel.is_open(screen.door):
                return screen.door
            yield _LOOK_MS
        return None

    def leave(self, box: Box) -> None:
        """Good people push doors shut that they find open."""
        for door in box.steel.open_doors():
            box.steel.touch(door, Deed.PUSH)
        box.is_taken = False

    def _shut(self, box: Box, door: int) -> Walk:
        """Push the door shut; at a counter staff press "done", once more if the machine went dark over it."""
        if not box.steel.staffed:
            box.steel.touch(door, Deed.PUSH)
            return
        if box.screen is None:
            return
        box.give(Chosen(Choice.DONE))
        yield SECOND_MS

    def _settle(self, box: Box) -> Walk:
        """Wait until the screen has taken note of the shut door."""
        for _ in range(_PATIENCE_LOOKS):
            if not _is_at_door(box):
                return
            yield _LOOK_MS

    def _wait_for_light(self, box: Box) -> Walk:
        for _ in range(15):
            if _is_in_service(box):
                return
            yield MINUTE_MS

    def _more(self, box: Box) -> bool:
        return box.screen is not None and any(line.key == "kiosk.done.more" for line in box.screen.lines)

    def _named(self, parcels: list[ParcelId]) -> str:
        return ", ".join(self.codes[parcel] for parcel in parcels)


def _channel(box: Box) -> str:
    return "desk" if box.steel.staffed else "keypad"


def _page(box: Box) -> str:
    return box.screen.page if box.screen is not None else "dark"


def _is_in_service(box: Box) -> bool:
    return _page(box) not in {"dark", "out-of-service"}


def _is_at_door(box: Box) -> bool:
    return _page(box) == "door"


def _says(box: Box, *keys: str) -> bool:
    return box.screen is not None and any(line.key in keys for line in box.screen.lines)


def _asks_to_put(screen: Screen) -> bool:
    return bool(_named_to_put(screen))


def _named_to_put(screen: Screen) -> str:
    """The code of the parcel that the screen asks to put in; empty where it does not."""
    asking = (line for line in screen.lines if line.key in {"kiosk.door.put", "kiosk.counter.put"})
    return next((str(line.values["parcel"]) for line in asking), "")


def _asks_to_take(screen: Screen) -> bool:
    return any(line.key in {"kiosk.door.take", "kiosk.door.take_all", "kiosk.counter.parcel"} for line in screen.lines)


def _nobody_notes(_source: SourceId, _code: str | None) -> None:
    """Nobody notes who is at work."""


def _nobody_counts(_source: SourceId) -> None:
    """Nobody counts guesses."""
