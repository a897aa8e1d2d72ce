"""Numbers as people read them: thousands apart, units after, money in its main unit."""

import math
from typing import Final

_MINOR_DIGITS: Final = {
    "BHD": 3, "CLP": 0, "ISK": 0, "JOD": 3, "JPY": 0, "KRW": 0, "KWD": 3, "OMR": 3, "TND": 3, "UGX": 0, "VND": 0,
}  # fmt: skip
"""Decimals of a currency (ISO 4217) where they are not two."""

_APART: Final = "\u202f"
"""A narrow space at which no line breaks."""

UNKNOWN: Final = "–"


def count(number: float, decimals: int = 0) -> str:
    """A number; a dash where there is none."""
    if not math.isfinite(number):
        return UNKNOWN
    # Rounding may leave a minus before nothing.
    return f"{round(number, decimals) + 0.0:,.{decimals}f}".replace(",", _APART)


def brief_count(number: float) -> str:
    """A number with as many decimals as its size asks for."""
    return count(number, 0 if abs(number) >= 100 else 1 if abs(number) >= 10 else 2)


def share(part: float, decimals: int = 1) -> str:
    """A share as per cent."""
    return UNKNOWN if not math.isfinite(part) else f"{count(100 * part, decimals)}{_APART}%"


def gap(part: float) -> str:
    """A proven gap, rounded up: what is printed is never less than what is proven."""
    return share(math.ceil(part * 1e4 - 1e-9) / 1e4, 2) if math.isfinite(part) else UNKNOWN


def metres(number: float) -> str:
    """A way: metres up to a kilometre, kilometres beyond."""
    return f"{count(number)}{_APART}m" if number < 999.5 else f"{count(number / 1000, 1)}{_APART}km"


def money(minor: float, currency: str, *, with_change: bool = False) -> str:
    """Money in its main unit, without its change unless that is asked for."""
    digits = _MINOR_DIGITS.get(currency, 2)
    return f"{count(minor / 10**digits, digits * with_change)}{_APART}{currency}"


def clock(seconds: float) -> str:
    """A time of the day from seconds since its midnight, to the minute; days beyond the first are told."""
    if not math.isfinite(seconds):
        return UNKNOWN
    days, rest = divmod(round(seconds / 60), 24 * 60)
    return f"{rest // 60:02}:{rest % 60:02}" + (f" +{days}" if days else "")


def plural(number: int, one: str, many: str = "") -> str:
    """A number of things."""
    return f"{count(number)} {one if number == 1 else many or one + 's'}"
