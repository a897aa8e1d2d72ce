"""Every route of the document, by whom it is refused: without a key, with a dead one, and with another partner's."""

from datetime import timedelta
from typing import Any

import pytest

from restante.hub.callers import TRUSTED_S, new_key
from tests.hub.api import DIMENSIONS, POINT, Api, module

OPEN = {("GET", "/v1/alive"), ("GET", "/v1/health"), ("GET", "/v1/ready")}
LATER = "2027-01-01T00:00:00Z"

# What a request needs to reach the thing it is about, and how a partner that does not own it is answered:
# 403 where its role may not, 404 where the thing is another's, None where everybody sees the same or only their own.
ROUTES: dict[tuple[str, str], tuple[Any, int | None]] = {
    ("GET", "/v1/points"): (None, None),
    ("POST", "/v1/points"): (POINT, 403),
    ("GET", "/v1/points/{point}"): (None, None),
    ("PUT", "/v1/points/{point}/status"): ({"status": "closed"}, 403),
    ("POST", "/v1/points/{point}/source"): ({"kind": "bank", "modules": [module()]}, 403),
    ("POST", "/v1/points/{point}/modules"): (module(9, first_door=90), 403),
    ("POST", "/v1/points/{point}/invitations"): (None, 403),
    ("POST", "/v1/points/{point}/replacement"): (None, 403),
    ("DELETE", "/v1/points/{point}/certificates"): (None, 403),
    ("POST", "/v1/points/{point}/courier-codes"): (None, None),
    ("GET", "/v1/parcels"): (None, None),
    ("POST", "/v1/parcels"): ({"reference": "X-1", "dimensions": DIMENSIONS}, None),
    ("POST", "/v1/parcels/bulk"): ({"items": [{"reference": "X-1", "dimensions": DIMENSIONS}]}, None),
    ("GET", "/v1/parcels/{parcel}"): (None, 404),
    ("GET", "/v1/parcels/by-reference"): (None, 404),
    ("GET", "/v1/parcels/by-code/{code}"): (None, 404),
    ("GET", "/v1/parcels/{parcel}/events"): (None, 404),
    ("POST", "/v1/parcels/{parcel}/reservation"): ({"point": "{point}"}, 404),
    ("DELETE", "/v1/parcels/{parcel}/reservation"): (None, 404),
    ("POST", "/v1/parcels/{parcel}/extension"): ({"ends_at": LATER}, 404),
    ("POST", "/v1/parcels/{parcel}/redirection"): ({"point": "{point}"}, 404),
    ("POST", "/v1/parcels/{parcel}/cancellation"): (None, 404),
    ("POST", "/v1/parcels/{parcel}/release"): (None, 404),
    ("POST", "/v1/parcels/{parcel}/recall"): ({"reason": "returned"}, 404),
    ("GET", "/v1/parcels/{parcel}/cases"): (None, 404),
    ("POST", "/v1/parcels/{parcel}/cases/{case}/settlement"): ({"how": "Looked."}, 404),
    ("GET", "/v1/points/{point}/cases"): (None, 403),
    ("POST", "/v1/points/{point}/cases/{case}/settlement"): ({"how": "Looked."}, 403),
    ("GET", "/v1/points/{point}/entries-aside"): (None, 403),
    ("GET", "/v1/feed"): (None, None),
    ("GET", "/v1/feed/stream"): (None, None),
    ("GET", "/v1/orgs"): (None, 403),
    ("POST", "/v1/orgs"): ({"id": "third", "role": "carrier", "name": "Third"}, 403),
    ("GET", "/v1/orgs/{org}"): (None, 404),
    ("GET", "/v1/orgs/{org}/keys"): (None, 404),
    ("POST", "/v1/orgs/{org}/keys"): ({"label": "stolen"}, 404),
    ("DELETE", "/v1/orgs/{org}/keys/{key}"): (None, 404),
}


class Swift:
    """A carrier's point and parcel, and requests about them."""

    def __init__(self, api: Api, ids: dict[str, str]) -> None:
        self.api = api
        self.ids = ids

    async def ask(self, method: str, path: str, body: Any, *, key: str | None) -> Any:
        """The answer to a request with this key."""
        headers = {} if key is None else {"Authorization": f"Bearer {key}"}
        filled = path.format(**self.ids)
        if isinstance(body, dict) and body.get("point") == "{point}":
            body = {**body, "point": self.ids["point"]}
        query = {"reference": "A-1"} if path.endswith("by-reference") else {"seconds": "0"} if "stream" in path else {}
        return await self.api.client.request(
            method, filled, headers=headers, params=query, **({} if body is None else {"json": body})
        )


@pytest.fixture
async def swift(api: Api) -> Swift:
    """A carrier with a promised parcel."""
    point = await api.point()
    given = {"reference": "A-1", "dimensions": DIMENSIONS, "point": point}
    told = await api.post("/parcels", given, by="swift")
    keys = await api.get("/orgs/swift/keys")
    ids = {
        "point": point,
        "parcel": told["parcel"],
        "code": told["code"],
        "org": "swift",
        "key": keys["items"][0]["id"],
        "case": told["parcel"],
    }
    return Swift(api, ids)


def routes_of(api: Api) -> set[tuple[str, str]]:
    """Every route of the document."""
    paths = api.app.openapi_schema.to_schema()["paths"]
    methods = ("get", "post", "put", "delete", "patch")
    return {(method.upper(), path) for path, item in paths.items() for method in methods if method in item}


async def test_every_route_has_a_row_here(api: Api) -> None:
    """A route that nobody thought about other partners for fails."""
    assert routes_of(api) == OPEN | set(ROUTES)


async def test_nobody_gets_anything_without_a_key(swift: Swift) -> None:
    """Given no key, a key of nobody's, a mangled one, or a scheme that is not ours, then 401 and nothing else."""
    key = swift.api.keys["swift"]
    for (method, path), (body, _) in ROUTES.items():
        for wrong in (None, new_key().text, key[:-1] + ("0" if key[-1] != "0" else "1"), "rst_", ""):
            answer = await swift.ask(method, path, body, key=wrong)
            assert answer.status_code == 401, (method, path, wrong and wrong[:4])
            assert answer.headers["www-authenticate"] == "Bearer"
            assert set(answer.json()) <= {"type", "title", "status", "code", "field", "detail", "instance"}


async def test_a_revoked_key_and_one_past_its_end_get_nothing(swift: Swift) -> None:
    """Given a key that worked, when it is revoked or its time is over, then every route answers 401."""
    api = swift.api
    dead = await api.post("/orgs/swift/keys", {"label": "to die"})
    assert (await api.client.get("/v1/parcels", headers={"Authorization": f"Bearer {dead['key']}"})).status_code == 200
    assert (await api.ask("DELETE", f"/orgs/swift/keys/{dead['id']}")).status_code == 200
    soon = (api.time.at + timedelta(seconds=30)).isoformat()
    short = await api.post("/orgs/swift/keys", {"label": "short", "expires_at": soon})
    assert (await api.client.get("/v1/parcels", headers={"Authorization": f"Bearer {short['key']}"})).status_code == 200
    api.time.at += timedelta(seconds=60)
    for (method, path), (body, _) in ROUTES.items():
        for key in (dead["key"], short["key"]):
            assert (await swift.ask(method, path, body, key=key)).status_code == 401, (method, path)
    assert TRUSTED_S <= 10


async def test_another_partner_gets_nothing_of_a_partners(swift: Swift) -> None:
    """Given another carrier's key, then what is not its own is unknown or not allowed, and nothing has changed."""
    before = await swift.api.get(f"/parcels/{swift.ids['parcel']}", by="swift")
    for (method, path), (body, expected) in ROUTES.items():
        answer = await swift.ask(method, path, body, key=swift.api.keys["slow"])
        if expected is not None:
            assert answer.status_code == expected, (method, path, answer.text)
        if answer.is_success:
            assert swift.ids["parcel"] not in answer.text, (method, path)
            assert "A-1" not in answer.text, (method, path)
    assert await swift.api.get(f"/parcels/{swift.ids['parcel']}", by="swift") == before


async def test_what_is_unknown_and_what_is_anothers_look_the_same(swift: Swift) -> None:
    """A parcel that exists and one that does not are answered alike, so that nobody can look for ids."""
    api, parcel = swift.api, swift.ids["parcel"]
    other = parcel[:9] + ("0" if parcel[9] != "0" else "1") + parcel[10:]
    for path in ("", "/events", "/cases"):
        there = (await api.ask("GET", f"/parcels/{parcel}{path}", by="slow")).json()
        nowhere = (await api.ask("GET", f"/parcels/{other}{path}", by="slow")).json()
        assert {**there, "detail": "", "instance": ""} == {**nowhere, "detail": "", "instance": ""}


async def test_hosts_look_and_announce_nothing(api: Api) -> None:
    """Given a host's key, then points are shown and parcels are not announced."""
    await api.admit("mall", role="host")
    assert (await api.ask("GET", "/points", by="mall")).status_code == 200
    refused = await api.ask("POST", "/parcels", {"reference": "X", "dimensions": DIMENSIONS}, by="mall")
    assert (refused.status_code, refused.json()["code"]) == (403, "role-not-allowed")
