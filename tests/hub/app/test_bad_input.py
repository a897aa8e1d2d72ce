"""What is not ours to read: bodies, headers, addresses and methods that are wrong, each answered with a problem."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from restante.core.refusals import CODES, Refusal
from restante.hub.app import LARGEST_BODY_BYTES
from restante.hub.intake.routes import LARGEST_BULK_BYTES
from restante.hub.problems import problem_of, status_of
from tests.hub.api import Api


def said(answer: httpx.Response) -> tuple[int, str]:
    """The status and code of a problem document."""
    assert answer.headers["content-type"].startswith("application/problem+json"), answer.text
    return answer.status_code, answer.json()["code"]


BODIES: list[tuple[bytes, tuple[int, str]]] = [
    (b"", (400, "field-malformed")),
    (b"{", (400, "body-malformed")),
    (b"\xff\xfe", (400, "body-malformed")),
    (b"[1, 2", (400, "field-malformed")),
    (b"null", (400, "field-malformed")),
    (b'{"reference": "\\ud800"}', (400, "body-malformed")),
    (b'{"reference": 1e999}', (400, "field-malformed")),
    (b"[" * 100_000, (400, "field-malformed")),
    (b'{"consignment": ' + b"[" * 100_000, (400, "field-malformed")),
    (b'{"reference": "A", "reference": "B"', (400, "body-malformed")),
    (b" " * (LARGEST_BODY_BYTES + 1), (413, "body-too-large")),
]


async def test_a_body_that_cannot_be_read_is_answered(api: Api) -> None:
    """Given bytes that are no announcement, then a problem says so, and the hub goes on."""
    headers = {"Content-Type": "application/json"}
    for content, expected in BODIES:
        answer = await api.ask("POST", "/parcels", content=content, headers=headers, by="swift")
        assert said(answer) == expected, content[:40]
    assert (await api.ask("GET", "/health")).status_code == 200


async def test_depth_where_anything_is_taken_is_refused(api: Api) -> None:
    """Given a face nested deeper than anybody reads, then it is refused and nothing breaks."""
    content = b'{"name":"a","kind":"b","latitude":0,"longitude":0,"zone":"UTC","face":{"x":' + b"[" * 50_000
    headers = {"Content-Type": "application/json"}
    answer = await api.ask("POST", "/points", content=content + b"]" * 50_000 + b"}}", headers=headers)
    assert said(answer) == (400, "document-too-deep")


async def test_a_bulk_body_has_a_limit_of_its_own(api: Api) -> None:
    """Given more bytes than a thousand parcels need, then 413."""
    headers = {"Content-Type": "application/json"}
    content = b" " * (LARGEST_BULK_BYTES + 1)
    assert said(await api.ask("POST", "/parcels/bulk", content=content, headers=headers)) == (413, "body-too-large")


async def _in_pieces(piece: bytes, times: int) -> AsyncIterator[bytes]:
    for _ in range(times):
        yield piece


async def test_a_body_in_pieces_is_put_together_and_bounded(api: Api) -> None:
    """Given bodies that announce no length, then one within the bound is read whole and one beyond it is 413."""
    headers = {"Content-Type": "application/json"}
    fits = _in_pieces(b" " * 1000, 100)
    assert said(await api.ask("POST", "/parcels", content=fits, headers=headers)) == (400, "body-malformed")
    beyond = _in_pieces(b" " * 1000, LARGEST_BODY_BYTES // 1000 + 1)
    assert said(await api.ask("POST", "/parcels", content=beyond, headers=headers)) == (413, "body-too-large")


XML = {"content": b"<a/>", "headers": {"Content-Type": "text/xml"}}
REQUESTS: list[tuple[str, str, dict[str, Any], tuple[int, str]]] = [
    ("GET", "/nowhere", {}, (404, "route-unknown")),
    ("PATCH", "/parcels", {}, (405, "method-unknown")),
    ("POST", "/health", {}, (405, "method-unknown")),
    ("GET", "/parcels?limit=0", {}, (400, "field-malformed")),
    ("GET", "/parcels?limit=abc", {}, (400, "field-malformed")),
    ("GET", "/parcels?cursor=abc", {}, (400, "cursor-malformed")),
    ("GET", "/parcels?cursor=%00", {}, (400, "field-malformed")),
    ("GET", "/parcels/a%00b", {}, (400, "field-malformed")),
    ("GET", "/parcels?stage=lost", {}, (400, "field-malformed")),
    ("GET", "/feed?wait=31", {}, (400, "field-malformed")),
    ("GET", "/feed?cursor=W10", {}, (400, "cursor-malformed")),
    ("GET", "/points?latitude=1", {}, (400, "field-malformed")),
    ("GET", "/points?latitude=91&longitude=0", {}, (400, "field-malformed")),
    ("GET", "/points?size=XXL", {}, (422, "size-unknown")),
    ("GET", "/parcels/by-code/ABC", {}, (400, "parcel-code-malformed")),
    ("GET", "/parcels/by-reference", {}, (400, "field-malformed")),
    (
        "POST",
        "/parcels",
        XML,
        (415, "media-type-unknown"),
    ),
    ("GET", "/points/%F0%9F%98%80", {}, (404, "point-unknown")),
    ("GET", "/openapi.json/nothing", {}, (404, "route-unknown")),
    ("GET", "/openapi.json/a/b", {}, (404, "route-unknown")),
    ("POST", "/openapi.json/nothing", {}, (405, "method-unknown")),
]


async def test_what_is_asked_wrongly_is_told_so(api: Api) -> None:
    """Given an address, method or parameter that is wrong, then the problem names it."""
    for method, path, options, expected in REQUESTS:
        answer = await api.ask(method, path, **options)
        assert said(answer) == expected, (method, path)
        assert expected[0] != 405 or "allow" in answer.headers


async def test_a_cursor_of_one_list_is_none_of_another(api: Api) -> None:
    """Given a cursor of the parcels, then the points refuse it."""
    await api.post("/parcels", {"reference": "A", "size": "S"}, by="swift")
    cursor = (await api.get("/parcels", params={"limit": 1}))["cursor"]
    assert said(await api.ask("GET", "/points", params={"cursor": cursor})) == (400, "cursor-malformed")


@pytest.mark.parametrize("code", sorted(CODES))
def test_every_refusal_has_a_status_that_tells_who_must_act(code: str) -> None:
    """Given any refusal, then its status is a client's, or 503 with the time to wait."""
    problem = problem_of(Refusal(code, "field", "detail"))
    assert problem.status == status_of(code)
    assert problem.status in {400, 401, 403, 404, 405, 409, 410, 413, 415, 422, 503}
    assert (problem.retry_after_seconds is not None) == (problem.status == 503)


async def test_the_queue_is_full_and_the_database_is_down(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a hub that cannot just now, then 503 says when to try again, and nothing of what failed."""
    from restante.hub.engine import Engine
    from restante.store.ledger import StoreDown

    async def busy(*_: Any) -> list[Refusal]:
        return [Refusal("busy", "", "7 commands are waiting")]

    async def down(*_: Any) -> list[Refusal]:
        raise StoreDown

    for broken, code in ((busy, "busy"), (down, "unavailable")):
        monkeypatch.setattr(Engine, "submit_all", broken)
        answer = await api.ask("POST", "/parcels", {"reference": code, "size": "S"}, by="swift")
        assert said(answer) == (503, code)
        assert int(answer.headers["retry-after"]) >= 1
    monkeypatch.undo()
    assert (await api.post("/parcels", {"reference": "busy", "size": "S"}, by="swift"))["replayed"] is False


async def test_a_bug_is_told_without_a_word_of_it(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a program that is wrong, then 500 says no more than that."""
    from restante.hub.engine import Engine

    async def wrong(*_: Any) -> None:
        raise AssertionError("secret words")

    monkeypatch.setattr(Engine, "submit_all", wrong)
    answer = await api.ask("POST", "/parcels", {"reference": "A", "size": "S"}, by="swift")
    assert said(answer) == (500, "internal")
    assert "secret" not in answer.text
