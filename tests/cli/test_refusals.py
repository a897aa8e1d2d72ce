"""What the command line says when something is wrong: one line that names what to do, and an exit code."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from restante.cli import main
from restante.cli.ending import FAILED, INTERRUPTED, MISUSED, REFUSED
from restante.cli.lifeline import LIFELINE

DEAD = "postgresql://nobody:nothing@127.0.0.1:1/none"


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every command runs in a folder of its own, with nothing set."""
    for name in [name for name in os.environ if name.startswith("RESTANTE_")]:
        monkeypatch.delenv(name)
    monkeypatch.delenv("DATABASE_URL", raising=False)
    monkeypatch.setenv("RESTANTE_STATE", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "p.csv").write_text("name,lat,lon,country\nLibrary,60.17,24.94,FI\n")


def run(arguments: Sequence[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    """The exit code of a command, and what it said to standard error."""
    with pytest.raises(SystemExit) as left:
        main(list(arguments))
    return int(left.value.code or 0), capsys.readouterr().err


REFUSALS = {
    "no key": (["points"], "api-key-missing (--key-file)"),
    "no key in the file": (["points", "--key-file", os.devnull], "api-key-missing (--key-file)"),
    "no such key file": (["points", "--key-file", "nowhere"], "api-key-missing (--key-file)"),
    "no place": (["points", "--near", "here"], "place-malformed (--near)"),
    "one number": (["points", "--near", "60.1"], "place-malformed (--near)"),
    "a day without end": (["demo", "--parcels", "5"], "exit-missing (--exit)"),
    "an end without a day": (["demo", "--exit"], "parcels-missing (--parcels)"),
    "no parcels": (["demo", "--exit", "--parcels", "0"], "count-unfit (--parcels)"),
    "too many banks": (["demo", "--banks", "13"], "count-unfit (--banks)"),
    "too slow": (["demo", "--pace", "0.5"], "pace-unfit (--pace)"),
    "no file": (["import", "points", "nowhere.json"], "file-missing (nowhere.json)"),
    "a device": (["import", "points", os.devnull], f"file-missing ({os.devnull})"),
    "a folder": (["import", "parcels", "."], "file-missing (.)"),
    "a column of nothing": (["import", "points", sys.executable, "--column", "lat"], "column-malformed (--column)"),
    "an encoding": (["import", "points", sys.executable, "--encoding", "rot13"], "list-encoding-unknown (--encoding)"),
    "a country": (["import", "points", sys.executable, "--country", "xx"], "list-country-unknown (--country)"),
    "a report of another kind": (["import", "points", "p.csv", "--report", "r.pdf"], "report-form (--report)"),
    "a report nowhere": (["import", "points", "p.csv", "--report", "no/r.csv"], "report-unwritten (no/r.csv)"),
    "seeds": (["prove", "sim", "--seeds", "some"], "seeds-malformed (--seeds)"),
    "seeds backwards": (["prove", "sim", "--seeds", "9-1"], "seeds-malformed (--seeds)"),
    "no instant": (["db", "restore", "b", "--until", "yesterday"], "instant-malformed (--until)"),
    "no zone": (["db", "restore", "b", "--until", "2026-11-22T14:05"], "instant-malformed (--until)"),
    "no archive": (["db", "restore", "b", "--until", "2026-11-22T14:05Z"], "archive-missing (--until)"),
    "no replica": (["db", "promote", "nowhere"], "replica-missing (folder)"),
    "no invitation in the file": (["bank", "--state", "b", "--invitation", sys.executable], "invitation-missing"),
    "no invitation file": (["bank", "--state", "b", "--invitation", "nowhere"], "invitation-missing (invitation)"),
}


@pytest.mark.parametrize(("arguments", "said"), REFUSALS.values(), ids=REFUSALS)
def test_a_refusal_names_its_code_and_its_field(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Given what no rule allows, the command says which rule, about what, and leaves with 1."""
    code, words = run(arguments, capsys)
    assert code == REFUSED
    assert words.startswith(said)
    assert words.count("\n") == 1


def test_an_old_book_waits_for_a_controller_that_is_enrolled(capsys: pytest.CaptureFixture[str]) -> None:
    """Given a state folder without an identity, when an old book is to be taken in, then a fault says what to do."""
    code, words = run(["bank", "upload-book", "old.sqlite", "--state", "b"], capsys)
    assert code == FAILED
    assert "not enrolled yet" in words


@pytest.mark.parametrize("arguments", [["nothing"], ["points", "--nothing"], ["db", "sing"], ["bank"]])
def test_what_is_not_understood_is_told_apart(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Given a command that does not exist or lacks what it needs, the exit code is 2."""
    assert run(arguments, capsys)[0] == MISUSED


@pytest.mark.parametrize("arguments", [["hub"], ["worker"], ["db", "migrate"], ["db", "check"]])
def test_a_database_that_is_down_is_named(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Given a database that does not answer at the start, the program says where it looked and not the password."""
    monkeypatch.setenv("DATABASE_URL", DEAD)
    code, words = run(arguments, capsys)
    assert code >= FAILED
    assert words.startswith("DatabaseUnreachable: The database at 127.0.0.1, database none does not answer")
    assert "nothing" not in words


def test_the_status_of_a_database_that_is_down_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Given the same, `db status` answers that it does not answer, and leaves with 1."""
    monkeypatch.setenv("DATABASE_URL", DEAD)
    code, words = run(["db", "status"], capsys)
    assert code == REFUSED
    assert words.startswith("database-down")


def test_somebody_elses_database_is_not_stopped(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Given DATABASE_URL, `db stop` refuses: that server is not ours."""
    monkeypatch.setenv("DATABASE_URL", DEAD)
    assert run(["db", "stop"], capsys)[1].startswith("database-foreign (DATABASE_URL)")


def test_a_silent_hub_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Given a key and nobody at the address, the command names the address and how to start a hub."""
    (tmp_path / "key").write_text("rst_0_0")
    code, words = run(["points", "--key-file", "key", "--api", "http://127.0.0.1:1"], capsys)
    assert code == REFUSED
    assert "No hub answers at http://127.0.0.1:1" in words
    assert "restante hub" in words


NO_LISTS = {
    "": "list-empty (file)",
    "[": "list-malformed (character ",
    "{}": "list-empty (file)",
    '"' * 9: "list-header-unknown (header)",
    "[" * 100_000: "list-malformed (character ",
    "\0" * 99: "list-",
}


@pytest.mark.parametrize(("text", "said"), NO_LISTS.items(), ids=map(str, range(len(NO_LISTS))))
def test_a_file_that_holds_no_list_imports_nothing(
    text: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Given a file of anything else, the command says what a file holds, before it calls anybody."""
    (tmp_path / "some.json").write_text(text)
    (tmp_path / "key").write_text("rst_0_0")
    code, words = run(["import", "parcels", "some.json", "--key-file", "key", "--api", "http://127.0.0.1:1"], capsys)
    assert code == REFUSED
    assert words.startswith(said)


def test_a_bank_without_an_invitation_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Given a machine out of its box and no invitation, the program ends and blames the bank's side."""
    code, words = run(["bank", "--state", str(tmp_path / "bank")], capsys)
    assert code >= FAILED
    assert words.startswith("ConfigWrong: not enrolled yet")


@pytest.mark.parametrize("key", ["nyckel-å", "two lines\nof it"])
def test_a_key_that_cannot_be_sent_is_named(
    key: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Given a key in the environment that no header can carry, the command says where it is, and not what it is."""
    monkeypatch.setenv("RESTANTE_KEY", key)
    code, words = run(["points", "--api", "http://127.0.0.1:1"], capsys)
    assert code == REFUSED
    assert words.startswith("api-key-missing (--key-file): No API key can be read in RESTANTE_KEY.")
    assert key[:6] not in words


@pytest.mark.parametrize("folder", ["file", "file/below"])
def test_a_state_folder_that_is_none_is_named(folder: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Given a file where the state folder is to be, the program names it and ends as for any fault."""
    (tmp_path / "file").write_text("mine")
    code, words = run(["bank", "--state", folder], capsys)
    assert code == FAILED
    assert words.startswith(f"ConfigWrong: the state folder {folder} cannot be made")


BOARDS = ["emulated:0", "emulated:-3", "emulated:x", "xor8a:/dev/x:1x8x3,1x8x3", "xor8a:/dev/x:99x8x3", "no-such:1"]


@pytest.mark.parametrize("board", BOARDS)
def test_a_board_that_cannot_be_is_named(
    board: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Given boards without doors, with one address twice or of no known family, the program names what was given."""
    monkeypatch.setenv("RESTANTE_HUB_URL", "ws://127.0.0.1:1")
    monkeypatch.setenv("RESTANTE_SOURCE", "bank-1")
    code, words = run(["bank", "--state", "b", "--board", board], capsys)
    assert code == FAILED
    assert words.startswith("ConfigWrong: ")
    assert board.partition(":")[0] in words


def test_a_folder_of_somebodys_own_is_not_wiped(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Given a folder that no demo has made, the demo does not begin, and the folder is as it was."""
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "mine").write_text("kept")
    code, words = run(["demo", "--state", str(tmp_path / "letters")], capsys)
    assert code >= FAILED
    assert words.startswith("FolderTaken")
    assert (tmp_path / "letters" / "mine").read_text() == "kept"


@pytest.mark.parametrize(("arguments", "left_with"), [(["--parcels", "5", "--exit"], INTERRUPTED), ([], 0)])
def test_a_day_that_was_broken_off_has_not_succeeded(
    arguments: list[str], left_with: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Given a demo that is told to stop, a day with an account to give ends in 130, a living network in 0."""
    from restante.sim.demo import run as running

    monkeypatch.setattr(running, "play", lambda *_: None)
    assert run(["demo", *arguments], capsys)[0] == left_with


def test_a_port_in_use_is_told_by_its_setting(
    database: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Given a port that somebody listens on, the hub names the setting to change."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        monkeypatch.setenv("DATABASE_URL", database)
        monkeypatch.setenv("RESTANTE_BANK_PORT", "0")
        monkeypatch.setenv("RESTANTE_HTTP_PORT", str(taken.getsockname()[1]))
        code, words = run(["hub"], capsys)
    assert code >= FAILED
    assert words.startswith("PortTaken: RESTANTE_HTTP_PORT=")


@given(st.text(alphabet=st.characters(exclude_characters="\0"), min_size=1).filter(lambda text: text[0] != "-"))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_place_is_a_place_or_a_refusal(capsys: pytest.CaptureFixture[str], text: str) -> None:
    """Given any text for a place, the command ends with a refusal and never with a trace of Python."""
    code, words = run(["points", "--near", text], capsys)
    assert code == REFUSED
    assert "Traceback" not in words


def test_a_program_ends_with_the_one_that_started_it(tmp_path: Path) -> None:
    """Given a parent that is killed, the program it started is told by the kernel and leaves nothing running."""
    authority = "0" * 64
    program = (
        "import os, subprocess, sys, time\n"
        f"child = subprocess.Popen([sys.executable, '-m', 'restante', 'bank', '--state', {str(tmp_path / 'b')!r}, "
        f"'--invitation', {str(tmp_path / 'invitation')!r}], env={{**os.environ, {LIFELINE!r}: str(os.getpid())}})\n"
        "print(child.pid, flush=True)\ntime.sleep(60)\n"
    )
    (tmp_path / "invitation").write_text(f"wss://127.0.0.1:1#{authority}#{'c' * 22}")
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        _wait(lambda: b"restante" in Path(f"/proc/{child}/cmdline").read_bytes())
        parent.send_signal(signal.SIGKILL)
    _wait(lambda: not _is_alive(child))


def _is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def _wait(is_so: object, seconds: float = 15) -> None:
    assert callable(is_so)
    ends = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < ends, "it did not come about"
        time.sleep(0.05)
