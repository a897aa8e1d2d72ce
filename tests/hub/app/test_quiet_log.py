"""Nothing of what a caller sends stands in the log, whatever it is and however the request ends."""

import io
import json
from collections.abc import Mapping
from typing import Any, Final
from unittest.mock import AsyncMock, patch
from urllib.parse import quote

import pytest

from restante.hub.journeys.service import Journeys
from restante.store.ledger import StoreDown
from tests.cli.test_logs import entries, written
from tests.hub.api import Api

__all__ = ["written"]

MARK: Final = "Zqxmarked"
REQUESTS: Final[list[tuple[str, str, Mapping[str, Any]]]] = [
    ("GET", f"/points?near={MARK}", {}),
    ("GET", f"/parcels/{MARK}", {}),
    ("GET", f"/parcels/by-reference?reference={MARK}&x={quote(MARK + '@a.example')}", {}),
    ("GET", f"/{MARK}/..%2f{MARK}", {}),
    ("POST", "/parcels", {"json": {"reference": MARK, "recipient": {"name": MARK, "emails": [f"{MARK}@a.example"]}}}),
    ("POST", "/parcels", {"json": {MARK: MARK}}),
    ("POST", "/parcels", {"content": f'{{"reference": "{MARK}'.encode()}),
    ("POST", "/parcels", {"content": MARK.encode() + b"\xff\xfe", "headers": {"Content-Type": MARK}}),
    ("POST", "/parcels", {"json": {"reference": MARK * 40}, "headers": {"Idempotency-Key": MARK}}),
    (MARK, "/parcels", {}),
    ("GET", "/points", {"headers": {"Authorization": f"Bearer rst_{MARK}", "X-Request-Id": MARK, "Cookie": MARK}}),
]


async def test_nothing_that_is_sent_stands_in_the_log(
    api: Api,
    written: io.StringIO,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Given requests full of marks, right and wrong, and bugs and faults that quote them, then no mark is logged."""
    for method, path, options in REQUESTS:
        await api.ask(method, path, by="swift", **options)
    for raised in (ValueError(MARK), StoreDown(), KeyError(MARK)):
        failing = AsyncMock(side_effect=raised)
        with patch.multiple(Journeys, own=failing, by_reference=failing):
            for method, path, options in REQUESTS[:4]:
                await api.ask(method, path, by="swift", **options)
    said = capfd.readouterr()
    assert MARK.lower() not in (written.getvalue() + said.out + said.err).lower()
    failed = [one for one in entries(written) if one["event"] == "request-failed"]
    assert {one["fault"] for one in failed} >= {"ValueError", "StoreDown"}
    assert all(one["request"] and one["route"].startswith("/v1/") for one in failed)
    assert json.loads(written.getvalue().splitlines()[0])["program"] == "hub"
