"""What became of one mail: handed over, bounced, or not even tried because the mail server was out of reach."""

from datetime import datetime
from typing import Literal

import msgspec

from restante.core.refusals import Fault


class MailUnreachable(Fault):
    """The mail server cannot be reached or closed the conversation."""

    retryable = True
    blame: Literal["hub", "bank", "partner"] = "partner"


class MailRefusesUs(Fault):
    """The mail server refuses the hub itself: its sender, its password or its encryption."""


class HandedOver(msgspec.Struct, frozen=True):
    """The mail server took the mail and answers for it from ``at`` on: the instant at which a hold may start."""

    at: datetime
    message_id: str


class Bounced(msgspec.Struct, frozen=True):
    """The mail server refused this recipient or this mail with an SMTP reply ``code``; 5xx is ``permanent``.

    The server's text is left out: it tends to repeat the address.
    """

    at: datetime
    code: int
    permanent: bool


class Unreachable(msgspec.Struct, frozen=True):
    """The mail was not handed over and the recipient has nothing to do with it.

    If the connection was lost after the mail's text went out, the server may have it all the same; trying again sends
    the same Message-ID.
    """

    at: datetime
    fault: MailUnreachable | MailRefusesUs


Outcome = HandedOver | Bounced | Unreachable
