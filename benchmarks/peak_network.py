"""The programs of the hour of peak: hub, worker and mail sink over a database of their own, and what they say of it."""

import re
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Final

import httpx
import msgspec
from rich.console import Console

from benchmarks.cpu import process_seconds, resident_mb, server_seconds
from restante.hub.notices.sink import open_sink
from restante.sim.demo.api import Api
from restante.sim.demo.world import admit
from restante.sim.kill.network import Program, environment
from restante.store import embedded

ORG: Final = "nordpost"
_SERIES: Final = re.compile(r"^(?P<name>[a-z_]+)(?:\{(?P<labels>[^}]*)\})? (?P<value>[-+0-9.eE]+|NaN)$", re.MULTILINE)
_WORST: Final = frozenset({"restante_outbox_oldest_seconds", "restante_timer_lateness_seconds"})

Figures = Mapping[str, float]


class Running(msgspec.Struct, frozen=True):
    """A network at work: its API, its callers, and where its programs tell how they are."""

    server: embedded.Server
    folder: Path
    api_url: str
    carrier_key: str
    operator_key: str
    operator: Api
    hub: Program
    worker: Program
    metrics: tuple[str, str]

    def cpu_seconds(self) -> dict[str, float]:
        """User and system seconds of each program so far."""
        assert self.server.pid is not None
        return {
            "hub": process_seconds(self.hub.pid),
            "worker": process_seconds(self.worker.pid),
            "PostgreSQL": server_seconds(self.server.pid),
        }

    def memory_mb(self) -> dict[str, float]:
        """The memory that hub and worker hold."""
        return {"hub": round(resident_mb(self.hub.pid)), "worker": round(resident_mb(self.worker.pid))}

    async def figures(self) -> tuple[Figures, Figures]:
        """What hub and worker say of themselves."""
        async with httpx.AsyncClient(trust_env=False, timeout=10.0) as client:
            hub, worker = [(await client.get(url)).text for url in self.metrics]
        return read_figures(hub), read_figures(worker)


def read_figures(text: str) -> dict[str, float]:
    """Metrics by name, each also by name and labels: sums over the labels, of ages the worst."""
    found: defaultdict[str, float] = defaultdict(float)
    for one in _SERIES.finditer(text):
        name, value = one["name"], float(one["value"])
        found[name] = max(found[name], value) if name in _WORST else found[name] + value
        if one["labels"]:
            found[f"{name}{{{one['labels']}}}"] = value
    return dict(found)


@asynccontextmanager
async def running(server: embedded.Server, folder: Path, *, kdf_n: int, console: Console) -> AsyncIterator[Running]:
    """Hub, worker and sink, until left."""
    async with AsyncExitStack() as stack:
        place = folder.parent / "network"
        (place / "hub").mkdir(mode=0o711, parents=True)
        sink = await stack.enter_async_context(await open_sink(place / "mail"))
        environ = environment(place, server.dsn, sink.port) | {
            "RESTANTE_KDF_N": str(kdf_n),
            "RESTANTE_METRICS_BIND": "127.0.0.1:0",
            "RESTANTE_NETWORK": "peak",
        }
        hub, worker = (
            Program(name, [name, "--json"], environ=environ, log=place / f"{name}.log") for name in ("hub", "worker")
        )
        for program in (hub, worker):
            stack.push_async_callback(program.stop)
        await hub.start()
        told = await hub.ready()
        await worker.start()
        worked = await worker.ready()
        operator_key = _read(told["key_file"])
        operator = await stack.enter_async_context(Api(told["api"], operator_key))
        carrier_key = await admit(operator, ORG, "Nord Post")
        console.print("[dim]hub and worker are ready[/dim]")
        metrics = told["metrics"], worked["metrics"]
        yield Running(server, place, told["api"], carrier_key, operator_key, operator, hub, worker, metrics)


def _read(file: str) -> str:
    return Path(file).read_text("ascii").strip()
