"""`restante points`: pick-up points and the room they have, by the public API."""

from typing import Annotated, Any

from cyclopts import Parameter
from rich.console import Console
from rich.table import Table

from restante.cli.calling import Hub, KeyFile, calling
from restante.cli.ending import Stop, say

Json = Annotated[bool, Parameter(name="--json", negative="", help="Print one JSON document.")]


def points(
    point: Annotated[str, Parameter(help="Show this point alone.")] = "",
    *,
    near: Annotated[str, Parameter(help="Degrees north and east, as 60.17,24.94: the nearest first.")] = "",
    size: Annotated[str | None, Parameter(help="Only points with room for this size class.")] = None,
    most: Annotated[int, Parameter(help="How many at most.")] = 50,
    json: Json = False,
    api: Hub = "",
    key_file: KeyFile = None,
) -> None:
    """Find pick-up points, or show one, with the room they have."""
    latitude, longitude = _place(near)
    with calling(api, key_file) as hub:
        if point:
            found = [hub.get(f"/points/{point}")]
        else:
            where = {"latitude": latitude, "longitude": longitude}
            found = list(hub.pages("/points", most, size=size, **where))
    if json:
        say(found[0] if point else found)
    else:
        Console().print(as_table(found))


def as_table(found: list[dict[str, Any]]) -> Table:
    """Points as people read them."""
    table = Table(box=None, header_style="dim")
    for name in ("point", "kind", "address", "status", "room", "id"):
        table.add_column(name, overflow="fold" if name == "id" else "ellipsis")
    for one in found:
        room = "  ".join(_room(each) for each in one["room"])
        away = f"{one['distance_m']} m  " if one.get("distance_m") is not None else ""
        table.add_row(one["name"], one["kind"], f"{away}{one.get('address', '')}", one["status"], room, one["id"])
    return table


def _room(room: dict[str, Any]) -> str:
    needs = "".join(f" {need}" for need in room["needs"])
    left = room["left"] if room.get("left") is not None else room["level"]
    return f"{room['size']}{needs}: {left}"


def _place(near: str) -> tuple[float | None, float | None]:
    if not near:
        return None, None
    try:
        latitude, longitude = (float(part) for part in near.split(","))
    except ValueError:
        raise Stop("place-malformed", field="--near", rule="A place is two numbers, as --near 60.17,24.94.") from None
    return latitude, longitude
