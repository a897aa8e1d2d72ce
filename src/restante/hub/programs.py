"""The two programs of a hub put together from explicit parts: the hub (engine, API, banks' listener) and the worker.

Both run over one migrated database and one state folder. A hub may carry a worker in its own process; any number of
workers and hubs may run beside each other.
"""

import asyncio
import errno
import secrets
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, TypeVar

import msgspec
from cryptography import x509

from restante.core.refusals import Fault
from restante.core.time import Instant
from restante.hub.app import Parts, serve, serving
from restante.hub.callers import OPERATOR_FILE
from restante.hub.engine import Engine
from restante.hub.fleet.keyfiles import open_authority, open_listener_file
from restante.hub.fleet.keys import FleetKeys, open_keys
from restante.hub.fleet.listener import Clock, Site, listening
from restante.hub.fleet.records import Records, open_records
from restante.hub.fleet.service import Fleet
from restante.hub.fleet.tls import keep_shown, listener_context
from restante.hub.measures import Measures
from restante.hub.metrics.catalogue import Seen
from restante.hub.metrics.figures import Collector
from restante.hub.metrics.page import MetricsPage, bind_of
from restante.hub.notices.sink import open_sink
from restante.hub.readiness import Readiness
from restante.hub.settings import Settings, reached, state_folder
from restante.hub.worker import opening
from restante.store.connect import pools
from restante.store.postgres import PostgresLedger, open_ledger
from restante.store.sealed_vault import open_vault
from restante.store.tables import open_tables
from restante.store.vault import Vault

MAIL_FOLDER: Final = "mail"
FLEET_FOLDER: Final = "fleet"

T = TypeVar("T")

WallClock = Callable[[], Instant]


class PortTaken(Fault):
    """A port is in use already; name another one, or 0 for any that is free."""


class Spine(msgspec.Struct, frozen=True):
    """What hub and worker share: the ledger and its engine, the vault, and what time it is."""

    dsn: str
    settings: Settings
    ledger: PostgresLedger
    engine: Engine
    vault: Vault
    keys: FleetKeys
    now: WallClock
    measures: Measures = msgspec.field(default_factory=Measures)

    @property
    def folder(self) -> Path:
        """The state folder."""
        return state_folder(self.settings)


class Running(msgspec.Struct, frozen=True):
    """A hub that is ready: where its API and its listener are, and where the operator's first key is kept."""

    api_url: str
    hub_url: str
    key_file: Path


def real_now() -> Instant:
    """The time by the machine's clock."""
    return datetime.now(UTC)


@asynccontextmanager
async def open_spine(dsn: str, settings: Settings, now: WallClock = real_now) -> AsyncIterator[Spine]:
    """Ledger, engine and vault over the migrated database at ``dsn``. Faults: ``StoreDown``, those of the keys."""
    folder = state_folder(settings)
    async with open_ledger(dsn) as ledger, open_vault(dsn, folder) as vault:
        await ledger.ensure_lanes(settings.lanes)
        await ledger.upkeep(now())
        engine = Engine(ledger, now, max_batch=settings.max_batch, queue_limit=settings.queue_limit)
        try:
            yield Spine(dsn, settings, ledger, engine, vault, open_keys(folder / FLEET_FOLDER), now)
        finally:
            await engine.close()


@asynccontextmanager
async def running_hub(spine: Spine) -> AsyncIterator[Running]:
    """A hub that serves until left: the API on its port, banks and counters on theirs.

    Faults: ``StoreDown``, ``PortTaken``, ``KeyExposed``, ``KeyUnreadable``.
    """
    settings = spine.settings
    async with AsyncExitStack() as stack:
        records = await stack.enter_async_context(open_records(spine.dsn, settings.network))
        site, open_file = _site(spine, records)
        listener = await _on_port(stack, listening(site), setting="RESTANTE_BANK_PORT", port=settings.bank_port)
        spine.measures.lines = listener.lines
        assert site.tls is not None, "banks are spoken to over TLS"
        keeping = asyncio.create_task(keep_shown(site.tls, open_file))
        stack.callback(keeping.cancel)
        hub_url = f"wss://{reached(settings.bank_host)}:{listener.port}"
        parts = Parts(
            dsn=spine.dsn,
            settings=settings,
            engine=spine.engine,
            ledger=spine.ledger,
            vault=spine.vault,
            fleet=_fleet(spine, site, hub_url),
            now=spine.now,
            measures=spine.measures,
        )
        port = await _on_port(stack, serve(parts), setting="RESTANTE_HTTP_PORT", port=settings.http_port)
        yield Running(f"http://{reached(settings.http_host)}:{port}", hub_url, spine.folder / OPERATOR_FILE)


@asynccontextmanager
async def running_worker(spine: Spine) -> AsyncIterator[str]:
    """A worker that works until left; gives the mail server it hands notices to, ``host:port``.

    Where the settings name none, a sink of its own that keeps mails in the state folder. Faults: ``StoreDown``,
    ``SenderMalformed``.
    """
    settings = spine.settings
    async with AsyncExitStack() as stack:
        host, port = settings.smtp_host, settings.smtp_port
        if not host:
            sink = await stack.enter_async_context(await open_sink(spine.folder / MAIL_FOLDER))
            host, port = "127.0.0.1", sink.port
        site = opening.Site(
            dsn=spine.dsn,
            settings=settings,
            ledger=spine.ledger,
            engine=spine.engine,
            vault=spine.vault,
            source_key=spine.keys.source_key,
            refresh=spine.ledger.tell,
            points=spine.ledger.points,
            now=spine.now,
            smtp_port=port,
            work=spine.measures.work,
        )
        worker = await stack.enter_async_context(opening.open_worker(site))
        working = asyncio.create_task(worker.run())
        try:
            yield f"{host}:{port}"
        finally:
            working.cancel()
            with suppress(asyncio.CancelledError):
                await working


@asynccontextmanager
async def showing_metrics(spine: Spine) -> AsyncIterator[str]:
    """The program's metrics on loopback until left; gives their address, or nothing where the settings want none.

    Faults: ``StoreDown``, ``PortTaken``, ``BadSettings``.
    """
    bind = bind_of(spine.settings.metrics_bind)
    if bind is None:
        yield ""
        return
    host, port = bind
    async with AsyncExitStack() as stack:
        tables = await stack.enter_async_context(
            open_tables(spine.dsn, name="restante metrics", size=1, read_only=True)
        )
        collector = Collector(spine.ledger, tables, now=spine.now, real=time.time, pace=spine.settings.pace)

        def look() -> Seen:
            return Seen(spine.engine, spine.measures, collector.figures, pools())

        page = MetricsPage(look, Readiness(tables).check)
        bound = await _on_port(stack, serving(page, host, port), setting="RESTANTE_METRICS_BIND", port=port)
        collecting = asyncio.create_task(collector.keep_collecting())
        try:
            yield f"http://{f'[{host}]' if ':' in host else host}:{bound}/metrics"
        finally:
            collecting.cancel()
            with suppress(asyncio.CancelledError):
                await collecting


def _site(spine: Spine, records: Records) -> tuple[Site, Callable[[], Path]]:
    """The listener's parts, and what opens the file of its certificate, renewed when due.

    Certificates go by real time, whatever the day's pace.
    """
    settings, folder = spine.settings, spine.folder / FLEET_FOLDER
    authority = open_authority(folder, settings.network, now=real_now(), serial=x509.random_serial_number())
    names = sorted({reached(settings.bank_host), "localhost", "127.0.0.1"})

    def open_file() -> Path:
        return open_listener_file(folder, authority, names, now=real_now(), serial=x509.random_serial_number())

    site = Site(
        ledger=spine.ledger,
        engine=spine.engine,
        records=records,
        keys=spine.keys,
        settings=settings,
        clock=Clock(spine.now, time.monotonic, real_now),
        chance=secrets.token_bytes,
        authority=authority,
        authorities=(authority.certificate,),
        tls=listener_context(open_file(), (authority.certificate,)),
    )
    return site, open_file


def _fleet(spine: Spine, site: Site, hub_url: str) -> Fleet:
    assert site.authority is not None, "a hub that invites has an authority"
    return Fleet(
        ledger=spine.ledger,
        submit=spine.engine.submit,
        records=site.records,
        authority=site.authority,
        keys=spine.keys,
        settings=spine.settings,
        hub_url=hub_url,
    )


async def _on_port(stack: AsyncExitStack, serving: AbstractAsyncContextManager[T], *, setting: str, port: int) -> T:
    """Enter what listens on a port; one that is in use is told by the setting that names it."""
    try:
        return await stack.enter_async_context(serving)
    except OSError as taken:
        if taken.errno != errno.EADDRINUSE:
            raise
        raise PortTaken(f"{setting}={port} is in use already; name another port, or 0 for any free one") from taken
