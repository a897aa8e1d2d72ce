"""What programs on one database tell each other: the notifications of a channel."""

from collections.abc import AsyncIterator
from typing import Final

from psycopg import AsyncConnection, sql

from restante.store import connect
from restante.store.writers import faults_named

STARTED: Final = ""
"""What stands for everything that was told before one listened; nobody tells this."""


async def heard(dsn: str, channel: str) -> AsyncIterator[str]:
    """``STARTED`` once listening, then each thing told. Some may be lost with a connection.

    Fault: ``StoreDown``; then listen again.
    """
    with faults_named():
        target = connect.conninfo(dsn, name=f"{channel} news", settings={})
        async with await AsyncConnection.connect(target, autocommit=True) as db:
            await db.execute(sql.SQL("LISTEN {}").format(sql.Identifier(channel)))
            yield STARTED
            async for notice in db.notifies():
                if notice.payload != STARTED:
                    yield notice.payload
