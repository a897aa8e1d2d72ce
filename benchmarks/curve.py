"""A small picture of how figures change with size: lines over a logarithmic axis, as SVG that shows on any page."""

import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import Final

import msgspec

WIDTH, HEIGHT = 720, 380
_FONT: Final = 'font-family="sans-serif" font-size="12"'
LEFT, RIGHT, TOP, BOTTOM = 60, 230, 44, 44
COLOURS: Final = ("#1b6ca8", "#c8553d", "#3a7d44", "#8e5ea2", "#b8860b", "#444444", "#008b8b", "#a0527d")


class Point(msgspec.Struct, frozen=True):
    """One value at one size."""

    size: int
    value: float


Lines = Mapping[str, Sequence[Point]]


def relative(lines: Lines) -> dict[str, list[Point]]:
    """Each line as times its value at the smallest size; lines that begin with nothing are left out."""
    return {
        name: [Point(one.size, one.value / line[0].value) for one in line]
        for name, line in lines.items()
        if line and line[0].value > 0
    }


def draw(title: str, lines: Lines) -> str:
    """The lines in one picture, sizes and values on logarithmic axes. Needs a positive value in every point."""
    points = [point for line in lines.values() for point in line]
    assert points, "a picture needs points"
    sizes = sorted({point.size for point in points})
    low, high = _bounds([point.value for point in points])
    across = math.log10(sizes[0]), math.log10(max(sizes[-1], sizes[0] * 10)), LEFT, WIDTH - RIGHT
    up = math.log2(low), math.log2(high), HEIGHT - BOTTOM, TOP
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" {_FONT}>',
            f"<title>{escape(title)}</title>",
            f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
            f'<text x="{LEFT}" y="24" font-size="14">{escape(title)}</text>',
            *_grid(sizes, (low, high), across, up=up),
            *(part for number, line in enumerate(lines.items()) for part in _line(number, line, across, up=up)),
            "</svg>",
            "",
        ]
    )


Scale = tuple[float, float, float, float]
"""The lowest and highest value, and where they stand."""


def _at(scale: Scale, value: float) -> float:
    low, high, start, end = scale
    return round(start + (end - start) * (value - low) / ((high - low) or 1), 1)


def _bounds(values: Sequence[float]) -> tuple[float, float]:
    """Powers of two around all values, at least a half and twice one."""
    low, high = min(0.5, *values, 1.0), max(2.0, *values, 1.0)
    return 2.0 ** math.floor(math.log2(low)), 2.0 ** math.ceil(math.log2(high))


def _grid(sizes: Sequence[int], bounds: tuple[float, float], across: Scale, *, up: Scale) -> list[str]:
    parts = []
    for power in range(round(math.log2(bounds[0])), round(math.log2(bounds[1])) + 1):
        y, value = _at(up, power), 2.0**power
        parts.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y}" y2="{y}" stroke="#dddddd"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{y + 4}" text-anchor="end" fill="#555555">{value:g} ×</text>')
    for size in sizes:
        x = _at(across, math.log10(size))
        parts.append(f'<line x1="{x}" x2="{x}" y1="{TOP}" y2="{HEIGHT - BOTTOM}" stroke="#eeeeee"/>')
        parts.append(f'<text x="{x}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle" fill="#555555">{size:,}</text>')
    return parts


def _line(number: int, line: tuple[str, Sequence[Point]], across: Scale, *, up: Scale) -> list[str]:
    name, points = line
    colour, y = COLOURS[number % len(COLOURS)], TOP + 10 + 20 * number
    where = [f"{_at(across, math.log10(one.size))},{_at(up, math.log2(one.value))}" for one in points]
    there = WIDTH - RIGHT
    dots = [f'<circle cx="{x}" cy="{y_}" r="3" fill="{colour}"/>' for x, y_ in (one.split(",") for one in where)]
    return [
        f'<polyline points="{" ".join(where)}" fill="none" stroke="{colour}" stroke-width="2"/>',
        *dots,
        f'<line x1="{there + 16}" x2="{there + 36}" y1="{y}" y2="{y}" stroke="{colour}" stroke-width="3"/>',
        f'<text x="{there + 42}" y="{y + 4}">{escape(name)}</text>',
    ]
