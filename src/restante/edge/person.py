"""Somebody at a bank or counter: the client of the loopback door, for the demo, tests and tools."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from restante.edge import loopback
from restante.edge.boards.steel import Deed
from restante.edge.inputs import Choice
from restante.edge.loopback import LoopbackClosed, NotDone, Request, Status


class Person:
    """One connection to a source's loopback door; every deed answers with how things are afterwards."""

    def __init__(self, state_directory: Path) -> None:
        self._directory = state_directory
        self._connection: ClientConnection | None = None
        self._turn = asyncio.Lock()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.leave()

    async def leave(self) -> None:
        """Hang up."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()

    async def enter_code(self, text: str, channel: str = "keypad") -> Status:
        """Type or show a code."""
        return await self.ask(loopback.EnterCode(text, channel))

    async def scan(self, text: str) -> Status:
        """Scan a parcel code."""
        return await self.ask(loopback.ScanParcel(text))

    async def choose(self, choice: Choice) -> Status:
        """Press something."""
        return await self.ask(loopback.Choose(choice))

    async def touch(self, door: int, *deeds: Deed) -> Status:
        """Do things to a door of an emulated bank."""
        return await self.ask(loopback.TouchDoor(door, deeds))

    async def set_link(self, *, up: bool) -> Status:
        """Cut the line to the hub, or restore it."""
        return await self.ask(loopback.SetLink(up))

    async def status(self) -> Status:
        """How things are."""
        return await self.ask(loopback.AskStatus())

    async def until(self, wanted: Callable[[Status], bool], *, seconds: float = 20.0) -> Status:
        """Wait until things are so. Faults: `LoopbackClosed` when the time is over; its words say how things are."""
        ends_at, seen = time.monotonic() + seconds, "nothing"
        while time.monotonic() < ends_at:
            try:
                status = await self.status()
            except LoopbackClosed:
                pass
            else:
                if wanted(status):
                    return status
                seen = repr(status)
            await asyncio.sleep(0.05)
        raise LoopbackClosed(f"not so within {seconds} s: {seen[:600]}")

    async def ask(self, request: Request) -> Status:
        """One request, one answer. Faults: `LoopbackClosed`, also when the request cannot be done there."""
        async with self._turn:
            try:
                connection = await self._connected()
                await connection.send(msgspec.json.encode(request), text=True)
                answer = loopback.read_answer(await connection.recv())
            except (OSError, WebSocketException) as lost:
                await self.leave()
                raise LoopbackClosed from lost
        if isinstance(answer, NotDone):
            raise LoopbackClosed(answer.why)
        return answer

    async def _connected(self) -> ClientConnection:
        if self._connection is None:
            self._connection = await connect(loopback.find_address(self._directory).url, compression=None)
        return self._connection
