"""What the worker acts through, and how it behaves: handed in by whoever runs it."""

from collections.abc import Awaitable, Callable

import msgspec

from restante.core.ids import PointId
from restante.core.refusals import Fault
from restante.core.time import Instant
from restante.core.world import SourceHead
from restante.hub.engine import Engine
from restante.hub.measures import Work
from restante.hub.notices.channel import Channel
from restante.hub.notices.choose import Patience
from restante.hub.notices.limit import Tally
from restante.hub.notices.mail import Letterhead
from restante.hub.people.codes import Codes
from restante.store.attempts import Attempts
from restante.store.ledger import Ledger
from restante.store.vault import Vault

Refresh = Callable[[PointId], Awaitable[None]]
"""Have the manifest of a point's source built and sent anew; losing a call costs time only."""


IsKnown = Callable[[SourceHead, str], Awaitable[bool]]
"""Whether a source has a manifest in force that names this verifier: see ``fleet.shelf.Shelf.is_known``."""


def _no_link(_code: str) -> str:
    return ""


class Ports(msgspec.Struct, frozen=True):
    """What the worker acts through. ``chance`` gives numbers from 0 up to 1 that spread retries."""

    ledger: Ledger
    engine: Engine
    vault: Vault
    codes: Codes
    channel: Channel
    attempts: Attempts
    refresh: Refresh
    is_known: IsKnown
    now: Callable[[], Instant]
    chance: Callable[[], float]
    tally: Tally = msgspec.field(default_factory=Tally)
    work: Work = msgspec.field(default_factory=Work)


class Manners(msgspec.Struct, frozen=True):
    """How the worker writes and waits; ``link`` gives the address of a parcel's page from its code, or ''.

    ``unknown_seconds``: for how long, time after time, a code that its source does not know yet is kept from its
    sender. The clock runs ``pace`` times faster than sources do.
    """

    head: Letterhead
    languages: tuple[str, ...] = ("en",)
    promise_hours: int = 72
    person_days: int = 90
    patience: Patience = Patience()
    unknown_seconds: tuple[float, ...] = (1.0, 1.0, 2.0, 4.0, 8.0, 16.0, 28.0)
    pace: float = 1.0
    link: Callable[[str], str] = _no_link


class NotNow(Fault):
    """The engine's queue is full; what was asked for is asked again later."""

    retryable = True
