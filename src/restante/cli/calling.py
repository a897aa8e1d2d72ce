"""Calls to a running hub: where it is, the key that is shown, and what its answers mean for a command."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Final

from cyclopts import Parameter

from restante.cli.ending import Stop

API: Final = "RESTANTE_API"
KEY: Final = "RESTANTE_KEY"
DEFAULT_API: Final = "http://127.0.0.1:8080"
_TIMEOUT_S: Final = 30.0

Hub = Annotated[str, Parameter(name="--api", help="Where the hub's API is; RESTANTE_API, else this machine's.")]
KeyFile = Annotated[
    Path | None, Parameter(help="File with the API key; RESTANTE_KEY, else the first operator's in the state folder.")
]


class Calls:
    """The API with one key; every refusal ends the command with its code, field and rule."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def get(self, path: str, **parameters: Any) -> dict[str, Any]:
        """What stands at a path."""
        return self._ask("GET", path, params={name: value for name, value in parameters.items() if value is not None})

    def post(self, path: str, body: bytes, *, key: str = "") -> dict[str, Any]:
        """Send a JSON document; under an Idempotency-Key it may be sent again."""
        headers = {"Content-Type": "application/json"} | ({"Idempotency-Key": key} if key else {})
        return self._ask("POST", path, content=body, headers=headers)

    def pages(self, path: str, most: int, **parameters: Any) -> Iterator[dict[str, Any]]:
        """The items of a list, page after page, so many at most."""
        cursor, left = None, most
        while left > 0:
            page = self.get(path, cursor=cursor, limit=min(left, 200), **parameters)
            yield from page["items"]
            left -= len(page["items"])
            cursor = page.get("cursor")
            if not cursor:
                return

    def _ask(self, method: str, path: str, **request: Any) -> dict[str, Any]:
        import httpx
        import msgspec

        try:
            answer = self._client.request(method, f"/v1{path}", **request)
            told: dict[str, Any] = msgspec.json.decode(answer.content)
        except httpx.TransportError as lost:
            where = self._client.base_url
            detail = "Start one: restante hub"
            raise Stop("hub-silent", field="--api", rule=f"No hub answers at {where}.", detail=detail) from lost
        except msgspec.DecodeError:
            raise Stop("hub-foreign", field="--api", rule="What answers there is no hub of Restante.") from None
        if answer.is_error:
            raise _refused(told)
        return told


@contextmanager
def calling(api: str, key_file: Path | None, environ: Mapping[str, str] = os.environ) -> Iterator[Calls]:
    """Calls to the hub at ``api``, or where the environment says."""
    import httpx

    url = api or environ.get(API, DEFAULT_API)
    if not url.startswith(("http://", "https://")):
        raise Stop("api-malformed", field="--api", rule="The API's address begins with http:// or https://.")
    headers = {"Authorization": f"Bearer {_key(key_file, environ)}"}
    with httpx.Client(base_url=url.rstrip("/"), headers=headers, timeout=_TIMEOUT_S, trust_env=False) as client:
        yield Calls(client)


def _key(key_file: Path | None, environ: Mapping[str, str]) -> str:
    """The key, which never stands on a command line, where every user of the machine could read it."""
    given, place = environ.get(KEY, ""), KEY
    if key_file is not None or not given:
        path = key_file or _first_key(environ)
        given, place = _read(path), str(key_file) if key_file else "the state folder"
    if not given or not given.isascii() or not given.isprintable():
        detail = "Name one with --key-file, or set RESTANTE_KEY."
        raise Stop("api-key-missing", field="--key-file", rule=f"No API key can be read in {place}.", detail=detail)
    return given


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return ""


def _first_key(environ: Mapping[str, str]) -> Path:
    return Path(environ.get("RESTANTE_STATE", "state")) / "operator.key"


def _refused(problem: Mapping[str, Any]) -> Stop:
    detail = str(problem.get("detail", ""))
    if nearest := problem.get("nearest"):
        offers = ", ".join(f"{near['name']} ({near['distance_m']} m, room: {near['room']})" for near in nearest)
        detail = f"{detail} Near by: {offers}".strip()
    code, rule = str(problem.get("code", "unknown")), str(problem.get("title", ""))
    return Stop(code, field=str(problem.get("field", "")), rule=rule, detail=detail)
