"""The telephone lines between banks and hub: every source dials through one, and the demo can cut it.

A line passes bytes on and understands none of them; TLS runs through it from end to end.
"""

import asyncio
from contextlib import suppress
from typing import Final

_CHUNK_BYTES: Final = 65_536


class Line:
    """One line to the hub's listener on loopback; made by ``open_line``."""

    def __init__(self, hub_port: int) -> None:
        self._hub_port = hub_port
        self._server: asyncio.Server | None = None
        self._calls: set[asyncio.Task[None]] = set()
        self.is_cut = False

    @property
    def port(self) -> int:
        """The port to dial in place of the hub's."""
        assert self._server is not None
        return int(self._server.sockets[0].getsockname()[1])

    def cut(self) -> None:
        """Cut the line: calls under way break off, new ones find nobody."""
        self.is_cut = True
        for call in self._calls:
            call.cancel()

    def heal(self) -> None:
        """Let calls through again."""
        self.is_cut = False

    async def open(self) -> None:
        """Take calls on a free port of loopback."""
        self._server = await asyncio.start_server(self._take, "127.0.0.1", 0)

    async def close(self) -> None:
        """Take no more calls."""
        self.cut()
        if self._server is not None:
            self._server.close()
            await asyncio.gather(*self._calls, return_exceptions=True)

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        call = asyncio.current_task()
        assert call is not None
        self._calls.add(call)
        try:
            if not self.is_cut:
                await self._connect(reader, writer)
        except (OSError, asyncio.CancelledError):
            pass  # a call that breaks off is what a line is for
        finally:
            self._calls.discard(call)
            writer.transport.abort()

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from_hub, to_hub = await asyncio.open_connection("127.0.0.1", self._hub_port)
        ways = [asyncio.create_task(_pass(reader, to_hub)), asyncio.create_task(_pass(from_hub, writer))]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            to_hub.transport.abort()
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)


async def open_line(hub_port: int) -> Line:
    """A whole line to the hub's listener at this port of loopback."""
    line = Line(hub_port)
    await line.open()
    return line


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(_CHUNK_BYTES):
            writer.write(data)
            await writer.drain()
