"""Where a server's files lie, and how they are kept from everybody but the account it runs under."""

import hashlib
import os
import secrets
import stat
from pathlib import Path

from restante.core.refusals import Fault
from restante.store import programs
from restante.store.programs import Account

_SOCKET_PATH_BYTES = 107


class ClusterBroken(Fault):
    """The place where the database lies is not as it was left."""


def settle(state: Path) -> tuple[Path, Account]:
    """Where the cluster lies, or shall lie, and the account it runs under: the owner of one that exists."""
    here, pointer = state / "cluster", state / "cluster-at"
    home = Path(pointer.read_text()) if pointer.exists() else here
    if home.exists():
        owner = home.lstat()
        if os.geteuid() not in {0, owner.st_uid}:
            raise ClusterBroken(f"{home} belongs to user {owner.st_uid}: start as that user, or name another directory")
        return home, Account(owner.st_uid, owner.st_gid)
    if pointer.exists():
        raise ClusterBroken(f"{pointer} names {home}, which is gone: bring the database back, or remove {state}")
    account = programs.service_account()
    if account.uid != os.geteuid():
        home = _lend(state, account)
    return private(home, owner=account), account


def _lend(state: Path, account: Account) -> Path:
    """The cluster's place when another account runs it: below ``state`` if its parents let that account through."""
    if account.can("x", state.parent):
        os.chown(state, -1, account.gid)
        state.chmod(0o710)
        return state / "cluster"
    home = programs.SERVICE_ROOT / secrets.token_hex(8)
    programs.make_open(home.parent)
    write(state / "cluster-at", str(home))
    private(home, owner=account)
    return home


def password(state: Path, *, is_new: bool) -> str:
    """The password of the cluster's one role, made if the cluster is new. Fault: ``ClusterBroken`` if it was lost."""
    path = state / "password"
    if not path.exists():
        if not is_new:
            raise ClusterBroken(f"{path} is gone: bring back the file, the database opens with that password only")
        write(path, secrets.token_urlsafe(32))
    return path.read_text()


def socket_place(home: Path, account: Account) -> Path:
    """A directory whose socket path fits the 107 bytes the system allows, below ``home`` if that is short enough."""
    near = home / "socket"
    if len(os.fsencode(near / ".s.PGSQL.5432")) <= _SOCKET_PATH_BYTES:
        return near
    return Path("/tmp") / f"restante-{account.uid}-{mark(home)[-12:]}"  # noqa: S108 -- its owner and mode are checked


def mark(home: Path) -> str:
    """A name for this cluster's processes, which shows in the process list."""
    return f"restante-{hashlib.sha256(os.fsencode(home)).hexdigest()[:12]}"


def private(place: Path, *, owner: Account | None = None) -> Path:
    """Make the directory ``place`` if need be, closed to others; fault ``ClusterBroken`` if it is someone else's."""
    owner = owner or Account(os.geteuid(), os.getegid())
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        if not os.path.lexists(place):
            place.mkdir(mode=0o700)
            os.chown(place, owner.uid, owner.gid, follow_symlinks=False)
    except OSError as error:
        if not place.is_dir():  # else another program was quicker
            raise ClusterBroken(f"{place} cannot be made: {error.strerror}") from error
    found = place.lstat()
    if found.st_uid != owner.uid or not stat.S_ISDIR(found.st_mode):
        raise ClusterBroken(f"{place} is not a directory of user {owner.uid}: move it away")
    return place


def lent(place: Path, account: Account) -> Path:
    """A directory closed to everybody but ``account``. Fault: ``ClusterBroken`` if that one cannot reach it."""
    private(place, owner=account)
    if not account.can("x", place):
        raise ClusterBroken(f"{place} lies where the account of the database may not go: name another folder")
    return place


def write(path: Path, text: str, *, owner: Account | None = None) -> None:
    """Replace the file at ``path``, readable by its owner alone; never through a link someone else has put there."""
    fresh = path.with_name(path.name + ".tmp")
    fresh.unlink(missing_ok=True)
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(handle, "w") as file:
        if owner is not None:
            os.fchown(handle, owner.uid, owner.gid)
        file.write(text)
        file.flush()
        os.fsync(handle)
    fresh.replace(path)
    sync(path.parent)


def sync(folder: Path) -> None:
    """Make what was named, renamed or removed in a folder durable."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
