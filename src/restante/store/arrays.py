"""Columns of many rows as PostgreSQL arrays, built by hand: the general adaptation of lists costs a core.

Ids, instants, counts and byte strings go in the server's binary form, which it copies where it would parse text; texts
go as array literals.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from itertools import chain, repeat
from struct import Struct
from typing import ClassVar, Final, TypeVar

import psycopg
from psycopg import AsyncConnection, Connection
from psycopg.adapt import Dumper
from psycopg.pq import Format

from restante.core.time import Instant

V = TypeVar("V", int, Instant)

# Dimensions, flags, element type, length and lower bound of an array of one dimension; none has no length or bound.
_HEADER: Final = Struct("!iiIii")
_EMPTY: Final = Struct("!iiI")
_LENGTH: Final = Struct("!i")
_INSTANT: Final = Struct("!iq")
_NUMBER: Final = Struct("!ii")
_BIG_NUMBER: Final = Struct("!iq")
_UUID_SIZE: Final = 16
# The server counts microseconds from here.
_EPOCH: Final = datetime(2000, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


class Column(bytes):
    """An array in the server's binary form: a header, then each element behind its length.

    ``element`` and ``array`` are the server's numbers for the two types.
    """

    element: ClassVar[int]
    array: ClassVar[int]


class Blobs(Column):
    """A ``bytea[]``."""

    element, array = 17, 1001


class Uuids(Column):
    """A ``uuid[]``."""

    element, array = 2950, 2951


class Numbers(Column):
    """An ``integer[]``."""

    element, array = 23, 1007


class BigNumbers(Column):
    """A ``bigint[]``."""

    element, array = 20, 1016


class Instants(Column):
    """A ``timestamptz[]``."""

    element, array = 1184, 1185


class _ColumnDumper(Dumper):
    """Hand a column over as it is."""

    format = Format.BINARY

    def __init__(self, cls: type[Column], context: psycopg.abc.AdaptContext | None = None) -> None:
        super().__init__(cls, context)
        self.oid = cls.array

    def dump(self, obj: Column) -> bytes:
        return obj


def register(db: AsyncConnection | Connection) -> None:
    """Teach a connection to take columns."""
    for kind in Column.__subclasses__():
        db.adapters.register_dumper(kind, _ColumnDumper)


def plain(values: Iterable[str | int]) -> str:
    """Numbers, and texts that need no quoting: parcel codes and the names of kinds."""
    return "{" + ",".join(map(str, values)) + "}"


def texts(values: Iterable[str]) -> str:
    """Any texts."""
    given = list(values)
    joined = '","'.join(given)
    if "\\" in joined or joined.count('"') > 2 * (len(given) - 1):
        joined = '","'.join(value.replace("\\", "\\\\").replace('"', '\\"') for value in given)
    return '{"' + joined + '"}' if given else "{}"


def texts_or_null(values: Iterable[str | None]) -> str:
    """Any texts, some of them missing and most of them the same few."""
    given = list(values)
    quoted = {value: "NULL" if value is None else texts((value,))[1:-1] for value in set(given)}
    return "{" + ",".join([quoted[value] for value in given]) + "}"


def uuids(values: Iterable[str]) -> Uuids:
    """Ids. Raises ``psycopg.DataError`` when one is no UUID."""
    given = list(values)
    length = f"{_UUID_SIZE:08x}"
    try:
        packed = bytes.fromhex(length.join(["", *given]).replace("-", ""))
    except ValueError:
        packed = b""
    step = _LENGTH.size + _UUID_SIZE
    if len(packed) != step * len(given) or packed[_LENGTH.size - 1 :: step] != bytes([_UUID_SIZE]) * len(given):
        raise psycopg.DataError("An id is no UUID")
    return Uuids(_header(Uuids, len(given)) + packed)


def lanes(ids: Iterable[str]) -> Numbers:
    """The lanes of ids: the number that their last four digits write."""
    packed = bytes.fromhex("000000040000".join(["", *[value[-4:] for value in ids]]))
    return Numbers(_header(Numbers, len(packed) // _NUMBER.size) + packed)


def numbers(values: Iterable[int]) -> Numbers:
    """Counts below 2³¹."""
    return Numbers(_packed(Numbers, _NUMBER, list(values)))


def big_numbers(values: Iterable[int]) -> BigNumbers:
    """Counts below 2⁶³."""
    return BigNumbers(_packed(BigNumbers, _BIG_NUMBER, list(values)))


def instants(values: Iterable[Instant]) -> Instants:
    """Instants to the microsecond."""
    given = list(values)
    if _all_alike(given):
        return Instants(_packed(Instants, _INSTANT, [_microseconds(given[0])] * len(given)))
    return Instants(_packed(Instants, _INSTANT, list(map(_microseconds, given))))


def blobs(values: Iterable[bytes]) -> Blobs:
    """Byte strings."""
    given = list(values)
    parts = chain.from_iterable(zip(map(_LENGTH.pack, map(len, given)), given, strict=True))
    return Blobs(_header(Blobs, len(given)) + b"".join(parts))


def _microseconds(value: Instant) -> int:
    return (value - _EPOCH) // _MICROSECOND


def _packed(kind: type[Column], item: Struct, values: list[int]) -> bytes:
    length = item.size - _LENGTH.size
    if _all_alike(values):
        packed = item.pack(length, values[0]) * len(values)
    else:
        packed = b"".join(map(item.pack, repeat(length), values))
    return _header(kind, len(values)) + packed


def _all_alike(values: list[V]) -> bool:
    """Whether a column says the same in every row, as many do: those of one lane, or of one instant."""
    return bool(values) and values[0] == values[-1] and values.count(values[0]) == len(values)


def _header(kind: type[Column], count: int) -> bytes:
    return _HEADER.pack(1, 0, kind.element, count, 1) if count else _EMPTY.pack(0, 0, kind.element)
