"""The source's side of its loopback door: a websocket on 127.0.0.1 that asks for the token before anything else."""

import hmac
import os
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from pathlib import Path
from typing import assert_never

import msgspec
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request as HttpRequest
from websockets.http11 import Response

from restante.edge import loopback
from restante.edge.boards.emulated import LiveBoard
from restante.edge.drivers.port import DoorReading
from restante.edge.inputs import Chosen, CodeEntered, Inspected, ParcelScanned
from restante.edge.loopback import Address, NotDone, Status
from restante.edge.moments import Moment, reached
from restante.edge.running import Running


class LoopbackServer:
    """Answers requests about one running source; ``live`` is its steel when that is emulated."""

    def __init__(self, running: Running, live: LiveBoard | None = None) -> None:
        self._running = running
        self._live = live

    async def answer(self, request: loopback.Request) -> loopback.Answer:
        """Do what is asked, and say how things are."""
        match request:
            case loopback.EnterCode(text, channel):
                await self._running.heed(CodeEntered(text, channel))
            case loopback.ScanParcel(text):
                await self._running.heed(ParcelScanned(text))
            case loopback.Choose(choice):
                await self._running.heed(Chosen(choice))
            case loopback.Inspect(door):
                await self._running.heed(Inspected(door))
            case loopback.TouchDoor():
                return self._touched(request)
            case loopback.SetLink(up):
                self._running.set_link(up=up)
            case loopback.AskStatus():
                pass
            case loopback.Watch(after):
                await self._running.screen_after(after, seconds=loopback.WATCH_SECONDS)
            case _:
                assert_never(request)
        return self.status()

    def status(self) -> Status:
        """How things are."""
        running, state = self._running, self._running.agent.state
        applied, screen = state.manifest, running.screen
        return Status(
            source=state.source,
            boot=running.boot,
            screen=screen,
            screen_number=running.screen_number,
            texts=tuple(screen.texts()),
            online=state.online,
            is_link_up=running.is_link_up,
            forked=state.forked,
            log_epoch=state.log_epoch,
            head=state.head_seq,
            acknowledged=running.acknowledged,
            generation=applied.manifest.generation if applied else None,
            stays=len(state.stays),
            doors={door: _seen(one.settled) for door, one in state.seen.items()},
            fault="" if running.fault is None else str(running.fault),
        )

    def _touched(self, request: loopback.TouchDoor) -> loopback.Answer:
        if self._live is None:
            return NotDone("the doors here are real")
        if not 1 <= request.door <= len(self._live.board.locks):
            return NotDone("no such door")
        self._live.touch(request.door, *request.deeds)
        return self.status()


@asynccontextmanager
async def serving(server: LoopbackServer, state_directory: Path) -> AsyncIterator[Address]:
    """The loopback door, open, and its address in the state directory: from then on the source is ready."""
    token = secrets.token_urlsafe(24)

    def admit(connection: ServerConnection, request: HttpRequest) -> Response | None:
        if hmac.compare_digest(request.path.encode("utf-8", "replace"), f"/{token}".encode()):
            return None
        return connection.respond(HTTPStatus.UNAUTHORIZED, "the token is in loopback.json\n")

    async def converse(connection: ServerConnection) -> None:
        try:
            async for frame in connection:
                request = loopback.read_request(frame)
                answer = request if isinstance(request, NotDone) else await server.answer(request)
                await connection.send(msgspec.json.encode(answer), text=True)
        except ConnectionClosed:
            return

    async with serve(
        converse, "127.0.0.1", 0, process_request=admit, max_size=loopback.MAX_REQUEST_BYTES, compression=None
    ) as listening:
        address = Address(int(next(iter(listening.sockets)).getsockname()[1]), token)
        path = state_directory / loopback.LOOPBACK_FILE
        _write_private(path, msgspec.json.encode({"port": address.port, "token": address.token}))
        try:
            yield address
        finally:
            path.unlink(missing_ok=True)


def _seen(reading: DoorReading) -> loopback.SeenAt:
    return loopback.SeenAt(reading.door.value, reading.item.value)


def _write_private(path: Path, body: bytes) -> None:
    beside = path.with_name(f".{path.name}.new")
    beside.unlink(missing_ok=True)
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(body)
    reached(Moment.BEFORE_LOOPBACK_FILE)
    beside.replace(path)
    reached(Moment.AFTER_LOOPBACK_FILE)
