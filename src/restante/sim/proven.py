"""What a long proof proves, so that its account is kept by that and outlives a commit which changes none of it.

The name of an account is a digest of every file of the program and of the pinned packages: the same for the same ones,
whatever commit they are of, committed or not. Planning is left out, for it proposes and nothing that is proven asks it.
The commit is shown, since people think in commits.
"""

import hashlib
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

FOLDER: Final = Path("prove")
"""Where accounts are kept, from where a proof is started."""

_LEFT_OUT: Final = frozenset({"__pycache__", "plan"})
_SOURCES: Final = Path(__file__).parents[1]
_PINS: Final = _SOURCES.parents[1] / "constraints.txt"


def account_path(proof: str, folder: Path) -> Path:
    """The file of a proof's account in a folder: another one once what it proves is another."""
    return folder / f"{proof}-{digest_of(_SOURCES, _PINS)}.jsonl"


def commit_name() -> str:
    """The commit a proof is run from, with ``-dirty`` where files differ from it; a word where there is none."""
    try:
        told = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"],  # noqa: S607 -- git is where people have it
            capture_output=True,
            text=True,
            check=True,
            timeout=10,
            cwd=Path(__file__).parent,
        )
    except (OSError, subprocess.SubprocessError):
        return "none, as installed"
    return told.stdout.strip()


def digest_of(folder: Path, pins: Path) -> str:
    """Twelve digits that differ when a file below the folder does, or the pinned packages, where these are known."""
    digest = hashlib.sha256()
    for name, path in (*_files_of(folder), ("", pins)):
        body = path.read_bytes() if path.exists() else b""
        digest.update(f"{name} {len(body)}\n".encode() + body)
    return digest.hexdigest()[:12]


def _files_of(folder: Path) -> Iterator[tuple[str, Path]]:
    """Every file of a program by its name, but what Python has compiled of it, and planning."""
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        if path.is_file() and _LEFT_OUT.isdisjoint(name.parts):
            yield str(name), path
