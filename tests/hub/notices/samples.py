"""One notice of each kind, and the people and places they speak of."""

from datetime import UTC, datetime
from email.message import EmailMessage

from restante.hub.notices.address import Address
from restante.hub.notices.kinds import (
    About,
    DropOffCode,
    HeldLonger,
    Moved,
    Notice,
    OnItsWay,
    Overdue,
    Place,
    Ready,
    Receipt,
    Recipient,
    Reminder,
    TakenBack,
)
from restante.hub.notices.mail import Letterhead

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
END = datetime(2026, 11, 26, 19, 0, tzinfo=UTC)
AINO = Recipient("Aino Näkki", Address("aino", "people.example"), "en")
HEAD = Letterhead("Pohjola Lockers", Address("parcels", "pohjola.example"), Address("help", "pohjola.example"))
RAUTATIENTORI = Place("Rautatientori", "East arcade, across from platform 1.", "Europe/Helsinki")
KIOSK = Place("Kiosk Vuorikatu", "", "Europe/Helsinki", staffed=True)
PARCEL = About("R7T2K4M9", "Shop K")
CODE = "48291730"

NOTICES: tuple[Notice, ...] = (
    OnItsWay(PARCEL, RAUTATIENTORI, END),
    Ready(PARCEL, RAUTATIENTORI, CODE, END),
    Reminder(PARCEL, RAUTATIENTORI, CODE, END, 24),
    HeldLonger(PARCEL, RAUTATIENTORI, CODE, END, 7),
    Moved(PARCEL, RAUTATIENTORI, "Kaisaniemi"),
    Overdue(PARCEL, RAUTATIENTORI, CODE, END),
    TakenBack(PARCEL, RAUTATIENTORI),
    DropOffCode(PARCEL, RAUTATIENTORI, CODE, END),
    Receipt(PARCEL, RAUTATIENTORI, END),
)


def body_of(mail: EmailMessage, kind: str) -> str:
    """The text or HTML of a mail, its line ends as one character."""
    part = mail.get_body((kind,))
    assert part is not None
    content: str = part.get_content()
    return content.replace("\r\n", "\n")
