"""The short way of plain requests: from the connection to the function of their route, with no layer in between.

Theory of operation. The framework is told of every route: it documents them, tells which one an address means, and
answers whatever is out of the ordinary. A route is plain if its function takes nothing but the request, texts from the
address, an Idempotency-Key and a body. A request to one of those, with each header once and no parameters after the
address, goes straight to the function, past the same check of callers, the same decoder and the same answers to what
is raised. Every other request takes the framework's way, so that this module decides how long an answer takes and
never what it says.
"""

import re
import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from itertools import count
from time import perf_counter
from typing import Any, Final

import msgspec
from litestar import Litestar, Response
from litestar.enums import MediaType
from litestar.exceptions import HTTPException
from litestar.handlers import HTTPRouteHandler
from litestar.routes import HTTPRoute
from litestar.types import ControllerRouterHandler, Receive, Scope, Send

from restante.hub.callers import LONGEST_IDEMPOTENCY_KEY, Callers, admit
from restante.hub.light import Answering, LightAnswer, LightRequest, StrictBody, decoded
from restante.hub.measures import NO_ROUTE, Answers, Route
from restante.hub.problems import ANSWERS, REQUEST

Headers = Mapping[bytes, bytes]

_HOST: Final = re.compile(rb"[0-9A-Za-z.:\[\]-]*")
_TAKEN: Final = frozenset({"request", "idempotency_key", "data"})
_METHODS: Final = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"})


class Plain(msgspec.Struct, frozen=True):
    """A plain route: its function, the status of its answers, and what the function takes."""

    act: Callable[..., Awaitable[Any]]
    status: int
    takes_key: bool
    decoder: msgspec.json.Decoder[Any] | None

    def suits(self, headers: Headers) -> bool:
        """Whether a request with these headers is as plain as the route."""
        has_body = headers.get(b"content-length", b"0") != b"0"
        is_key_short = len(headers.get(b"idempotency-key", b"")) <= LONGEST_IDEMPOTENCY_KEY
        return (has_body or self.decoder is None) and (is_key_short or not self.takes_key)

    async def answer(self, request: LightRequest, headers: Headers, texts: Mapping[str, str]) -> Response[Any]:
        """What the route answers; raises what its function raises."""
        given: dict[str, Any] = {"request": request, **texts}
        if self.takes_key:
            given["idempotency_key"] = headers.get(b"idempotency-key", b"").decode("latin-1") or None
        if self.decoder is not None:
            given["data"] = decoded(await request.body(), headers.get(b"content-type", b""), self.decoder)
        said = await self.act(**given)
        return said if isinstance(said, LightAnswer) else LightAnswer(said, status_code=self.status)


class DirectApp(Litestar):
    """The framework's application, which plain requests do not pass through; ``plain`` has the routes they are for.

    Each request gets a name that its answer and the log tell, and is counted in ``answers``.
    """

    __slots__ = ("_answers", "_callers", "_names", "_series", "_templates", "plain")

    def __init__(
        self,
        route_handlers: Sequence[ControllerRouterHandler],
        *,
        callers: Callers,
        answers: Answers,
        **options: Any,
    ) -> None:
        super().__init__(route_handlers, **options)
        self._callers = callers
        self._answers = answers
        self._series = secrets.token_hex(6)
        self._names = count(1)
        self._templates = frozenset(route.path_format for route in self.routes)
        self.plain: dict[Any, Plain] = {
            handler: _plain(handler)
            for route in self.routes
            if isinstance(route, HTTPRoute)
            for handler in route.route_handlers
            if _is_plain(handler, route, layers=len(self.middleware))
        }

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer a request, and count it."""
        if scope["type"] != "http":
            await super().__call__(scope, receive, send)
            return
        name = scope[REQUEST] = f"{self._series}-{next(self._names)}"
        answering, answers, begun_s = Answering(send, name), self._answers, perf_counter()
        answers.under_way += 1
        try:
            headers: Headers = dict(scope["headers"])
            plain = self._found(scope, headers) if headers else None
            if plain is None:
                await super().__call__(scope, receive, answering)
            else:
                await self._answer(plain, scope, receive=receive, send=answering, headers=headers)
        finally:
            answers.under_way -= 1
            answers.note(self._route_of(scope), answering.status, perf_counter() - begun_s)

    def _route_of(self, scope: Any) -> Route:
        """The route that a request was for, so that nothing a caller sends becomes a name of its own."""
        method, template = scope["method"], scope.get("path_template", "")
        return (method, template) if template in self._templates and method in _METHODS else NO_ROUTE

    def _found(self, scope: Any, headers: Headers) -> Plain | None:
        """The plain route that a plain request is for; the request is told of it as the framework does."""
        is_plain = len(headers) == len(scope["headers"]) and _HOST.fullmatch(headers.get(b"host", b""))
        if not is_plain or scope["query_string"] or scope.get("root_path"):
            return None
        try:
            _, handler, _, texts, template = self.asgi_router.handle_routing(scope["path"], scope["method"])
        except HTTPException:
            return None
        plain = self.plain.get(handler)
        if plain is None or not plain.suits(headers):
            return None
        scope.update(route_handler=handler, path_params=texts, path_template=template)
        scope.update(app=self, litestar_app=self)
        return plain

    async def _answer(self, plain: Plain, scope: Scope, *, receive: Receive, send: Send, headers: Headers) -> None:
        request = LightRequest(scope, receive, send)
        try:
            await admit(scope, self._callers, headers.get(b"authorization", b""))
            answer = await plain.answer(request, headers, scope["path_params"])
        except Exception as raised:  # noqa: BLE001 every kind has its answer
            answer = _answer_to(raised, request)
        await answer.to_asgi_response(None, request)(scope, receive, send)


def _answer_to(raised: Exception, request: LightRequest) -> Response[bytes]:
    return next(ANSWERS[kind] for kind in type(raised).__mro__ if kind in ANSWERS)(request, raised)


def _plain(handler: HTTPRouteHandler) -> Plain:
    takes = handler.parsed_fn_signature.parameters
    decoder = StrictBody.decoder_of(handler) if "data" in takes else None
    return Plain(handler.fn, handler.status_code, "idempotency_key" in takes, decoder)


def _is_plain(handler: HTTPRouteHandler, route: HTTPRoute, *, layers: int) -> bool:
    """Whether nothing but what this module knows of stands between a request and the route's function."""
    signature = handler.parsed_fn_signature
    texts = {name for name, one in route.path_parameters.items() if one.type is str}
    answers = signature.return_type
    hooks = (
        handler.resolve_guards(),
        handler.resolve_dependencies(),
        handler.resolve_before_request(),
        handler.resolve_after_response(),
        handler.cache,
    )
    return (
        "request" in signature.parameters
        and set(signature.parameters) <= _TAKEN | texts
        and texts == set(route.path_parameters) <= set(signature.parameters)
        and (answers.is_subclass_of(LightAnswer) or handler.media_type == MediaType.JSON)
        and not any(hooks)
        and len(handler.resolve_middleware()) == layers
    )
