"""The archive of a server's log (WAL), segment by segment, from which a backup is brought to any later instant.

A segment is copied under another name, made durable, and then named by a hard link, which never replaces a file. One
that is there already with the same bytes counts as archived, for the server asks again after a crash; one with other
bytes is a second server writing to the same folder, and stops the archiving, which the server's log tells.
"""

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from restante.store import places
from restante.store.programs import Account

TIMEOUT: Final = "60s"
"""After how long a segment that is not full is archived: the most that the loss of the whole machine takes."""

_KEEP: Final = (
    "cmp -s {segment} {kept} || "
    "{{ cp {segment} {fresh} && sync {fresh} && ln {fresh} {kept} && rm -f {fresh} && sync {folder}; }}"
)
_FETCH: Final = 'cp {kept} "%p"'


def settings(folder: Path, account: Account) -> Mapping[str, str]:
    """Settings of a server that archives into ``folder``, which is made, closed to everybody but its account.

    Fault: ``ClusterBroken`` if the account cannot reach it.
    """
    places.lent(folder, account)
    return {"archive_mode": "on", "archive_command": keeping(folder), "archive_timeout": TIMEOUT}


def keeping(folder: Path) -> str:
    """The command that keeps a segment."""
    place = _quoted(folder)
    return _KEEP.format(segment='"%p"', kept=f'{place}/"%f"', fresh=f'{place}/"%f".new', folder=place)


def fetching(folder: Path) -> str:
    """The command that brings a segment back."""
    return _FETCH.format(kept=f'{_quoted(folder)}/"%f"')


def _quoted(folder: Path) -> str:
    """A folder's name for the shell, in a setting where the server replaces what follows a percent sign."""
    return shlex.quote(str(folder)).replace("%", "%%")
