"""Every POST of the document, sent twice under one Idempotency-Key: done once, answered alike, bound to its body."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import httpx
import psycopg
import pytest
from psycopg import sql

from restante.core.ids import OrgId
from restante.hub.callers import Attempts
from restante.store.directory import RequestNote
from restante.store.ledger import KEPT_DAYS, StoreDown
from tests.hub.api import DIMENSIONS, POINT, Api, module
from tests.hub.care.test_cases import cases, with_case, with_point_case
from tests.hub.journeys.test_steering import announced, deposit

KEY = "Idempotency-Key"
KEPT = ("org", "event", "parcel", "point", "place", "enrolment_code", "credential", "directory", "certificate")
"""Tables in which whatever was done twice would show."""


async def nowhere(_: Api) -> dict[str, Any]:
    """Nothing needs to be there."""
    return {}


async def a_point(api: Api) -> dict[str, Any]:
    """A locker bank."""
    return {"point": await api.point()}


async def a_bare_point(api: Api) -> dict[str, Any]:
    """A point at which nothing stands."""
    return {"point": (await api.post("/points", POINT))["id"]}


async def a_parcel(api: Api) -> dict[str, Any]:
    """A parcel without a point, and a point."""
    return {"parcel": await announced(api), "point": await api.point()}


async def a_promised_parcel(api: Api) -> dict[str, Any]:
    """A parcel with room promised, and another point."""
    return {"parcel": await announced(api, point=await api.point()), "point": await api.point(name="Two")}


async def a_held_parcel(api: Api) -> dict[str, Any]:
    """A parcel behind a door."""
    point = await api.point()
    parcel = await announced(api, point=point)
    await deposit(api, parcel, point)
    return {"parcel": parcel, "point": point, "later": (api.time.at + timedelta(hours=100)).isoformat()}


async def a_parcel_with_a_case(api: Api) -> dict[str, Any]:
    """A parcel of which nobody could be told."""
    parcel, _ = await with_case(api)
    return {"parcel": parcel, "case": (await cases(api, f"/parcels/{parcel}"))[0]["id"]}


async def a_point_with_a_case(api: Api) -> dict[str, Any]:
    """A point at which a door is stuck."""
    point = await with_point_case(api)
    return {"point": point, "case": (await cases(api, f"/points/{point}"))[0]["id"]}


async def a_carrier(_: Api) -> dict[str, Any]:
    """The carrier itself."""
    return {"org": "swift"}


PARCEL, OTHER = ({"reference": name, "dimensions": DIMENSIONS} for name in ("X-1", "X-2"))
THIRD = {"id": "third", "role": "carrier"}
TO_POINT = {"point": "{point}"}
LATER_STILL = {"ends_at": "2027-01-01T00:00:00Z"}
OPERATOR, SWIFT = "operator", "swift"
ROUTES: dict[str, tuple[str, Callable[[Api], Awaitable[dict[str, Any]]], Any, Any]] = {
    "/v1/points": (OPERATOR, nowhere, POINT, {**POINT, "name": "Elsewhere"}),
    "/v1/points/{point}/source": (OPERATOR, a_bare_point, {"kind": "bank", "modules": [module()]}, {"kind": "counter"}),
    "/v1/points/{point}/modules": (OPERATOR, a_point, module(2, first_door=50), module(3, first_door=90)),
    "/v1/points/{point}/invitations": (OPERATOR, a_point, None, None),
    "/v1/points/{point}/replacement": (OPERATOR, a_point, None, None),
    "/v1/points/{point}/courier-codes": (SWIFT, a_point, None, None),
    "/v1/parcels": (SWIFT, nowhere, PARCEL, OTHER),
    "/v1/parcels/bulk": (SWIFT, nowhere, {"items": [PARCEL]}, {"items": [OTHER]}),
    "/v1/parcels/{parcel}/reservation": (SWIFT, a_parcel, TO_POINT, {**TO_POINT, "firmness": "soft"}),
    "/v1/parcels/{parcel}/extension": (SWIFT, a_held_parcel, {"ends_at": "{later}"}, LATER_STILL),
    "/v1/parcels/{parcel}/redirection": (SWIFT, a_promised_parcel, TO_POINT, {**TO_POINT, "firmness": "soft"}),
    "/v1/parcels/{parcel}/cancellation": (SWIFT, a_promised_parcel, None, None),
    "/v1/parcels/{parcel}/release": (SWIFT, a_parcel, None, None),
    "/v1/parcels/{parcel}/recall": (SWIFT, a_held_parcel, {"reason": "returned"}, {"reason": "cancelled"}),
    "/v1/parcels/{parcel}/cases/{case}/settlement": (SWIFT, a_parcel_with_a_case, {"how": "Rang."}, {"how": "Wrote."}),
    "/v1/points/{point}/cases/{case}/settlement": (OPERATOR, a_point_with_a_case, {"how": "Oiled."}, {"how": "No."}),
    "/v1/orgs": (OPERATOR, nowhere, {**THIRD, "name": "Third"}, {**THIRD, "name": "3rd"}),
    "/v1/orgs/{org}/keys": (SWIFT, a_carrier, {"label": "van"}, {"label": "other"}),
}


class Sending:
    """One route's request, to be sent as often as a test likes."""

    def __init__(self, api: Api, path: str, places: dict[str, Any]) -> None:
        self.api = api
        self.by, _, self.body, self.other = ROUTES[path]
        self.path = path.removeprefix("/v1").format(**places)
        self.places = places

    async def send(self, body: Any, key: str = "one", path: str = "") -> httpx.Response:
        """The answer to the request under an Idempotency-Key."""
        if isinstance(body, dict):
            body = {name: self.places.get(str(said).strip("{}"), said) for name, said in body.items()}
        return await self.api.ask("POST", path or self.path, body, by=self.by, headers={KEY: key})


async def sending(api: Api, path: str) -> Sending:
    """The request of a route, once what it needs is there."""
    return Sending(api, path, await ROUTES[path][1](api))


def said(answer: httpx.Response) -> Any:
    """What was answered, but for the word that it had been answered before."""

    def without(one: Any) -> Any:
        if isinstance(one, dict):
            return {name: without(value) for name, value in one.items() if name != "replayed"}
        return [without(each) for each in one] if isinstance(one, list) else one

    return without(answer.json())


def kept(database: str) -> dict[str, list[Any]]:
    """All that the network knows; of API keys, not when they were last used."""
    with psycopg.connect(database) as db:
        tables = {one: db.execute(sql.SQL("TABLE {} ORDER BY 1, 2, 3").format(sql.Identifier(one))) for one in KEPT}
        keys = db.execute("SELECT id, org, label, secret, created_at, expires_at, revoked_at FROM api_key ORDER BY id")
        return {one: cursor.fetchall() for one, cursor in {**tables, "api_key": keys}.items()}


def posts_of(api: Api) -> dict[str, Any]:
    """Every POST of the document."""
    paths = api.app.openapi_schema.to_schema()["paths"]
    return {path: item["post"] for path, item in paths.items() if "post" in item}


async def test_every_post_takes_a_key_and_has_a_row_here(api: Api) -> None:
    """A new POST that forgets the Idempotency-Key, or its row here, fails."""
    posts = posts_of(api)
    assert set(posts) == set(ROUTES)
    for path, post in posts.items():
        assert KEY in {one["name"] for one in post.get("parameters", [])}, path
        assert "422" in post["responses"], f"{path} tells nothing of a key that was used before"


@pytest.mark.parametrize("path", ROUTES)
async def test_a_post_sent_twice_is_done_once(api: Api, database: str, path: str) -> None:
    """Given a POST under a key, when sent again, then it is answered alike and done once; another one is refused."""
    one = await sending(api, path)
    first = await one.send(one.body)
    assert first.is_success, first.text
    before = kept(database)
    api.time.at += timedelta(hours=1)
    again = await one.send(one.body)
    assert again.is_success, again.text
    assert said(again) == said(first)
    assert kept(database) == before
    refused = await (one.send(one.other) if one.other else one.send(PARCEL, path="/parcels"))
    assert (refused.status_code, refused.json()["code"]) == (422, "key-reused")
    assert kept(database) == before


async def test_what_the_version_before_has_done_is_not_done_anew(api: Api, database: str) -> None:
    """Given requests noted by a hub of the version before, when sent again, then they choose what they chose there."""
    noted: list[bytes] = []
    attempts = api.app.state[Attempts.__name__]
    call = SimpleNamespace(
        user=SimpleNamespace(org=OrgId("swift")), method="POST", url=SimpleNamespace(path="/parcels"), body=nobody
    )
    for is_dated in (True, False):
        with psycopg.connect(database, autocommit=True) as db:
            db.execute("UPDATE request_key SET dated = %s", [is_dated])
        noted += [(await attempts.begin(call, "once")).seed for _ in range(2)]
        api.time.at += timedelta(hours=1)
    assert noted[0] == noted[1] != noted[2] == noted[3]
    assert noted[3] == attempts._directory.keyed("seed", "swift", "once")


async def nobody() -> bytes:
    """A request without a body."""
    return b""


@pytest.mark.parametrize("path", ROUTES)
async def test_a_post_sent_twice_at_once_is_done_once(api: Api, path: str) -> None:
    """Given a POST under a key, when sent twice at the same time, then both are answered alike."""
    one = await sending(api, path)
    answers = await asyncio.gather(one.send(one.body), one.send(one.body))
    assert all(answer.is_success for answer in answers), [answer.text for answer in answers]
    assert said(answers[0]) == said(answers[1])


MADE = {"keys", "invitations", "replacement", "courier-codes", "orgs"}
SECRETS = [path for path in ROUTES if path.rpartition("/")[2] in MADE]


@pytest.mark.parametrize("path", SECRETS)
async def test_a_request_cut_off_before_its_answer_was_kept_ends_the_same(
    api: Api, database: str, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a request that was done but whose answer was lost, when sent again, then nothing more is made."""
    one = await sending(api, path)
    keep = api.app.state[Attempts.__name__]._directory

    async def lost(*_: Any) -> bytes:
        raise StoreDown

    with monkeypatch.context() as broken:
        broken.setattr(keep, "keep_answer", lost)
        assert (await one.send(one.body)).status_code == 503
    before = kept(database)
    first, again = await one.send(one.body), await one.send(one.body)
    assert first.is_success, first.text
    assert said(first) == said(again)
    assert kept(database) == before


async def test_a_repeated_invitation_does_not_work_again(api: Api, database: str) -> None:
    """Given a later invitation that was used, when each is asked for again, then neither works because of that."""
    one = await sending(api, "/v1/points/{point}/invitations")
    first, second = await one.send(None), await one.send(None, key="two")
    with psycopg.connect(database, autocommit=True) as db:
        db.execute("UPDATE enrolment_code SET used_by = 'a key'")
        before = db.execute("TABLE enrolment_code").fetchall()
        assert (await one.send(None)).json() == first.json() != second.json()
        assert (await one.send(None, key="two")).json() == second.json()
        assert db.execute("TABLE enrolment_code").fetchall() == before


async def test_a_repeated_replacement_shuts_nobody_out(api: Api, database: str) -> None:
    """Given a replaced controller that has enrolled, when the replacement is asked for again, then it stays in."""
    one = await sending(api, "/v1/points/{point}/replacement")
    first = await one.send(None)
    with psycopg.connect(database, autocommit=True) as db:
        values = "lane, source, 'serial', 'key', now(), now() + interval '1 day'"
        db.execute(
            "INSERT INTO certificate (lane, source, serial, key_sha256, not_before, not_after)"
            f" SELECT {values} FROM enrolment_code"
        )
        assert (await one.send(None)).json() == first.json()
        assert db.execute("SELECT revoked_at FROM certificate").fetchall() == [(None,)]


async def test_a_secret_told_twice_stands_nowhere_in_clear(api: Api, database: str) -> None:
    """Given answers with secrets in them, then no row holds them as they are, and a stranger's same key opens none."""
    for path in SECRETS:
        one = await sending(api, path)
        told = (await one.send(one.body, key=path)).json()
        for name in {"key", "text", "code"} & set(told):
            # An invitation may have an underscore in its secret, so that what follows it may stand anywhere by chance.
            secret = str(told[name]).rpartition("_" if name == "key" else "#")[2]
            with psycopg.connect(database) as db:
                rows = db.execute("SELECT pinned, encode(answer, 'escape') FROM request_key").fetchall()
            assert not any(secret in (pinned or "") + (answer or "") for pinned, answer in rows), path
    theirs = await api.ask("POST", "/orgs/slow/keys", {"label": "van"}, by="slow", headers={KEY: "/v1/orgs/{org}/keys"})
    assert theirs.is_success, "a key is its partner's own"


async def test_a_key_is_forgotten_with_the_receipts(api: Api, database: str) -> None:
    """Given a key that was used, then another request is refused for the days it is kept, and then is a new one."""
    one = await sending(api, "/v1/orgs/{org}/keys")
    first = (await one.send(one.body)).json()
    used = api.time.at
    await api.ledger.upkeep(used + timedelta(days=KEPT_DAYS) - timedelta(minutes=1))
    assert (await one.send(one.other)).json()["code"] == "key-reused"
    await api.ledger.upkeep(used + timedelta(days=KEPT_DAYS, minutes=1))
    second = await one.send(one.body)
    assert second.is_success
    assert second.json()["id"] != first["id"]
    with psycopg.connect(database) as db:
        assert db.execute("SELECT count(*) FROM api_key WHERE org = 'swift'").fetchone() == (3,)


async def test_the_answer_that_was_kept_first_stands(api: Api) -> None:
    """Given two attempts at one request that end at once, then both are told the answer that was kept first."""
    directory = api.app.state[Attempts.__name__]._directory
    note = RequestNote(OrgId("swift"), b"name", b"content", api.time.at)
    assert await directory.note(note) == note
    assert [await directory.keep_answer(note, answer) for answer in (b"first", b"second")] == [b"first", b"first"]
    assert (await directory.note(note)).answer == b"first"
