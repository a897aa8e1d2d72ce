"""`restante db backup` and `restore`: a copy of the program's own database, and its state at an instant since."""

import asyncio
import os
from datetime import datetime
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from restante.cli.database import Json, archive_folder, database_folder, later_epoch, own_server, server_settings
from restante.cli.ending import Stop, say


def backup(
    folder: Annotated[Path, Parameter(help="A new folder for the backup.")],
    *,
    json: Json = False,
) -> None:
    """Copy the program's own database while it runs, and check the copy against its manifest.

    The copy holds everything, people's keys as well: keep it for days, and closed.
    """
    from restante.store.backup import back_up

    server = own_server()
    server.start()
    size = back_up(server, folder)
    if json:
        say({"backup": str(folder.resolve()), "bytes": size})
    else:
        print(f"The backup in {folder.resolve()} is whole: {size / 1e6:,.1f} MB")


def restore(
    folder: Annotated[Path, Parameter(help="The backup to begin with.")],
    *,
    until: Annotated[str, Parameter(help="Stop just before this instant, as 2026-11-22T14:05:00+02:00.")] = "",
    json: Json = False,
) -> None:
    """Bring a backup and the archive of the log to an instant, as the program's own database, and leave it running.

    The state folder must hold no database: stop the one that is there and move it away. A later epoch of the hub
    begins, so that sources take its manifests and send again what it has lost of their journals.
    """
    from restante.store.backup import restore as restore_backup

    if os.environ.get("DATABASE_URL"):
        raise Stop("database-foreign", field="DATABASE_URL", rule="That database is restored where it runs.")
    kept, instant = archive_folder(os.environ), _instant(until)
    if instant is not None and kept is None:
        rule = "An instant is reached by the archive of the log: RESTANTE_DATABASE_ARCHIVE names its folder."
        raise Stop("archive-missing", field="--until", rule=rule)
    settings = server_settings(os.environ)
    server = restore_backup(folder, database_folder(os.environ), kept=kept, until=instant, settings=settings)
    epoch = asyncio.run(later_epoch(server.dsn))
    if json:
        say({"database": str(server.home), "until": until or None, "epoch": epoch})
    else:
        print(f"The database in {server.home} runs. Epoch {epoch} of this hub has begun. Start the hub: restante hub")


def _instant(text: str) -> datetime | None:
    if not text:
        return None
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        instant = None
    if instant is None or instant.tzinfo is None:
        rule = "An instant is a date and a time with its zone, as 2026-11-22T14:05:00+02:00."
        raise Stop("instant-malformed", field="--until", rule=rule)
    return instant
