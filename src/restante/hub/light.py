"""Requests and answers as this API needs them: a body read in one go, an answer sent in one go, nothing in between.

The framework's own also know forms, cookies, streams and tasks that follow an answer, and spend more on looking whether
a request has any of them than the hub spends on the request.
"""

from typing import Any, Final, TypeVar

import msgspec
from litestar import Request, Response
from litestar.exceptions import InternalServerException
from litestar.response.base import ASGIResponse
from litestar.types import Empty, Receive, Scope, Send

from restante.core.refusals import Refusal
from restante.hub.problems import Refused

T = TypeVar("T")

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


def _check_size(size: int, most: int) -> None:
    if size > most:
        raise Refused(Refusal("body-too-large", "body"))


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
