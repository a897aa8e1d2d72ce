"""Identifiers: who is who, and in which lane its facts are kept.

Every parcel, point, source and case id is a version-8 UUID (RFC 9562) of this layout::

    48 bits milliseconds | version 8 | 12 bits chance | variant | 46 bits chance | 16 bits lane

so that ids sort by birth, and whoever holds an id knows the lane of its row without asking anybody.
"""

import hashlib
import re
from collections.abc import Iterable
from datetime import timedelta
from functools import lru_cache
from typing import Final, NewType

import msgspec

from restante.core.time import EPOCH, Instant, millis

Lane = NewType("Lane", int)
ParcelId = NewType("ParcelId", str)
PointId = NewType("PointId", str)
SourceId = NewType("SourceId", str)
ContactId = NewType("ContactId", str)
ConsignmentId = NewType("ConsignmentId", str)
CaseId = NewType("CaseId", str)
CommandId = NewType("CommandId", str)
OrgId = NewType("OrgId", str)

MAX_LANES: Final = 0x10000
_ID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


class StayKey(msgspec.Struct, frozen=True, order=True, array_like=True):
    """One deposit, named by the journal entry that told of it."""

    source: SourceId
    epoch: int
    seq: int

    def __str__(self) -> str:
        return f"{self.source}/{self.epoch}/{self.seq}"


def laned_id(born: Instant, chance: bytes, lane: Lane) -> str:
    """Compose an id from its instant of birth, eight random bytes and its lane."""
    assert len(chance) == 8
    assert 0 <= lane < MAX_LANES
    bits = int.from_bytes(chance, "big")
    high = (millis(born) & 0xFFFFFFFFFFFF) << 16 | 0x8000 | bits & 0xFFF
    low = 0x2 << 62 | ((bits >> 12) & 0x3FFFFFFFFFFF) << 16 | lane
    text = f"{high:016x}{low:016x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def derived_id(name: str, lane: Lane) -> str:
    """Compose an id that is the same for the same name: for what is born of an event and must not be born twice."""
    digest = bytearray(hashlib.sha256(name.encode()).digest()[:16])
    digest[6] = digest[6] & 0x0F | 0x80
    digest[8] = digest[8] & 0x3F | 0x80
    digest[14:16] = lane.to_bytes(2, "big")
    text = digest.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def lane_of(laned: str) -> Lane:
    """The lane in which the row of this id is kept."""
    return _lane_named(laned[-4:])


def lanes_of(laned: Iterable[str]) -> frozenset[Lane]:
    """The lanes of many ids, which are few."""
    return frozenset(map(_lane_named, {one[-4:] for one in laned}))


@lru_cache(maxsize=MAX_LANES)
def _lane_named(digits: str) -> Lane:
    return Lane(int(digits, 16))


def born_at(laned: str) -> Instant:
    """The instant of birth of an id made by ``laned_id``, to the millisecond."""
    return EPOCH + timedelta(milliseconds=int(laned[:8] + laned[9:13], 16))


def is_laned_id(text: str) -> bool:
    """Whether ``text`` has the form of an id of ours."""
    return _ID.fullmatch(text) is not None


def lane_for(name: str, lanes: int) -> Lane:
    """The lane for something new that has no point to follow, spread evenly by name."""
    return Lane(int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big") % lanes)
