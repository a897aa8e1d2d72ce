"""Take organisations in and make, list and revoke their keys."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from restante.core.ids import OrgId
from restante.core.refusals import Refusal
from restante.core.time import Instant
from restante.hub.callers import Attempt, Callers, Principal, Role, new_key, put_key
from restante.hub.paging import read_cursor, write_cursor
from restante.hub.partners.schemas import KeyGiven, KeyList, KeyMade, KeyShown, OrgGiven, OrgPage, OrgShown
from restante.store import statements
from restante.store.tables import Rows, Tables

_SQL: Final = {name: one.text.encode() for name, one in statements.load("restante.hub.partners").items()}


class Partners:
    """The organisations of the network."""

    def __init__(self, tables: Tables, callers: Callers, now: Callable[[], Instant]) -> None:
        self._tables = tables
        self._callers = callers
        self._now = now

    async def page(self, *, cursor: str, limit: int) -> OrgPage:
        """Organisations by id."""
        after = read_cursor("orgs", cursor, str) if cursor else ""
        rows = await self._rows("orgs", {"after": after, "limit": limit})
        items = [_org(row) for row in rows]
        return OrgPage(items, write_cursor("orgs", items[-1].id) if len(items) == limit else None)

    async def one(self, org: str, caller: Principal) -> OrgShown | Refusal:
        """An organisation, to the operator and to itself. Refuses ``org-unknown``."""
        unknown = Refusal("org-unknown", "org", org[:40])
        if not caller.may_see(OrgId(org)):
            return unknown
        rows = await self._rows("org", {"id": org})
        return _org(rows[0]) if rows else unknown

    async def admit(self, given: OrgGiven, attempt: Attempt) -> OrgShown | Refusal:
        """Take an organisation in. Refuses ``org-exists``."""
        told = {"id": given.id, "role": given.role.value, "name": given.name, "at": attempt.at}
        is_new = bool(await self._rows("put_org", told))
        found = _org((await self._rows("org", {"id": given.id}))[0])
        # An earlier attempt of this request may have been cut off after it had taken the organisation in.
        is_ours = is_new or (attempt.note is not None and found.created_at == attempt.at)
        return found if is_ours else Refusal("org-exists", "id", given.id)

    async def make_key(self, org: OrgId, given: KeyGiven, attempt: Attempt) -> KeyMade:
        """Make a key for an organisation that exists; each attempt at one request makes the same."""
        key = new_key(attempt.draws("key"))
        told = {"label": given.label, "at": attempt.at, "expires_at": given.expires_at}
        await put_key(self._tables.rows, org, key, told=told)
        return KeyMade(key.id, org, key.text, given.expires_at)

    async def keys(self, org: OrgId) -> KeyList:
        """The keys of an organisation."""
        return KeyList([KeyShown(*row) for row in await self._rows("keys", {"org": org})])

    async def revoke(self, org: OrgId, key: str) -> KeyShown | Refusal:
        """End a key, here at once. Refuses ``api-key-unknown``."""
        rows = await self._rows("revoke_key", {"org": org, "id": key, "at": self._now()})
        if not rows:
            return Refusal("api-key-unknown", "key", key[:40])
        self._callers.distrust(key)
        return KeyShown(*rows[0])

    async def _rows(self, name: str, given: Mapping[str, Any]) -> Rows:
        return await self._tables.rows(_SQL[name], given)


def _org(row: tuple[Any, ...]) -> OrgShown:
    return OrgShown(OrgId(row[0]), Role(row[1]), row[2], row[3])
