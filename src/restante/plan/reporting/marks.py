"""The shapes that stand on maps, and the rows of a key that explain them.

Points are told apart by shape first and by colour second: a square stays, a diamond opens, a crossed broken outline
closes.
"""

from collections.abc import Sequence
from xml.etree.ElementTree import Element

from restante.plan.reporting.markup import NONE, Attributes, element
from restante.plan.reporting.snapshot import Fate

GLYPH: int = 24
"""How high, and commonly how wide, the shapes of a key are."""


def mark(fate: Fate, at: tuple[float, float], half: float) -> Element:
    """The shape of a point of this fate; all shapes of one ``half`` have about the same surface."""
    x, y = at
    match fate:
        case Fate.KEPT:
            return element("g", NONE, element("path", {"class": "kept", "d": square(x, y, half)}))
        case Fate.OPENED:
            reach = half * 1.35
            corners = (
                f"M{x:.1f} {y - reach:.1f}l{reach:.1f} {reach:.1f}l{-reach:.1f} {reach:.1f}l{-reach:.1f} {-reach:.1f}z"
            )
            return element("g", NONE, element("path", {"class": "opened", "d": corners}))
        case Fate.CLOSED:
            side = 2 * half
            cross = f"M{x - half:.1f} {y - half:.1f}l{side:.1f} {side:.1f}m0 {-side:.1f}l{-side:.1f} {side:.1f}"
            box = element("path", {"class": "closed", "d": square(x, y, half)})
            return element("g", NONE, box, element("path", {"class": "crossed", "d": cross}))


def square(x: float, y: float, half: float) -> str:
    """The data of a path around a square with this middle."""
    side = 2 * half
    return f"M{x - half:.1f} {y - half:.1f}h{side:.1f}v{side:.1f}h{-side:.1f}z"


def key(*rows: Element) -> Element:
    """The key of a map."""
    return element("ul", {"class": "key"}, *rows)


def key_row(shapes: Sequence[Element], words: str, *, wide: int = GLYPH) -> Element:
    """Shapes, drawn on so wide a piece of the map, and what they mean."""
    box: Attributes = {"width": wide, "height": GLYPH, "viewBox": f"0 0 {wide} {GLYPH}", "aria-hidden": "true"}
    return element("li", NONE, element("svg", box, *shapes) if shapes else None, words)
