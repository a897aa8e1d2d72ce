"""How the hub speaks to its database: session settings, connections and pools for the engine and for reads.

The engine's statements are all look-ups by key and are planned once (``docs`` of the engine give the measurements);
limits on time keep one stalled program from holding a lane against all others.
"""

import select
from collections.abc import Mapping
from typing import Any
from weakref import WeakSet

import msgspec
import psycopg
from psycopg import AsyncConnection
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg_pool import AsyncConnectionPool

from restante.core.refusals import Fault
from restante.store import arrays

FLOOR = 15
"""The oldest major version of PostgreSQL whose SQL the hub speaks."""

CONNECT_S = 5

# A machine that vanished says no goodbye: without these its connections are waited for some minutes.
_VANISHED: Mapping[str, int] = {
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 15_000,
}
_LIMITS: Mapping[str, str] = {
    "idle_in_transaction_session_timeout": "5s",
    "lock_timeout": "2s",
    "statement_timeout": "5s",
    "timezone": "UTC",
}
ENGINE: Mapping[str, str] = {
    **_LIMITS,
    "plan_cache_mode": "force_generic_plan",
    # All of the engine's statements are key look-ups: a plan that scans is a wrong plan, whatever the statistics say.
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
}
"""Session settings of a connection that decides and appends."""

READS: Mapping[str, str] = {**_LIMITS, "default_transaction_read_only": "on"}
"""Session settings of a connection that only reads."""


class DatabaseUnreachable(Fault):
    """The database does not answer."""

    retryable = True


class DatabaseTooOld(Fault):
    """The database server is older than the hub's SQL needs."""


class AddressMalformed(Fault):
    """The database address is not a PostgreSQL address."""


def conninfo(dsn: str, *, name: str, settings: Mapping[str, str]) -> str:
    """``dsn`` with session ``settings`` and the application's ``name``; options already in ``dsn`` win.

    Of several hosts it is the one that takes writes, unless ``dsn`` says otherwise.
    """
    given = _parsed(dsn)
    options = " ".join(f"-c {key}={value}" for key, value in settings.items())
    own: dict[str, str | int | None] = {"application_name": name, "connect_timeout": CONNECT_S, **_VANISHED}
    asked = given.pop("options", None)
    merged = {**own, **given, "options": f"{options} {asked}" if asked else options}
    if any("," in str(given.get(key, "")) for key in ("host", "hostaddr")):
        merged.setdefault("target_session_attrs", "read-write")
    if merged.get("target_session_attrs") == "read-write" and "default_transaction_read_only" in settings:
        # A session that itself only reads would pass for a server that does, and be turned away from every one.
        merged["target_session_attrs"] = "primary"
    return make_conninfo("", **merged)


def _parsed(dsn: str) -> dict[str, str | int | None]:
    try:
        return {key: str(value) for key, value in conninfo_to_dict(dsn).items()}
    except psycopg.ProgrammingError:
        # The parser's own words may quote the password, so they are not passed on.
        raise AddressMalformed(
            "DATABASE_URL is not a PostgreSQL address: write postgresql://user:password@host:5432/name"
        ) from None


async def _prepare_all(db: AsyncConnection) -> None:
    """Take columns, and prepare each statement when it is first seen and keep it: the set is small and fixed."""
    arrays.register(db)
    db.prepare_threshold = 0
    db.prepared_max = None


async def engine_connection(dsn: str, *, name: str = "restante engine") -> AsyncConnection:
    """One connection for the engine, in autocommit: it writes its own BEGIN and COMMIT into the pipeline.

    Fault ``DatabaseUnreachable``.
    """
    try:
        db = await AsyncConnection.connect(conninfo(dsn, name=name, settings=ENGINE), autocommit=True)
    except psycopg.OperationalError as error:
        raise DatabaseUnreachable(unreachable(dsn)) from error
    await _prepare_all(db)
    return db


class PoolFigures(msgspec.Struct, frozen=True):
    """How a pool stands: connections that are idle, connections that are lent, and who waits for one."""

    name: str
    idle: int
    lent: int
    waiting: int


_pools: WeakSet[AsyncConnectionPool[AsyncConnection]] = WeakSet()


def pools() -> list[PoolFigures]:
    """How the pools of this process stand, by name."""
    return [_figures(pool) for pool in sorted(_pools, key=lambda pool: pool.name) if not pool.closed]


def _figures(pool: AsyncConnectionPool[AsyncConnection]) -> PoolFigures:
    stats = pool.get_stats()
    idle = stats.get("pool_available", 0)
    return PoolFigures(pool.name, idle, stats.get("pool_size", 0) - idle, stats.get("requests_waiting", 0))


def pool(
    dsn: str, *, name: str, settings: Mapping[str, str], size: int, **options: Any
) -> AsyncConnectionPool[AsyncConnection]:
    """A pool of at most ``size`` connections with session ``settings``, still closed; ``pools`` tells how it stands.

    A caller waits 5 s at most for a connection, then gets ``psycopg_pool.PoolTimeout``.
    """
    made: AsyncConnectionPool[AsyncConnection] = AsyncConnectionPool(
        conninfo(dsn, name=name, settings=settings),
        min_size=1,
        max_size=size,
        timeout=CONNECT_S,
        check=still_there,
        name=name,
        open=False,
        **options,
    )
    _pools.add(made)
    return made


def reads_pool(dsn: str, *, name: str = "restante reads", size: int = 4) -> AsyncConnectionPool[AsyncConnection]:
    """A pool of at most ``size`` read-only connections, still closed: ``async with`` it."""
    return pool(dsn, name=name, settings=READS, size=size, kwargs={"autocommit": True}, configure=_prepare_all)


def has_word(db: AsyncConnection) -> bool:
    """Whether the server has said something on an idle connection, which is how it hangs up."""
    socket = select.poll()
    socket.register(db.fileno(), select.POLLIN)
    return bool(socket.poll(0))


async def still_there(db: AsyncConnection) -> None:
    """Raise if the server has hung up on an idle connection: it says so by itself, so only then is it asked."""
    if has_word(db):
        await AsyncConnectionPool.check_connection(db)


def probe(dsn: str) -> None:
    """Ask the database once; faults ``AddressMalformed``, ``DatabaseUnreachable``, ``DatabaseTooOld``."""
    target = conninfo(dsn, name="restante probe", settings={})
    try:
        with psycopg.connect(target, autocommit=True) as db:
            version = db.info.server_version
    except psycopg.OperationalError as error:
        raise DatabaseUnreachable(unreachable(dsn)) from error
    if version < FLOOR * 10_000:
        raise DatabaseTooOld(f"The database server is PostgreSQL {version // 10_000}; the hub needs {FLOOR} or newer")


def unreachable(dsn: str) -> str:
    """What cannot be reached, without the password."""
    given = _parsed(dsn)
    place = f"{given.get('host', 'the local socket')}, database {given.get('dbname', '(default)')}"
    return f"The database at {place} does not answer: check that it runs, its name, user and password"
