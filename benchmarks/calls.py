"""Calls over a few connections that are kept, light enough not to be what is measured; and readers of the feed."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

CONNECTIONS: Final = 32

Line = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Calls:
    """Requests with one key. A request waits for a free connection, and that wait is its caller's."""

    def __init__(self, url: str, key: str, *, connections: int = CONNECTIONS) -> None:
        parts = urlsplit(url)
        self._host, self._port = str(parts.hostname), int(parts.port or 80)
        self._head = f"Host: hub\r\nAuthorization: Bearer {key}\r\nContent-Type: application/json\r\n"
        self._idle: asyncio.LifoQueue[Line | None] = asyncio.LifoQueue()
        for _ in range(connections):
            self._idle.put_nowait(None)

    async def ask(self, method: str, path: str, body: bytes = b"") -> tuple[int, bytes]:
        """The status and body of an answer. Raises ``OSError`` or ``EOFError`` when the line is lost.

        A kept line that the server closed while nobody used it is opened anew.
        """
        line = await self._idle.get()
        request = f"{method} {path} HTTP/1.1\r\n{self._head}Content-Length: {len(body)}\r\n\r\n".encode() + body
        again: Line | None = None
        try:
            found = await _exchanged(line, request) if line else None
            if found is None:
                _shut(line)
                line = await asyncio.open_connection(self._host, self._port, limit=1 << 24)
                found = await _exchanged(line, request)
            if found is None:
                raise EOFError(f"{method} {path} was not answered")
            again = line
            return found
        finally:
            if again is None:
                _shut(line)
            self._idle.put_nowait(again)

    def close(self) -> None:
        """Give up the lines that nobody uses."""
        while not self._idle.empty():
            _shut(self._idle.get_nowait())

    @asynccontextmanager
    async def stream(self, path: str) -> AsyncIterator[asyncio.StreamReader]:
        """What a path sends for as long as it is read, after the head of the answer."""
        reader, writer = await asyncio.open_connection(self._host, self._port, limit=1 << 24)
        try:
            writer.write(f"GET {path} HTTP/1.1\r\n{self._head}\r\n".encode())
            await reader.readuntil(b"\r\n\r\n")
            yield reader
        finally:
            writer.close()


def _shut(line: Line | None) -> None:
    if line is not None:
        line[1].close()


async def _exchanged(line: Line, request: bytes) -> tuple[int, bytes] | None:
    """A request and its answer; None if the server had closed the line without a word."""
    reader, writer = line
    try:
        writer.write(request)
        answer = await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, ConnectionError) as closed:
        if getattr(closed, "partial", b""):
            raise
        return None
    return int(answer[9:12]), await reader.readexactly(_length(answer))


def _length(head: bytes) -> int:
    return next((int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), 0)


class Reader:
    """Somebody who follows the feed, and how many events came."""

    def __init__(self, calls: Calls) -> None:
        self.events = 0
        self.wrong: list[str] = []
        self._calls = calls

    async def poll(self) -> None:
        """Ask for pages, waiting for news, until cancelled."""
        cursor = ""
        while True:
            status, body = await self._calls.ask("GET", f"/v1/feed?limit=1000&wait=5&cursor={cursor}")
            if status != 200:
                self.wrong.append(f"a reader of the feed was answered {status}")
                return
            page = msgspec.json.decode(body, type=_Page)
            self.events, cursor = self.events + len(page.items), page.cursor

    async def stream(self) -> None:
        """Read events as the server sends them, until cancelled."""
        async with self._calls.stream("/v1/feed/stream") as reader:
            while line := await reader.readline():
                self.events += line.startswith(b"data: {")
        self.wrong.append("the stream of the feed ended")


class _Page(msgspec.Struct):
    items: list[msgspec.Raw]
    cursor: Any
