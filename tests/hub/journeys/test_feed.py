"""The feed: nothing skipped, nothing twice, in order, only what the reader may see, and at once."""

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import httpx
from hypothesis import given, settings
from hypothesis import strategies as st

from restante.core.refusals import Refusal
from restante.hub.app import serving
from restante.hub.paging import read_cursor, write_cursor
from restante.hub.problems import Refused
from tests.hub.api import Api, an_api

Events = list[tuple[int, int]]


async def read_all(api: Api, *, by: str, limit: int, lane: int | None = None) -> Events:
    """Positions of the whole feed, page by page."""
    found: Events = []
    cursor = ""
    while True:
        query = {"limit": limit, "cursor": cursor} | ({} if lane is None else {"lane": lane})
        page = await api.get("/feed", params={name: value for name, value in query.items() if value != ""}, by=by)
        found += [(item["lane"], item["seq"]) for item in page["items"]]
        if not page["items"] and page["cursor"] == cursor:
            return found
        cursor = page["cursor"]


async def stock(api: Api) -> None:
    """Two points and parcels of two carriers, so that both lanes hold events of several readers."""
    points = [await api.point() for _ in range(3)]
    for org in ("swift", "slow"):
        many = [{"reference": f"{n}", "size": "S", "point": points[n % 3] if n % 2 else None} for n in range(15)]
        await api.post("/parcels/bulk", {"items": many}, by=org)


async def test_pages_of_any_size_give_the_whole_feed_in_order(api: Api) -> None:
    """Given events in two lanes, then every page size gives each event once, in the order of its lane."""
    await stock(api)
    heads = await api.ledger.lane_heads()
    whole = {(lane, seq) for lane, head in heads.items() for seq in range(1, head + 1)}
    for limit in (1, 2, 3, 7, 1000):
        found = await read_all(api, by="operator", limit=limit)
        assert len(found) == len(whole)
        assert set(found) == whole
        for lane in heads:
            seqs = [seq for one, seq in found if one == lane]
            assert seqs == sorted(seqs)
    own = await read_all(api, by="swift", limit=4)
    other = await read_all(api, by="slow", limit=5)
    assert own
    assert not set(own) & set(other)
    assert {lane for lane, _ in await read_all(api, by="operator", limit=9, lane=1)} == {1}


async def test_a_waiting_reader_is_told_at_once_and_no_longer_than_it_asked(api: Api) -> None:
    """Given a reader at the end of the feed, when a parcel is announced, then it hears before its time is over."""
    begun_s = time.monotonic()
    empty = await api.get("/feed", params={"wait": 0.3}, by="swift")
    assert empty["items"] == []
    assert 0.25 < time.monotonic() - begun_s < 5
    query = {"wait": 20, "cursor": empty["cursor"]}
    waiting = [asyncio.create_task(api.get("/feed", params=query, by=by)) for by in ("swift", "operator", "swift")]
    await api.post("/parcels", {"reference": "A", "size": "S"}, by="swift")
    pages = await asyncio.wait_for(asyncio.gather(*waiting), 15)
    assert all(page["items"][-1]["event"]["kind"] == "parcel-announced" for page in pages)


async def test_events_are_streamed_and_a_lost_stream_goes_on(database: str, tmp_path: Path) -> None:
    """Given a stream, then events come as they happen, and its last id is where the next one goes on."""
    async with an_api(database, tmp_path, http_port=0) as api, serving(api.app, "127.0.0.1", 0) as port:
        url = f"http://127.0.0.1:{port}/v1/feed/stream"
        await api.post("/parcels", {"reference": "A", "size": "S"}, by="swift")
        first = await _streamed(url, api.keys["swift"], "")
        assert [json.loads(one["data"])["event"]["kind"] for one in first if "data" in one] == ["parcel-announced"]
        await api.post("/parcels", {"reference": "B", "size": "S"}, by="swift")
        second = await _streamed(url, api.keys["swift"], first[-1]["id"])
        told = [json.loads(one["data"]) for one in second if "data" in one]
        assert len(told) == 1
        assert told[0]["seq"] > 0


async def _streamed(url: str, key: str, last: str) -> list[dict[str, str]]:
    """The events of a stream that ends by itself after a moment."""
    headers = {"Authorization": f"Bearer {key}"} | ({"Last-Event-ID": last} if last else {})
    async with httpx.AsyncClient() as client:
        answer = await client.get(url, params={"seconds": "0.5"}, headers=headers)
    assert answer.headers["content-type"].startswith("text/event-stream")
    blocks = [block for block in answer.text.replace("\r\n", "\n").split("\n\n") if block]
    return [dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":")) for block in blocks]


@given(st.dictionaries(st.integers(0, 65_535), st.integers(0, 2**62), max_size=20))
@settings(max_examples=50, deadline=None)
def test_a_cursor_means_what_was_written(positions: dict[int, int]) -> None:
    """Whatever positions a cursor is written from, reading gives them back, and only as that list's."""
    text = write_cursor("feed", positions)
    assert read_cursor("feed", text, dict[int, int]) == positions
    assert _refused("parcels", text).code == "cursor-malformed"


@given(st.text(max_size=200) | st.binary(max_size=100).map(lambda raw: raw.hex()))
@settings(max_examples=200, deadline=None)
def test_any_other_text_is_no_cursor(text: str) -> None:
    """Whatever is handed in as a cursor is refused by name, never anything else."""
    assert _refused("feed", text).code == "cursor-malformed"


def _refused(about: str, text: str) -> Refusal:
    try:
        found: Any = read_cursor(about, text, dict[int, int])
    except Refused as refused:
        return refused.refusal
    raise AssertionError(f"read as {found}")
