"""Watches the network by its public feed, and tells the people what a courier would be told."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Protocol

from restante.sim.demo.api import Api, HubSilent
from restante.sim.demo.ground import Ground, Item
from restante.sim.demo.picture import Event, Picture, Told

WAIT_S = 10
PAGE = 500


class Crew(Protocol):
    """Those who act on what the feed tells."""

    async def renew(self, item: Item) -> None:
        """Have room promised again to a parcel."""

    async def mend(self, point: str, door: int) -> None:
        """Make a latch work again."""


class Watcher:
    """Reads the feed from its beginning; ``tell`` hears of each event in words."""

    def __init__(self, api: Api, picture: Picture, ground: Ground, *, crew: Crew, tell: Callable[[Told], None]) -> None:
        self._crew = crew
        self._errands: set[asyncio.Task[None]] = set()
        self._api = api
        self._picture = picture
        self._ground = ground
        self._tell = tell
        self._cursor = ""

    async def follow(self) -> None:
        """Follow the feed, for ever."""
        while True:
            try:
                await self.read(wait_s=WAIT_S)
            except HubSilent:
                await asyncio.sleep(1)

    async def read(self, *, wait_s: float = 0) -> int:
        """Take in a page of the feed, waiting for one if there is none; how many events it had."""
        page = await self._api.get("/feed", cursor=self._cursor, limit=PAGE, wait=wait_s)
        for event in page["items"]:
            self._take(event)
        self._cursor = page["cursor"]
        return len(page["items"])

    def _act(self, body: Mapping[str, Any]) -> None:
        """What somebody must do about an event."""
        item = self._ground.items.get(str(body.get("parcel")))
        match body["kind"]:
            case "recall-ordered" if item is not None and not item.is_in_hand:
                item.recalled = True
                if item.ended == "cancelled":  # it was called off while a courier was putting it in
                    item.ended = ""
            case "promise-ended" if item is not None and body["why"] == "expired":
                self._go(self._crew.renew(item))
            case "condition-changed" if body["condition"] == "jammed":
                self._go(self._crew.mend(body["point"], body["door"]))
            case _:
                pass

    def _go(self, errand: Coroutine[Any, Any, None]) -> None:
        going = asyncio.create_task(errand)
        self._errands.add(going)
        going.add_done_callback(self._end_of_errand)

    def _end_of_errand(self, errand: "asyncio.Task[None]") -> None:
        self._errands.discard(errand)
        if not errand.cancelled() and (wrong := errand.exception()) is not None:
            self._ground.breaches.append(f"an errand broke off: {wrong}")

    def _take(self, event: Event) -> None:
        told = self._picture.take(event)
        self._act(event["event"])
        if told is not None:
            self._tell(told)
