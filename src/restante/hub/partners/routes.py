"""Routes of organisations and keys: the operator admits, everybody manages the keys of their own organisation."""

from litestar import Router, delete, get, post
from litestar.params import FromPath, JSONBody

from restante.hub.callers import OPERATOR_ONLY, Attempt, Call, KeyHeader, once, part
from restante.hub.paging import CursorText, Limit
from restante.hub.partners.schemas import KeyGiven, KeyList, KeyMade, KeyShown, OrgGiven, OrgPage, OrgShown
from restante.hub.partners.service import Partners
from restante.hub.problems import or_refused, problems


@get("/", opt=OPERATOR_ONLY, responses=problems(400, 401, 403), summary="Organisations")
async def list_orgs(request: Call, cursor: CursorText = "", limit: Limit = 50) -> OrgPage:
    """Every organisation of the network."""
    return await part(request, Partners).page(cursor=cursor, limit=limit)


@post("/", opt=OPERATOR_ONLY, responses=problems(400, 401, 403, 409, 413, 422), summary="Admit an organisation")
async def admit_org(request: Call, *, idempotency_key: KeyHeader = None, data: JSONBody[OrgGiven]) -> OrgShown:
    """Take an organisation into the network; it calls with keys made for it."""

    async def admit(attempt: Attempt) -> OrgShown:
        return or_refused(await part(request, Partners).admit(data, attempt))

    return await once(request, idempotency_key, admit, kind=OrgShown)


@get("/{org:str}", responses=problems(401, 404), summary="One organisation")
async def get_org(request: Call, *, org: FromPath[str]) -> OrgShown:
    """An organisation; partners see their own."""
    return or_refused(await part(request, Partners).one(org, request.user))


@get("/{org:str}/keys", responses=problems(401, 404), summary="Keys of an organisation")
async def list_keys(request: Call, *, org: FromPath[str]) -> KeyList:
    """Its keys with their labels, ends and last use, without what proves them."""
    partners = part(request, Partners)
    return await partners.keys(or_refused(await partners.one(org, request.user)).id)


@post("/{org:str}/keys", responses=problems(400, 401, 404, 413, 422), summary="Make a key")
async def make_key(
    request: Call, *, idempotency_key: KeyHeader = None, org: FromPath[str], data: JSONBody[KeyGiven]
) -> KeyMade:
    """The text of the key is in this answer alone, which the same request under its Idempotency-Key gets again."""
    partners = part(request, Partners)
    owner = or_refused(await partners.one(org, request.user)).id

    async def make(attempt: Attempt) -> KeyMade:
        return await partners.make_key(owner, data, attempt)

    return await once(request, idempotency_key, make, kind=KeyMade)


@delete("/{org:str}/keys/{key:str}", status_code=200, responses=problems(401, 404), summary="Revoke a key")
async def revoke_key(request: Call, *, org: FromPath[str], key: FromPath[str]) -> KeyShown:
    """End a key for good."""
    partners = part(request, Partners)
    owner = or_refused(await partners.one(org, request.user)).id
    return or_refused(await partners.revoke(owner, key))


router = Router(
    "/orgs", route_handlers=[list_orgs, admit_org, get_org, list_keys, make_key, revoke_key], tags=["partners"]
)
