"""The port to what a notice is handed to: mail by SMTP, or the mailbox of the simulator's people."""

from typing import Protocol

from restante.hub.notices.address import Address
from restante.hub.notices.mail import Mail
from restante.hub.notices.outcome import Outcome


class Channel(Protocol):
    """Takes mails. One that was taken before may be handed over again, with the same Message-ID."""

    async def send(self, mail: Mail, to: Address) -> Outcome:
        """Hand a mail over for one recipient, whatever its headers say. Never raises for what becomes of it."""
