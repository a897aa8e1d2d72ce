"""Who calls: API keys, the organisation and role behind one, and requests that may be sent twice.

A key is ``rst_<id>_<secret>``. The secret part has 200 random bits and is stored as its SHA-256 only; it is compared in
constant time and never logged. A key that was looked up is trusted for a few seconds, so that a busy caller costs no
look-up per request; revoking one takes effect at once in the program that revokes it, elsewhere after those seconds.
"""

import contextlib
import hashlib
import hmac
import os
import re
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping
from enum import StrEnum
from itertools import count
from pathlib import Path
from typing import Annotated, Any, Final, TypeVar

import msgspec
from litestar import Request
from litestar.enums import ScopeType
from litestar.params import HeaderParameter
from litestar.types import ASGIApp, Receive, Scope, Send

from restante.core.ids import CommandId, OrgId
from restante.core.refusals import Refusal
from restante.core.time import Instant
from restante.hub.light import header
from restante.hub.problems import Refused
from restante.store import statements
from restante.store.directory import Directory, RequestNote
from restante.store.ledger import KEPT_DAYS
from restante.store.seals import seal, unseal
from restante.store.tables import Run, Tables

OPERATOR_FILE: Final = "operator.key"
OPERATOR_ORG: Final = OrgId("operator")
TRUSTED_S: Final = 5.0
TOUCHED_S: Final = 60.0
MOST_KEYS_KNOWN: Final = 10_000
LONGEST_IDEMPOTENCY_KEY: Final = 255
ANSWER: Final = "answer to a request"

_KEY: Final = re.compile(r"rst_([0-9a-f]{16})_([0-9a-f]{50})")
_SQL: Final = {name: one.text.encode() for name, one in statements.load("restante.hub", "callers.sql").items()}


class Role(StrEnum):
    """What an organisation is in the network."""

    OPERATOR = "operator"
    CARRIER = "carrier"
    RETAILER = "retailer"
    HOST = "host"


T = TypeVar("T")
SENDERS: Final = frozenset({Role.OPERATOR, Role.CARRIER, Role.RETAILER})
"""Roles that announce parcels and act on them."""


class Principal(msgspec.Struct, frozen=True):
    """Who calls: an organisation in its role, by one of its keys."""

    org: OrgId
    role: Role
    key_id: str

    @property
    def actor(self) -> str:
        """As events name who acted."""
        return f"{self.role.value}:{self.org}"

    @property
    def is_operator(self) -> bool:
        """Whether the caller runs the network."""
        return self.role is Role.OPERATOR

    def may_see(self, org: OrgId | None) -> bool:
        """Whether what belongs to ``org`` is shown to the caller."""
        return self.is_operator or self.org == org


Call = Request[Principal, Any, Any]
"""A request whose caller is known."""


Chance = Callable[[int], bytes]
"""So many bytes of chance."""


class NewKey(msgspec.Struct, frozen=True):
    """A key just made: its id, the text that is shown once, and the hash that is stored."""

    id: str
    text: str
    secret: bytes

    def __repr__(self) -> str:
        return f"<NewKey {self.id}>"


def new_key(chance: Chance = secrets.token_bytes) -> NewKey:
    """Draw a key: 64 bits that name it and 200 bits that prove it."""
    key_id, secret = chance(8).hex(), chance(25).hex()
    return NewKey(key_id, f"rst_{key_id}_{secret}", _hash(secret))


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


class _Known(msgspec.Struct, frozen=True):
    principal: Principal
    secret: bytes
    expires_at: Instant | None
    revoked_at: Instant | None
    read_at_s: float


class Callers:
    """API keys as requests show them."""

    def __init__(self, tables: Tables, now: Callable[[], Instant]) -> None:
        self._tables = tables
        self._now = now
        self._known: dict[str, _Known] = {}
        self._proven: dict[bytes, _Known] = {}
        self._touched_s: dict[str, float] = {}

    async def identify(self, authorization: str) -> Principal | Refusal:
        """Who shows this Authorization header. Refusals: ``api-key-missing``, ``api-key-wrong``."""
        if not authorization:
            return Refusal("api-key-missing", "Authorization")
        # Under its hash, so that how long the look-up takes tells nothing of the secret.
        shown_before = self._proven.get(_hash(authorization))
        if shown_before is not None and self._is_trusted(shown_before) and not _is_over(shown_before, self._now()):
            return shown_before.principal
        return await self._prove(authorization)

    async def _prove(self, authorization: str) -> Principal | Refusal:
        scheme, _, text = authorization.partition(" ")
        shown = _KEY.fullmatch(text.strip())
        if scheme.lower() != "bearer" or shown is None:
            return Refusal("api-key-wrong", "Authorization")
        known = await self._look_up(shown[1])
        # A key nobody has is compared too, so that an unknown id takes as long as a wrong secret.
        right = hmac.compare_digest(known.secret if known else bytes(32), _hash(shown[2]))
        if known is None or not right or _is_over(known, self._now()):
            return Refusal("api-key-wrong", "Authorization")
        await self._touch(shown[1])
        if len(self._proven) >= MOST_KEYS_KNOWN:
            self._proven.clear()
        self._proven[_hash(authorization)] = known
        return known.principal

    def distrust(self, key_id: str) -> None:
        """Look this key up anew when it is shown next, because it was just revoked."""
        self._known.pop(key_id, None)

    def _is_trusted(self, known: _Known) -> bool:
        """Whether this is what was last read of the key, and was read just now."""
        is_last = self._known.get(known.principal.key_id) is known
        return is_last and time.monotonic() - known.read_at_s < TRUSTED_S

    async def _look_up(self, key_id: str) -> _Known | None:
        known = self._known.get(key_id)
        if known is not None and self._is_trusted(known):
            return known
        rows = await self._tables.rows(_SQL["api_key"], {"id": key_id})
        if not rows:
            return None
        row = rows[0]
        if len(self._known) >= MOST_KEYS_KNOWN:
            self._known.clear()
        principal = Principal(OrgId(row[1]), Role(row[2]), row[0])
        known = self._known[key_id] = _Known(principal, bytes(row[3]), row[4], row[5], time.monotonic())
        return known

    async def _touch(self, key_id: str) -> None:
        """Note the use of a key, once a minute at most."""
        now_s = time.monotonic()
        if now_s - self._touched_s.get(key_id, -TOUCHED_S) < TOUCHED_S:
            return
        self._touched_s[key_id] = now_s
        await self._tables.rows(_SQL["touch_keys"], {"ids": [key_id], "ats": [self._now()]})


def _is_over(known: _Known, now: Instant) -> bool:
    return known.revoked_at is not None or (known.expires_at is not None and known.expires_at <= now)


class Authenticated:
    """Middleware that puts the caller into the request, or answers that there is none."""

    def __init__(self, app: ASGIApp, callers: Callers) -> None:
        self._app = app
        self._callers = callers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let in whoever ``admit`` lets in."""
        if scope["type"] == ScopeType.HTTP:
            await admit(scope, self._callers, header(scope, b"authorization"))
        await self._app(scope, receive, send)


async def admit(scope: Scope, callers: Callers, shown: bytes) -> None:
    """Identify the caller of a request to a route that is not open to everybody, and check the role.

    ``shown`` is the Authorization header, empty if there is none.

    Refused with ``api-key-missing``, ``api-key-wrong``, ``role-not-allowed``, ``field-malformed``.
    """
    options = scope["route_handler"].opt
    if not options.get(OPEN):
        caller = await callers.identify(shown.decode("latin-1"))
        if isinstance(caller, Refusal):
            raise Refused(caller)
        roles = options.get(ROLES)
        if roles is not None and caller.role not in roles:
            raise Refused(Refusal("role-not-allowed", "Authorization"))
        scope["user"] = caller
    _check_address(scope)


def _check_address(scope: Scope) -> None:
    """Refuse what the database cannot hold, wherever it stands in the address."""
    if "\x00" in scope["path"] or b"%00" in scope["query_string"]:
        raise Refused(Refusal("field-malformed", "path", "no text holds the character U+0000"))


OPEN: Final = "open_to_everybody"
"""The option of a route that needs no key."""


ROLES: Final = "roles"
"""The option of a route that names the roles whose keys it takes; without it all do."""

OPERATOR_ONLY: Final = {ROLES: frozenset({Role.OPERATOR})}
SENDERS_ONLY: Final = {ROLES: SENDERS}


def part(call: Request[Any, Any, Any], kind: type[T]) -> T:
    """The part of the hub of this type. Looked up and not injected, since injection costs a task per part."""
    found: T = call.app.state[kind.__name__]
    return found


class Attempt(msgspec.Struct, frozen=True):
    """One handling of a request: when it counts as made, and what keeps its repetitions from being done twice.

    Without an Idempotency-Key ``seed`` is empty: commands leave no receipt, and chance is chance. With one, everything
    that a repetition chooses follows from the key, so the engine's receipts answer it.
    """

    at: Instant
    note: RequestNote | None = None
    seed: bytes = b""

    def command_id(self, name: str) -> CommandId:
        """The id of the command called ``name`` within the request."""
        return CommandId(hashlib.sha256(self.seed + name.encode()).hexdigest()[:32] if self.seed else "")

    def chance(self, name: str) -> bytes:
        """Eight random bytes for the new thing called ``name`` within the request."""
        if not self.seed:
            return secrets.token_bytes(8)
        return hashlib.sha256(self.seed + b"chance:" + name.encode()).digest()[:8]

    def draws(self, name: str) -> Chance:
        """A source of chance, secret as well, for what is made under ``name`` within the request."""
        if not self.seed:
            return secrets.token_bytes
        numbers = count()

        def draw(size: int) -> bytes:
            return hashlib.shake_256(self.seed + f"draw:{name}:{next(numbers)}".encode()).digest(size)

        return draw


class Attempts:
    """Recognises requests that are sent again."""

    def __init__(self, directory: Directory, now: Callable[[], Instant]) -> None:
        self._directory = directory
        self._now = now

    async def begin(self, call: Call, key: str | None) -> Attempt:
        """The attempt that a request is. Refused with ``key-reused``."""
        if not key:
            return Attempt(self._now())
        org = call.user.org
        content = self._directory.keyed("request", call.method, call.url.path, await call.body())
        asked = RequestNote(org, self._directory.keyed("request-key", org, key), content, self._now())
        first = await self._directory.note(asked)
        if first.content != content:
            raise Refused(Refusal("key-reused", "Idempotency-Key"))
        # The instant too, so that a key that has been forgotten names another request when it comes again.
        instant = (first.at.isoformat(),) if first.dated else ()
        return Attempt(first.at, first, self._directory.keyed("seed", org, key, *instant))

    async def pin(self, attempt: Attempt, choice: str) -> str:
        """What an attempt goes by: ``choice``, or what an earlier attempt went by."""
        return choice if attempt.note is None else await self._directory.pin(attempt.note, choice)

    async def once(self, attempt: Attempt, doing: Callable[[], Awaitable[T]], *, kind: type[T]) -> T:
        """What ``doing`` comes to; for a request that is sent again, the very answer that the first one got.

        For what the engine leaves no receipt of. The answer is kept sealed under a key that follows from the
        Idempotency-Key, so that secrets in it are told again to whoever sent it and can be read by nobody else. Cut off
        before the answer is kept, the request is done again: so let ``doing`` draw its chance from the attempt.
        """
        note = attempt.note
        if note is None:
            return await doing()
        key = hashlib.sha256(attempt.seed + b"answer").digest()
        sealed = note.answer
        if sealed is None:
            made = seal(key, msgspec.json.encode(await doing()), ANSWER)
            sealed = await self._directory.keep_answer(note, made)
        return msgspec.json.decode(unseal(key, sealed, ANSWER), type=kind)


KeyHeader = Annotated[
    str | None,
    HeaderParameter(
        name="Idempotency-Key",
        description=f"A request under a key is done once and answered alike again; kept for {KEPT_DAYS} days.",
        max_length=LONGEST_IDEMPOTENCY_KEY,
    ),
]


async def once(
    request: Call, idempotency_key: str | None, doing: Callable[[Attempt], Awaitable[T]], *, kind: type[T]
) -> T:
    """What ``doing`` comes to, or came to when the request was first sent: see ``Attempts.once``."""
    attempt = await begin_attempt(request, idempotency_key)
    return await part(request, Attempts).once(attempt, lambda: doing(attempt), kind=kind)


async def begin_attempt(request: Call, idempotency_key: str | None) -> Attempt:
    """The attempt that a request is. Refused with ``key-reused``. Called and not injected, as ``part`` is."""
    return await part(request, Attempts).begin(request, idempotency_key)


# --- keys in files


def kept_secret(path: Path, size: int = 32) -> bytes:
    """A random secret that is made at its first use and kept in a file open to nobody else."""
    with contextlib.suppress(FileExistsError):
        _write_new(path, secrets.token_bytes(size))
    kept = path.read_bytes()
    assert len(kept) == size, f"{path.name} is not whole; restore it from a backup"
    return kept


async def first_operator(tables: Tables, folder: Path, now: Instant) -> Path | None:
    """Make the operator and its first key, unless there is one; the key's text is in the file returned."""
    async with tables.transaction() as run:
        org = {"id": OPERATOR_ORG, "role": Role.OPERATOR.value, "name": "Operator", "at": now}
        if not await run(_SQL["put_org"], org):
            return None
        key = new_key()
        await put_key(run, OPERATOR_ORG, key, told={"label": "first key", "at": now, "expires_at": None})
        # Written before the commit: a file without its key in the database is written anew at the next start, while
        # a key without its file would be lost for good.
        path = folder / OPERATOR_FILE
        path.unlink(missing_ok=True)
        _write_new(path, key.text.encode() + b"\n")
    return path


async def put_key(run: Run, org: OrgId, key: NewKey, *, told: Mapping[str, object]) -> None:
    """Store a key's hash; ``told`` names label, at and expires_at."""
    await run(_SQL["put_key"], {"id": key.id, "org": org, "secret": key.secret, **told})


def _write_new(path: Path, content: bytes) -> None:
    """Write a file of 0600 that is either there whole or not at all; ``FileExistsError`` if it is there already."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.link(draft, path)
    finally:
        draft.unlink(missing_ok=True)
