"""The wheel carries what it needs, and what a bank needs is small."""

import asyncio
import os
import subprocess
import sys
import time
import zipfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from restante.edge.loopback import Status
from restante.edge.person import Person
from restante.wire.manifest import Settings
from tests.edge.small_hub import SmallHub
from tests.house.tidy import ROOT

BANK_MB = 80
DOORS = 150


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this tree, built with the pinned backend."""
    at = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", at, ROOT],
        check=True,
        env={**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1"},
    )
    [built] = at.glob("restante-*.whl")
    return built


def test_the_wheel_carries_every_file_of_the_package(wheel: Path) -> None:
    """Statements, migrations, templates, schemas and catalogues travel with the code."""
    inside = set(zipfile.ZipFile(wheel).namelist())
    package = ROOT / "src" / "restante"
    files = {path for path in package.rglob("*") if path.is_file() and "__pycache__" not in path.parts}
    assert {str(path.relative_to(package.parent)) for path in files} <= inside
    assert any(name.endswith(".po") for name in inside)


def needs(name: str) -> set[str]:
    """What a distribution needs on this machine, extras left out."""
    stated = map(Requirement, distribution(name).requires or [])
    return {each.name for each in stated if not each.marker or each.marker.evaluate({"extra": ""})}


def closure(names: set[str]) -> set[str]:
    """These distributions and all that they need, directly or not."""
    found: set[str] = set()
    while names:
        found |= names
        names = {need for name in names for need in needs(name)} - found
    return found


@pytest.fixture(scope="module")
def base(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that holds the base wheel and its dependencies, and nothing else."""
    at = tmp_path_factory.mktemp("base")
    zipfile.ZipFile(wheel).extractall(at)
    for name in closure(needs("restante")):
        for file in distribution(name).files or []:
            if ".." not in file.parts and "__pycache__" not in file.parts:
                target = at / file
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(file.read_binary())
    return at


def test_the_base_wheel_alone_can_be_a_bank(base: Path) -> None:
    """Every module of core, words, wire and edge is imported with nothing but the base dependencies at hand."""
    package = base / "restante"
    modules = [
        ".".join(path.relative_to(base).with_suffix("").parts).removesuffix(".__init__")
        for ring in ("core", "words", "wire", "edge")
        for path in sorted((package / ring).rglob("*.py"))
    ]
    assert len(modules) > 10
    program = f"import sys; sys.path.insert(0, {str(base)!r})\n" + "".join(f"import {name}\n" for name in modules)
    answer = subprocess.run([sys.executable, "-I", "-S", "-c", program], capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr


def test_the_base_wheel_is_small(base: Path) -> None:
    """A bank's controller has a small disk."""
    megabytes = sum(path.stat().st_size for path in base.rglob("*") if path.is_file()) / 1e6
    assert megabytes <= BANK_MB
    print(f"The base takes {megabytes:.0f} MB installed.")


def command_line(base: Path, *words: str) -> list[str]:
    """`restante` with these words, seeing nothing but the base."""
    program = f"import sys; sys.path.insert(0, {str(base)!r}); from restante.cli import main; main()"
    return [sys.executable, "-I", "-S", "-c", program, *words]


def environment(home: Path) -> dict[str, str]:
    """The environment of a machine that was just set up."""
    return {"HOME": str(home), "PATH": os.environ["PATH"], "COLUMNS": "120"}


@pytest.mark.parametrize("words", [["--help"], ["bank", "--help"], ["counter", "--help"], ["--version"]], ids=" ".join)
def test_the_base_wheel_alone_tells_how_to_use_it(base: Path, tmp_path: Path, words: list[str]) -> None:
    """The command line of a bank answers without anything that only a hub has."""
    answer = subprocess.run(
        command_line(base, *words), capture_output=True, text=True, check=False, env=environment(tmp_path)
    )
    assert answer.returncode == 0, answer.stderr
    assert ("0.1" if "--version" in words else "Run the program") in answer.stdout


def test_the_base_wheel_alone_says_what_a_hub_lacks(base: Path, tmp_path: Path) -> None:
    """Where only a bank is installed, the hub's commands end with a line that says what to install."""
    answer = subprocess.run(
        command_line(base, "hub"), capture_output=True, text=True, check=False, env=environment(tmp_path)
    )
    assert answer.returncode != 0
    assert "pip install 'restante[" in answer.stderr
    assert "Traceback" not in answer.stderr


@asynccontextmanager
async def bank(base: Path, folder: Path, invitation: str) -> AsyncIterator[tuple[asyncio.subprocess.Process, Person]]:
    """`restante bank` from the base alone, with emulated doors, until told to stop."""
    words = ["bank", "--state", str(folder), "--board", f"emulated:{DOORS}"]
    invited = ["--invitation", "-"] if invitation else []
    with (folder.parent / "bank.log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            *command_line(base, *words, *invited),
            stdin=asyncio.subprocess.PIPE, stdout=log, stderr=log, env=environment(folder.parent),
        )  # fmt: skip
    assert process.stdin is not None
    process.stdin.write(invitation.encode() + b"\n")
    process.stdin.close()
    try:
        async with Person(folder) as person:
            yield process, person
    finally:
        process.terminate()
        assert await asyncio.wait_for(process.wait(), 10) == 0


def is_ready(status: Status) -> bool:
    """Whether every door is known and the hub's list is in force."""
    return len(status.doors) == DOORS and status.online and status.generation is not None


@pytest.mark.enable_socket
async def test_the_base_wheel_alone_runs_a_bank(base: Path, tmp_path: Path) -> None:
    """Given 150 doors and an invitation, when the base alone is started, then it enrols, works, and starts again."""
    folder = tmp_path / "state"
    async with SmallHub(tmp_path / "hub", doors=DOORS, settings=Settings()).listening() as hub:
        async with bank(base, folder, hub.invite().text) as (_, person):
            await person.until(is_ready, seconds=60)
        begun = time.monotonic()
        async with bank(base, folder, "") as (process, person):
            await person.until(lambda status: len(status.doors) == DOORS, seconds=60)
            ready_seconds = time.monotonic() - begun
            resident = resident_mb(process.pid)
    print(f"A bank with {DOORS} doors: {resident:.0f} MB resident, ready in {ready_seconds:.1f} s.")


def resident_mb(process: int) -> float:
    """Resident memory of a process."""
    status = Path(f"/proc/{process}/status").read_text(encoding="ascii")
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS:")) / 1024
