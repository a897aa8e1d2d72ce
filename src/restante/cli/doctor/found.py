"""What `restante doctor` finds before it judges: plain values, so that judging them needs no network."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import msgspec

from restante.core.time import Instant

if TYPE_CHECKING:
    from restante.hub.metrics.figures import Figures
    from restante.hub.settings import Settings
    from restante.store.examine import Examined


class Folder(msgspec.Struct, frozen=True):
    """The state folder: whether it is there, what in it others may read, what is missing, and the room on its disk."""

    path: str
    exists: bool = False
    exposed: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    free_bytes: int = 0
    total_bytes: int = 0


class Tried(msgspec.Struct, frozen=True):
    """An attempt to reach something: where, and what was wrong; nothing wrong is an empty text.

    ``unknown``: nobody knows the port beforehand, so it was not tried.
    """

    where: str
    wrong: str = ""
    unknown: bool = False


class Found(msgspec.Struct, frozen=True):
    """Everything that was found. What could not be looked at is None, and a text beside it says why.

    ``packages`` are those of the hub's extra that are missing or too old, with what is wanted. ``certificates`` end at
    these instants; one that is not there yet is None.
    """

    now: Instant
    python: tuple[int, int]
    version: str
    packages: Mapping[str, str]
    settings: "Settings | None" = None
    settings_wrong: str = ""
    folder: Folder | None = None
    database: "Examined | None" = None
    database_wrong: str = ""
    figures: "Figures | None" = None
    certificates: Mapping[str, Instant | None] = {}
    certificates_wrong: str = ""
    api: Tried | None = None
    listener: Tried | None = None
    smtp: Tried | None = None
