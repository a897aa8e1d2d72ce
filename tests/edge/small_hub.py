"""A hub on loopback that knows enrolment and sessions and keeps what it hears in memory."""

import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from restante.core.ids import SourceId
from restante.core.refusals import Refusal
from restante.hub.fleet.enrol import LISTENER_LOG
from restante.wire import enrol, journal, seal
from restante.wire import session as wire
from restante.wire.manifest import Grant, ListedCompartment, Manifest, Settings, code_verifier, sign
from tests.hub.fleet.lines import NAME, Hub

SOURCE = SourceId(NAME.source)
SOURCE_KEY = bytes(range(50, 82))
MANIFEST_KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))


class SmallHub(Hub):
    """One source's hub: its journal, its manifest, its sessions."""

    def __init__(self, directory: Path, *, doors: int = 6, settings: Settings | None = None) -> None:
        super().__init__(directory)
        self.settings = settings or Settings(kdf_n=2, kdf_r=1)
        self.listed = tuple(ListedCompartment(door, 1, 1, 1000) for door in range(1, doors + 1))
        self.grants: dict[str, Grant] = {}
        self.generation = 0
        self.head = journal.first_head(SOURCE, 1)
        self.entries: list[journal.Entry] = []
        self.hellos: list[wire.Hello] = []
        self.acks_lost = 0
        self._live: ServerConnection | None = None
        self._sessions = itertools.count(1)

    def verifier(self, code: str) -> str:
        """What a grant holds in place of a code."""
        return code_verifier(code, source_key=SOURCE_KEY, source=SOURCE, log_epoch=1, settings=self.settings)

    def kinds(self) -> list[str]:
        """The kinds of the entries held."""
        return [entry.kind for entry in self.entries]

    async def grant(self, **grants: Grant) -> None:
        """Grants more, sent at once if there is a session."""
        self.grants |= grants
        self.generation += 1
        if self._live is not None:
            await self._send_manifest(self._live)

    async def receive(self, connection: ServerConnection) -> None:
        """One line: an enrolment or a session."""
        if connection.subprotocol == enrol.SUBPROTOCOL:
            await super().receive(connection)
            return
        with suppress(ConnectionClosed):
            await self._session(connection)

    async def _session(self, connection: ServerConnection) -> None:
        hello = wire.read_from_source(await connection.recv())
        assert isinstance(hello, wire.Hello)
        self.hellos.append(hello)
        welcome = wire.Welcome(
            session=f"session-{next(self._sessions)}",
            version=1,
            hub_epoch=1,
            hub_time=datetime.now(UTC),
            log_epoch=1,
            resume_from=self.head.seq + 1,
            source_key=seal.to_text(SOURCE_KEY),
            manifest_key=seal.public_key_to_text(MANIFEST_KEY.public_key()),
        )
        await connection.send(wire.encode(welcome), text=True)
        self._live = connection
        try:
            await self._send_manifest(connection)
            async for frame in connection:
                await self._hear(connection, wire.read_from_source(frame))
        finally:
            self._live = None

    async def _hear(self, connection: ServerConnection, message: wire.FromSource | Refusal) -> None:
        match message:
            case wire.JournalSent(number=number, entries=texts):
                entries = [journal.parse_entry(text.encode()) for text in texts]
                sound = [entry for entry in entries if isinstance(entry, journal.Entry)]
                assert len(sound) == len(entries)
                known = {entry.seq: entry.hash for entry in self.entries}
                found = journal.check_batch(self.head, sound, source=SOURCE, known=known)
                assert isinstance(found, journal.Accepted), found
                self.entries += found.entries
                self.head = found.head
                if self.acks_lost:
                    self.acks_lost -= 1
                    await connection.close()
                    return
                ack = wire.Ack(self.head.epoch, self.head.seq, self.head.hash, number)
                await connection.send(wire.encode(ack), text=True)
            case wire.Ping(number=number):
                await connection.send(wire.encode(wire.Pong(number, datetime.now(UTC))), text=True)
            case wire.ManifestWanted():
                await self._send_manifest(connection)
            case _:
                assert isinstance(message, wire.Pong), message

    async def _send_manifest(self, connection: ServerConnection) -> None:
        manifest = Manifest(
            SOURCE, 1, self.generation, datetime.now(UTC), 1, self.settings, self.listed, dict(self.grants)
        )
        await connection.send(wire.encode(sign(manifest, MANIFEST_KEY)), text=True)

    @asynccontextmanager
    async def listening(self) -> AsyncIterator["SmallHub"]:
        """Listen on a free port of loopback, with TLS."""
        protocols = [Subprotocol(wire.SUBPROTOCOL), Subprotocol(enrol.SUBPROTOCOL)]
        options: dict[str, Any] = {"ssl": self.context(), "subprotocols": protocols, "logger": LISTENER_LOG}
        async with serve(self.receive, "127.0.0.1", self.port, max_size=wire.MAX_MESSAGE_BYTES, **options) as server:
            self.port = next(iter(server.sockets)).getsockname()[1]
            yield self
