"""The OpenAPI document against a hub that really serves it: no server error, and no answer that it does not tell of."""

import asyncio
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from hypothesis.strategies import SearchStrategy
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from restante.hub.app import serving
from tests.hub.api import DIMENSIONS, Api, an_api
from tests.hub.care.test_cases import cases, with_point_case

EXAMPLES = 12
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
Case = schemathesis.Case[Any]
Operation = schemathesis.schemas.APIOperation[Any, Any, Any, Any]
ENDLESS = "/v1/feed/stream"


class Served:
    """A hub in a thread of its own, and what stands in it."""

    def __init__(self, url: str, api: Api, ids: dict[str, str]) -> None:
        self.url = url
        self.api = api
        self.ids = ids


async def _stock(api: Api) -> dict[str, str]:
    """A point with a case and a parcel, so that some requests reach something."""
    point = await with_point_case(api)
    given = {"reference": "S-1", "dimensions": DIMENSIONS, "weight_grams": 1, "point": point}
    told = await api.post("/parcels", given, by="swift")
    [case] = await cases(api, f"/points/{point}")
    known = {"parcel": told["parcel"], "code": told["code"], "org": "swift", "key": "0" * 16}
    return {"point": point, "case": case["id"], **known}


@contextmanager
def served(database: str, folder: Path) -> Iterator[Served]:
    """Serve the API over a database from a thread, for clients that block."""
    loop = asyncio.new_event_loop()
    stop = asyncio.Event()
    box: list[Served | BaseException] = []
    up = threading.Event()

    async def run() -> None:
        try:
            async with an_api(database, folder, http_port=0) as api, serving(api.app, "127.0.0.1", 0) as port:
                box.append(Served(f"http://127.0.0.1:{port}", api, await _stock(api)))
                up.set()
                await stop.wait()
        except BaseException as broken:
            box.append(broken)
            raise
        finally:
            up.set()

    thread = threading.Thread(target=lambda: loop.run_until_complete(run()))
    thread.start()
    try:
        up.wait(60)
        assert isinstance(box[0], Served), box
        yield box[0]
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(30)
        loop.close()


# The hub is in this process, and its connection pools draw chance for themselves while requests are drawn.
@pytest.mark.filterwarnings("ignore:Do not use the `random` module:hypothesis.errors.HypothesisDeprecationWarning")
@pytest.mark.postgres
@pytest.mark.no_cover  # drawn requests tread what each route's own tests tread
def test_whatever_is_sent_the_document_tells_of_the_answer(database: str, tmp_path: Path) -> None:
    """Given requests that suit the document and requests that do not, then every answer is one that it names."""
    with served(database, tmp_path) as hub:
        schema = schemathesis.openapi.from_url(f"{hub.url}/v1/openapi.json")
        tried: dict[str, Counter[int]] = {}
        for result in schema.get_all_operations():
            assert isinstance(result, Ok), result
            operation = result.ok()
            if operation.path == ENDLESS:
                continue
            tried[operation.label] = _try(operation, hub)
    assert len(tried) >= 30
    granted = [label for label, statuses in tried.items() if any(status < 300 for status in statuses)]
    assert len(granted) >= 20, f"requests seldom reach what they ask for: {granted}"


def _likely(body: Any, hub: Served) -> Any:
    """The body with what exists in place of what does not, so that it gets past the first checks."""
    known = {"zone": "Europe/Helsinki", "size": "M", "point": hub.ids["point"], "destination": hub.ids["point"]}
    if isinstance(body, dict):
        return {name: known.get(name) or _likely(value, hub) for name, value in body.items()}
    return [_likely(one, hub) for one in body] if isinstance(body, list) else body


def _try(operation: Operation, hub: Served) -> Counter[int]:
    """The statuses of the answers to requests of both kinds."""
    statuses: Counter[int] = Counter()
    for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
        # An operation without parameters has nothing that could be wrong.
        with suppress(Unsatisfiable):
            _ask(operation.as_strategy(generation_mode=mode), hub, statuses)
    return statuses


def _ask(strategy: SearchStrategy[Case], hub: Served, statuses: Counter[int]) -> None:
    numbers = iter(range(10_000))

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=strategy)
    def one(case: Case) -> None:
        number = next(numbers)
        if number % 2 and case.path_parameters:
            case.path_parameters.update(
                {name: hub.ids.get(name, value) for name, value in case.path_parameters.items()}
            )
        if number % 3:
            case.body = _likely(case.body, hub)
        if case.query and "wait" in case.query:
            case.query["wait"] = 0
        key = hub.api.keys["operator" if number % 4 else "swift"]
        answer = case.call_and_validate(headers={"Authorization": f"Bearer {key}"}, checks=CHECKS)
        statuses[answer.status_code] += 1

    one()
