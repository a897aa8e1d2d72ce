"""The versions that an upgrade is played with: this one, the one before from the history, and a later one made up.

Nothing was released yet, so the version before is a commit of this repository, named here and nowhere else.
"""

import io
import re
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec

from restante.core.refusals import Fault
from restante.store import migrate

BEFORE: Final = "1300cf402be5f4cfc87b5efffef32815bcfe9399"
"""The last commit of what the changelog calls 0.1.0: with the next one began what stands there as unreleased.

The wire has had the form of today's version 1 for two hours by then, and the schema five migrations; today's has more.
"""

_PACKAGE: Final = Path(__file__).parents[2]
"""The folder of the package ``restante``."""


class HistoryMissing(Fault):
    """The version before is built from the history, which is not here."""


class VersionMixed(Fault):
    """A program was to run from other sources than it did."""


class Version(msgspec.Struct, frozen=True):
    """One version of the programs: what it is called, and the folder of its sources, empty for this one."""

    name: str
    sources: str = ""

    @property
    def told(self) -> Mapping[str, str]:
        """What a program must find in its environment to be of this version."""
        return {"PYTHONPATH": self.sources} if self.sources else {}


NOW: Final = Version("N")


def before(folder: Path, *, repository: Path = _PACKAGE) -> Version:
    """The version before, unpacked into ``folder``. Faults: ``HistoryMissing``, ``VersionMixed``."""
    try:
        packed = subprocess.run(  # noqa: S603 -- a commit that is named above
            ["git", "archive", "--format=tar", BEFORE, "src"],  # noqa: S607
            capture_output=True,
            check=True,
            cwd=_top(repository),
        ).stdout
    except (OSError, subprocess.CalledProcessError) as missing:
        raise HistoryMissing(
            f"The history of the source tree down to commit {BEFORE[:12]} is needed, and is not here: the version "
            "before is built from it. Run this in a clone that has it all: git fetch --unshallow"
        ) from missing
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        archive.extractall(folder, filter="data")
    return _looked_at(Version("N-1", str(folder / "src")))


def later(folder: Path, *, promise: str) -> Version:
    """This version with one migration more, whose text begins with ``promise``; unpacked into ``folder``."""
    shutil.copytree(_PACKAGE, folder / "src" / "restante", ignore=shutil.ignore_patterns("__pycache__"))
    number = len(migrate.load()) + 1
    text = f"{promise}\nALTER TABLE contact ADD COLUMN of_a_later_version text;\n"
    (folder / "src/restante/store/migrations" / f"{number:04}_later.sql").write_text(text, "utf-8")
    return _looked_at(Version("N+1", str(folder / "src")))


def migrations_of(version: Version) -> tuple[migrate.Migration, ...]:
    """The migrations that a version came with."""
    if not version.sources:
        return migrate.load()
    return migrate.load(Path(version.sources) / "restante/store/migrations")


def _top(repository: Path) -> Path:
    """The folder that holds the history, so that paths are counted from there."""
    told = subprocess.run(
        ["git", "rev-parse", "--show-toplevel"],  # noqa: S607
        capture_output=True,
        text=True,
        check=True,
        cwd=repository,
    )
    return Path(told.stdout.strip())


def _looked_at(version: Version) -> Version:
    """The version, once a program told of it was seen to run from its sources. Faults: ``VersionMixed``."""
    told = subprocess.run(
        [sys.executable, "-c", "import restante; print(restante.__file__)"],
        capture_output=True,
        text=True,
        check=True,
        env=dict(version.told),
    )
    if not re.match(re.escape(version.sources) + "/", told.stdout):
        raise VersionMixed(f"{version.name} was to run from {version.sources} and ran from {told.stdout.strip()}")
    return version
