"""What the API says about cases and what was set aside, and what it takes to settle a case."""

from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from restante.core.events import CaseKind
from restante.core.ids import CaseId


class Settlement(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a case was settled, in a few words; they stay in the log for ever, so no names and no addresses."""

    how: Annotated[str, Meta(min_length=1, max_length=200)]


class CaseShown(msgspec.Struct, frozen=True, omit_defaults=True):
    """An open case: what surprised, particulars if there are any, and for a parcel's since when it has been open."""

    id: CaseId
    what: CaseKind
    detail: str = ""
    opened_at: datetime | None = None


class CaseList(msgspec.Struct, frozen=True):
    """The open cases of a parcel or a point."""

    items: list[CaseShown]


class Settled(msgspec.Struct, frozen=True):
    """A case is settled; ``replayed`` when this request had settled it before."""

    id: CaseId
    replayed: bool


class EntryAside(msgspec.Struct, frozen=True):
    """A journal entry that does not follow from what was adopted, as it came: ``entry`` is its text."""

    epoch: int
    seq: int
    hash: str
    received_at: datetime
    entry: str


class EntryAsidePage(msgspec.Struct, frozen=True):
    """Entries set aside, by log epoch and number, and the cursor of the next page if there may be one."""

    items: list[EntryAside]
    cursor: str | None = None
