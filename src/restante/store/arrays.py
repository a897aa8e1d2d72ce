"""Columns of many rows as PostgreSQL array literals, built by hand: the general adaptation of lists costs a core."""

from collections.abc import Iterable
from itertools import chain
from struct import Struct
from typing import Final

from psycopg import AsyncConnection, Connection
from psycopg.adapt import Dumper
from psycopg.pq import Format

from restante.core.time import Instant

_BYTEA: Final = 17
_BYTEA_ARRAY: Final = 1001
_HEADER: Final = Struct("!iiIii")
_LENGTH: Final = Struct("!i")


class Blobs(bytes):
    """A ``bytea[]`` in the server's binary form: dimensions, flags, element type, length, lower bound, elements."""


class _BlobsDumper(Dumper):
    """Hand a ``Blobs`` over as it is."""

    format = Format.BINARY
    oid = _BYTEA_ARRAY

    def dump(self, obj: Blobs) -> bytes:
        return obj


def register(db: AsyncConnection | Connection) -> None:
    """Teach a connection to take ``Blobs``."""
    db.adapters.register_dumper(Blobs, _BlobsDumper)


def plain(values: Iterable[str | int]) -> str:
    """Numbers, and texts that need no quoting: ids of ours and the names of kinds."""
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


def instants(values: Iterable[Instant]) -> str:
    """Instants to the microsecond; runs of the same one are written once."""
    written, last, text = list[str](), None, ""
    for value in values:
        if value is not last:
            last, text = value, value.isoformat()
        written.append(text)
    return "{" + ",".join(written) + "}"


def blobs(values: Iterable[bytes]) -> Blobs:
    """Byte strings."""
    given = list(values)
    if not given:
        return Blobs(_HEADER.pack(0, 0, _BYTEA, 0, 0)[:12])
    parts = chain.from_iterable(zip(map(_LENGTH.pack, map(len, given)), given, strict=True))
    return Blobs(_HEADER.pack(1, 0, _BYTEA, len(given), 1) + b"".join(parts))
