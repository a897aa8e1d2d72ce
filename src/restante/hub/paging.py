"""Cursors: where the next page of a list begins, as text that callers hand back and do not read."""

import base64
import binascii
from typing import Annotated, Any, Final, TypeVar

import msgspec
from litestar.params import QueryParameter

from restante.core.refusals import Refusal
from restante.hub.problems import Refused

T = TypeVar("T")

LONGEST_CURSOR: Final = 4096

CursorText = Annotated[
    str,
    QueryParameter(description="Where the page begins; from an answer of this list.", max_length=LONGEST_CURSOR),
]
Limit = Annotated[int, QueryParameter(ge=1, le=200, description="Most items in the page.")]


def write_cursor(about: str, place: Any) -> str:
    """The cursor of a list (``about`` names it) at a place."""
    return base64.urlsafe_b64encode(msgspec.json.encode([about, place])).decode().rstrip("=")


def read_cursor(about: str, text: str, kind: type[T]) -> T:
    """The place that a cursor of this list stands for. Refused with ``cursor-malformed``."""
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        named, place = msgspec.json.decode(raw, type=tuple[str, msgspec.Raw])
        found = msgspec.json.decode(place, type=kind)
    except (binascii.Error, ValueError, msgspec.DecodeError, RecursionError):
        raise Refused(Refusal("cursor-malformed", "cursor")) from None
    if b"\\u0000" in raw:
        raise Refused(Refusal("cursor-malformed", "cursor"))
    if named != about:
        raise Refused(Refusal("cursor-malformed", "cursor", "the cursor belongs to another list"))
    return found
