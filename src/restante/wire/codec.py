"""How every document between hub and source is written as bytes, read back, and named by a digest.

Written: RFC 8785 canonical JSON, so equal values have equal bytes, and anybody can make a hash or signature of them.
Read: strictly, because the bytes come from outside. Size and depth are bounded, a repeated key is refused, and numbers
stay where every JSON reader agrees on them (RFC 7493 I-JSON: no more than 2^53 - 1). Unknown fields are kept.
"""

import hashlib
import json
import math
import re
from collections.abc import Collection, Mapping
from typing import Any, NoReturn, TypeAlias

import rfc8785

from restante.core.refusals import Refusal

Document: TypeAlias = dict[str, Any]
"""A decoded JSON object; its values are None, bool, int, float, str, lists and objects of these."""

MAX_DOCUMENT_BYTES = 1 << 20
MAX_DEPTH = 32
MAX_INTEGER = 2**53 - 1
LEAF_PREFIX = b"\x00"

# A string never closed still ends its match, and nothing is ever tried twice: linear in the size of the input.
_STRINGS = re.compile(rb'"(?:[^"\\]++|\\.)*+"?', re.DOTALL)
_BRACKETS = re.compile(rb"[\[\]{}]")


class _RefusedError(Exception):
    """Carries a refusal out of the JSON reader's hooks; never leaves this module."""

    def __init__(self, code: str, field: str = "") -> None:
        super().__init__(code)
        self.refusal = Refusal(code=code, field=field[:64])


def canonical(value: Any) -> bytes | Refusal:
    """The RFC 8785 bytes of a JSON value.

    Refused: `number-out-of-range`, `text-not-unicode`, `document-too-deep`, `document-malformed`.
    """
    try:
        is_plain = _check(value, "", 0)
    except _RefusedError as refused:
        return refused.refusal
    return _PLAIN_WRITER.encode(value).encode() if is_plain else rfc8785.dumps(value)


def flaw(value: Any) -> Refusal | None:
    """Why a value has no canonical form, if it has none."""
    try:
        _check(value, "", 0)
    except _RefusedError as refused:
        return refused.refusal
    return None


def decode(raw: bytes, *, max_bytes: int = MAX_DOCUMENT_BYTES, max_depth: int = MAX_DEPTH) -> Document | Refusal:
    """Read one JSON object from bytes that nobody has checked yet.

    Refused: `document-too-large`, `document-too-deep`, `document-malformed`, `document-not-an-object`,
    `duplicate-key`, `number-out-of-range`, `text-not-unicode`.
    """
    if len(raw) > max_bytes:
        return Refusal(code="document-too-large", detail=f"{len(raw)} bytes, at most {max_bytes}")
    if _depth(raw) > max_depth:
        return Refusal(code="document-too-deep", detail=f"at most {max_depth} levels")
    try:
        value = _READER.decode(raw.decode("utf-8"))
        _check(value, "", 0)
    except _RefusedError as refused:
        return refused.refusal
    except ValueError as broken:  # also UnicodeDecodeError, and integers too long to convert
        return Refusal(code="document-malformed", detail=str(broken)[:120])
    return value if isinstance(value, dict) else Refusal(code="document-not-an-object")


def digest(document: bytes) -> str:
    """SHA-256 of a document as lower-case hex, hashed as a leaf (RFC 6962 §2.1: one 0x00 byte before it)."""
    return hashlib.sha256(LEAF_PREFIX + document).hexdigest()


def split_unknown(document: Mapping[str, Any], known: Collection[str]) -> tuple[Document, Document]:
    """The fields this version knows, and those it does not: kept, so that hashes and later readers find them."""
    mine = {name: value for name, value in document.items() if name in known}
    other = {name: value for name, value in document.items() if name not in known}
    return mine, other


def _depth(raw: bytes) -> int:
    """Deepest nesting of brackets outside strings: counted first, so that no reader is led to recurse."""
    depth = deepest = 0
    for bracket in _BRACKETS.findall(_STRINGS.sub(b"", raw)):
        depth += 1 if bracket in b"[{" else -1
        deepest = max(deepest, depth)
    return deepest


def _object(pairs: list[tuple[str, Any]]) -> Document:
    found: Document = {}
    for name, value in pairs:
        if name in found:
            raise _RefusedError("duplicate-key", _readable(name))
        found[name] = value
    return found


def _constant(name: str) -> NoReturn:
    raise _RefusedError("number-out-of-range", name)


_READER = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_constant)


# Without floats and with ASCII keys the two writers agree byte for byte, and this one is several times faster: it is
# what nearly every entry needs, on a small controller and in a hub that checks thousands a second.
_PLAIN_WRITER = json.JSONEncoder(ensure_ascii=False, check_circular=False, sort_keys=True, separators=(",", ":"))


def _check(value: Any, field: str, depth: int) -> bool:
    """Raise if `value` lies outside what every JSON reader understands alike; whether it is plain to write."""
    if depth > MAX_DEPTH:
        raise _RefusedError("document-too-deep", field)
    match value:
        case str():
            _check_text(value, field)
            return True
        case None | bool():
            return True
        case int():
            _check_number(abs(value) <= MAX_INTEGER, field)
            return True
        case float():
            # A larger float would be written as an integer that no reader may accept.
            _check_number(math.isfinite(value) and abs(value) <= MAX_INTEGER, field)
            return False
        case dict():
            return _check_object(value, field, depth)
        case list() | tuple():
            return _check_list(value, field, depth)
        case _:
            raise _RefusedError("document-malformed", field)


def _check_object(value: dict[Any, Any], field: str, depth: int) -> bool:
    # Most names and values are plain text, which has nothing to be checked for.
    is_plain, is_deep = True, depth >= MAX_DEPTH
    for name, item in value.items():
        if type(name) is not str or not name.isascii():
            _check_text(name, field)
            is_plain = is_plain and name.isascii()
        if is_deep or type(item) is not str or not item.isascii():
            is_plain = _check(item, name, depth + 1) and is_plain
    return is_plain


def _check_list(value: list[Any] | tuple[Any, ...], field: str, depth: int) -> bool:
    is_plain = True
    for item in value:
        is_plain = _check(item, field, depth + 1) and is_plain
    return is_plain


def _check_number(in_range: bool, field: str) -> None:
    if not in_range:
        raise _RefusedError("number-out-of-range", field)


def _check_text(text: Any, field: str) -> None:
    if not isinstance(text, str):
        raise _RefusedError("document-malformed", field)
    if not text.isascii() and any("\ud800" <= letter <= "\udfff" for letter in text):
        raise _RefusedError("text-not-unicode", _readable(field))


def _readable(text: str) -> str:
    """Text that can be shown and encoded whatever the sender put into it."""
    return text.encode("utf-8", "replace").decode("utf-8")
