"""Which of several servers leads: notes in their state folders, so that no two of them lead at once.

A folder that holds a note ``follows`` is not the leader's: its server is a replica of the one named, or was the leader
until that one was promoted, and then does not start any more. A leader's note ``replicas`` names those made from it.
"""

from pathlib import Path
from typing import Final

from restante.core.refusals import Fault
from restante.store import places

_FOLLOWS: Final = "follows"
_REPLICAS: Final = "replicas"


class ClusterBehind(Fault):
    """This database was replaced by a replica that was promoted, and would be a second truth beside it."""


def followed(state: Path) -> Path | None:
    """The state folder whose server the one over ``state`` follows, or was replaced by."""
    note = state / _FOLLOWS
    return Path(note.read_text()) if note.exists() else None


def follow(state: Path, leader: Path) -> None:
    """Note that the server over ``state`` leads no more."""
    places.write(state / _FOLLOWS, str(leader))


def lead(state: Path) -> None:
    """Note that the server over ``state`` leads, and that none follows it yet."""
    (state / _REPLICAS).unlink(missing_ok=True)
    (state / _FOLLOWS).unlink(missing_ok=True)
    places.sync(state)


def replicas(state: Path) -> tuple[Path, ...]:
    """The state folders of the replicas made from the server over ``state``."""
    note = state / _REPLICAS
    return tuple(map(Path, note.read_text().splitlines())) if note.exists() else ()


def present(state: Path) -> tuple[Path, ...]:
    """Those of the replicas whose folders are there: one may lie on a disk that was lost."""
    return tuple(folder for folder in replicas(state) if (folder / "password").is_file())


def set_replicas(state: Path, folders: tuple[Path, ...]) -> None:
    """Note the replicas of the server over ``state``."""
    places.write(state / _REPLICAS, "".join(f"{folder}\n" for folder in dict.fromkeys(folders)))


def leading(state: Path) -> Path:
    """The state folder of the server that leads, starting from one that did. Fault: ``ClusterBehind``."""
    seen = {state}
    while leader := followed(state):
        if leader in seen or not leader.is_dir():
            raise ClusterBehind(f"{state / _FOLLOWS} names {leader}, which leads nowhere: bring that folder back")
        seen.add(leader)
        state = leader
    return state
