"""Tell a live postmaster, and what a dead one leaves behind, from every other process with the same number.

Only what everyone may read in ``/proc`` is used: in a container root may not look at another user's ``exe`` link.
"""

import itertools
import time
from collections.abc import Callable
from pathlib import Path


def postmaster(data: Path, uid: int) -> int | None:
    """The process id in ``postmaster.pid`` if that process is a live postmaster over ``data``.

    The number alone proves nothing: after a crash or a reboot it may belong to any other program. So its owner and
    command line are compared, which everyone may read (its ``exe`` link needs rights that root lacks in a container).
    """
    pid = noted(data / "postmaster.pid")
    if pid is None or owner(pid) != uid:
        return None
    command = _command(pid)
    over_data = ("-D", str(data)) in itertools.pairwise(command)
    return pid if over_data and Path(command[0]).name == "postgres" else None


def is_stranger(pid: int, data: Path) -> bool:
    """Whether the process is certainly no postmaster over ``data``: another program, or one over other data."""
    command = _command(pid)
    places = [Path(value) for flag, value in itertools.pairwise(command) if flag == "-D"]
    return Path(command[0]).name != "postgres" or (bool(places) and places[-1].resolve() != data)


def noted(lock: Path) -> int | None:
    """The process id that a server's lock file names, whatever process that is by now."""
    try:
        pid = int(lock.read_text().split("\n", 1)[0])
    except (OSError, ValueError):
        return None
    return pid if pid > 0 else None


def owner(pid: int) -> int | None:
    """The user a process belongs to; ``None`` when there is no such process."""
    try:
        return Path(f"/proc/{pid}").stat().st_uid
    except OSError:
        return None


def _command(pid: int) -> list[str]:
    """The command line of a process; of a dead one a single empty word."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().rstrip(b"\0").decode(errors="replace").split("\0")
    except OSError:
        return [""]


def titled(mark: str) -> list[int]:
    """The processes whose title begins with ``mark``."""
    pids = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdecimal()]
    return [pid for pid in pids if _command(pid)[0].startswith(mark)]


def wait_until(ready: Callable[[], bool], *, limit_s: float) -> bool:
    """Look until ``ready`` or until the limit; whether it came true."""
    limit = time.monotonic() + limit_s
    while not ready():
        if time.monotonic() > limit:
            return False
        time.sleep(0.02)
    return True
