"""Problem documents (RFC 9457): the one place where a refusal or a fault becomes an HTTP answer.

The status tells who must act: the caller mends the request (400, 413, 415, 422), shows a key (401) or another one
(403), looks elsewhere (404, 405), reads the state and decides anew (409), takes what is left (410), or only waits
(503).
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar, cast

import msgspec
import structlog
from litestar import Request, Response
from litestar.exceptions import HTTPException
from litestar.openapi.datastructures import ResponseSpec

from restante.core.ids import PointId
from restante.core.refusals import CODES, Fault, Refusal

MEDIA_TYPE: Final = "application/problem+json"
TYPE_PREFIX: Final = "urn:restante:refusal:"
RETRY_AFTER_S: Final = 2
REQUEST: Final = "restante.request"
"""Where a connection's scope holds the name of its request."""

REQUEST_PREFIX: Final = "urn:restante:request:"

T = TypeVar("T")

_log = structlog.get_logger(__name__)
_ENCODER: Final = msgspec.json.Encoder()


class NearPoint(msgspec.Struct, frozen=True):
    """A point offered in place of another, with its distance from the one asked for and how much room it has."""

    id: PointId
    name: str
    distance_m: int
    room: str


class Problem(msgspec.Struct, frozen=True, omit_defaults=True):
    """What went wrong: the rule (``code``, ``title``), the ``field`` it is about, particulars, and what may help.

    ``instance`` names the request, as the hub's log does.
    """

    type: str
    title: str
    status: int
    code: str
    field: str = ""
    detail: str = ""
    nearest: list[NearPoint] | None = None
    retry_after_seconds: int | None = None
    instance: str = ""


class Refused(Exception):
    """Carries a refusal from a route to the edge of the program, where it is answered."""

    def __init__(self, refusal: Refusal, *, nearest: list[NearPoint] | None = None) -> None:
        super().__init__(refusal.code)
        self.refusal = refusal
        self.nearest = nearest


def or_refused(found: T | Refusal) -> T:
    """What was found, or the refusal on its way to the edge of the program."""
    if isinstance(found, Refusal):
        raise Refused(found)
    return found


_STATUS: Final[Mapping[str, int]] = {
    "field-malformed": 400,
    "number-out-of-range": 400,
    "duplicate-key": 400,
    "text-not-unicode": 400,
    "document-too-deep": 400,
    "api-key-missing": 401,
    "api-key-wrong": 401,
    "role-not-allowed": 403,
    "method-unknown": 405,
    "cursor-too-old": 410,
    "body-too-large": 413,
    "document-too-large": 413,
    "too-many-items": 413,
    "media-type-unknown": 415,
    "parcel-too-large": 422,
    "parcel-too-heavy": 422,
    "size-unknown": 422,
    "size-missing": 422,
    "zone-unknown": 422,
    "hours-malformed": 422,
    "window-backwards": 422,
    "window-past": 422,
    "window-too-long": 422,
    "address-malformed": 422,
    "address-not-latin": 422,
    "address-too-long": 422,
    "hold-too-long": 422,
    "key-reused": 422,
    "busy": 503,
}


def status_of(code: str) -> int:
    """The HTTP status of a refusal: by table, else by ending, else a conflict with how things stand."""
    assert code in CODES, f"undocumented refusal {code!r}"
    if code in _STATUS:
        return _STATUS[code]
    if code.endswith("-unknown"):
        return 404
    return 400 if code.endswith("-malformed") else 409


def problem_of(refusal: Refusal, *, nearest: list[NearPoint] | None = None) -> Problem:
    """The problem document of a refusal."""
    status = status_of(refusal.code)
    return Problem(
        type=TYPE_PREFIX + refusal.code,
        title=refusal.rule,
        status=status,
        code=refusal.code,
        field=refusal.field,
        detail=refusal.detail,
        nearest=nearest,
        retry_after_seconds=RETRY_AFTER_S if status == 503 else None,
    )


def fault_problem(*, retryable: bool) -> Problem:
    """The problem document of a fault; what exactly failed is logged and not told."""
    if retryable:
        words = "The hub cannot do this just now; nothing was lost. Try again after the time given."
        return Problem("urn:restante:fault:busy", words, 503, "unavailable", retry_after_seconds=RETRY_AFTER_S)
    return Problem("urn:restante:fault:internal", "The hub failed; its operator can read why.", 500, "internal")


def respond(
    request: Request[Any, Any, Any], problem: Problem, headers: Mapping[str, str] | None = None
) -> Response[bytes]:
    """The HTTP answer that carries a problem document, with the name of the request."""
    if name := request_name(request):
        problem = msgspec.structs.replace(problem, instance=REQUEST_PREFIX + name)
    more: dict[str, str] = dict(headers or {})
    if problem.retry_after_seconds is not None:
        more["Retry-After"] = str(problem.retry_after_seconds)
    if problem.status == 401:
        more["WWW-Authenticate"] = "Bearer"
    return Response(_ENCODER.encode(problem), status_code=problem.status, headers=more, media_type=MEDIA_TYPE)


def request_name(request: Request[Any, Any, Any]) -> str:
    """The name that the hub gave a request."""
    return str(cast(Mapping[str, Any], request.scope).get(REQUEST, ""))


def on_refused(request: Request[Any, Any, Any], refused: Refused) -> Response[bytes]:
    """Answer a refusal that a route met."""
    return respond(request, problem_of(refused.refusal, nearest=refused.nearest))


def on_fault(request: Request[Any, Any, Any], fault: Exception) -> Response[bytes]:
    """Answer a fault or a bug: log it without anything the caller sent, and tell no more than whether to try again."""
    retryable = isinstance(fault, Fault) and fault.retryable
    # The text of a database's or a codec's error may quote what was sent, so only our own faults are quoted.
    words = str(fault) if isinstance(fault, Fault) else ""
    template = request.scope.get("path_template", "")
    _log.error(
        "request-failed",
        request=request_name(request),
        fault=type(fault).__name__,
        words=words,
        route=template,
        retryable=retryable,
    )
    return respond(request, fault_problem(retryable=retryable))


def on_body_malformed(request: Request[Any, Any, Any], broken: Exception) -> Response[bytes]:
    """Answer a body that does not decode: what is not JSON, or the first field that does not suit."""
    return respond(request, problem_of(body_refusal(broken)))


def body_refusal(broken: Exception) -> Refusal:
    """The refusal in what the decoder said; the words are the decoder's, which quote no values but names of fields."""
    if isinstance(broken, RecursionError):
        return Refusal("document-too-deep", "body")
    if not isinstance(broken, msgspec.ValidationError):
        return Refusal("body-malformed", "body")
    words, _, place = str(broken).partition(" - at `$")
    field = place.rstrip("`").lstrip(".") or "body"
    if field == "items" and "length <=" in words:
        return Refusal("too-many-items", "items")
    return Refusal("field-malformed", field, words if len(words) <= 200 else words[:200])


def on_http(request: Request[Any, Any, Any], raised: HTTPException) -> Response[bytes]:
    """Answer what the framework itself refuses: routes, methods, parameters, sizes."""
    if raised.status_code >= 500:
        return on_fault(request, raised)
    return respond(request, problem_of(_framework_refusal(raised)), _allow(raised))


def _allow(raised: HTTPException) -> Mapping[str, str]:
    return {name: value for name, value in (raised.headers or {}).items() if name.lower() == "allow"}


def _framework_refusal(raised: HTTPException) -> Refusal:
    match raised.status_code:
        case 404:
            return Refusal("route-unknown")
        case 405:
            return Refusal("method-unknown")
        case 413:
            return Refusal("body-too-large", "body")
        case 415:
            return Refusal("media-type-unknown", "Content-Type")
        case _:
            return _parameter_refusal(raised)


def _parameter_refusal(raised: HTTPException) -> Refusal:
    extra = raised.extra if isinstance(raised.extra, list) else []
    first: Any = next((one for one in extra if isinstance(one, dict)), {})
    field = str(first.get("key", ""))
    if not field and "required parameter" in raised.detail:
        field = raised.detail.split("'")[1] if "'" in raised.detail else ""
    return Refusal("field-malformed", "body" if field == "data" else field, str(first.get("message", ""))[:200])


ANSWERS: Final[Mapping[type[Exception], Callable[[Request[Any, Any, Any], Any], Response[bytes]]]] = {
    Refused: on_refused,
    msgspec.DecodeError: on_body_malformed,
    RecursionError: on_body_malformed,
    HTTPException: on_http,
    Exception: on_fault,
}
"""How each kind of exception that leaves a route is answered; the nearest kind it belongs to counts."""

_WORDS: Final[Mapping[int, str]] = {
    400: "A parameter or a field does not suit.",
    401: "No valid API key.",
    403: "The key's role does not allow this.",
    404: "Unknown, or another partner's.",
    409: "Refused as things stand.",
    410: "What is asked for is there no more.",
    413: "Too many bytes or items.",
    415: "The body is not sent as JSON.",
    422: "Understood, and against a rule.",
    500: "The hub failed.",
    503: "The hub cannot do this just now.",
}


def problems(*statuses: int) -> dict[int, ResponseSpec]:
    """The problem documents that a route may answer with, for its documentation; 400 and faults always are."""
    with_body = {415} if 413 in statuses else set[int]()
    return {
        status: ResponseSpec(Problem, description=_WORDS[status], media_type=MEDIA_TYPE, generate_examples=False)
        for status in sorted({*statuses, *with_body, 400, 500, 503})
    }
