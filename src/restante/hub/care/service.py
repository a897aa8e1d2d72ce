"""Show open cases and settle them. Another partner's parcel is unknown; a point's cases are the operator's."""

from collections.abc import Mapping
from typing import Any, Final

from restante.core import commands as cmd
from restante.core.events import CaseKind, CaseOpened
from restante.core.ids import CaseId, ParcelId, PointId, is_laned_id, lane_of
from restante.core.parcel import Parcel
from restante.core.refusals import Refusal
from restante.hub.callers import Attempt, Principal
from restante.hub.care.schemas import CaseList, CaseShown, EntryAside, EntryAsidePage, Settled
from restante.hub.engine import Engine
from restante.hub.paging import read_cursor, write_cursor
from restante.store import bodies, statements
from restante.store.ledger import Ledger
from restante.store.tables import Rows, Tables

_SQL: Final = {name: one.text.encode() for name, one in statements.load("restante.hub.care").items()}
_FIRST: Final = (0, 0, "")


class Care:
    """The open cases of parcels and points."""

    def __init__(self, engine: Engine, ledger: Ledger, reads: Tables) -> None:
        self._engine = engine
        self._ledger = ledger
        self._reads = reads

    async def of_parcel(self, parcel: str, caller: Principal) -> CaseList | Refusal:
        """The open cases of a parcel of the caller's, the oldest first. Refuses ``parcel-unknown``."""
        found = await self._own(parcel, caller)
        if isinstance(found, Refusal):
            return found
        is_open = set(found.cases.values())
        events = await self._ledger.history(found.id) if is_open else []
        told = [(one.event, one.recorded_at) for one in events if isinstance(one.event, CaseOpened)]
        shown = [CaseShown(case.case, case.what, case.detail, at) for case, at in told if case.case in is_open]
        return CaseList(shown)

    async def of_point(self, point: str) -> CaseList | Refusal:
        """The open cases of a point and of what stands there. Refuses ``point-unknown``."""
        rows = await self._rows("room", _at(point)) if is_laned_id(point) else []
        if not rows:
            return Refusal("point-unknown", "point", point[:80])
        cases = bodies.ROOM.decode(rows[0][0]).cases
        named = ((key.partition(":"), case) for key, case in cases.items())
        return CaseList([CaseShown(case, CaseKind(kind), detail) for (kind, _, detail), case in named])

    async def settle_of_parcel(
        self, parcel: str, case: str, how: str, *, caller: Principal, attempt: Attempt
    ) -> Settled | Refusal:
        """Settle a case of a parcel of the caller's. Refuses ``parcel-unknown``, ``case-unknown``, ``busy``."""
        found = await self._own(parcel, caller)
        if isinstance(found, Refusal):
            return found
        id_ = attempt.command_id("settle")
        return await self._settle(cmd.SettleCase(id_, caller.actor, attempt.at, found.id, CaseId(case), how))

    async def settle_of_point(
        self, point: str, case: str, how: str, *, caller: Principal, attempt: Attempt
    ) -> Settled | Refusal:
        """Settle a case of a point. Refuses ``point-unknown``, ``case-unknown``, ``busy``."""
        if not is_laned_id(point):
            return Refusal("point-unknown", "point", point[:80])
        id_, here = attempt.command_id("settle"), PointId(point)
        return await self._settle(cmd.SettlePointCase(id_, caller.actor, attempt.at, here, CaseId(case), how))

    async def aside(self, point: str, *, cursor: str, limit: int) -> EntryAsidePage | Refusal:
        """What was set aside of the journal of what stands at a point. Refuses ``point-unknown``."""
        known = await self.of_point(point)
        if isinstance(known, Refusal):
            return known
        about = f"aside:{point}"
        epoch, seq, after = read_cursor(about, cursor, tuple[int, int, str]) if cursor else _FIRST
        if not (0 <= epoch < 2**31 and 0 <= seq < 2**63):
            return Refusal("cursor-malformed", "cursor")
        given = {**_at(point), "epoch": epoch, "seq": seq, "hash": after, "limit": limit}
        rows = await self._rows("aside", given)
        items = [
            EntryAside(epoch, seq, found, at, bytes(entry).decode(errors="replace"))
            for epoch, seq, found, at, entry in rows
        ]
        more = write_cursor(about, [items[-1].epoch, items[-1].seq, items[-1].hash]) if len(items) == limit else None
        return EntryAsidePage(items, more)

    async def _own(self, parcel: str, caller: Principal) -> Parcel | Refusal:
        key = ParcelId(parcel)
        found = (await self._ledger.parcels([key])).get(key) if is_laned_id(parcel) else None
        if found is None or not caller.may_see(found.org):
            return Refusal("parcel-unknown", "parcel", parcel[:80])
        return found

    async def _settle(self, command: cmd.SettleCase | cmd.SettlePointCase) -> Settled | Refusal:
        if not is_laned_id(command.case):
            return Refusal("case-unknown", "case", command.case[:80])
        outcome = await self._engine.submit(command)
        return outcome if isinstance(outcome, Refusal) else Settled(command.case, outcome.replayed)

    async def _rows(self, name: str, given: Mapping[str, Any]) -> Rows:
        return await self._reads.rows(_SQL[name], given)


def _at(point: str) -> dict[str, Any]:
    return {"lane": lane_of(point), "point": point}
