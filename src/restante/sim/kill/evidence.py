"""What is left to read of a story that failed, once its programs, database and folders are gone."""

import shutil
from pathlib import Path


def keep_logs(place: Path, kept: Path) -> None:
    """Copy every log below ``place``, of programs and of the database's server, to the same paths below ``kept``."""
    for log in sorted(place.rglob("*.log")):
        copy = kept / log.relative_to(place)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(log, copy)
