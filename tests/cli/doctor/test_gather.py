"""The doctor at work: on a real network, on one whose database is down, and on what is damaged."""

import json
import os
import socket
import socketserver
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from importlib import metadata
from pathlib import Path
from typing import Any

import psycopg
import pytest

from restante.cli import main
from restante.cli.doctor.gather import gather, lacking_packages, look_at

PASSWORD = "zqxsecret"


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on just now."""
    with ExitStack() as held:
        lines = [held.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [int(line.getsockname()[1]) for line in lines]


class Mail(socketserver.StreamRequestHandler):
    """A mail server that is there and polite, and takes nothing."""

    def handle(self) -> None:
        """Greet, and answer until told to quit."""
        self.wfile.write(b"220 here\r\n")
        for line in self.rfile:
            self.wfile.write(b"221 bye\r\n" if line.startswith(b"QUIT") else b"250 here\r\n")


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting reaches a test from outside."""
    for name in [name for name in os.environ if name.startswith("RESTANTE_")]:
        monkeypatch.delenv(name)
    monkeypatch.delenv("DATABASE_URL", raising=False)


@pytest.fixture
def mail(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A mail server that the settings name."""
    with socketserver.TCPServer(("127.0.0.1", 0), Mail) as server:
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        monkeypatch.setenv("RESTANTE_SMTP_HOST", "127.0.0.1")
        monkeypatch.setenv("RESTANTE_SMTP_PORT", str(server.server_address[1]))
        yield
        server.shutdown()
        serving.join()


@pytest.fixture
def network(database: str, tmp_path: Path, mail: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A hub with a worker as a process, and a mail server; commands are told of them by the environment."""
    http, bank = free_ports(2)
    given = {
        "DATABASE_URL": database,
        "RESTANTE_STATE": str(tmp_path / "state"),
        "RESTANTE_HTTP_PORT": str(http),
        "RESTANTE_BANK_PORT": str(bank),
    }
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    command = [sys.executable, "-m", "restante", "hub", "--with-worker", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as running:
        assert running.stdout is not None
        assert json.loads(running.stdout.readline())["ready"]
        yield
        running.terminate()
        assert running.wait(20) == 0


def told(capsys: pytest.CaptureFixture[str]) -> tuple[int, dict[str, Any]]:
    """The exit code of the doctor, and the checks by name."""
    code = 0
    try:
        main(["doctor", "--json"])
    except SystemExit as left:
        code = int(left.code or 0)
    said = capsys.readouterr()
    assert said.err == ""
    return code, {one["name"]: one for one in json.loads(said.out)["checks"]}


@pytest.mark.postgres
def test_a_fresh_network_is_well_until_something_ends(
    network: None, tmp_path: Path, database: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Given a hub and a worker, then all is well but what the tests' server does without; given damage, it is named."""
    before = sorted(tmp_path.rglob("*"))
    code, found = told(capsys)
    wrong = {name: one["says"] for name, one in found.items() if one["state"] != "ok"}
    assert wrong == {"durability": "off: fsync, full_page_writes"}
    assert code == 1
    assert sorted(tmp_path.rglob("*")) == before, "nothing was made"
    (tmp_path / "state" / "vault.key").chmod(0o644)
    with psycopg.connect(database, autocommit=True) as db:
        db.execute("DELETE FROM schema_migration WHERE number = (SELECT max(number) FROM schema_migration)")
    code, found = told(capsys)
    assert code == 1
    assert found["state folder"]["says"] == "others may read: vault.key"
    assert found["migrations"]["state"] == "broken"
    assert found["banks' listener"]["state"] == "ok"


def test_without_a_database_the_rest_is_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Given a database that is down, when asked, then that is said, without the password, and the rest is looked at."""
    monkeypatch.setenv("DATABASE_URL", f"postgresql://nobody:{PASSWORD}@127.0.0.1:1/none")
    monkeypatch.setenv("RESTANTE_STATE", str(tmp_path))
    code, found = told(capsys)
    assert code == 1
    assert found["database"]["state"] == "broken"
    assert "127.0.0.1" in found["database"]["says"]
    assert PASSWORD not in json.dumps(found)
    assert found["disk"]["state"] == "ok"
    assert found["certificates"]["says"] == "there are none yet"
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(SystemExit) as left:
        main(["doctor"])
    assert left.value.code == 1
    assert "broken" in capsys.readouterr().out


def test_an_address_that_is_none_is_told_without_its_words(tmp_path: Path) -> None:
    """Given a database address that cannot be read, then a sentence says so and quotes nothing of it."""
    found = gather({"DATABASE_URL": f"{PASSWORD}=", "RESTANTE_STATE": str(tmp_path)})
    assert found.database is None
    assert "DATABASE_URL" in found.database_wrong
    assert PASSWORD not in found.database_wrong


def test_settings_that_cannot_be_read_are_named() -> None:
    """Given a setting that is wrong, then it is named and nothing else is looked at."""
    found = gather({"RESTANTE_LANES": "many"})
    assert "RESTANTE_LANES" in found.settings_wrong
    assert found.folder is None


def test_a_folder_that_was_never_made_is_not_made(tmp_path: Path) -> None:
    """Given no state folder, and no server of its own in it, when looked at, then there is none afterwards."""
    found = gather({"RESTANTE_STATE": str(tmp_path / "state")})
    assert found.folder is not None
    assert not found.folder.exists
    assert found.database_wrong == "the program's own database server does not run"
    assert list(tmp_path.iterdir()) == []


def test_damaged_certificates_are_told(tmp_path: Path) -> None:
    """Given an authority's file that holds none, then it is named."""
    (tmp_path / "fleet").mkdir()
    (tmp_path / "fleet" / "authority.pem").write_text("none")
    found = gather({"RESTANTE_STATE": str(tmp_path), "RESTANTE_BANK_PORT": "1"})
    assert found.certificates_wrong == "authority.pem cannot be read"
    assert found.listener is not None
    assert found.listener.wrong


@pytest.mark.parametrize(("name", "mode"), [("vault.key", 0o640), ("operator.key", 0o604), ("fleet", 0o755)])
def test_what_others_may_read_is_named(tmp_path: Path, name: str, mode: int) -> None:
    """Given a key or a folder of keys that others may read, then it is named."""
    tmp_path.chmod(0o711)
    place = tmp_path / name
    place.mkdir() if name == "fleet" else place.touch()
    place.chmod(0o700 if name == "fleet" else 0o600)
    assert look_at(tmp_path).exposed == ()
    place.chmod(mode)
    assert look_at(tmp_path).exposed == (name,)


def test_packages_that_lack_or_are_too_old_are_named() -> None:
    """Given versions, then those under the least that is wanted are named, and so are those that are not there."""

    def version_of(name: str) -> str:
        if name == "litestar":
            raise metadata.PackageNotFoundError(name)
        return {"uvicorn": "0.9", "msgspec": "0.19.dev1"}.get(name, "9999")

    assert lacking_packages() == {}
    assert {name: wanted[:2] for name, wanted in lacking_packages(version_of).items()} == {
        "litestar": ">=",
        "uvicorn": ">=",
    }
