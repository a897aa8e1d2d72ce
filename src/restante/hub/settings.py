"""The settings of a hub: read once at start from the environment, each with a default and a sentence about it."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from restante.core.refusals import Fault
from restante.core.size import Dimensions, Ladder, SizeClass

PREFIX = "RESTANTE_"

DEFAULT_LADDER = Ladder(
    (
        SizeClass("S", Dimensions(380, 80, 640), 25_000),
        SizeClass("M", Dimensions(380, 190, 640), 25_000),
        SizeClass("L", Dimensions(380, 410, 640), 25_000),
        SizeClass("XL", Dimensions(380, 800, 640), 30_000),
    )
)


class BadSettings(Fault):
    """A setting cannot be read; mend the environment variable that is named."""


class Settings(msgspec.Struct, frozen=True):
    """What an installation may choose. Every field is read from ``RESTANTE_<NAME IN CAPITALS>``."""

    network: Annotated[str, "The network's id; it leads every public id."] = "demo"
    state: Annotated[str, "Folder for keys, the embedded database and the local mail sink."] = "state"
    currency: Annotated[str, "ISO 4217 code of the network's money."] = "EUR"
    languages: Annotated[tuple[str, ...], "Languages of notices, the first being the default."] = ("en", "fi")
    ladder: Annotated[Ladder, "Size classes from the smallest up, inside dimensions in mm."] = DEFAULT_LADDER
    lanes: Annotated[int, "How many lanes new points and parcels are spread over. May grow, never shrink."] = 2
    http_host: Annotated[str, "Address the HTTP API listens on."] = "127.0.0.1"
    http_port: Annotated[int, "Port of the HTTP API; 0 takes a free one."] = 8080
    bank_host: Annotated[str, "Address the listener for banks and counters binds to."] = "127.0.0.1"
    bank_port: Annotated[int, "Port of the listener for banks and counters; 0 takes a free one."] = 8443
    metrics_bind: Annotated[
        str, "Loopback address and port of a program's metrics; port 0 takes a free one, and nothing serves none."
    ] = "127.0.0.1:0"
    public_url: Annotated[str, "How people and partners reach the API, for links in notices."] = "http://127.0.0.1:8080"
    database_commit: Annotated[
        Literal["local", "remote_write", "on", "remote_apply"],
        "What a commit waits for in the program's own database: its own disk, or a replica too once there is one.",
    ] = "local"
    database_archive: Annotated[str, "Folder for the log of the program's own database, to restore to any instant."] = (
        ""
    )
    smtp_host: Annotated[str, "Mail server that notices are handed to; empty starts the local sink."] = ""
    smtp_port: Annotated[int, "Port of the mail server."] = 25
    smtp_starttls: Annotated[bool, "Whether mail may only leave over STARTTLS."] = False
    mail_from: Annotated[str, "Sender of notices."] = "parcels@restante.example"
    promise_hours: Annotated[int, "How long a promise of room holds when the carrier names no window."] = 72
    longest_hold_hours: Annotated[int, "The longest hold, extensions included."] = 336
    contact_lost_seconds: Annotated[int, "Silence of a source after which its hold clocks stop."] = 600
    max_batch: Annotated[int, "Most commands in one batch of the engine."] = 256
    queue_limit: Annotated[int, "Commands that may wait; beyond it callers get 503 with Retry-After."] = 20_000
    person_days: Annotated[int, "Days that what is known of a person is kept after their parcel last moved."] = 90
    kdf_n: Annotated[int, "Cost of one code attempt: scrypt's N, a power of two."] = 16_384
    pace: Annotated[float, "How much faster than real time the demo's day runs; 1 outside the demo."] = 1.0


def read_settings(environ: Mapping[str, str] = os.environ) -> Settings:
    """The settings as the environment has them. Faults: ``BadSettings``, naming the variable and the rule."""
    given: dict[str, Any] = {}
    for field in msgspec.structs.fields(Settings):
        name = PREFIX + field.name.upper()
        if name in environ:
            given[field.name] = _value(name, environ[name], field.type)
    return Settings(**given)


def _value(name: str, text: str, kind: Any) -> Any:
    """A value as JSON, or as plain text where the setting is text."""
    try:
        return msgspec.convert(text, kind, strict=False)
    except msgspec.ValidationError:
        pass
    try:
        return msgspec.json.decode(text, type=kind)
    except msgspec.DecodeError as broken:
        raise BadSettings(f"{name}: {broken}") from broken


def state_folder(settings: Settings) -> Path:
    """The state folder, made if need be and open to nobody else."""
    folder = Path(settings.state).expanduser().absolute()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def reached(host: str) -> str:
    """The name by which programs on this machine reach what listens at ``host``."""
    return "127.0.0.1" if host in {"0.0.0.0", "::", ""} else host  # noqa: S104 -- compared, not bound
