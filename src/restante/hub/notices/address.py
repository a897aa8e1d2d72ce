"""E-mail addresses: checked when a parcel is announced, because a wrong one found later reaches nobody.

The subset of RFC 5321 §4.1.2 and RFC 5322 §3.4.1 that mail servers accept in practice: a dot-atom of ASCII before the
``@``, a domain of at least two labels after it. Domains in other scripts become A-labels by IDNA 2008 (RFC 5891).
Quoted local parts, comments, source routes and address literals are refused: no mailbox of a person needs them, and
each has been a way to smuggle something past a check.
"""

import re

import idna
import msgspec

from restante.core.refusals import Refusal

LONGEST_CHARACTERS = 254
LONGEST_LOCAL_CHARACTERS = 64

_LOCAL = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_LABEL = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)")


class Address(msgspec.Struct, frozen=True, order=True):
    """A mailbox that has passed ``check_address``; ``domain`` is in lower case and in A-labels."""

    local: str
    domain: str

    def __str__(self) -> str:
        """The address as it stands in an SMTP command."""
        return f"{self.local}@{self.domain}"


def check_address(text: str, *, field: str = "email") -> Address | Refusal:
    """Read an e-mail address as a person typed it, spaces around it aside.

    Refuses ``address-malformed``, ``address-not-latin`` and ``address-too-long``. The refusal never repeats the
    address, so that it may be logged.
    """
    local, at, domain = text.strip(" \t").rpartition("@")
    if not at or not local or not domain:
        return Refusal("address-malformed", field, "an address has the form name@domain")
    if not local.isascii():
        return Refusal("address-not-latin", field)
    ascii_domain = _ascii_domain(domain)
    if _LOCAL.fullmatch(local) is None or ascii_domain is None:
        return Refusal("address-malformed", field, "the part after @ is no domain" if ascii_domain is None else "")
    if len(local) > LONGEST_LOCAL_CHARACTERS or len(local) + 1 + len(ascii_domain) > LONGEST_CHARACTERS:
        return Refusal("address-too-long", field)
    return Address(local, ascii_domain)


def _ascii_domain(domain: str) -> str | None:
    """The domain in A-labels and lower case, or None when it is none that mail can be sent to."""
    try:
        ascii_domain = domain.lower() if domain.isascii() else idna.encode(domain, uts46=True).decode("ascii")
    except idna.IDNAError:
        return None
    labels = ascii_domain.split(".")
    if len(labels) < 2 or labels[-1].isdigit() or not all(map(_LABEL.fullmatch, labels)):
        return None
    return ascii_domain
