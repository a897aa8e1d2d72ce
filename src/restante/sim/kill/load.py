"""Callers and feed readers that go on through every crash of the hub, and remember what they were told.

A caller sends each request under a key of its own until it is answered, and the same again later: whatever crashes
meanwhile, it is done once, and the answer is the same. A reader keeps its cursor with what it has read.
"""

import asyncio
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import httpx
import msgspec

from restante.sim.kill.network import Network
from restante.sim.kill.patience import PATIENCE_SECONDS

CALLERS: Final = 8
READERS: Final = 2
AGAIN_SECONDS: Final = 0.1
REQUEST_SECONDS: Final = 30.0
PAUSE_SECONDS: Final = 0.03
CANCEL_EACH: Final = 3


class Request(msgspec.Struct, frozen=True):
    """What is asked for, under its key."""

    key: str
    path: str
    body: dict[str, Any] | None = None


class Told(msgspec.Struct, frozen=True):
    """A request and what it was answered."""

    request: Request
    answer: dict[str, Any]


class Load:
    """What the callers and readers of one round have asked and been told."""

    def __init__(self, network: Network, points: Sequence[str], *, name: str, urls: Sequence[str] = ()) -> None:
        self.told: dict[str, Told] = {}
        self.refused: list[str] = []
        self.answered_s: list[float] = []
        self.sent_again = 0
        self.feeds: list[dict[int, list[int]]] = []
        self.wrong: list[str] = []
        self._network = network
        self._points = tuple(points)
        self._name = name
        self._urls = tuple(urls) or (network.api_url,)
        self._is_over = asyncio.Event()
        self._answered = asyncio.Event()

    async def run(self, over: asyncio.Event) -> None:
        """Call and read until told that it is over; then every request is answered and every event read."""
        readers = [asyncio.create_task(self._read()) for _ in range(READERS)]
        await asyncio.gather(*(self._call(number, over) for number in range(CALLERS)))
        self._is_over.set()
        await asyncio.gather(*readers)

    async def _call(self, caller: int, over: asyncio.Event) -> None:
        async with client(self._network, url=self._urls[caller % len(self._urls)]) as calls:
            number = 0
            while not over.is_set():
                number += 1
                await asyncio.sleep(PAUSE_SECONDS)
                key = f"{self._name}-{caller}-{number}"
                told = await self.insist(calls, announcement(key, self._points[number % len(self._points)]))
                if told is not None and number % CANCEL_EACH == 0:
                    await self.insist(calls, Request(f"{key}-c", f"/parcels/{told['parcel']}/cancellation"))

    async def insist(self, calls: httpx.AsyncClient, request: Request) -> dict[str, Any] | None:
        """Send a request until it is answered; what was told, or None if it was refused."""
        ends_s = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < ends_s:
            answer = await send(calls, request)
            if answer is not None:
                self._note_answer()
                told: dict[str, Any] = msgspec.json.decode(answer.content)
                if answer.is_error:
                    self.refused.append(f"{request.path}: {told.get('code')}")
                    return None
                self.told[request.key] = Told(request, told)
                return told
            self.sent_again += 1
            await asyncio.sleep(AGAIN_SECONDS)
        self.wrong.append(f"{request.key} was not answered within {PATIENCE_SECONDS} s")
        return None

    async def answer_after(self, since_s: float) -> None:
        """Wait until a request is answered later than that."""
        while not self.answered_s or self.answered_s[-1] <= since_s:
            await self._answered.wait()

    def _note_answer(self) -> None:
        self.answered_s.append(time.monotonic())
        answered, self._answered = self._answered, asyncio.Event()
        answered.set()

    async def ask_again(self) -> list[str]:
        """Every request once more under its key; where the answer is another one than before."""
        changed: list[str] = []
        todo = iter(self.told.values())
        async with client(self._network) as calls:
            await asyncio.gather(*(self._compare(calls, todo, changed) for _ in range(CALLERS)))
        return changed

    async def _compare(self, calls: httpx.AsyncClient, todo: Iterator[Told], changed: list[str]) -> None:
        for told in todo:
            key, again = told.request.key, await _told_again(calls, told.request)
            if again is None:
                self.wrong.append(f"{key} was answered once, and not again within {PATIENCE_SECONDS} s")
            elif _lasting(again) != _lasting(told.answer):
                changed.append(f"{key} was answered {told.answer}, and later {again}")

    async def _read(self) -> None:
        """Follow the feed from its beginning, until all is read once it is over."""
        seen: dict[int, list[int]] = {}
        self.feeds.append(seen)
        cursor = ""
        async with client(self._network, key=self._network.operator_key) as calls:
            while True:
                was_over = self._is_over.is_set()
                try:
                    page = await calls.get("/feed", params={"cursor": cursor, "limit": 500, "wait": 0.5})
                except httpx.TransportError:
                    await asyncio.sleep(AGAIN_SECONDS)
                    continue
                if page.is_error:
                    await asyncio.sleep(AGAIN_SECONDS)
                    continue
                told = msgspec.json.decode(page.content)
                for item in told["items"]:
                    seen.setdefault(item["lane"], []).append(item["seq"])
                cursor = told["cursor"]
                if was_over and not told["items"]:
                    return


def client(network: Network, *, key: str = "", url: str = "") -> httpx.AsyncClient:
    """Calls with the carrier's key or another one, to the hub or another one."""
    headers = {"Authorization": f"Bearer {key or network.carrier_key}"}
    return httpx.AsyncClient(
        base_url=(url or network.api_url) + "/v1", headers=headers, timeout=REQUEST_SECONDS, trust_env=False
    )


async def send(calls: httpx.AsyncClient, request: Request) -> httpx.Response | None:
    """One attempt; None if nobody can say what came of it, or the hub says that nothing was done."""
    headers = {"Idempotency-Key": request.key, "Content-Type": "application/json"}
    content = None if request.body is None else msgspec.json.encode(request.body)
    try:
        answer = await calls.post(request.path, content=content, headers=headers)
    except httpx.TransportError:
        return None
    return None if answer.status_code >= httpx.codes.INTERNAL_SERVER_ERROR else answer


async def _told_again(calls: httpx.AsyncClient, request: Request) -> dict[str, Any] | None:
    """What a request is answered now; None if it is not, for as long as callers wait."""
    ends_s = time.monotonic() + PATIENCE_SECONDS
    while (answer := await send(calls, request)) is None:
        if time.monotonic() > ends_s:
            return None
        await asyncio.sleep(AGAIN_SECONDS)
    told: dict[str, Any] = msgspec.json.decode(answer.content)
    return told


def announcement(key: str, point: str) -> Request:
    """A parcel for a point."""
    given = {
        "reference": key,
        "direction": "delivery",
        "dimensions": {"width_mm": 300, "height_mm": 60, "depth_mm": 200},
        "weight_grams": 400,
        "recipient": {"name": "Otso", "emails": [f"{key}@homes.example"], "language": "fi"},
        "point": point,
    }
    return Request(key, "/parcels", given)


def gaps(feed: Mapping[int, Sequence[int]], heads: Mapping[int, int]) -> list[str]:
    """Lanes of which a reader has not read every position once and in order, at least as far as to these heads."""
    found = []
    for lane, head in heads.items():
        seen = list(feed.get(lane, ()))
        if len(seen) < head or seen != list(range(1, len(seen) + 1)):
            found.append(f"lane {lane}: {len(seen)} events were read, in other order or number than 1 to {head} and on")
    return found


def _lasting(told: Mapping[str, Any]) -> dict[str, Any]:
    """An answer without what it says of the moment: that it is a repeated one, and where there is room just now."""
    problem = told.get("problem")
    kept = {name: value for name, value in told.items() if name not in {"replayed", "problem"}}
    return kept if problem is None else {**kept, "problem": {**problem, "nearest": []}}
