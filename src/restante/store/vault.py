"""The port to what is known of people: details and codes, sealed under a key for each person, keys kept apart.

Two implementations exist and pass the same contract suite: PostgreSQL (``sealed_vault.py``) and the simulator's.

Everywhere else a person is an id. Whoever recalls details does so for one sending or one page, and neither stores nor
logs them. Forgetting a person destroys the key, so that nothing sealed under it can be read again anywhere.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

import msgspec

from restante.core.ids import ContactId, ParcelId, PointId


class ContactDetails(msgspec.Struct, frozen=True):
    """What is known of one person; ``emails`` by preference, ``reference`` as their carrier calls the order.

    ``kept_for`` is the parcel that all this is kept for: without it, until somebody asks to be forgotten.
    """

    name: str
    emails: tuple[str, ...] = ()
    phone: str = ""
    language: str = ""
    street_address: str = ""
    reference: str = ""
    kept_for: ParcelId | None = None

    def __repr__(self) -> str:
        return "<ContactDetails>"  # what is printed by chance ends in a log


class CodeUse(msgspec.Struct, frozen=True):
    """What a code is for: a parcel, at a point, under the promise of this number."""

    parcel: ParcelId
    point: PointId
    number: int


class OpenedCode(msgspec.Struct, frozen=True):
    """A code as its holder sees it (eight digits); ``epoch`` is the log epoch its verifier was made for, 0 for none."""

    use: CodeUse
    holder: ContactId
    code: str
    epoch: int = 0

    def __repr__(self) -> str:
        return f"<OpenedCode for {self.use}>"


class Vault(Protocol):
    """What is known of people. Contact ids are laned ids (``core.ids.laned_id``), and their lane keeps the row."""

    async def remember(self, contact: ContactId, details: ContactDetails) -> None:
        """Keep a person's details in place of earlier ones. Faults: ``StoreDown``."""

    async def remember_all(self, people: Mapping[ContactId, ContactDetails]) -> None:
        """Keep the details of many people, all or none of them. Faults: ``StoreDown``."""

    async def recall(self, contacts: Iterable[ContactId]) -> Mapping[ContactId, ContactDetails]:
        """The details of those who are known and not forgotten. Faults: ``StoreDown``, ``SealBroken``."""

    async def forget(self, contacts: Iterable[ContactId]) -> None:
        """Destroy the keys of these people, then the rows: neither details nor codes can be read again."""

    async def kept(self, after: ContactId | None, limit: int) -> Sequence[tuple[ContactId, ParcelId]]:
        """People who are kept for a parcel, with that parcel, in one order that begins after a person."""

    async def seal_code(self, code: OpenedCode) -> OpenedCode | None:
        """Keep a code unless the use has one, and return the one that stands; None when the holder is not known."""

    async def open_code(self, parcel: ParcelId, point: PointId | None = None) -> OpenedCode | None:
        """The newest code of a parcel (at this point); None when there is none or its holder was forgotten."""

    async def open_codes(self, uses: Iterable[CodeUse]) -> Mapping[CodeUse, OpenedCode]:
        """The codes of those uses that have one whose holder is not forgotten."""

    async def note_epoch(self, use: CodeUse, epoch: int) -> None:
        """Say for which log epoch the verifier of a code was made."""

    async def drop_code(self, use: CodeUse) -> None:
        """Give up a code that can no longer be used."""
