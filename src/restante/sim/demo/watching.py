"""Watches the network by its public feed, and tells the people what a courier would be told."""

import asyncio
from collections.abc import Callable

from restante.sim.demo.api import Api, HubSilent
from restante.sim.demo.ground import Ground, Item
from restante.sim.demo.picture import Event, Picture, Told

WAIT_S = 10
PAGE = 500


class Watcher:
    """Reads the feed from its beginning; ``tell`` hears of each event in words."""

    def __init__(self, api: Api, picture: Picture, ground: Ground, *, tell: Callable[[Told], None]) -> None:
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

    def _take(self, event: Event) -> None:
        told = self._picture.take(event)
        if event["event"]["kind"] == "recall-ordered":
            item: Item | None = self._ground.items.get(event["event"]["parcel"])
            if item is not None:
                item.recalled = True
        if told is not None:
            self._tell(told)
