"""A worker put together from the settings of the hub: in the hub's own process, or in one of its own."""

import random
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Final

import msgspec

from restante.core.access import KdfCost
from restante.core.refusals import Fault, Refusal
from restante.core.time import Instant
from restante.hub.engine import Engine
from restante.hub.fleet.shelf import PostgresShelf
from restante.hub.measures import Work
from restante.hub.notices.address import Address, check_address
from restante.hub.notices.mail import Letterhead
from restante.hub.notices.smtp import Post, SmtpSettings
from restante.hub.people.codes import Codes, SourceKey, in_threads
from restante.hub.settings import Settings
from restante.hub.worker.ports import Manners, Ports, Refresh
from restante.hub.worker.program import Points, Rhythm, Worker
from restante.hub.worker.steps import Steps
from restante.store.attempts import open_attempts
from restante.store.ledger import Ledger
from restante.store.tables import open_tables
from restante.store.vault import Vault

CODE_THREADS: Final = 2
MAIL_CONNECTIONS: Final = 8
MAIL_DEADLINE_S: Final = 10.0


class SenderMalformed(Fault):
    """RESTANTE_MAIL_FROM is no e-mail address; set it to the mailbox that notices come from."""


class Site(msgspec.Struct, frozen=True):
    """What a worker works on. ``smtp_port`` is where mail goes if the settings name no mail server: the local sink's.

    ``refresh`` has a manifest built anew, wherever the session is; ``points`` are those to be gone round.
    """

    dsn: str
    settings: Settings
    ledger: Ledger
    engine: Engine
    vault: Vault
    source_key: SourceKey
    refresh: Refresh
    points: Points
    now: Callable[[], Instant]
    smtp_port: int = 0
    work: Work = msgspec.field(default_factory=Work)


@asynccontextmanager
async def open_worker(site: Site) -> AsyncIterator[Worker]:
    """A worker with its connections, ready to ``run``. Fault: ``SenderMalformed``."""
    sender = _sender(site.settings)
    threads = ThreadPoolExecutor(CODE_THREADS, thread_name_prefix="codes")
    try:
        async with (
            open_attempts(site.dsn) as attempts,
            open_tables(site.dsn, name="restante worker", size=1, read_only=True) as tables,
            Post(_smtp(site, sender), clock=site.now) as post,
        ):
            codes = Codes(
                site.ledger,
                site.vault,
                source_key=site.source_key,
                cost=KdfCost(n=site.settings.kdf_n),
                aside=in_threads(threads),
            )
            ports = Ports(
                site.ledger,
                site.engine,
                site.vault,
                codes,
                post,
                attempts,
                refresh=site.refresh,
                is_known=PostgresShelf(tables, site.ledger, site.settings).is_known,
                now=site.now,
                chance=random.random,
                work=site.work,
            )
            steps, rhythm = Steps(ports, _manners(site.settings, sender)), Rhythm(pace=site.settings.pace)
            yield Worker(steps, site.ledger, now=site.now, points=site.points, rhythm=rhythm)
    finally:
        threads.shutdown(wait=False, cancel_futures=True)


def _sender(settings: Settings) -> Address:
    sender = check_address(settings.mail_from, field="mail_from")
    if isinstance(sender, Refusal):
        raise SenderMalformed
    return sender


def _manners(settings: Settings, sender: Address) -> Manners:
    head = Letterhead(settings.network, sender, sender)
    return Manners(
        head,
        languages=settings.languages,
        promise_hours=settings.promise_hours,
        person_days=settings.person_days,
        pace=settings.pace,
    )


def _smtp(site: Site, sender: Address) -> SmtpSettings:
    """Several connections and a short deadline, so that a silent mail server holds no task as long as its lease."""
    settings = site.settings
    return SmtpSettings(
        settings.smtp_host or "127.0.0.1",
        settings.smtp_port if settings.smtp_host else site.smtp_port,
        sender,
        tls="required" if settings.smtp_starttls else "offered",
        deadline_seconds=MAIL_DEADLINE_S,
        connections=MAIL_CONNECTIONS,
    )
