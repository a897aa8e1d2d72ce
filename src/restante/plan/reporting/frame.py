"""The piece of the Earth that a map shows, and where on the drawing a place is.

A plane with its middle at the middle of all places: degrees of longitude are shortened by the cosine of that latitude,
which is off by less than a line's width over a city.
"""

import math
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple
from xml.etree.ElementTree import Element

from restante.plan.geometry import EARTH_RADIUS_M
from restante.plan.reporting.markup import NONE, Part, element

Spot = tuple[float, float]
"""Degrees north and east."""

WIDTH: Final = 640.0
SHAPES: Final = (0.55, 1.05)
"""The least and the largest height of a map, by its width."""
MARGIN: Final = 0.06
LEAST_M: Final = 400.0
_METRES_PER_DEGREE: Final = math.radians(1) * EARTH_RADIUS_M


class Frame(NamedTuple):
    """The middle of a map in degrees, its height in units of which its width has ``WIDTH``, and metres a unit."""

    middle: Spot
    height: float
    metres: float

    def at(self, spot: Spot) -> tuple[float, float]:
        """Where a place is on the drawing, to the right and down."""
        north, east = self.middle
        down = (north - spot[0]) * _METRES_PER_DEGREE / self.metres
        turn = _turned(spot[1] - east) * math.cos(math.radians(north))
        return WIDTH / 2 + turn * _METRES_PER_DEGREE / self.metres, self.height / 2 + down

    def holds(self, spot: Spot) -> bool:
        """Whether a place is on the drawing."""
        x, y = self.at(spot)
        return 0 <= x <= WIDTH and 0 <= y <= self.height


def frame_around(spots: Sequence[Spot]) -> Frame:
    """The map on which all these places are. They may lie on both sides of the date line."""
    assert spots, "a map shows something"
    east = spots[0][1]
    turns = [_turned(one - east) for _, one in spots]
    north = (min(one for one, _ in spots) + max(one for one, _ in spots)) / 2
    middle = north, _turned(east + (min(turns) + max(turns)) / 2)
    shrunk = max(1e-6, math.cos(math.radians(north)))
    wide_m = max(LEAST_M, (max(turns) - min(turns)) * shrunk * _METRES_PER_DEGREE) * (1 + 2 * MARGIN)
    high_m = (max(one for one, _ in spots) - min(one for one, _ in spots)) * _METRES_PER_DEGREE * (1 + 2 * MARGIN)
    least, largest = SHAPES
    metres = max(wide_m / WIDTH, high_m / (largest * WIDTH))
    return Frame(middle, min(max(high_m / metres, least * WIDTH), largest * WIDTH), metres)


def drawing(frame: Frame, said: str, parts: Iterable[Part]) -> Element:
    """The map itself; ``said`` is what somebody hears who does not see it."""
    box = {"viewBox": f"0 0 {WIDTH:g} {frame.height:.1f}", "class": "map", "role": "img", "aria-label": said}
    return element("svg", box, *parts)


def scale_bar(frame: Frame) -> Element:
    """A bar as long as a round number of metres, a quarter of the map at most, with its length beside it."""
    longest_m = frame.metres * WIDTH / 4
    power = 10.0 ** math.floor(math.log10(longest_m))
    length_m = max(step * power for step in (1, 2, 5) if step * power <= longest_m)
    told = f"{length_m / 1000:g} km" if length_m >= 1000 else f"{length_m:g} m"
    wide = 100 * length_m / frame.metres / WIDTH
    style = f"width:{wide:.2f}%;border-block-end:2px solid var(--ink);border-inline:2px solid var(--ink);height:6px"
    row = {"style": "display:flex;align-items:flex-end;gap:8px"}
    return element("div", row, element("div", {"style": style}), element("span", {"class": "label"}, told))


def path_of(frame: Frame, lines: Iterable[Sequence[Spot]]) -> str:
    """Lines as the data of one path. Corners that fall on the one before are passed over."""
    made = []
    for line in lines:
        corners = [f"{x:.1f} {y:.1f}" for x, y in map(frame.at, line)]
        fresh = [one for one, before in zip(corners, [None, *corners], strict=False) if one != before]
        made.append("M" + "L".join(fresh) if len(fresh) > 1 else "")
    return "".join(made)


def titled(shape: Element, said: str) -> Element:
    """The shape with words that show when somebody points at it."""
    shape.insert(0, element("title", NONE, said))
    return shape


def _turned(degrees: float) -> float:
    return (degrees + 180) % 360 - 180
