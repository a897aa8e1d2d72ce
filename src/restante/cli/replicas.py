"""`restante db replica` and `promote`: a second server that follows the first, and takes its place."""

import asyncio
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from restante.cli.database import Json, archive_folder, later_epoch, own_server, server_settings
from restante.cli.ending import Stop, say

if TYPE_CHECKING:
    from restante.store.embedded import Server

Folder = Annotated[Path, Parameter(help="The replica's own state folder, best on another disk.")]


def replica(
    folder: Folder,
    *,
    anew: Annotated[
        bool, Parameter(negative="", help="Throw away what the folder holds if it leads elsewhere.")
    ] = False,
    json: Json = False,
) -> None:
    """Have a replica of the program's own database run over a folder: make it if there is none, else start it.

    After a promotion this makes the former leader a replica again, with --anew: it is wound back to where the two
    parted, or copied afresh. What it holds that the present leader does not is gone then.
    """
    from restante.store import replica as replicas

    leader = own_server()
    leader.start()
    made = replicas.make(leader, folder, anew=anew)
    if json:
        say({"replica": str(folder.resolve()), "made": made, "leader": str(leader.state)})
    else:
        print(f"The replica in {folder.resolve()} runs ({made}). It follows {leader.state}")


def promote(
    folder: Folder,
    *,
    stop_leader: Annotated[
        bool, Parameter(negative="", help="Stop a leader that runs first; nothing is lost.")
    ] = False,
    accept_loss: Annotated[bool, Parameter(negative="", help="Lose what the replica has not received.")] = False,
    json: Json = False,
) -> None:
    """Have a replica lead in its leader's place. Hubs that know both go on by themselves.

    It is refused while the leader runs, and while the leader's log holds commits that the replica has not received or
    is out of reach. A promotion that may have lost commits begins a later epoch of the hub, before any hub can write.
    """
    from restante.store import replica as replicas

    server, epochs = _replica_at(folder), list[int]()
    found = replicas.promote(
        server,
        replicas.leader_of(server),
        stop_leader=stop_leader,
        accept_loss=accept_loss,
        first=lambda dsn: epochs.append(asyncio.run(later_epoch(dsn))),
    )
    told = {"leader": str(server.state), "received": found.received, "commits_lost": found.commits_lost}
    lost = "not known" if found.commits_lost is None else found.commits_lost
    if json:
        say(told | {"epoch": epochs[0] if epochs else None})
        return
    print(f"The database in {server.home} leads. Commits lost: {lost}")
    for epoch in epochs:
        print(f"Epoch {epoch} of this hub has begun. Start hubs and workers again, so that sessions begin anew.")


def _replica_at(folder: Path) -> "Server":
    from restante.store.embedded import Server

    if os.environ.get("DATABASE_URL"):
        raise Stop("database-foreign", field="DATABASE_URL", rule="That database is promoted where it runs.")
    if not (folder / "password").is_file():
        raise Stop("replica-missing", field="folder", rule=f"{folder} holds no replica.")
    return Server(folder, settings=server_settings(os.environ), archive=archive_folder(os.environ))
