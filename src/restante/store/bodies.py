"""How rows and events are kept whole: JSON of the core's structs, written by one encoder, checked again when read."""

from typing import Final, TypeVar

import msgspec

from restante.core.bank import Point
from restante.core.events import AnyEvent
from restante.core.parcel import Parcel
from restante.core.reactions import AnyTask
from restante.core.reservation import Room
from restante.core.world import SourceHead
from restante.store.ledger import Credential, OpenPromise, OpenStay

T = TypeVar("T")

PARCEL: Final = msgspec.json.Decoder(Parcel)
ROOM: Final = msgspec.json.Decoder(Room)
POINT: Final = msgspec.json.Decoder(Point)
SOURCE: Final = msgspec.json.Decoder(SourceHead)
PROMISE: Final = msgspec.json.Decoder(OpenPromise)
STAY: Final = msgspec.json.Decoder(OpenStay)
CREDENTIAL: Final = msgspec.json.Decoder(Credential)
EVENT: Final[msgspec.json.Decoder[AnyEvent]] = msgspec.json.Decoder(AnyEvent)
TASK: Final[msgspec.json.Decoder[AnyTask]] = msgspec.json.Decoder(AnyTask)

encode: Final = msgspec.json.Encoder().encode
