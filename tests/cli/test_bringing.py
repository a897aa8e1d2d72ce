"""Lists brought in by the command line: a dry run first, then through the public API, as often as one likes."""

import csv
import json
import pty
import sys
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from restante.carriers.lists.dialects import POINTS
from restante.carriers.lists.points import Judged
from restante.cli import list_sending, main
from restante.cli.calling import Calls, calling
from restante.cli.ending import Stop
from restante.cli.list_bringing import Asked, Bringing
from restante.cli.list_report import Report
from tests.carriers.lists.dirty import GERMAN, as_bytes, dirty_list
from tests.cli.conftest import Run

CITY = "id,type,lat,lon,country,city,street,is_247\n"
CITY += "".join(f"P{n},parcel_locker,48.{n:04d},16.37,AT,Wien,Gasse {n},True\n" for n in range(2000, 2012))


def told(run: Run, *arguments: str) -> Any:
    """What a command tells a machine, whatever its exit code."""
    return json.loads(run(*arguments, "--json")[1])


def test_a_dry_run_needs_no_network_and_writes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Given a dirty list and no hub, the report says what was found out and each row that is kept out, and why."""
    monkeypatch.setenv("RESTANTE_STATE", str(tmp_path / "state"))
    dirty = dirty_list(5, clean=200, each=2)
    (tmp_path / "list.csv").write_bytes(as_bytes(dirty.rows, GERMAN, ";", encoding="cp1252"))
    command = ["import", "points", str(tmp_path / "list.csv"), "--report", str(tmp_path / "report.csv")]
    with pytest.raises(SystemExit) as left:
        main(command)
    assert left.value.code == 1
    out = capsys.readouterr().out
    for said in ("cp1252", "semicolon", "german", "near-zero", "Not compared with a network", "This was a dry run"):
        assert said in out
    with (tmp_path / "report.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert {int(row["row"]): row["rule"] for row in rows if row["outcome"] == "rejected"} == dirty.planted
    assert not any(row[field][:1] in "=+@\x1b" for row in rows for field in ("value", "said") if row[field])


def test_a_file_that_changes_meanwhile_is_let_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a list that somebody writes to between two of its readings, then the command stops and names it."""
    monkeypatch.setenv("RESTANTE_STATE", str(tmp_path / "state"))
    path = tmp_path / "city.csv"
    path.write_text(CITY)
    bringing = Bringing(Asked(file=path, yes=False, json=True, report=None), POINTS, Console(quiet=True))
    path.write_text(CITY + "P9,pok|pop,48.2001,16.37,AT,Wien,Gasse 9,True\n")
    with pytest.raises(Stop) as stopped:
        bringing.bring()
    assert stopped.value.code == "file-changed"


def count(run: Run) -> int:
    """How many points the network has."""
    return len(json.loads(run("points", "--json", "--most", "500")[1]))


def test_a_list_is_brought_in_once_however_often(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a list, a dry run brings nothing; --yes brings what is new; again, or grown by a row, only what is new."""
    path = tmp_path / "city.csv"
    path.write_text(CITY)
    assert told(run, "import", "points", str(path))["outcomes"] == {"new": 12}
    assert count(run) == 0
    # The hub falls silent after the sixth request, whose answer is lost.
    sent, post = 0, Calls.post

    def loses_the_sixth(self: Calls, *arguments: Any, **named: Any) -> Any:
        nonlocal sent
        sent += 1
        answer = post(self, *arguments, **named)
        if sent == 6:
            raise Stop("hub-silent", field="--api", rule="No hub answers.")
        return answer

    with monkeypatch.context() as broken:
        broken.setattr(Calls, "post", loses_the_sixth)
        code, out, err = run("import", "points", str(path), "--yes")
    assert code == 1
    assert "5 points brought in" in out
    assert err.startswith("hub-silent")
    # It goes on, and there is nothing left to do after that.
    assert told(run, "import", "points", str(path), "--yes")["outcomes"] == {"exists": 6, "made": 6}
    assert told(run, "import", "points", str(path), "--yes")["outcomes"] == {"exists": 12}
    # Believing that all are new, as two runs side by side would, it still makes none twice: the keys tell.
    with monkeypatch.context() as blind:
        blind.setattr(list_sending.Standing, "same", lambda *_: None)
        assert told(run, "import", "points", str(path), "--yes")["outcomes"] == {"made": 12}
    assert count(run) == 12
    path.write_text(CITY + "P9,pok|pop,48.2001,16.37,AT,Wien,Gasse 9,True\n")
    assert "1 are new to the network, 12 are in it already." in run("import", "points", str(path))[1]
    assert told(run, "import", "points", str(path), "--yes")["outcomes"] == {"exists": 12, "made": 1}
    assert count(run) == 13
    # A list whose end is broken brings nothing.
    rows = "".join(f"Q{n},parcel_locker,47.{n:04d},15.4,AT,Graz,Gasse {n},True\n" for n in range(300))
    path.write_text(CITY + rows + '"' + "x" * 200_000)
    code, out, _ = run("import", "points", str(path), "--yes")
    assert code == 1
    assert "Only 312 rows could be read, so nothing is brought in." in " ".join(out.split())
    assert count(run) == 13


def ask(run: Run, path: Path, answer: bytes, *, monkeypatch: pytest.MonkeyPatch) -> str:
    """What the command says on a terminal where somebody types an answer."""
    ours, theirs = pty.openpty()
    with open(ours, "wb", buffering=0) as keys, open(theirs, encoding="utf-8") as typed, monkeypatch.context() as there:
        there.setattr(sys, "stdin", typed)
        there.setattr("sys.stdout.isatty", lambda: True, raising=False)
        keys.write(answer)
        return str(run("import", "points", str(path))[1])


BANK = {"kind": "bank", "modules": [{"number": 1, "compartments": [{"door": 1, "size": "M", "reach_height_mm": 900}]}]}
BODY = {"name": "Stairwell", "kind": "housing", "latitude": 60.17, "longitude": 24.94, "zone": "Europe/Helsinki"}


def test_parcels_in_flight_are_announced(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given parcels on their way and in compartments, then the former are announced for points by name, once.

    The point comes first, asked for on a terminal, and its bank follows once a list describes it.
    """
    points, path, report = tmp_path / "points.json", tmp_path / "parcels.csv", tmp_path / "report.jsonl"
    points.write_text(json.dumps([BODY]))
    for answer in (b"no\n", b"\x04"):
        assert "points brought in" not in ask(run, points, answer, monkeypatch=monkeypatch)
    assert count(run) == 0
    assert "points brought in" in ask(run, points, b"y\n", monkeypatch=monkeypatch)
    points.write_text(json.dumps([{**BODY, "source": BANK}]))
    for _ in range(2):
        assert told(run, "import", "points", str(points), "--yes")["outcomes"] == {"exists": 1}
    [shown] = json.loads(run("points", "--json")[1])
    assert shown["source"]["compartments"] == 1
    with calling("", None) as hub:
        there = list_sending.standing(hub)
    assert there.same({**BODY, "name": "STAIRWELL", "latitude": 60.1702})
    for change in ({"name": "Stairs"}, {"kind": "shop"}, {"latitude": 60.18}):
        assert there.same({**BODY, **change}) is None

    path.write_text(
        "tracking,point,size,name,email,status\n"
        "A-1,stairwell,M,Ada,ada@people.example,In transit\n"
        "A-2,stairwell,M,Bo,bo@people.example,In transit\n"
        "A-3,nowhere,M,Cy,cy@people.example,In transit\n"
        "A-4,stairwell,M,Di,di@people.example,In locker\n"
        "A-5,stairwell,HUGE,Ed,ed@people.example,In transit\n"
    )
    dry = told(run, "import", "parcels", str(path))
    assert (dry["accepted"], dry["rejected"]) == (3, 2)
    assert set(dry["rules"]) == {"point-unknown", "lies-elsewhere"}
    sent = told(run, "import", "parcels", str(path), "--yes", "--report", str(report))
    assert sent["outcomes"] == {"made": 1, "made-without-room": 1, "refused": 1}
    lines = [json.loads(line) for line in report.read_text().splitlines()]
    assert [(one["row"], one["rule"]) for one in lines if one["outcome"] in {"refused", "made-without-room"}] == [
        (2, "no-room"),
        (5, "size-unknown"),
    ]
    assert not any(word in report.read_text() for word in ("Ada", "people.example", "A-1"))
    assert told(run, "import", "parcels", str(path), "--yes")["outcomes"] == {"exists": 2, "refused": 1}


def test_bulks_are_of_the_size_that_the_interface_takes() -> None:
    """Given 2,100 parcels and then long ones, then requests of 1,000 at most and below 4 MiB."""
    asked: list[bytes] = []

    class Hub(Calls):
        def post(self, path: str, body: bytes, *, key: str = "") -> dict[str, Any]:
            asked.append(body)
            given = json.loads(body)["items"]
            assert (path, key[:5]) == ("/parcels/bulk", "list-")
            made = {"parcel": "p", "replayed": False}
            return {"items": [{"index": index, "accepted": made} for index in range(len(given))]}

    bulk = list_sending.Bulk(Hub(None), "digest", Report(None, lines=False))
    long = {"reference": "R", "consignment": "x" * 9000}
    rows = [Judged(n, (), {"reference": f"R{n}"} if n <= 2100 else long) for n in range(1, 3101)]
    outcomes = [one for row in rows for one in bulk.add(row)] + list(bulk.flush())
    assert outcomes == ["made"] * 3100
    assert [len(json.loads(body)["items"]) for body in asked[:2]] == [1000, 1000]
    assert len(asked) > 4
    assert max(map(len, asked)) < 4 * 1024 * 1024
