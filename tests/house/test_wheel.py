"""The wheel carries what it needs, and what a bank needs is small."""

import os
import subprocess
import sys
import zipfile
from importlib.metadata import distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.house.tidy import ROOT

BANK_MB = 80


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
