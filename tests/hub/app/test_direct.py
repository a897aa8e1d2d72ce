"""Plain requests take the short way, are answered as the framework would answer them, and nothing else takes it."""

from itertools import repeat
from typing import Any, cast
from unittest.mock import MagicMock, patch

import httpx
import pytest
from litestar import Litestar, get, post
from litestar.params import FromPath, FromQuery
from litestar.types import Receive, Scope, Send

from restante.hub.callers import Call
from restante.hub.direct import DirectApp
from restante.hub.measures import Answers
from tests.hub.api import DIMENSIONS, Api
from tests.hub.app.test_bad_input import BODIES, REQUESTS

JSON = {"Content-Type": "application/json"}
LATER = {"ends_at": "2027-01-01T00:00:00Z"}
NOBODY = "00000000-0000-7000-8000-000000000000"
ASKED: list[tuple[str, str, dict[str, Any]]] = [
    *((method, path, options) for method, path, options, _ in REQUESTS),
    *(("POST", "/parcels", {"content": content, "headers": JSON}) for content, _ in BODIES),
    ("POST", "/parcels", {"json": {"reference": 7}}),
    ("POST", "/parcels", {"json": {"reference": "A-1", "size": "S"}, "headers": {"Host": "hub/elsewhere"}}),
    ("POST", "/parcels", {"json": {"reference": "A-1"}, "headers": {"Idempotency-Key": "k" * 256}}),
    ("POST", "/parcels", {"json": {"reference": "A-1"}, "headers": {"Authorization": "Bearer rst_"}}),
    ("POST", "/parcels/", {"json": {"reference": "A-1"}}),
    ("POST", "//parcels", {"json": {"reference": "A-1"}}),
    ("POST", f"/parcels/{NOBODY}/extension", {"json": LATER}),
    ("POST", f"/parcels/{NOBODY}/extension", {"json": {**LATER, "more": 1}}),
    ("POST", f"/parcels/{NOBODY}/cancellation", {}),
    ("POST", f"/parcels/{NOBODY}/cancellation", {"content": b"not read"}),
    ("POST", "/parcels/a%00b/cancellation", {}),
    ("GET", "/parcels/by-reference", {}),
    ("HEAD", f"/parcels/{NOBODY}", {}),
    ("OPTIONS", f"/parcels/{NOBODY}/cancellation", {}),
    ("GET", "/health", {}),
    ("GET", "/orgs/swift", {}),
]


def by_framework(api: Api) -> httpx.AsyncClient:
    """A client whose requests all pass through the framework; from now on every request has the same name."""
    assert isinstance(api.app, DirectApp)
    api.app._names = cast(Any, repeat(1))

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        with patch.object(DirectApp, "_found", return_value=None):
            await api.app(scope, receive, send)

    transport = httpx.ASGITransport(cast(Any, app), raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://hub")


async def test_both_ways_answer_alike(api: Api) -> None:
    """Given requests of every kind, right and wrong, then status, headers and body are the framework's."""
    key = {"Authorization": f"Bearer {api.keys['swift']}"}
    async with by_framework(api) as framework:
        for method, path, options in ASKED:
            given = {**options, "headers": key | options.get("headers", {})}
            said, expected = [
                await client.request(method, f"http://hub/v1{path}", **given) for client in (api.client, framework)
            ]
            assert said.status_code == expected.status_code, (method, path, said.text)
            assert (said.headers, said.content) == (expected.headers, expected.content), (method, path)


async def test_commands_do_not_pass_the_framework(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a framework that answers nothing, then parcels are announced, seen and called off all the same."""
    monkeypatch.setattr(Litestar, "__call__", None)
    told = await api.post("/parcels", {"reference": "A-1", "dimensions": DIMENSIONS}, by="swift")
    assert (await api.get(f"/parcels/{told['parcel']}", by="swift"))["stage"] == "announced"
    again = {"headers": {"Idempotency-Key": "k" * 255}}
    for replayed in (False, True):
        done = await api.post(f"/parcels/{told['parcel']}/cancellation", by="swift", **again)
        assert done["replayed"] is replayed


async def test_every_command_is_plain(api: Api) -> None:
    """Given the API, then only lists, the feed and what the framework adds are left to the framework."""
    left = {
        (method, route.path)
        for route in api.app.routes
        for handler in cast(Any, route).route_handlers
        for method in handler.http_methods - {"OPTIONS"}
        if handler not in cast(DirectApp, api.app).plain
    }
    assert {method for method, path in left if not path.startswith("/v1/openapi.json")} == {"GET"}
    assert {path for _, path in left} >= {"/v1/parcels", "/v1/feed", "/v1/feed/stream"}


def test_what_a_layer_stands_before_is_not_plain() -> None:
    """Given routes with a guard, a hook, a parameter or another type of answer, then the framework keeps them."""

    @post("/plain/{name:str}")
    async def plain(request: Call, name: FromPath[str]) -> dict[str, str]:
        return {}

    @post("/guarded", guards=[lambda *_: None])
    async def guarded(request: Call) -> dict[str, str]:
        return {}

    @post("/hooked", before_request=lambda _: None)
    async def hooked(request: Call) -> dict[str, str]:
        return {}

    @get("/numbered/{number:int}")
    async def numbered(request: Call, number: FromPath[int]) -> dict[str, str]:
        return {}

    @get("/counted")
    async def counted(request: Call, limit: FromQuery[int]) -> dict[str, str]:
        return {}

    @get("/texts", media_type="text/plain")
    async def texts(request: Call) -> str:
        return ""

    routes = [plain, guarded, hooked, numbered, counted, texts]
    app = DirectApp(routes, callers=MagicMock(), answers=Answers(), openapi_config=None, logging_config=None)
    assert [handler.fn.__name__ for handler in app.plain] == ["plain"]
