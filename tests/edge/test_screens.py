"""What a kiosk is told to show: the page, the door it is about, what may be pressed, and the words."""

import pytest

from restante.edge import screens
from restante.edge.screens import Line, Screen

SAFE = "Your parcel is safe."
SHOWN = {
    "idle": (screens.IDLE, "idle", None, (), "Collect with your code. Send with your code."),
    "not installed": (screens.NOT_INSTALLED, "idle", None, (), "This locker is not in service yet."),
    "out of service": (
        screens.OUT_OF_SERVICE,
        *("out-of-service", None, ()),
        "This locker is out of service for a moment. Your parcel is safe. This is our fault.",
    ),
    "code wrong": (
        screens.CODE_WRONG,
        *("code", None, ()),
        "That code does not open a door here. Check the digits or the place.",
    ),
    "code closed": (screens.code_closed(1), "code", None, (), "Codes work here again in 1 min."),
    "code closed for a minute": (screens.code_closed(60), "code", None, (), "Codes work here again in 1 min."),
    "code closed for longer": (screens.code_closed(61), "code", None, (), "Codes work here again in 2 min."),
    "staff": (screens.needs_staff(), "help", None, (), "This parcel needs a check by staff. Go to a counter."),
    "network": (
        screens.needs_network(),
        *("help", None, ()),
        "This works only with a network. Try again in some minutes.",
    ),
    "code first": (screens.code_first(), "code", None, (), "Type your courier code first."),
    "round": (
        screens.round_open(Line.word("kiosk.deposit.done"), choices=("close-round",)),
        *("round", None, ("close-round",)),
        "The parcel is in. Scan the next parcel.",
    ),
    "round closed": (screens.round_closed(), "idle", None, (), "Your round is closed."),
    "opening": (screens.door_opening(3), "door", 3, (), "Door 3 opens."),
    "rests": (screens.door_rests(3), "door", 3, (), "Wait a moment. Door 3 opens in a few seconds."),
    "later": (
        screens.door_later(3),
        *("help", 3, ()),
        "Door 3 cannot open just now. Wait a minute. Enter the code again to open it.",
    ),
    "take": (screens.take_out(3, 1), "door", 3, (), "Door 3 is open. Take your parcel and close the door."),
    "take all": (screens.take_out(3, 2), "door", 3, (), "Door 3 is open. Take all 2 parcels and close the door."),
    "hand over": (
        screens.hand_over(3, ["A", "B"]),
        *("door", 3, ("done",)),
        "Parcel A is on place 3. Parcel B is on place 3. Hand it over, then press Done.",
    ),
    "put": (
        screens.put_in(3, "A", ("full",)),
        *("door", 3, ("full",)),
        "Door 3 is open. Put parcel A in and close the door.",
    ),
    "shelve": (
        screens.shelve(3, "A", ("done",)),
        *("door", 3, ("done",)),
        "Put parcel A on place 3, then press Done.",
    ),
    "shut for next": (screens.shut_for_next(3), "door", 3, (), "Close door 3 to go on."),
    "taken": (screens.taken(staffed=False, more=False), "done", None, (), "Done. The door is closed."),
    "taken, and more": (
        screens.taken(staffed=False, more=True),
        *("done", None, ()),
        "Done. The door is closed. Another parcel waits here. Enter the code again.",
    ),
    "handed over": (screens.taken(staffed=True, more=False), "done", None, (), "Done. The parcel is handed over."),
    "dropped off": (screens.dropped_off(), "done", None, (), "Your parcel is on its way."),
    "still inside": (
        screens.still_inside(3),
        *("help", 3, ()),
        "A parcel is still behind door 3. Enter the code again to open it.",
    ),
    "stuck": (
        screens.door_stuck(3),
        *("help", 3, ()),
        f"Door 3 did not open. {SAFE} The latch is stuck. This is our fault. Try once more, or press Help.",
    ),
}


@pytest.mark.parametrize(("screen", "page", "door", "choices", "words"), SHOWN.values(), ids=SHOWN)
def test_a_screen_is_one_page_about_one_door(
    screen: Screen, page: str, door: int | None, choices: tuple[str, ...], words: str
) -> None:
    """Given a screen, then its page, its door, what may be pressed and its English words are these."""
    assert (screen.page, screen.door, screen.choices) == (page, door, choices)
    assert " ".join(screen.texts()) == words
    assert screen.texts("fi") != screen.texts("en")
