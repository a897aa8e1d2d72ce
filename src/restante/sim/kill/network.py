"""A network of real processes to be killed in: database, hub and worker, a mail server that outlives them all."""

import asyncio
import os
import signal
import socket
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Final

import msgspec

from restante.core.refusals import Fault
from restante.hub.notices.sink import Sink, open_sink
from restante.sim.demo.api import Api
from restante.sim.demo.children import LIFELINE
from restante.sim.demo.world import admit
from restante.sim.kill.patience import PATIENCE_SECONDS, patiently
from restante.store import embedded, statements
from restante.store.tables import Rows, open_tables

STOP_SECONDS: Final = 60.0
CARRIER: Final = "revontuli"

_SQL: Final = {name: one.text.encode() for name, one in statements.load("restante.sim.kill").items()}


class ProgramFailed(Fault):
    """A program of the proof ended by itself or did not become ready; its log says why."""


class Program:
    """One program of ours, which can be started, killed and started again."""

    def __init__(self, name: str, arguments: Sequence[str], *, environ: Mapping[str, str], log: Path) -> None:
        self.name = name
        self.log = log
        self.starts = 0
        self._arguments = tuple(arguments)
        self._environ = dict(environ)
        self._process: Process | None = None

    @property
    def is_running(self) -> bool:
        """Whether it was started and has not ended."""
        return self._process is not None and self._process.returncode is None

    @property
    def pid(self) -> int:
        """Its process, while it runs."""
        assert self._process is not None
        return self._process.pid

    @property
    def was_killed(self) -> bool:
        """Whether SIGKILL ended it."""
        return self._process is not None and self._process.returncode == -signal.SIGKILL

    async def start(self, told: Mapping[str, str] | None = None, *, stdin: bytes = b"") -> None:
        """Start it, with what it is ``told`` in its environment; what is secret goes by ``stdin``."""
        self.starts += 1
        with self.log.open("ab") as errors:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "restante",
                *self._arguments,
                stdin=PIPE if stdin else DEVNULL,
                stdout=PIPE,
                stderr=errors,
                env={**self._environ, LIFELINE: str(os.getpid()), "PYTHONUNBUFFERED": "1", **(told or {})},
                start_new_session=True,
            )
        if self._process.stdin is not None:
            self._process.stdin.write(stdin)
            self._process.stdin.close()

    async def ready(self) -> dict[str, Any]:
        """What the program says of itself once it is ready: one line of JSON. Fault: `ProgramFailed`."""
        assert self._process is not None
        assert self._process.stdout is not None
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                told: dict[str, Any] = msgspec.json.decode(await self._process.stdout.readline())
        except (TimeoutError, msgspec.DecodeError):
            raise ProgramFailed(f"restante {self.name} is not ready: see {self.log}") from None
        return told

    async def kill(self) -> None:
        """End it as a crash would."""
        await self._end(signal.SIGKILL)

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        assert self._process is not None
        self._process.send_signal(number)

    async def ended(self) -> None:
        """Wait until it has ended by itself."""
        assert self._process is not None
        await self._process.wait()

    async def stop(self) -> None:
        """Tell it to end, and see that it has ended."""
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await self._end(signal.SIGTERM)
        except TimeoutError:
            await self.kill()

    async def _end(self, number: signal.Signals) -> None:
        if self._process is not None and self._process.returncode is None:
            with suppress(ProcessLookupError):
                self._process.send_signal(number)
            await self._process.wait()


class Network(msgspec.Struct):
    """The running network: where its database is, its programs, the operator's and one carrier's keys.

    ``told`` is what hub and worker find in their environment besides ``environ``: which version they are.
    """

    folder: Path
    dsn: str
    server: embedded.Server | None
    hub: Program
    worker: Program
    sink: Sink
    api_url: str
    operator_key: str
    operator: Api
    carrier_key: str
    carrier: Api
    environ: dict[str, str]
    told: dict[str, str] = {}
    second: Program | None = None

    async def held_of(self, source: str) -> int:
        """How far the hub holds the journal of a source, in the latest epoch that it has entries of."""
        found = await self._asked("held", {"source": source})
        return int(found[0][0]) if found else 0

    async def heads(self) -> dict[int, int]:
        """How far each lane of the log has come."""
        return {int(lane): int(head) for lane, head in await self._asked("heads", {})}

    async def _asked(self, name: str, given: Mapping[str, Any]) -> Rows:
        async def ask() -> Rows:
            async with open_tables(self.dsn, name="proof", size=1, read_only=True) as tables:
                return await tables.rows(_SQL[name], given)

        return await patiently(ask)

    async def start_hub(self) -> None:
        """Start the hub, which was killed or stopped, and wait until it is ready."""
        await self.hub.start(self.told)
        await self.hub.ready()

    async def start_worker(self) -> None:
        """Start the worker, which was killed or stopped, and wait until it is ready."""
        await self.worker.start(self.told)
        await self.worker.ready()


@asynccontextmanager
async def second_hub(running: Network) -> AsyncIterator[str]:
    """Another hub on the same database, until left; where its API is. Its ports stay the same over restarts."""
    ports = {name: str(free_port()) for name in ("RESTANTE_HTTP_PORT", "RESTANTE_BANK_PORT")}
    second = Program("hub", ["hub", "--json"], environ=running.environ | ports, log=running.folder / "second.log")
    await second.start(running.told)
    running.second = second
    try:
        yield str((await second.ready())["api"])
    finally:
        running.second = None
        await second.stop()


@asynccontextmanager
async def network(folder: Path, *, dsn: str = "", told: Mapping[str, str] | None = None) -> AsyncIterator[Network]:
    """A network until left, on a database of its own or the one at ``dsn``; ``told`` as in `Network`."""
    _make(folder)
    async with AsyncExitStack() as stack:
        server = None
        if not dsn:
            server = await asyncio.to_thread(stack.enter_context, embedded.server(folder / "hub" / "database"))
        sink = await stack.enter_async_context(await open_sink(folder / "mail"))
        environ = environment(folder, dsn or _dsn(server), sink.port)
        hub, worker = (
            Program(name, [name, "--json"], environ=environ, log=folder / f"{name}.log") for name in ("hub", "worker")
        )
        for program in (hub, worker):
            stack.push_async_callback(program.stop)
        await hub.start(told)
        ready = await hub.ready()
        await worker.start(told)
        await worker.ready()
        operator_key = _key(ready["key_file"])
        operator = await stack.enter_async_context(Api(ready["api"], operator_key))
        carrier_key = await admit(operator, CARRIER, "Revontuli Parcels")
        carrier = await stack.enter_async_context(Api(ready["api"], carrier_key))
        yield Network(
            folder=folder,
            dsn=dsn or _dsn(server),
            server=server,
            hub=hub,
            worker=worker,
            sink=sink,
            api_url=ready["api"],
            operator_key=operator_key,
            operator=operator,
            carrier_key=carrier_key,
            carrier=carrier,
            environ=environ,
            told=dict(told or {}),
        )


def _make(folder: Path) -> None:
    """The folder and the one of the hub in it, through which the database's account may pass."""
    for one in (folder, folder / "hub"):
        one.mkdir(mode=0o711, parents=True, exist_ok=True)


def _key(file: str) -> str:
    return Path(file).read_text("ascii").strip()


def environment(folder: Path, dsn: str, mail_port: int) -> dict[str, str]:
    """What the programs are told: ports that stay the same over restarts, and codes that are cheap to try."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("RESTANTE_", "COV"))}
    return inherited | {
        "DATABASE_URL": dsn,
        "RESTANTE_STATE": str(folder / "hub"),
        "RESTANTE_NETWORK": "kill",
        "RESTANTE_HTTP_PORT": str(free_port()),
        "RESTANTE_BANK_PORT": str(free_port()),
        "RESTANTE_SMTP_HOST": "127.0.0.1",
        "RESTANTE_SMTP_PORT": str(mail_port),
        "RESTANTE_MAIL_FROM": "parcels@kill.example",
        "RESTANTE_KDF_N": "16",
    }  # fmt: skip


def free_port() -> int:
    """A port of loopback that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def _dsn(server: embedded.Server | None) -> str:
    assert server is not None, "a network without a database of its own was given one"
    return server.dsn
