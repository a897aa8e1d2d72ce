"""`restante parcel`: announce a parcel, show it, follow it, by the public API."""

from datetime import datetime
from typing import Annotated, Any

from cyclopts import App, Parameter

from restante.cli.calling import Calls, Hub, KeyFile, calling
from restante.cli.ending import say
from restante.core.access import show_code

app = App(name="parcel", help="Announce, show and follow parcels.")

Json = Annotated[bool, Parameter(name="--json", negative="", help="Print one JSON document.")]
Named = Annotated[str, Parameter(help="The parcel's code as on its label, or its id.")]


@app.command
def announce(
    reference: Annotated[str, Parameter(help="Your own name for it; the same one again is the same parcel.")],
    *,
    point: Annotated[
        str | None, Parameter(help="Id of the point where it is to wait; room is promised at once.")
    ] = None,
    size: Annotated[str, Parameter(help="The size class that it needs.")] = "M",
    weight_grams: int = 0,
    email: Annotated[str, Parameter(help="Where its recipient is told.")] = "",
    name: str = "Recipient",
    language: str = "",
    drop_off: Annotated[bool, Parameter(negative="", help="The person sends it, and is told the code.")] = False,
    json: Json = False,
    api: Hub = "",
    key_file: KeyFile = None,
) -> None:
    """Announce a parcel, with the key of a carrier or retailer."""
    import msgspec

    given: dict[str, Any] = {
        "reference": reference,
        "direction": "drop-off" if drop_off else "delivery",
        "size": size,
        "weight_grams": weight_grams,
        "recipient": {"name": name, "emails": [email] if email else [], "language": language},
    }
    if point is not None:
        given["point"] = point
    with calling(api, key_file) as hub:
        made = hub.post("/parcels", msgspec.json.encode(given))
    if json:
        say(made)
        return
    print(f"Parcel {show_code(made['code'])}, size {made['size']}. Its id: {made['parcel']}")
    if promise := made.get("promise"):
        print(f"Room is promised until {_when(promise['until'])}.")
    if problem := made.get("problem"):
        print(f"No room is promised: {problem['title']}")
        print(
            *(f"  {near['name']}, {near['distance_m']} m: {near['id']}" for near in problem.get("nearest", [])),
            sep="\n",
        )
    for warning in made.get("warnings", []):
        print(f"Mind {warning['field']}: {warning['detail']}")


@app.command
def show(parcel: Named, *, json: Json = False, api: Hub = "", key_file: KeyFile = None) -> None:
    """Show where a parcel is and what is to happen next."""
    with calling(api, key_file) as hub:
        found = _find(hub, parcel)
    if json:
        say(found)
        return
    print(f"Parcel {show_code(found['code'])} of {found['org']}: {found['stage']}; {found['actor']} acts next.")
    if promise := found.get("promise"):
        print(f"Room is promised at {promise['point']} until {_when(promise['until'])}.")
    if stay := found.get("stay"):
        print(f"It lies at {stay['point']} since {_when(stay['deposited_at'])}.")
        if hold := stay.get("hold"):
            print(
                f"Held until {_when(hold['ends_at'])}" + (", and its clock stands." if hold.get("paused_at") else ".")
            )
    for case in found.get("cases", []):
        print(f"A case is open: {case}")


@app.command
def track(parcel: Named, *, json: Json = False, api: Hub = "", key_file: KeyFile = None) -> None:
    """Show everything that happened to a parcel, in order."""
    with calling(api, key_file) as hub:
        found = _find(hub, parcel)
        events = list(hub.pages(f"/parcels/{found['id']}/events", 10_000))
    if json:
        say(events)
        return
    for one in events:
        print(f"{_when(one['at'])}  {one['event']['kind']:18} {one['by']}")


def _find(hub: Calls, parcel: str) -> dict[str, Any]:
    """A parcel by its id, which has dashes in it, or else by its code."""
    if len(parcel) == 36:
        return hub.get(f"/parcels/{parcel}")
    return hub.get(f"/parcels/by-code/{parcel.replace(' ', '')}")


def _when(text: str) -> str:
    return f"{datetime.fromisoformat(text):%a %Y-%m-%d %H:%M:%S}"
