"""Requests and answers as this API needs them: a body read in one go, an answer sent in one go, nothing in between.

The framework's own also know forms, cookies, streams and tasks that follow an answer, and spend more on looking whether
a request has any of them than the hub spends on the request.
"""

import asyncio
from typing import Any, ClassVar, Final, TypeVar, cast

import msgspec
from litestar import Request, Response
from litestar.dto import AbstractDTO
from litestar.exceptions import InternalServerException
from litestar.response.base import ASGIResponse
from litestar.types import Empty, Receive, Scope, Send
from litestar.typing import FieldDefinition
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from restante.core.refusals import Refusal
from restante.hub.problems import Refused

T = TypeVar("T")

JSON: Final = b"application/json"
REQUEST_HEADER: Final = b"x-request-id"

_encode: Final = msgspec.json.Encoder().encode


def header(scope: Scope, name: bytes) -> bytes:
    """The first header of a name in small letters; empty if there is none."""
    return next((value for given, value in scope["headers"] if given == name), b"")


class LightRequest(Request[Any, Any, Any]):
    """A request whose body is read at once, up to what its route takes."""

    __slots__ = ()

    async def body(self) -> bytes:
        """The body. Refused with ``body-too-large``."""
        if self._body is Empty:
            self._body = self._connection_state.body = await self._read()
        assert isinstance(self._body, bytes)
        return self._body

    async def _read(self) -> bytes:
        most = self.route_handler.resolve_request_max_body_size()
        assert isinstance(most, int), "every route has a bound"
        announced = header(self.scope, b"content-length")
        _check_size(int(announced) if announced.isdigit() else 0, most)
        read, size, more = list[bytes](), 0, True
        while more:
            event: Any = await self.receive()
            if event["type"] == "http.disconnect":
                raise InternalServerException("the caller is gone")
            read.append(event["body"])
            size, more = size + len(read[-1]), event.get("more_body", False)
            _check_size(size, most)
        return b"".join(read)


class Answering:
    """What a request is answered through: names the request in the answer's head, and keeps the status that went out.

    The name is ours and says nothing: one that a caller sent could be anything, and would stand in the log.
    """

    __slots__ = ("_head", "_send", "status")

    def __init__(self, send: Send, name: str) -> None:
        self._send = send
        self._head = (REQUEST_HEADER, name.encode())
        self.status = 0

    async def __call__(self, message: Any) -> None:
        """Send one message of the answer."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message["headers"] = [*message["headers"], self._head]
        await self._send(message)


def _check_size(size: int, most: int) -> None:
    if size > most:
        raise Refused(Refusal("body-too-large", "body"))


def decoded(body: bytes, content_type: bytes, decoder: msgspec.json.Decoder[Any]) -> Any:
    """A body as what a route takes. Refused with ``field-malformed``, ``media-type-unknown``."""
    if b"\\u0000" in body:
        raise Refused(Refusal("field-malformed", "body", "no text holds the character U+0000"))
    kind = (content_type or JSON).partition(b";")[0].strip().lower()
    if kind != JSON:
        raise Refused(Refusal("media-type-unknown", "Content-Type", kind[:80].decode("latin-1")))
    return decoder.decode(body)


class StrictBody(AbstractDTO[Any]):
    """Reads a body as what the route takes and nothing else: no numbers in quotes, no fields unheard of."""

    _by_id: ClassVar[dict[str, msgspec.json.Decoder[Any]]] = {}

    @classmethod
    def create_for_field_definition(
        cls, field_definition: FieldDefinition, handler_id: str, *_: Any, **__: Any
    ) -> None:
        """Prepare the decoder of a route."""
        if field_definition.name == "data":
            cls._by_id[handler_id] = msgspec.json.Decoder(field_definition.annotation)

    def decode_bytes(self, value: bytes) -> Any:
        """Decode a body; what does not fit is answered by ``problems.on_body_malformed``."""
        request = self.asgi_connection
        return decoded(value, header(request.scope, b"content-type"), self.decoder_of(request.route_handler))

    @classmethod
    def decoder_of(cls, route: Any) -> msgspec.json.Decoder[Any]:
        """The decoder of a route's bodies."""
        return cls._by_id[route.handler_id]

    @classmethod
    def create_openapi_schema(
        cls,
        field_definition: FieldDefinition,
        handler_id: str,  # noqa: ARG003 the framework gives it by name
        schema_creator: Any,
    ) -> Any:
        """The type of the body as it stands."""
        return schema_creator.for_field_definition(field_definition)

    @classmethod
    def generate_field_definitions(cls, *_: Any, **__: Any) -> Any:
        """Nothing is transferred field by field."""
        yield from ()

    @classmethod
    def detect_nested_field(cls, *_: Any, **__: Any) -> bool:
        """Nothing is transferred field by field."""
        return False


class LightAnswer(Response[T]):
    """A value as JSON, or bytes as they are; None is an answer without a body."""

    def __init__(self, content: T, *, status_code: int, media_type: str = "application/json", **_: Any) -> None:
        self.content = content
        self.status_code = status_code
        self.media_type = media_type

    def to_asgi_response(self, *_: Any, **__: Any) -> ASGIResponse:
        """What sends it."""
        if self.content is None:
            return _Sending(self.status_code or 204, [], b"")
        body = self.content if isinstance(self.content, bytes) else _encode(self.content)
        kind = str(self.media_type).encode()
        return _Sending(
            self.status_code or 200, [(b"content-type", kind), (b"content-length", b"%d" % len(body))], body
        )


class _Sending(ASGIResponse):
    __slots__ = ("_headers",)

    def __init__(self, status_code: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
        self.status_code = status_code
        self.body = body
        self._headers = headers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 the protocol's signature
        await send({"type": "http.response.start", "status": self.status_code, "headers": self._headers})
        await send({"type": "http.response.body", "body": self.body, "more_body": False})


# --- one packet for an answer, whose head and body the server writes one after the other


class OneWriteProtocol(HttpToolsProtocol):
    """The server's side of a connection; what it writes in one turn of the loop is sent together."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Put the gathering of writes before the connection."""
        super().connection_made(_Gathered(cast("asyncio.Transport", transport)))


class _Gathered(asyncio.Transport):
    """A connection that sends what is written to it when the loop comes round."""

    def __init__(self, transport: asyncio.Transport) -> None:
        super().__init__()
        self._transport = transport
        self._written: list[bytes] = []

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if not self._written:
            asyncio.get_running_loop().call_soon(self._send)
        self._written.append(bytes(data))

    def close(self) -> None:
        self._send()
        self._transport.close()

    def is_closing(self) -> bool:
        return self._transport.is_closing()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self._transport.get_extra_info(name, default)

    def pause_reading(self) -> None:
        self._transport.pause_reading()

    def resume_reading(self) -> None:
        self._transport.resume_reading()

    def _send(self) -> None:
        written, self._written = self._written, []
        if written and not self._transport.is_closing():
            self._transport.write(b"".join(written))
