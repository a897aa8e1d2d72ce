"""What the program's own PostgreSQL server is told: its settings, and who may connect to it how."""

from collections.abc import Mapping
from typing import Final

SETTINGS: Final[Mapping[str, str]] = {
    # Timers and tasks come and go all day, so more often than each minute; every 5 s took a fifth of the server's time.
    "autovacuum_naptime": "15s",
    "fsync": "on",
    "jit": "off",
    "lc_messages": "C",
    "listen_addresses": "",
    # No statement, parameter or row value reaches the log: they may hold personal data.
    "log_error_verbosity": "terse",
    "log_min_error_statement": "panic",
    "log_parameter_max_length": "0",
    "log_parameter_max_length_on_error": "0",
    "log_timezone": "UTC",
    "max_connections": "100",
    # A replica that was switched off for good must not fill the disk: one that is further behind is made anew.
    "max_slot_wal_keep_size": "8GB",
    "password_encryption": "scram-sha-256",
    "shared_buffers": "256MB",
    "timezone": "UTC",
    "unix_socket_permissions": "0700",
    # One log file per day of the week, so the log never outgrows a week.
    "logging_collector": "on",
    "log_filename": "postgresql-%a.log",
    "log_rotation_age": "1d",
    "log_truncate_on_rotation": "on",
}
HBA: Final = "local all all scram-sha-256\nlocal replication all scram-sha-256\n"

AWAITS_REPLICA: Final = frozenset({"remote_write", "on", "remote_apply"})
"""Values of ``synchronous_commit`` with which a commit is acknowledged only once a replica has it too."""


def written(settings: Mapping[str, str]) -> str:
    """Settings as ``postgresql.conf`` holds them."""
    return "".join(f"{name} = {_quoted(value)}\n" for name, value in settings.items())


def _quoted(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "''") + "'"
