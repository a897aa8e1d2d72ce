"""The living network in a terminal: points with their fill, today's figures, the last events, and where to look on."""

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from io import StringIO
from typing import Final
from zoneinfo import ZoneInfo

import msgspec
from rich.columns import Columns
from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from restante.core.bank import SourceKind
from restante.sim.demo.picture import Picture, PointSeen, Told

SIZES: Final = ("S", "M", "L", "XL")
_CELLS: Final = " ▁▂▃▄▅▆▇█"
_BAR_CELLS: Final = 5
_NAME_CELLS: Final = 26
_WIDE_CELLS: Final = 132
_FONT_FACE: Final = re.compile(r"\s*@font-face \{.*?\}", re.DOTALL)
_SPRUCE: Final = "dark_cyan"
_AMBER: Final = "dark_orange"


class Scene(msgspec.Struct, frozen=True):
    """All that one moment of the demo shows beside the picture: its time, how fast it runs, links, and what is on."""

    now: datetime
    zone: str
    pace: float
    links: Mapping[str, str]
    credit: str
    doing: str = ""


def render(picture: Picture, scene: Scene, *, width: int) -> RenderableType:
    """The whole screen, for a terminal so many cells wide."""
    local = scene.now.astimezone(ZoneInfo(scene.zone))
    title = Text.assemble(
        ("Restante", f"bold {_SPRUCE}"),
        f"  {local:%A %H:%M}",
        (f"  {scene.pace:g} times faster", "dim"),
        (f"  {scene.doing}", "dim") if scene.doing else "",
    )
    points, figures, events = _points(picture, scene.now), _figures(picture), _events(picture, scene.zone)
    return Group(
        title, Text(sentence(picture)), Text(), *_laid_out(points, figures, events, width=width), _links(scene)
    )


def _laid_out(*parts: RenderableType, width: int) -> Iterable[RenderableType]:
    """Points beside figures and events where there is width for it, else one below the other."""
    points, figures, events = parts
    if width < _WIDE_CELLS:
        return figures, Text(), points, events
    body = Table.grid(padding=(0, 2), expand=True)
    body.add_column(min_width=_NAME_CELLS + 60)
    body.add_column(ratio=1)
    body.add_row(points, Group(figures, Text(), events))
    return body, Text()


def sentence(picture: Picture) -> str:
    """What is true now, in words."""
    cut = sum(1 for point in picture.points.values() if point.cut_since is not None)
    points = len(picture.points)
    lost = f" {_number(cut)} cut off." if cut else ""
    return f"{points} points, {picture.waiting} parcels behind doors and on shelves.{lost}"


def _number(count: int) -> str:
    return {1: "One is", 2: "Two are"}.get(count, f"{count} are")


def _points(picture: Picture, now: datetime) -> Table:
    table = Table(box=None, padding=(0, 1, 0, 0), header_style="dim")
    table.add_column("point", no_wrap=True, min_width=_NAME_CELLS, max_width=_NAME_CELLS, overflow="ellipsis")
    for size in SIZES:
        table.add_column(size, no_wrap=True, min_width=_BAR_CELLS + 5)
    table.add_column("parcels", justify="right", no_wrap=True, min_width=7)
    table.add_column("", no_wrap=True)
    for point in sorted(picture.points.values(), key=lambda one: (one.kind, one.name)):
        cells = [_cell(point, rank) for rank in range(len(SIZES))]
        table.add_row(_name(point), *cells, _waiting(point), _state(point, now))
    return table


def _name(point: PointSeen) -> Text:
    mark = "▤ " if point.kind is SourceKind.COUNTER else "▦ "
    return Text(mark + point.name, style="bold red" if point.cut_since is not None else "")


def _cell(point: PointSeen, rank: int) -> Text:
    places = point.places.get(rank, 0)
    if not places:
        return Text("·", style="dim")
    if point.cut_since is not None:
        return Text(f"?/{places}", style="dim")
    return Text.assemble((_bar(point.taken[rank], places), _SPRUCE), f" {point.taken[rank]}/{places}")


def _bar(taken: int, places: int) -> str:
    """A bar of at most ``_BAR_CELLS`` cells, one a door while there are few doors."""
    width = min(places, _BAR_CELLS)
    filled = min(max(taken / places, 0.0), 1.0) * width
    whole = int(filled)
    eighths = round((filled - whole) * 8)
    return ("█" * whole + (_CELLS[eighths] if eighths else "")).ljust(width, "░")


def _waiting(point: PointSeen) -> str:
    return "?" if point.cut_since is not None else str(point.waiting)


def _state(point: PointSeen, now: datetime) -> Text:
    if point.cut_since is not None:
        cut_hours = (now - point.cut_since).total_seconds() / 3600
        return Text(f"cut off {cut_hours:.0f} h", style="bold red")
    if point.faulty:
        return Text("fault at " + ", ".join(map(str, sorted(point.faulty))), style=_AMBER)
    return Text("")


def _figures(picture: Picture) -> RenderableType:
    shown = [("waiting", picture.waiting), *picture.figures.items()]
    cells = [Text.assemble((f"{count:>5} ", "bold"), (name, "dim")) for name, count in shown]
    return Columns(cells, width=18, padding=(0, 1))


def _events(picture: Picture, zone: str) -> RenderableType:
    lines = [as_line(told, zone) for told in picture.told]
    return Panel(
        Group(*lines) if lines else Text("Nothing has happened yet.", style="dim"), title="just now", height=16
    )


def as_line(told: Told, zone: str) -> Text:
    """One event as a line."""
    local = told.at.astimezone(ZoneInfo(zone))
    line = Text(no_wrap=True, overflow="ellipsis")
    line.append(f"{local:%H:%M}  ", style="dim")
    return line.append(told.words, style=_AMBER if told.stands_out else "")


def _links(scene: Scene) -> RenderableType:
    rows = [Text.assemble((f"{name:9}", "dim"), link) for name, link in scene.links.items()]
    return Group(*rows, Text(f"{scene.credit}   Ctrl-C ends it.", style="dim"))


def as_svg(picture: Picture, scene: Scene, *, width: int = 150) -> str:
    """The screen as a picture for documents."""
    console = Console(record=True, width=width, file=StringIO(), force_terminal=True, legacy_windows=False)
    console.print(render(picture, scene, width=width))
    drawn = console.export_svg(title="restante demo", unique_id="demo")
    return _FONT_FACE.sub("", drawn)  # a picture in a document fetches nothing; the reader's own font will do
