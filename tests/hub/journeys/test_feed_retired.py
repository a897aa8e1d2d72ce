"""Readers of the feed who come back after days of the log were retired: told so, and never led past what is gone."""

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from restante.core.ids import Lane
from restante.core.refusals import Refusal
from restante.hub.journeys.feed import Feed
from restante.hub.journeys.schemas import FeedPage
from restante.hub.paging import read_cursor, write_cursor
from restante.hub.problems import Refused
from restante.store.retention import Retired, retire
from tests.hub.api import START, Api

LATER = START + timedelta(days=60)


class Retiring:
    """A log whose first day went, but for a point's events, and the cursor of a reader who had seen one of the day."""

    def __init__(self, api: Api, database: str, folder: Path) -> None:
        self.api = api
        self.database = database
        self.folder = folder
        self.behind = ""
        self.at_end = ""
        self.lane = Lane(0)

    async def fill(self) -> None:
        """A point, and parcels that are announced to it and called off; readers see their first event, and all."""
        point = await self.api.point()
        for reference in ("A", "B", "C"):
            announced = {"reference": reference, "size": "S", "point": point}
            parcel = await self.api.post("/parcels", announced, by="swift")
            await self.api.post(f"/parcels/{parcel['parcel']}/cancellation", by="swift")
            self.lane = Lane(int(parcel["parcel"][-4:], 16))
        self.behind = (await self.page(limit=1))["cursor"]
        self.at_end = (await self.page(limit=1000, cursor=self.behind))["cursor"]

    def retire(self) -> Retired:
        """Let 60 days pass and retire the day."""
        self.api.time.at = LATER
        with psycopg.connect(self.database, autocommit=True) as db:
            db.execute("DELETE FROM task")
            db.execute("UPDATE hub_epoch SET began_at = '2020-01-01'")
        gone = next(
            one for one in retire(self.database, self.folder, keep_days=30, now=LATER) if one.day == START.date()
        )
        assert isinstance(gone, Retired)
        assert 0 < gone.kept < gone.events
        return gone

    async def page(self, *, by: str = "swift", **query: Any) -> Any:
        """A page of the feed."""
        return await self.api.get("/feed", params=query, by=by)

    async def refused(self, path: str = "/feed", *, by: str = "swift", **options: Any) -> str:
        """The cursor that a refusal names."""
        answer = await self.api.ask("GET", path, by=by, **options)
        return named(answer)


def named(answer: httpx.Response) -> str:
    """The cursor to go on from, by a refused reader's problem document."""
    told = answer.json()
    assert answer.headers["content-type"] == "application/problem+json"
    assert (answer.status_code, told["code"], told["field"]) == (410, "cursor-too-old", "cursor")
    return str(told["detail"])


def kinds(page: Mapping[str, Any]) -> list[str]:
    """The kinds of the events on a page."""
    return [item["event"]["kind"] for item in page["items"]]


@pytest.fixture
async def retired(api: Api, database: str, tmp_path: Path) -> Retiring:
    """A log whose first day is gone."""
    log = Retiring(api, database, tmp_path / "old")
    await log.fill()
    log.retire()
    return log


async def test_a_reader_before_what_was_retired_is_refused_and_told_where_to_go_on(retired: Retiring) -> None:
    """Given a reader who was away for long, then asking, waiting or streaming is refused, and says where to go on."""
    cursor = await retired.refused(params={"cursor": retired.behind})
    assert cursor == await retired.refused(params={"cursor": retired.behind, "wait": 30, "lane": retired.lane})
    assert cursor == await retired.refused("/feed/stream", params={"cursor": retired.behind, "seconds": 60})
    assert cursor == await retired.refused("/feed/stream", headers={"Last-Event-ID": retired.behind})
    parcel = await retired.api.post("/parcels", {"reference": "D", "size": "S"}, by="swift")
    page = await retired.page(cursor=cursor)
    assert [item["event"]["parcel"] for item in page["items"]] == [parcel["parcel"]]
    assert kinds(await retired.page(cursor=retired.at_end)) == kinds(page)


async def test_a_stream_that_comes_to_a_gap_ends(retired: Retiring, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a stream under way, when what it would read next is retired, then it ends, and its reader comes again."""
    pages = iter([FeedPage([], retired.at_end)])

    async def read(*_what: object, **_how: object) -> FeedPage:
        if (page := next(pages, None)) is None:
            raise Refused(Refusal("cursor-too-old", "cursor"))
        return page

    monkeypatch.setattr(Feed, "read", read)
    told = await retired.api.ask("GET", "/feed/stream", params={"seconds": 3600}, by="swift")
    assert (told.status_code, told.text.count("still here")) == (200, 1)


async def test_a_reader_who_sees_nothing_of_what_went_is_refused_too(retired: Retiring) -> None:
    """Given another carrier's reader, then it is refused: what it would have seen is known to nobody any more."""
    at_first = write_cursor("feed", {retired.lane: 0})
    assert await retired.refused(by="slow", params={"cursor": write_cursor("feed", {})})
    assert await retired.refused(by="slow", params={"cursor": at_first})
    other = Lane(1 - retired.lane)
    assert (await retired.page(by="slow", cursor=at_first, lane=other))["items"] == []


async def test_what_stayed_is_told_up_to_the_first_gap(retired: Retiring) -> None:
    """Given the point's events, which stayed, when the operator reads from the first, then they come, then the gap."""
    page = await retired.page(by="operator", cursor=write_cursor("feed", {retired.lane: 0}), lane=retired.lane)
    assert set(kinds(page)) == {"point-provisioned", "module-added", "source-installed"}
    assert [item["seq"] for item in page["items"]] == [1, 2, 3]
    cursor = await retired.refused(by="operator", params={"cursor": page["cursor"], "lane": retired.lane})
    assert read_cursor("feed", cursor, dict[int, int])[retired.lane] > 3


async def test_a_reader_without_a_cursor_begins_where_the_log_does(retired: Retiring) -> None:
    """Given a reader who begins, then it is refused nothing, and gets what came since in whole."""
    empty = await retired.page()
    assert empty["items"] == []
    await retired.api.post("/parcels", {"reference": "D", "size": "S"}, by="swift")
    assert kinds(await retired.page()) == ["parcel-announced"]
    assert kinds(await retired.page(cursor=empty["cursor"])) == ["parcel-announced"]


async def test_a_position_that_nobody_retired_is_a_fault(api: Api, database: str, tmp_path: Path) -> None:
    """Given an event that is missing though its day is not, then its reader is told to come again, passing nothing."""
    log = Retiring(api, database, tmp_path)
    await log.fill()
    with psycopg.connect(database, autocommit=True) as db:
        db.execute("DELETE FROM event WHERE lane = %s AND seq = 4", [log.lane])
    found = await api.ask("GET", "/feed", params={"lane": log.lane}, by="operator")
    assert [item["seq"] for item in found.json()["items"]] == [1, 2, 3]
    behind = await api.ask("GET", "/feed", params={"lane": log.lane, "cursor": found.json()["cursor"]}, by="operator")
    assert (behind.status_code, behind.json()["code"]) == (503, "unavailable")
