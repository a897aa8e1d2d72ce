"""A whole API over a real database, for tests: with an operator, two carriers, and time as a value."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import httpx
import msgspec
from litestar import Litestar

from restante.core.time import Instant
from restante.hub.app import Parts, open_app, operator_key
from restante.hub.engine import Engine
from restante.hub.fleet.keyfiles import open_authority
from restante.hub.fleet.keys import open_keys
from restante.hub.fleet.records import open_records
from restante.hub.fleet.service import Fleet
from restante.hub.settings import Settings
from restante.store.postgres import PostgresLedger, open_ledger
from restante.store.sealed_vault import open_vault

START = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
POINT = {
    "name": "Market Square",
    "kind": "shop",
    "host": "Corner Shop",
    "latitude": 60.1675,
    "longitude": 24.9525,
    "zone": "Europe/Helsinki",
    "address": "Market Square 1",
    "directions": "Beside the fountain.",
    "hold": {"kind": "elapsed-hours", "hold_hours": 72},
}
DIMENSIONS = {"width_mm": 200, "height_mm": 100, "depth_mm": 300}
SETTINGS = Settings(kdf_n=2, public_url="http://127.0.0.1")


def module(number: int = 1, *, sizes: str = "SSML", first_door: int = 1, reach_height_mm: int = 900) -> dict[str, Any]:
    """A module with one compartment of each of these size classes."""
    doors = [
        {"door": first_door + index, "size": size, "reach_height_mm": reach_height_mm}
        for index, size in enumerate(sizes)
    ]
    return {"number": number, "compartments": doors}


class Time:
    """The time, moved by hand."""

    def __init__(self) -> None:
        self.at = START

    def now(self) -> Instant:
        """What time it is; a little later at every look."""
        self.at += timedelta(milliseconds=1)
        return self.at


class Api:
    """A running API and clients of it, by organisation."""

    def __init__(self, app: Litestar, parts: Parts, time: Time, *, client: httpx.AsyncClient, key: str) -> None:
        self.app = app
        self.parts = parts
        self.time = time
        self.client = client
        self.keys: dict[str, str] = {"operator": key}

    @property
    def ledger(self) -> PostgresLedger:
        """The ledger behind the API."""
        assert isinstance(self.parts.ledger, PostgresLedger)
        return self.parts.ledger

    async def ask(self, method: str, path: str, /, body: Any = None, **options: Any) -> httpx.Response:
        """The answer to a request of the operator's, or of the organisation given as ``by``."""
        by = options.pop("by", "operator")
        headers = {"Authorization": f"Bearer {self.keys[by]}", **options.pop("headers", {})}
        if body is not None:
            options["json"] = body
        return await self.client.request(method, f"/v1{path}", headers=headers, **options)

    async def get(self, path: str, **options: Any) -> Any:
        """What a request answers that must succeed."""
        return _good(await self.ask("GET", path, **options))

    async def post(self, path: str, body: Any = None, **options: Any) -> Any:
        """What a request answers that must succeed."""
        return _good(await self.ask("POST", path, body, **options))

    async def admit(self, org: str, role: str = "carrier") -> None:
        """Take an organisation in, with a key."""
        await self.post("/orgs", {"id": org, "role": role, "name": org.title()})
        self.keys[org] = (await self.post(f"/orgs/{org}/keys", {"label": "test"}))["key"]

    async def point(self, *modules: dict[str, Any], kind: str = "bank", **changed: Any) -> str:
        """A point with a locker bank (or counter) of these modules; its id."""
        made: str = (await self.post("/points", {**POINT, **changed}))["id"]
        await self.post(f"/points/{made}/source", {"kind": kind, "modules": list(modules) or [module()]})
        return made


def _good(answer: httpx.Response) -> Any:
    assert answer.is_success, f"{answer.status_code} {answer.text}"
    return answer.json()


@asynccontextmanager
async def an_api(database: str, folder: Path, **changed: Any) -> AsyncIterator[Api]:
    """An API over a database, with the operator's key and two carriers, ``swift`` and ``slow``."""
    time = Time()
    settings = msgspec.structs.replace(SETTINGS, state=str(folder / "state"), **changed)
    keys = folder / "keys"
    keys.mkdir(mode=0o700)
    async with (
        open_ledger(database) as ledger,
        open_vault(database, folder / "vault") as vault,
        open_records(database, settings.network) as records,
    ):
        await ledger.ensure_lanes(settings.lanes)
        await ledger.upkeep(START)
        engine = Engine(ledger, time.now, max_batch=settings.max_batch, queue_limit=settings.queue_limit)
        authority = open_authority(keys, settings.network, now=START, serial=1)
        fleet = Fleet(ledger, engine.submit, records, authority, open_keys(keys), settings, "wss://127.0.0.1:8443")
        parts = Parts(database, settings, engine, ledger, vault, fleet, time.now)
        async with open_app(parts) as app:
            transport = httpx.ASGITransport(cast(Any, app), raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url="http://hub") as client:
                api = Api(app, parts, time, client=client, key=operator_key(Path(settings.state)))
                await api.admit("swift")
                await api.admit("slow")
                yield api
        await engine.close()
