"""Forgetting by age: what is known of a person goes so many days after the last thing that happened to their parcel.

Theory of operation. Everybody who is kept for a parcel is looked at, page by page, and those whose time is over are
forgotten. Nothing is noted on the way: whoever is interrupted begins again, and two that do it at once do no harm.
Custody loses nothing, since events, journals and parcels hold ids alone.
"""

from collections.abc import Mapping
from typing import Final

from restante.core.ids import ParcelId, born_at
from restante.core.parcel import Parcel, idle_since
from restante.core.time import Instant
from restante.store.ledger import Ledger
from restante.store.vault import Vault

PAGE: Final = 500


async def forget_old(vault: Vault, ledger: Ledger, before: Instant) -> int:
    """Forget everybody whose parcel has had nothing under way since ``before``; how many people that were.

    Faults: the stores'.
    """
    forgotten, after = 0, None
    while page := await vault.kept(after, PAGE):
        parcels = await ledger.parcels(parcel for _, parcel in page)
        old = [person for person, parcel in page if _is_old(parcel, parcels, before)]
        if old:
            await vault.forget(old)
        forgotten, after = forgotten + len(old), page[-1][0]
    return forgotten


def _is_old(key: ParcelId, parcels: Mapping[ParcelId, Parcel], before: Instant) -> bool:
    """A parcel that the engine never heard of is as old as its id: its announcement was cut off."""
    parcel = parcels.get(key)
    idle = born_at(key) if parcel is None else idle_since(parcel)
    return idle is not None and idle < before
