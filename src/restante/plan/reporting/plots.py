"""Plots: ink on ground and one highlight, drawn so narrow that a phone shows them with letters of a readable size.

What is planned is filled; what there is today is hollow or a broken line, so that no plot needs its colours.
"""

import math
from collections.abc import Iterator, Sequence
from typing import Final
from xml.etree.ElementTree import Element

import msgspec

from restante.plan.reporting.markup import NONE, Attributes, Part, element

WIDE: Final = 380.0
MOST_TOLD: Final = 40
_LEFT: Final = 40.0
_RIGHT: Final = 372.0
_TOP: Final = 14.0
_BASE: Final = 156.0
_ROW: Final = 24.0
_NAMES: Final = 128.0
_LETTERS: Final = 18
_BAR: Final = 62.0


class Pair(msgspec.Struct, frozen=True):
    """One figure with its label: as planned, and as it is today where that is known."""

    label: str
    now: float
    then: float | None = None


class Bar(msgspec.Struct, frozen=True):
    """A bar made of parts, each with its length and its words; one that is planned, or one of today."""

    label: str
    parts: tuple[tuple[float, str], ...]
    is_planned: bool

    @property
    def length(self) -> float:
        """All parts together."""
        return sum(length for length, _ in self.parts)


def columns(pairs: Sequence[Pair], *, marks: Sequence[tuple[float, str]]) -> Element:
    """Columns over a baseline, today as a broken line. ``marks`` stand under it, so many columns from the left."""
    top = max((max(one.now, one.then or 0.0) for one in pairs), default=0.0) or 1.0
    ticks = rounds(top)
    high = (_BASE - _TOP) / max(top, ticks[-1])
    step = (_RIGHT - _LEFT) / max(1, len(pairs))
    parts: list[Part] = []
    for tick in ticks:
        parts.append(element("path", {"class": "grid", "d": f"M{_LEFT} {_BASE - tick * high:.1f}H{_RIGHT}"}))
        parts.append(_text(f"{tick:g}", (_LEFT - 6, _BASE - tick * high + 4), "end"))
    parts.append(
        element("path", {"class": "now", "d": _stairs([one.now * high for one in pairs], step, is_parted=True)})
    )
    if any(one.then is not None for one in pairs):
        parts.append(
            element("path", {"class": "then", "d": _stairs([(one.then or 0.0) * high for one in pairs], step)})
        )
    parts.append(element("path", {"class": "rule", "d": f"M{_LEFT} {_BASE}H{_RIGHT}"}))
    parts += [_text(words, (_LEFT + at * step, _BASE + 18), "mid") for at, words in marks]
    return _plot(_BASE + 24, pairs, parts)


def _stairs(heights: Sequence[float], step: float, *, is_parted: bool = False) -> str:
    """The outline of columns; wide ones may be parted from each other."""
    slit = f"V{_BASE}h1.5" if is_parted and step > 6 else ""
    treads = (
        f"V{_BASE - tall:.1f}H{_LEFT + (at + 1) * step - 1.5 * bool(slit):.1f}{slit}" for at, tall in enumerate(heights)
    )
    return f"M{_LEFT} {_BASE}{''.join(treads)}V{_BASE}"


def rounds(top: float) -> tuple[float, ...]:
    """Two to five round numbers above nothing, the last of them at ``top`` or before it."""
    assert top > 0, "a plot has a height"
    power = 10.0 ** math.floor(math.log10(top))
    step = next(one * power for one in (0.2, 0.5, 1.0, 2.0, 5.0) if top / (one * power) < 6)
    return tuple(step * number for number in range(1, int(top / step + 1e-9) + 1))


def dumbbells(pairs: Sequence[Pair]) -> Element:
    """A row for each share: a hollow mark is today, a filled one is planned."""
    bottom = _ROW * len(pairs) + 6
    parts: list[Part] = []
    for share in (0.0, 0.5, 1.0):
        parts.append(element("path", {"class": "grid", "d": f"M{_along(share):.1f} 0V{bottom:.1f}"}))
        parts.append(_text(f"{100 * share:g} %", (_along(share), bottom + 14), "end" if share == 1 else "mid"))
    for row, one in enumerate(pairs):
        y, now = _ROW * (row + 0.5), _along(one.now)
        parts.append(_label(one.label, y))
        if one.then is not None:
            then = _along(one.then)
            parts.append(element("path", {"class": "then", "d": f"M{then:.1f} {y:.1f}H{now:.1f}"}))
            parts.append(element("circle", {"class": "was", "cx": then, "cy": y, "r": 5}))
        parts.append(element("circle", {"class": "now", "cx": now, "cy": y, "r": 5}))
    return _plot(bottom + 20, pairs, parts)


def _along(share: float) -> float:
    return _NAMES + (WIDE - 8 - _NAMES) * min(1.0, max(0.0, share))


def _label(words: str, y: float) -> Element:
    cut = words if len(words) <= _LETTERS else f"{words[: _LETTERS - 1]}…"
    return element("text", {"x": _NAMES - 14, "y": y + 4, "class": "end"}, element("title", NONE, words), cut)


def bars(rows: Sequence[Bar], *, longest: float = 0.0) -> Element:
    """Bars of one scale under each other: the first part dark, the second pale, others hollow; their words below.

    ``longest`` is the length that takes the whole width, where the longest of these does not.
    """
    longest = max((longest, *(row.length for row in rows))) or 1.0
    parts: list[Part] = []
    for at, row in enumerate(rows):
        y, x = _BAR * at, 0.0
        parts.append(_text(row.label, (0, y + 13), "own" if row.is_planned else "strong"))
        for number, (length, _) in enumerate(row.parts):
            look = ("now" if row.is_planned else "kept", "second", "third")[min(number, 2)]
            wide = WIDE * length / longest
            parts.append(element("rect", {"class": look, "x": x, "y": y + 20, "width": wide, "height": 12}))
            x += wide
        parts.append(_text(" + ".join(words for _, words in row.parts), (0, y + 47), ""))
    pairs = [Pair(row.label, row.length) for row in rows]
    return _plot(_BAR * len(rows) - 8, pairs, parts)


def gap_line(value: Pair, bound: Pair, today: Pair | None) -> Element:
    """What was found, what no plan exceeds, the gap between them hatched, and today."""
    known = [one for one in (value, bound, today) if one is not None]
    low, high = min(one.now for one in known), max(one.now for one in known)
    room = (high - low) * 0.08 or max(abs(high), 1.0) * 0.05

    def along(one: Pair) -> float:
        return 10 + (WIDE - 20) * (one.now - low + room) / (high - low + 2 * room)

    left, right = sorted((along(value), along(bound)))
    parts: list[Part] = [
        element("defs", NONE, _hatch()),
        element("path", {"class": "grid", "style": "stroke-width:3", "d": f"M0 38H{WIDE:g}"}),
        element("rect", {"fill": "url(#gap)", "x": left, "y": 31, "width": right - left, "height": 14}),
        element("path", {"class": "rule", "d": f"M{along(bound):.1f} 24V52"}),
        _text(bound.label, (along(bound), 68), f"strong {_anchor(along(bound))}"),
    ]
    if today is not None:
        parts.append(element("circle", {"class": "was", "cx": along(today), "cy": 38, "r": 6}))
        parts.append(_text(today.label, (along(today), 88), f"strong {_anchor(along(today))}"))
    parts.append(element("circle", {"class": "now", "cx": along(value), "cy": 38, "r": 6}))
    parts.append(_text(value.label, (along(value), 14), f"own {_anchor(along(value))}"))
    return _plot(94 if today else 74, known, parts)


def _hatch() -> Element:
    size: Attributes = {"id": "gap", "width": 5, "height": 5}
    box = {**size, "patternUnits": "userSpaceOnUse", "patternTransform": "rotate(45)"}
    return element("pattern", box, element("line", {"y2": 5, "class": "hatch"}))


def _anchor(x: float) -> str:
    """Which part of a text stands at a place, so that it stays within the plot."""
    return "end" if x > WIDE * 0.65 else "mid" if x > WIDE * 0.35 else "start"


def _text(words: str, at: tuple[float, float], look: str) -> Element:
    return element("text", {"x": at[0], "y": at[1], "class": look}, words)


def _plot(high: float, told: Sequence[Pair], parts: Sequence[Part]) -> Element:
    said = "; ".join(_said(told[:MOST_TOLD]))
    box = {"viewBox": f"0 0 {WIDE:g} {high:g}", "role": "img", "aria-label": said, "class": "plot"}
    return element("svg", box, *parts)


def _said(pairs: Sequence[Pair]) -> Iterator[str]:
    for one in pairs:
        then = "" if one.then is None else f" (today {one.then:.4g})"
        yield f"{one.label} {one.now:.4g}{then}"
