"""What a source knows: the values an agent's step goes by, and which of them its book keeps."""

from enum import StrEnum

import msgspec

from restante.core.access import Lockout, WakingClock
from restante.core.bank import Condition, RoomClass, SourceKind
from restante.core.ids import ParcelId, SourceId, StayKey
from restante.core.stay import By
from restante.core.time import Instant
from restante.edge.clock import SteadyClock
from restante.edge.drivers.port import UNSEEN, DoorReading, Item
from restante.edge.screens import IDLE, Screen
from restante.wire.manifest import Applied


class OpenStay(msgspec.Struct, frozen=True):
    """A parcel that lies behind a door; ``holder`` is the same text for all parcels of one collector."""

    key: StayKey
    parcel: ParcelId
    door: int
    holder: str = ""


class Spent(msgspec.Struct, frozen=True):
    """How often a grant was used, and when last."""

    uses: int
    at: Instant


class Putting(msgspec.Struct, frozen=True, tag="putting"):
    """A parcel is on its way in: under which grant, what it asks for, and the doors that were tried before."""

    parcel: ParcelId
    grant: str
    wanted: RoomClass
    by: By
    holder: str = ""
    tried: tuple[int, ...] = ()
    larger: bool = False
    shared: bool = False


class Taking(msgspec.Struct, frozen=True, tag="taking"):
    """Parcels are on their way out: which stays, under which grant, by whose hands."""

    stays: tuple[StayKey, ...]
    grant: str
    by: By


class Stage(StrEnum):
    """How far an opening has come: the lock was told, nobody can say what the door did, or it was seen open.

    ``resting``: the lock was not told yet, because its coil must cool first; ``since_ms`` is when it will have cooled.
    ``interrupted``: the program stopped after the lock was told, and what the door did meanwhile nobody saw.
    """

    PULSED = "pulsed"
    RESTING = "resting"
    DOUBTFUL = "doubtful"
    INTERRUPTED = "interrupted"
    OPEN = "open"


class After(StrEnum):
    """What shutting the door means to a parcel on its way in."""

    PUT_IN = "put-in"
    NEXT_DOOR = "next-door"
    LARGER = "larger"
    NOTHING = "nothing"


class Opening(msgspec.Struct, frozen=True):
    """One door, from the flushed intent until it is seen shut; ``intent`` is the number of its journal entry.

    ``item`` is what the content sensor said when it was begun.
    """

    door: int
    intent: int
    task: Putting | Taking
    stage: Stage = Stage.PULSED
    since_ms: int = 0
    after: After = After.PUT_IN
    item: Item = Item.UNKNOWN


class Round(msgspec.Struct, frozen=True):
    """A courier is at work: whose parcels may go in and out, and when something was last done."""

    org: str
    grant: str
    touched_ms: int


class SeenDoor(msgspec.Struct, frozen=True):
    """What two agreeing readings said of a door, and the last reading, which may be the first of the next two."""

    settled: DoorReading = UNSEEN
    last: DoorReading = UNSEEN


class Installed(msgspec.Struct, frozen=True):
    """What the first session brought: the key of the codes at this source and epoch, and the pinned manifest key."""

    source_key: str
    manifest_key: str


class State(msgspec.Struct, frozen=True, kw_only=True):
    """Everything an agent knows. The first part is kept, the second is found again after a start.

    ``ended`` has the stays that were seen to end here, and when: the hub may hear of it late, and hand them down.
    """

    source: SourceId
    kind: SourceKind = SourceKind.BANK
    log_epoch: int = 1
    head_seq: int = 0
    clock: SteadyClock = SteadyClock()
    waking: WakingClock = WakingClock()
    installed: Installed | None = None
    manifest: Applied | None = None
    forked: bool = False
    conditions: dict[int, Condition] = {}
    stays: dict[str, OpenStay] = {}
    spent: dict[str, Spent] = {}
    inherited: dict[str, bool] = {}
    ended: dict[str, Instant] = {}
    lockouts: dict[str, Lockout] = {}
    openings: dict[int, Opening] = {}

    software: str = ""
    seen: dict[int, SeenDoor] = {}
    round: Round | None = None
    online: bool = False
    screen: Screen = IDLE
    shown_ms: int = 0
