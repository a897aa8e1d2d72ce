"""The command line against a real hub: points and parcels brought in, shown and followed."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from restante.core.access import parcel_code_from

Run = Callable[..., tuple[int, str, str]]

UNKNOWN = parcel_code_from(bytes(range(16, 48))) or ""

POINT = {
    "name": "My stairwell",
    "kind": "housing",
    "latitude": 60.17,
    "longitude": 24.94,
    "zone": "Europe/Helsinki",
    "source": {
        "kind": "bank",
        "modules": [{"number": 1, "compartments": [{"door": 1, "size": "M", "reach_height_mm": 1000}]}],
    },
}


def read(run: Run, *arguments: str) -> Any:
    """What a command tells a machine."""
    code, out, err = run(*arguments, "--json")
    assert code == 0, err
    return json.loads(out)


def test_a_network_is_brought_in_and_a_parcel_followed(run: Run, tmp_path: Path) -> None:
    """Points from a file, a parcel announced, shown and tracked; the second parcel finds no room and is told so."""
    (tmp_path / "points.json").write_text(json.dumps([POINT]))
    [made] = read(run, "import", "points", str(tmp_path / "points.json"))
    assert made["status"] == "accepted"
    [shown] = read(run, "points", "--near", "60.17,24.95")
    assert (shown["id"], shown["name"]) == (made["point"], "My stairwell")
    assert "My stairwell" in run("points")[1]
    assert read(run, "points", made["point"])["modules"]

    first = read(run, "parcel", "announce", "order-1", "--point", made["point"], "--email", "me@homes.example")
    assert first["promise"]["point"] == made["point"]
    found = read(run, "parcel", "show", f"{first['code'][:4]} {first['code'][4:]}")
    assert (found["id"], found["stage"]) == (first["parcel"], "promised")
    kinds = [one["event"]["kind"] for one in read(run, "parcel", "track", first["parcel"])]
    assert kinds == ["parcel-announced", "room-reserved"]
    assert "room-reserved" in run("parcel", "track", first["code"])[1]

    _, out, _ = run("parcel", "announce", "order-2", "--point", made["point"])
    assert "No room is promised: No compartment of the size and needs can be promised" in out

    (tmp_path / "parcels.json").write_text(
        json.dumps([{"reference": "order-3", "size": "S"}, {"reference": "order-4"}])
    )
    code, out, _ = run("import", "parcels", str(tmp_path / "parcels.json"))
    assert code == 1
    assert "1 parcels taken in, 1 refused." in out
    assert "1: size-missing dimensions" in out


def test_what_the_hub_refuses_is_told_by_code_field_and_rule(run: Run, tmp_path: Path) -> None:
    """A parcel nobody knows, a size there is none of, a key that is wrong, a point that cannot be: each in one line."""
    for arguments, said in (
        (("parcel", "show", UNKNOWN), "parcel-unknown"),
        (("parcel", "show", "ABCD 1234"), "parcel-code-malformed (code)"),
        (("parcel", "announce", "order-1", "--size", "HUGE"), "size-unknown (size)"),
        (("points", "no-such-point"), "point-unknown"),
        (("parcel", "announce", ""), "field-malformed (reference)"),
    ):
        code, _, err = run(*arguments)
        assert code == 1
        assert err.startswith(said)
        assert err.count("\n") == 1
    (tmp_path / "wrong").write_text(f"rst_{'0' * 16}_{'0' * 50}")
    assert run("points", "--key-file", str(tmp_path / "wrong"))[2].startswith("api-key-wrong (Authorization)")
    (tmp_path / "points.json").write_text(json.dumps([{**POINT, "zone": "Moon/Crater"}, {"name": 7}]))
    code, out, _ = run("import", "points", str(tmp_path / "points.json"))
    assert code == 1
    assert "0: zone-unknown zone" in out
    assert "1: field-malformed" in out


def test_the_database_is_told_of_and_checked(run: Run) -> None:
    """`db status`, `migrate` and `check` say that all is well with a database that a hub keeps."""
    status = read(run, "db", "status")
    assert status["answers"] is True
    assert status["pending"] == []
    assert run("db", "migrate")[1] == "Nothing to apply.\n"
    assert read(run, "db", "check") == []
    assert run("db", "check")[1] == "The ledger agrees with itself.\n"
