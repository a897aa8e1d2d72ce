"""A real hub for the tests of the command line, and a way to run commands against it."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from restante.cli import main

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def hub(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """A hub as a process of its own, and an environment in which commands find it."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("RESTANTE_")}
    own = {"DATABASE_URL": database, "RESTANTE_STATE": str(tmp_path / "state")}
    environ |= own | {"RESTANTE_HTTP_PORT": "0", "RESTANTE_BANK_PORT": "0"}
    command = [sys.executable, "-m", "restante", "hub", "--json", "--with-worker"]
    with subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as running:
        assert running.stdout is not None
        told = json.loads(running.stdout.readline())
        for name, value in own.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("RESTANTE_API", told["api"])
        monkeypatch.delenv("RESTANTE_KEY", raising=False)
        yield told
        running.terminate()
        assert running.wait(20) == 0


@pytest.fixture
def run(hub: dict[str, str], capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command: its exit code, what it printed, and what it complained of."""
    assert hub["ready"]

    def command(*arguments: str) -> tuple[int, str, str]:
        code = 0
        try:
            main(list(arguments))
        except SystemExit as left:
            code = int(left.code or 0)
        said = capsys.readouterr()
        return code, said.out, said.err

    return command
