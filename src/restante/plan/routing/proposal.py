"""What routing hands back: tours with their times, what could not be served, and how good that is."""

import msgspec

from restante.core.refusals import Refusal


class Choice(msgspec.Struct, frozen=True):
    """A request and which of its options is taken, both as indices into the snapshot."""

    request: int
    option: int


class Visit(msgspec.Struct, frozen=True, tag="visit"):
    """A van at a stop: service begins and ends, and in between all these parcels change hands."""

    stop: int
    start_s: float
    leave_s: float
    choices: tuple[Choice, ...]


class Reload(msgspec.Struct, frozen=True, tag="reload"):
    """A van back at its depot: what it collected is unloaded, what it delivers next is loaded."""

    start_s: float
    leave_s: float


class Rest(msgspec.Struct, frozen=True, tag="rest"):
    """A break, by its number among the van's, taken wherever the van stands."""

    number: int
    start_s: float
    leave_s: float


Step = Visit | Reload | Rest


class Tour(msgspec.Struct, frozen=True):
    """One van's day, from leaving its depot (or from where it is) to being back."""

    van: int
    leave_s: float
    steps: tuple[Step, ...]
    back_s: float


class Proposal(msgspec.Struct, frozen=True):
    """A plan for a day. ``unserved`` names every request that stands in no tour; nothing is left out silently.

    ``bound_m`` is a proven lower bound on the metres of every plan that serves everybody, and ``bound_of`` the model
    that it is a bound of; None and empty where none was proven.
    """

    tours: tuple[Tour, ...]
    metres: float
    unserved: tuple[int, ...] = ()
    bound_m: float | None = None
    bound_of: str = ""

    @property
    def vans(self) -> int:
        """How many vans go out."""
        return len(self.tours)


class Unfit(msgspec.Struct, frozen=True):
    """A day that an engine has no words for, so that it did not take part: the fields, and what each asks too much."""

    reasons: dict[str, str]


class Shortfall(msgspec.Struct, frozen=True):
    """A day that cannot be served whole: which rules stand in the way, by how much, and the best that can be done."""

    refusals: tuple[Refusal, ...]
    relaxed: Proposal
