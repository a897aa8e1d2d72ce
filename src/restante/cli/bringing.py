"""`restante import`: brings points, parcels, or a recorded day of a city into a network, through the public API."""

import sys
from pathlib import Path
from typing import Annotated, Any, Final

from cyclopts import App, Parameter

from restante.cli.calling import Calls, Hub, KeyFile, calling
from restante.cli.ending import REFUSED, Stop, say

app = App(name="import", help="Bring points, parcels or a day of a city in.")

AT_ONCE: Final = 500
LARGEST_FILE_BYTES: Final = 64 * 1024 * 1024

Json = Annotated[bool, Parameter(name="--json", negative="", help="Print one JSON document.")]


@app.command
def points(file: Path, *, json: Json = False, api: Hub = "", key_file: KeyFile = None) -> None:
    """Provision points from a JSON file: a list of bodies as POST /v1/points takes them, each with its `source` if any.

    A point that is refused keeps no other one out; the exit code then is 1.
    """
    made: list[dict[str, Any]] = []
    items = _items(file)
    with calling(api, key_file) as hub:
        for number, given in enumerate(items):
            made.append({"index": number} | _one_point(hub, given))
    _tell(made, "points", json=json)


@app.command
def parcels(file: Path, *, json: Json = False, api: Hub = "", key_file: KeyFile = None) -> None:
    """Announce parcels from a JSON file: a list of bodies as POST /v1/parcels takes them, any number of them."""
    import msgspec

    answers: list[dict[str, Any]] = []
    items = _items(file)
    with calling(api, key_file) as hub:
        for start in range(0, len(items), AT_ONCE):
            told = hub.post("/parcels/bulk", msgspec.json.encode({"items": items[start : start + AT_ONCE]}))
            answers += [one | {"index": one["index"] + start} for one in told["items"]]
    _tell(answers, "parcels", json=json)


@app.command
def radom(
    instance: Annotated[Path, Parameter(help="An instance file of a Polish city's lockers and orders.")],
    *,
    repeat: Annotated[int, Parameter(help="Bring every order so many times, until banks overflow.")] = 1,
    banks_per_process: Annotated[int, Parameter(help="How many banks share a process, to save memory.")] = 27,
    seed: Annotated[int, Parameter(help="Which story is played.")] = 1,
    folder: Annotated[Path | None, Parameter(help="Where to keep the state; a temporary folder otherwise.")] = None,
    hub: Annotated[str, Parameter(help="The API of a running hub on this machine; one of its own otherwise.")] = "",
    hub_state: Annotated[Path | None, Parameter(help="That hub's state folder.")] = None,
    mail_port: Annotated[int, Parameter(help="The port that hub hands its mail to.")] = 0,
    json: Json = False,
) -> None:
    """Replay a real day of a Polish city through a hub and its banks, and account for every order.

    The exit code is 0 only if every order is accounted for and instance, hub, banks and people agree on all of them.
    """
    from restante.sim.radom import main

    told = main(
        instance,
        repeat=repeat,
        banks_per_process=banks_per_process,
        seed=seed,
        folder=folder,
        hub=hub,
        hub_state=hub_state,
        mail_port=mail_port,
        json=json,
    )
    sys.exit(told)


def _one_point(hub: Calls, given: dict[str, Any]) -> dict[str, Any]:
    """One point, with what stands there; or why it was refused."""
    import msgspec

    source = given.pop("source", None)
    try:
        point = hub.post("/points", msgspec.json.encode(given))
        built = hub.post(f"/points/{point['id']}/source", msgspec.json.encode(source)) if source else {}
    except Stop as refused:
        problem = {"code": refused.code, "field": refused.field, "title": refused.rule, "detail": refused.detail}
        return {"status": "refused", "problem": problem}
    return {"status": "accepted", "point": point["id"], **({"source": built["source"]} if built else {})}


def _items(file: Path) -> list[dict[str, Any]]:
    """The list in a file."""
    import msgspec

    try:
        if file.stat().st_size > LARGEST_FILE_BYTES:
            raise Stop("document-too-large", field=str(file), rule=f"A file has at most {LARGEST_FILE_BYTES} bytes.")
        return msgspec.json.decode(file.read_bytes(), type=list[dict[str, Any]])
    except OSError as missing:
        raise Stop("file-missing", field=str(file), rule=f"The file cannot be read: {missing.strerror}.") from missing
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as broken:
        rule = "The file holds a JSON list of objects."
        raise Stop("document-malformed", field=str(file), rule=rule, detail=str(broken)[:200]) from broken


def _tell(answers: list[dict[str, Any]], what: str, *, json: bool) -> None:
    refused = [one for one in answers if one["status"] == "refused"]
    if json:
        say(answers)
    else:
        print(f"{len(answers) - len(refused)} {what} taken in, {len(refused)} refused.")
        for one in refused:
            problem = one["problem"]
            print(f"  {one['index']}: {problem['code']} {problem.get('field', '')} {problem['title']}")
    if refused:
        sys.exit(REFUSED)
