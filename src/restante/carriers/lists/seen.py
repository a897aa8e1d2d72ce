"""Remembers which row first showed a key, in 16 bytes a place, so that millions of rows stay in bounded memory."""

from array import array
from typing import Final

_FIRST_PLACES: Final = 1 << 12
_MASK: Final = (1 << 64) - 1


class Seen:
    """Keys by their 64-bit hash, open-addressed. Two keys are taken for one with odds of n² / 2⁶⁵."""

    def __init__(self) -> None:
        self._hashes = array("Q", bytes(8 * _FIRST_PLACES))
        self._rows = array("Q", bytes(8 * _FIRST_PLACES))
        self._count = 0

    def first(self, key: str, row: int) -> int:
        """The row that showed this key first: ``row`` itself if none did before."""
        code = hash(key) & _MASK or 1
        place = self._place(code)
        if self._hashes[place]:
            return self._rows[place]
        self._put(place, code, row)
        return row

    def _put(self, place: int, code: int, row: int) -> None:
        self._hashes[place], self._rows[place] = code, row
        self._count += 1
        if self._count * 3 > len(self._hashes) * 2:
            self._grow()

    def _place(self, code: int) -> int:
        """Where a hash stands, or the free place where it belongs."""
        hashes, last = self._hashes, len(self._hashes) - 1
        place = (code ^ code >> 32) & last
        while hashes[place] and hashes[place] != code:
            place = (place + 1) & last
        return place

    def _grow(self) -> None:
        hashes, rows = self._hashes, self._rows
        self._hashes = array("Q", bytes(16 * len(hashes)))
        self._rows = array("Q", bytes(16 * len(rows)))
        for code, row in zip(hashes, rows, strict=True):
            if code:
                place = self._place(code)
                self._hashes[place], self._rows[place] = code, row
