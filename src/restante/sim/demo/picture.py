"""What a watcher knows of the network: points with their fill, today's figures, and the last events in words.

It is folded from the public feed alone, so it shows what the hub holds: a bank that is cut off keeps its facts to
itself until its line is back, and the picture says so instead of showing an old number as new.
"""

from collections import Counter, deque
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

import msgspec

from restante.core.bank import SourceKind

LAST_EVENTS: Final = 14

Event = Mapping[str, Any]
"""An event as the feed tells it: `at`, and `event` with its `kind` and that kind's fields."""


class PointSeen(msgspec.Struct):
    """One pick-up point: places per size class by rank, those taken, doors out of order, and parcels behind doors."""

    name: str
    kind: SourceKind
    places: dict[int, int] = {}
    taken: Counter[int] = msgspec.field(default_factory=Counter)
    faulty: set[int] = msgspec.field(default_factory=set)
    is_heard: bool = True
    cut_since: datetime | None = None

    @property
    def waiting(self) -> int:
        """How many parcels lie here, as far as the hub knows."""
        return sum(self.taken.values())


class Told(msgspec.Struct, frozen=True):
    """An event in words, and when it happened; ``stands_out`` when a person should look."""

    at: datetime
    words: str
    stands_out: bool = False


FIGURES: Final = {
    "announced": "parcel-announced",
    "promised": "room-reserved",
    "deposited": "parcel-deposited",
    "collected": "",
    "reminded": "",
    "overdue": "hold-lapsed",
    "recalled": "recall-ordered",
    "taken back": "",
    "dropped off": "",
    "extended": "hold-extended",
    "redirected": "parcel-redirected",
    "mails": "notice-given",
    "cases": "",
}
"""Today's figures, each with the kind of event that it counts; an empty one is counted by its own rule."""


class Picture:
    """The network as the feed has told it so far."""

    def __init__(self, points: Mapping[str, PointSeen]) -> None:
        self.points = dict(points)
        self.figures: Counter[str] = Counter()
        self.told: deque[Told] = deque(maxlen=LAST_EVENTS)
        self.cases: Counter[str] = Counter()
        self._codes: dict[str, str] = {}

    @property
    def waiting(self) -> int:
        """How many parcels lie behind doors, as far as the hub knows."""
        return sum(point.waiting for point in self.points.values())

    def take(self, event: Event) -> Told | None:
        """Take in one event of the feed; what to say of it, if it is worth saying."""
        body, kind = event["event"], str(event["event"]["kind"])
        if kind == "parcel-announced":
            self._codes[body["parcel"]] = body["code"]
        self._count(kind, body)
        self._fill(kind, body)
        words = _WORDS.get(kind)
        if words is None:
            return None
        told = Told(_instant(event["at"]), words(self, body), kind in _STANDS_OUT)
        self.told.append(told)
        return told

    def parcel(self, body: Mapping[str, Any]) -> str:
        """A parcel by the code that people read."""
        code = self._codes.get(body["parcel"], "")
        return f"{code[:4]} {code[4:]}" if code else "a parcel"

    def place(self, point: object) -> str:
        """A point by its name."""
        seen = self.points.get(str(point))
        return seen.name if seen is not None else "another point"

    def _count(self, kind: str, body: Mapping[str, Any]) -> None:
        for figure, counted in FIGURES.items():
            self.figures[figure] += counted == kind
        match kind, body.get("by"), body.get("notice"):
            case "parcel-withdrawn", "recipient" | "nominee", _:
                self.figures["collected"] += 1
            case "parcel-withdrawn", _, _:
                self.figures["taken back"] += 1
            case "parcel-deposited", "sender", _:
                self.figures["dropped off"] += 1
            case "notice-given", _, "reminder":
                self.figures["reminded"] += 1
            case "case-opened" | "point-case-opened", _, _:
                self.figures["cases"] += 1
                self.cases[str(body["what"])] += 1
            case _:
                pass

    def _fill(self, kind: str, body: Mapping[str, Any]) -> None:
        seen = self.points.get(str(body.get("point")))
        if seen is None:
            return
        match kind:
            case "parcel-deposited" | "stray-deposited" if not body.get("shared"):
                seen.taken[_rank(body)] += 1
            case "parcel-withdrawn":
                seen.taken[_rank(body)] -= 1
            case "condition-changed":
                change = seen.faulty.discard if body["condition"] == "in-order" else seen.faulty.add
                change(int(body["door"]))
            case "contact-lost":
                seen.is_heard = False
            case "contact-regained":
                seen.is_heard = True
            case _:
                pass


Words = Callable[[Picture, Mapping[str, Any]], str]

_BY: Final = {"sender": "dropped off", "staff": "taken in", "courier": "put in"}
_OUT: Final = {"recipient": "collected", "nominee": "collected", "sender": "taken back by its sender"}
_NOTICE: Final = {
    "ready": "its recipient knows",
    "reminder": "its recipient is reminded",
    "extended": "its recipient knows the new end",
    "moved": "its recipient knows the new place",
    "overdue": "its recipient knows that it is overdue",
    "taken-back": "its recipient knows that it went back",
    "drop-off-code": "its sender has the code",
    "receipt": "its recipient has a receipt",
}

_WORDS: Final[dict[str, Words]] = {
    "parcel-announced": lambda p, b: f"{p.parcel(b)} is announced by {b['org']}",
    "room-reserved": lambda p, b: f"{p.parcel(b)} has room at {p.place(b['promise']['point'])}",
    "parcel-redirected": lambda p, b: f"{p.parcel(b)} is to go to {p.place(b['to_point'])}",
    "parcel-cancelled": lambda p, b: f"{p.parcel(b)} is called off",
    "parcel-deposited": lambda p, b: (
        f"{p.parcel(b)} is {_BY.get(b['by'], 'put in')} at {p.place(b['point'])}, door {b['door']}"
    ),
    "parcel-withdrawn": lambda p, b: (
        f"{p.parcel(b)} is {_OUT.get(b['by'], 'taken back')} at {p.place(b['point'])}, door {b['door']}"
    ),
    "hold-extended": lambda p, b: f"{p.parcel(b)} is held until {_clock(b['ends_at'])}",
    "hold-paused": lambda p, b: f"{p.parcel(b)}: its clock stops ({b['why']})",
    "hold-resumed": lambda p, b: f"{p.parcel(b)}: its clock runs, held until {_clock(b['ends_at'])}",
    "hold-lapsed": lambda p, b: f"{p.parcel(b)} is overdue",
    "recall-ordered": lambda p, b: f"{p.parcel(b)} is to be taken back ({b['reason']}) at {p.place(b['point'])}",
    "parcel-released": lambda p, b: f"{p.parcel(b)} is its carrier's again",
    "notice-given": lambda p, b: f"{p.parcel(b)}: {_NOTICE.get(b['notice'], 'a notice went out')}",
    "notice-bounced": lambda p, b: f"{p.parcel(b)}: a mail came back",
    "deposit-declined": lambda p, b: f"{p.parcel(b)} could not be put in at {p.place(b['point'])} ({b['reason']})",
    "case-opened": lambda p, b: f"{p.parcel(b)}: a case, {b['what']}",
    "point-case-opened": lambda p, b: f"{p.place(b['point'])}: a case, {b['what']} {b.get('detail', '')}".rstrip(),
    "condition-changed": lambda p, b: f"{p.place(b['point'])}, door {b['door']}: {b['condition']}",
    "contact-lost": lambda p, b: f"{p.place(b['point'])}: no contact, its clocks stop",
    "contact-regained": lambda p, b: f"{p.place(b['point'])}: heard again, its clocks run",
    "point-provisioned": lambda _, b: f"{b['definition']['name']} joins the network",
}
_STANDS_OUT: Final = frozenset(
    {"hold-lapsed", "case-opened", "point-case-opened", "contact-lost", "notice-bounced", "deposit-declined"}
)


def _rank(body: Mapping[str, Any]) -> int:
    return int(str(body["room_class"]).partition("+")[0])


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _clock(text: str) -> str:
    return f"{_instant(text):%a %H:%M}"
