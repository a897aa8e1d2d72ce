"""What the API says about organisations and keys."""

from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from restante.core.ids import OrgId
from restante.hub.callers import Role

Instant = Annotated[datetime, Meta(tz=True)]


class OrgGiven(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An organisation to take in; its id is lower-case letters, digits and dashes, and stays for ever."""

    id: Annotated[str, Meta(pattern="^[a-z][a-z0-9-]{1,39}$")]
    role: Role
    name: Annotated[str, Meta(min_length=1, max_length=200)]


class OrgShown(msgspec.Struct, frozen=True):
    """An organisation that takes part in the network."""

    id: OrgId
    role: Role
    name: str
    created_at: datetime


class OrgPage(msgspec.Struct, frozen=True):
    """Organisations, and the cursor of the next page if there may be one."""

    items: list[OrgShown]
    cursor: str | None = None


class KeyGiven(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A key to make, with a label to know it by, and its end if it is to have one."""

    label: Annotated[str, Meta(min_length=1, max_length=100)]
    expires_at: Instant | None = None


class KeyMade(msgspec.Struct, frozen=True):
    """A new key: its text is shown here and never again."""

    id: str
    org: OrgId
    key: str
    expires_at: datetime | None

    def __repr__(self) -> str:
        return f"<KeyMade {self.id}>"


class KeyShown(msgspec.Struct, frozen=True):
    """A key, without what proves it."""

    id: str
    label: str
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None


class KeyList(msgspec.Struct, frozen=True):
    """An organisation's keys, the oldest first."""

    items: list[KeyShown]
