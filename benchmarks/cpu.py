"""How much processor time a server's processes have used: what a busy machine cannot blur as it does the clock."""

import os
from pathlib import Path
from typing import Final

_TICKS: Final = os.sysconf("SC_CLK_TCK")


def server_seconds(postmaster: int) -> float:
    """User and system seconds of a PostgreSQL server: its postmaster, its children, and those that have ended."""
    ticks = 0
    for place in Path("/proc").iterdir():
        if place.name.isdecimal():
            pid, parent, own, ended = _times(int(place.name))
            if pid == postmaster:
                ticks += own + ended
            elif parent == postmaster:
                ticks += own
    return ticks / _TICKS


def _times(pid: int) -> tuple[int, int, int, int]:
    """Process, parent, own ticks, and ticks of children that it has buried (proc(5), fields 4 and 14 to 17)."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return pid, 0, 0, 0
    return pid, int(fields[1]), int(fields[11]) + int(fields[12]), int(fields[13]) + int(fields[14])


def process_seconds(pid: int) -> float:
    """User and system seconds of one process."""
    return _times(pid)[2] / _TICKS


def resident_mb(pid: int) -> float:
    """The memory that a process holds, in MB of 2²⁰ bytes."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20
