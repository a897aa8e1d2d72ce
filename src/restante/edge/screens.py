"""What the screen at a bank or counter shows, as values; the sentences are in the catalogue (`restante.words`)."""

from collections.abc import Sequence
from typing import Final

import msgspec

from restante.words import catalogue

LINGER_MS: Final = 60_000
"""How long a screen stays when nobody does anything; nothing times out sooner (WCAG 2.2, and ``ui.md`` §9)."""


class Line(msgspec.Struct, frozen=True):
    """One sentence: its key in the catalogue and what fills its blanks."""

    key: str
    values: dict[str, str | int] = {}

    @classmethod
    def word(cls, key: str, /, **values: str | int) -> "Line":
        """A sentence of the catalogue."""
        return cls(key, values)

    def text(self, language: str) -> str:
        """The sentence in a language."""
        key = self.key
        return catalogue(language).word(key, **self.values)


class Screen(msgspec.Struct, frozen=True):
    """One screen: which page (``kiosk`` pages of ``ui.md`` §7), its sentences, the one door, what may be pressed."""

    page: str
    lines: tuple[Line, ...] = ()
    door: int | None = None
    choices: tuple[str, ...] = ()

    def texts(self, language: str = "en") -> list[str]:
        """Its sentences in a language."""
        return [line.text(language) for line in self.lines]


IDLE: Final = Screen("idle", (Line.word("kiosk.idle"),))
NOT_INSTALLED: Final = Screen("idle", (Line.word("kiosk.not_installed"),))
OUT_OF_SERVICE: Final = Screen("out-of-service", (Line.word("kiosk.out_of_service"), Line.word("kiosk.fault_is_ours")))
CODE_WRONG: Final = Screen("code", (Line.word("kiosk.code.wrong"), Line.word("kiosk.code.check")))
SHUT_THE_DOOR_FIRST: Final = Line.word("kiosk.door.shut_first")


def code_closed(seconds: int) -> Screen:
    """No code is tried for a while."""
    return Screen("code", (Line.word("kiosk.code.closed", minutes=max(1, -(-seconds // 60))),))


def needs_staff() -> Screen:
    """The hand-over asks for a check that only a person can make."""
    return Screen("help", (Line.word("kiosk.code.needs_staff"),))


def needs_network() -> Screen:
    """This code works only while the bank can ask the hub."""
    return Screen("help", (Line.word("kiosk.code.needs_network"),))


def code_first() -> Screen:
    """A parcel was scanned, and nobody has opened a round."""
    return Screen("code", (Line.word("kiosk.round.code_first"),))


def round_open(*lines: Line, choices: tuple[str, ...] = ()) -> Screen:
    """A courier is at work."""
    return Screen("round", (*lines, Line.word("kiosk.round.scan")), choices=choices)


def round_closed() -> Screen:
    """The courier is done."""
    return Screen("idle", (Line.word("kiosk.round.closed"),))


def door_opening(door: int) -> Screen:
    """The lock was told; nobody has seen the door yet."""
    return Screen("door", (Line.word("kiosk.door.opening", door=door),), door=door)


def door_rests(door: int) -> Screen:
    """The lock was pulsed so often that its coil must cool for some seconds; then the door opens by itself."""
    return Screen("door", (Line.word("kiosk.door.rests", door=door),), door=door)


def opens_later(door: int) -> Line:
    """The lock cannot be told just now, and nothing is wrong with it."""
    return Line.word("kiosk.door.later", door=door)


def door_later(door: int) -> Screen:
    """As `opens_later`, for somebody whose parcel lies behind the door."""
    return Screen("help", (opens_later(door), Line.word("kiosk.door.code_again")), door)


def take_out(door: int, count: int) -> Screen:
    """The door is open on somebody's parcels."""
    line = Line.word("kiosk.door.take") if count == 1 else Line.word("kiosk.door.take_all", count=count)
    return Screen("door", (Line.word("kiosk.door.open", door=door), line), door=door)


def hand_over(place: int, parcels: Sequence[str]) -> Screen:
    """Staff fetch these parcels, named by their codes, from a shelf place."""
    found = [Line.word("kiosk.counter.parcel", parcel=parcel, place=place) for parcel in parcels]
    return Screen("door", (*found, Line.word("kiosk.counter.hand_over")), door=place, choices=("done",))


def put_in(door: int, parcel: str, choices: tuple[str, ...]) -> Screen:
    """The door is open for the parcel of this code; a slow door may open when its courier holds another already."""
    lines = (Line.word("kiosk.door.open", door=door), Line.word("kiosk.door.put", parcel=parcel))
    return Screen("door", lines, door=door, choices=choices)


def shelve(place: int, parcel: str, choices: tuple[str, ...]) -> Screen:
    """Staff put the parcel of this code on a shelf place."""
    return Screen("door", (Line.word("kiosk.counter.put", parcel=parcel, place=place),), door=place, choices=choices)


def shut_for_next(door: int) -> Screen:
    """Another door follows once this one is shut."""
    return Screen("door", (Line.word("kiosk.door.shut_for_next", door=door),), door=door)


def taken(*, staffed: bool, more: bool) -> Screen:
    """The parcel is out; ``more``: another waits behind another door for the same code."""
    done = Line.word("kiosk.counter.handed_over") if staffed else Line.word("kiosk.done.taken")
    return Screen("done", (done, Line.word("kiosk.done.more")) if more else (done,))


def dropped_off() -> Screen:
    """The sender's parcel is in."""
    return Screen("done", (Line.word("kiosk.done.dropped_off"),))


def still_inside(door: int) -> Screen:
    """The door was shut on a parcel that was not taken out."""
    return Screen("help", (Line.word("kiosk.door.still_inside", door=door), Line.word("kiosk.door.code_again")), door)


def door_stuck(door: int) -> Screen:
    """The door did not open for somebody whose parcel lies behind it."""
    lines = (
        Line.word("kiosk.stuck.what", door=door),
        Line.word("kiosk.stuck.safe"),
        Line.word("kiosk.stuck.why"),
        Line.word("kiosk.fault_is_ours"),
        Line.word("kiosk.stuck.next"),
    )
    return Screen("help", lines, door)
