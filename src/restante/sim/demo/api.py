"""The hub as partners and the demo's people meet it: the public HTTP API, with one key."""

import asyncio
from typing import Any, Final, Self

import httpx
import msgspec

from restante.core.refusals import Fault

TRIES: Final = 8
_TIMEOUT_S: Final = 40.0


class Declined(Fault):
    """The hub said no to a request; ``code`` is the refusal's."""

    def __init__(self, problem: dict[str, Any]) -> None:
        super().__init__(f"{problem.get('code', '?')}: {problem.get('title', '')} {problem.get('detail', '')}".strip())
        self.code = str(problem.get("code", "?"))
        self.problem = problem


class HubSilent(Fault):
    """The hub does not answer."""

    retryable = True


class Api:
    """Calls with one key; ``async with`` it."""

    def __init__(self, url: str, key: str) -> None:
        self._client = httpx.AsyncClient(
            base_url=url + "/v1", headers={"Authorization": f"Bearer {key}"}, timeout=_TIMEOUT_S, trust_env=False
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.aclose()

    async def get(self, path: str, **parameters: Any) -> dict[str, Any]:
        """What stands at a path. Raises ``Declined``; fault ``HubSilent``."""
        return await self._ask("GET", path, params=parameters)

    async def post(self, path: str, body: Any = None, *, once: str = "") -> dict[str, Any]:
        """Ask for something; ``once`` is the Idempotency-Key. Raises ``Declined``; fault ``HubSilent``."""
        headers = {"Idempotency-Key": once} if once else {}
        content = None if body is None else msgspec.json.encode(body)
        if content is not None:
            headers["Content-Type"] = "application/json"
        return await self._ask("POST", path, content=content, headers=headers)

    async def _ask(self, method: str, path: str, **request: Any) -> dict[str, Any]:
        """Ask, and again where the hub is busy."""
        for attempt in range(TRIES):
            try:
                answer = await self._client.request(method, path, **request)
            except httpx.TransportError as lost:
                if attempt + 1 == TRIES:
                    raise HubSilent(f"{method} {path}: {lost!r}") from lost
            else:
                if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE:
                    return _read(answer)
            await asyncio.sleep(0.2 * (attempt + 1))
        raise HubSilent(f"{method} {path}: busy for too long")


def _read(answer: httpx.Response) -> dict[str, Any]:
    told: dict[str, Any] = msgspec.json.decode(answer.content) if answer.content else {}
    if answer.is_error:
        raise Declined(told)
    return told
