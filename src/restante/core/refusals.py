"""How a rule says no (a refusal) and how the world fails (a fault).

A refusal is a value in a function's signature, never raised. A fault is raised, knows whether trying again can help,
and names who must act. Anything else that goes wrong is a bug and meets an ``assert``.
"""

from typing import Literal

import msgspec

CODES: dict[str, str] = {
    # parcels
    "parcel-unknown": "No parcel with this id is known to the caller.",
    "parcel-exists": "A parcel with this id has been announced already.",
    "reference-taken": "The carrier has announced a different parcel under this reference.",
    "parcel-too-large": "The parcel fits no size class of the network, whichever way it is turned.",
    "parcel-too-heavy": "The parcel weighs more than any size class may carry.",
    "parcel-ended": "The parcel has reached a terminal stage and takes no more commands.",
    "parcel-in-custody": "The parcel lies in a compartment; recall or redirect it instead.",
    "already-cancelled": "The parcel has been cancelled already.",
    "already-there": "The parcel is at this point already.",
    "room-class-malformed": "A room class is a size rank, followed by the abilities asked for, joined by '+'.",
    "parcel-not-waiting": "The parcel is not waiting in a compartment, so there is no hold and nothing to recall.",
    # room
    "no-room": "No compartment of the size and needs can be promised at this point for these days.",
    "never-fits": "The point has no compartment of this size and these needs at all.",
    "point-unknown": "No pick-up point with this id exists.",
    "point-exists": "A pick-up point with this id exists already.",
    "point-closed": "The pick-up point takes no new parcels.",
    "point-gone": "The pick-up point has left the network for good.",
    "point-not-named": "The parcel moved to another point while the command was on its way; read it again.",
    "already-promised": "Room is promised to this parcel already; redirect it to change the point.",
    "not-promised": "No room is promised to this parcel at this point.",
    "stray-unknown": "No unclaimed parcel of this name lies at this point under this stay.",
    "source-heard": "The source is heard from, so no clock stops for want of contact.",
    "source-unheard": "The source has not been heard from; what it did in the meantime is not known yet.",
    "promise-running": "The promise has not reached its end yet.",
    "window-backwards": "The window ends before it begins.",
    "window-past": "The window has passed.",
    "window-too-long": "Room is promised for at most 14 days.",
    # holds
    "hold-not-started": "The hold has not begun: nobody has been told about the parcel yet.",
    "hold-running": "The hold has not reached its end yet.",
    "hold-lapsed": "The hold has lapsed and the parcel is due to be taken back.",
    "hold-not-longer": "A hold may be moved later, never earlier.",
    "hold-too-long": "The hold would exceed the longest hold of the network.",
    "hold-paused": "The clock of this hold stands still.",
    "hold-not-paused": "The clock of this hold is running.",
    "already-recalled": "The parcel has been recalled already.",
    # banks and counters
    "source-unknown": "No locker bank or counter with this id is installed.",
    "source-exists": "A locker bank or counter stands at this point already.",
    "module-exists": "A module with this number or a compartment with this door is in service already.",
    "compartment-unknown": "The point has no compartment behind this door.",
    "contact-unchanged": "The contact with this bank is as it was.",
    "epoch-not-later": "A new controller starts a later log epoch.",
    # journals
    "journal-gap": "Entries are missing between the last one known and this one.",
    "journal-fork": "Two different entries claim the same number: a disk was cloned or restored.",
    "journal-epoch": "The entry belongs to a log epoch that was never begun.",
    "journal-broken": "The entry does not follow from the one before it, or its hash is wrong.",
    "source-forked": "The source is forked; nothing is adopted until a person settles it.",
    # cases
    "case-open": "A case of this kind about this subject is open already.",
    "too-many-cases": "So many cases are open about this point that no more are opened.",
    "case-unknown": "No open case with this id is known.",
    # documents
    "document-too-large": "The document has more bytes than are read at once.",
    "document-too-deep": "The document nests deeper than any of ours does.",
    "document-malformed": "The document is not JSON in UTF-8.",
    "document-not-an-object": "The document is JSON, but not an object.",
    "duplicate-key": "An object names the same field twice.",
    "number-out-of-range": "A number lies beyond what every reader of JSON understands alike (2^53 - 1).",
    "text-not-unicode": "A text holds half a character.",
    "entry-malformed": "The document is not a journal entry.",
    "head-malformed": "The document is not a signed journal head.",
    # lists brought in
    "list-empty": "The list holds no rows.",
    "list-malformed": "The list is neither delimited text, nor a JSON list of objects, nor GeoJSON.",
    "list-encoding-unknown": "The encoding is none that lists are read in.",
    "list-header-unknown": "No column of the list is known; say what they mean with --column COLUMN=FIELD.",
    "list-column-missing": "The list lacks a column that it cannot do without; name it with --column COLUMN=FIELD.",
    "list-column-unknown": "A column is named that the list does not have, or a field that there is not.",
    "list-too-wide": "The list has more columns than are read.",
    "list-line-too-long": "A line of the list is longer than is read; perhaps a quote is not closed.",
    "list-too-long": "The list has more rows than are read at once; divide it.",
    "list-country-unknown": "The country is none whose outline is known here.",
    # streets
    "extract-unreadable": "The file is no extract of OpenStreetMap, or it ends too early.",
    "streets-absent": "No street of the extract may be gone along in this way.",
    "place-off-street": "A place is farther from the nearest street than is allowed.",
    "places-unconnected": "The streets of the extract lead from one of these places to the other by no way.",
    # routing
    "routing-malformed": "The snapshot of a day's routing contradicts itself, so that no plan can be made of it.",
    "routing-fleet": "The vans together cannot carry what is to be delivered.",
    "routing-unreachable": "No van that may take the parcel is in time, or large enough, at any of its options.",
    "routing-compartments": "More parcels can go only to this stop than it has compartments for.",
    "routing-unserved": "The parcel stands in no tour of the best plan that was found.",
    # contacts
    "address-malformed": "The e-mail address has no form that mail can be sent to.",
    "address-not-latin": "The part of the e-mail address before the @ may hold Latin letters, digits and signs only.",
    "address-too-long": "The e-mail address is longer than mail can carry: 64 characters before the @, 254 in all.",
    # codes and grants
    "code-malformed": "A code has eight digits.",
    "parcel-code-malformed": "A parcel code has eight letters or digits, the last of which checks the others.",
    "code-wrong": "The code does not open a door here.",
    "code-locked": "Code entry is closed for a while after too many wrong codes.",
    # enrolment and certificates
    "invitation-malformed": "An invitation is the hub's address, its authority's fingerprint and a code, '#' between.",
    "enrolment-malformed": "The message is not one of the enrolment exchange, or it is too long.",
    "enrolment-code-wrong": "The enrolment code is not known here.",
    "enrolment-code-expired": "The enrolment code is past its end; ask for a new one.",
    "enrolment-code-used": "The enrolment code was used by another key; ask for a new one.",
    "csr-malformed": "The certificate request cannot be read, or its signature is wrong.",
    "key-kind-refused": "A source's key is an ECDSA key on P-256 or an Ed25519 key.",
    "certificate-missing": "This connection needs a client certificate.",
    "certificate-foreign": "The certificate is not a source's of this network, or another authority issued it.",
    "certificate-expired": "The certificate is not valid at this time.",
    "certificate-revoked": "The certificate has been revoked.",
    "certificate-other-source": "The certificate belongs to another source.",
    "message-malformed": "The message is not one of the session, or it is too long.",
    "wire-version-unknown": "None of the wire versions the source speaks is spoken here.",
    # manifests
    "manifest-malformed": "The document is neither a manifest nor a difference between two.",
    "manifest-unsigned": "The key this source was enrolled with did not sign this document for this use.",
    "manifest-foreign": "The manifest is another source's.",
    "manifest-epoch": "The manifest is for another log epoch than the one now written.",
    "manifest-older": "A manifest at least as new is in force; none is ever applied backwards.",
    "manifest-base": "The difference or confirmation is about another manifest than the one in force.",
    "manifest-digest": "The difference does not lead to the manifest it names.",
    # the HTTP API
    "body-malformed": "The body is not JSON in UTF-8.",
    "field-malformed": "A field is missing, is not known here, or holds a value that it does not take.",
    "body-too-large": "The body has more bytes than are read in one request.",
    "too-many-items": "At most 1,000 parcels are announced in one request.",
    "media-type-unknown": "A body is sent as application/json.",
    "route-unknown": "Nothing is at this address.",
    "method-unknown": "What is at this address does not take this method.",
    "cursor-malformed": "The cursor is none that an answer of this list has given.",
    "cursor-too-old": "What follows the cursor was retired from the log; the detail is the cursor to go on from.",
    "size-unknown": "The network has no size class of this name.",
    "size-missing": "A parcel is announced with its dimensions or with the name of a size class.",
    "zone-unknown": "The time zone is none of the IANA database.",
    "hours-malformed": "Opening hours are a weekday (0 is Monday) and minutes of the day, opening before closing.",
    # planning
    "plan-no-demand": "There is no demand to plan for.",
    "plan-no-sites": "Nothing is found where a point might stand.",
    "plan-value-malformed": "A number of the snapshot or of what is asked for is none that can be.",
    "plan-cell-unreachable": "Cells are farther than anybody walks from every site that may open.",
    "plan-site-unreachable": "A site that has to open is farther from every cell than anybody walks; perhaps at sea.",
    "plan-site-unknown": "A site, cell or district is named that the snapshot does not have.",
    "plan-sites-contradict": "Sites that have to be open are more than may open, or are forbidden at the same time.",
    "plan-too-few-sites": "More points are asked for than there are sites that may open.",
    "plan-budget-too-small": "The budget does not pay for what has to be open.",
    "plan-coverage-too-low": "The coverage asked for a district cannot be reached under the other constraints.",
    "plan-capacity-short": "All sites that may open together have not the room for the demand.",
    # callers
    "api-key-missing": "The request carries no API key; send 'Authorization: Bearer rst_…'.",
    "api-key-wrong": "The API key is not known, was revoked, or is past its end.",
    "api-key-unknown": "The organisation has no API key with this id.",
    "role-not-allowed": "Keys of this role may not do this.",
    "org-unknown": "No organisation with this id takes part in the network.",
    "org-exists": "An organisation with this id takes part in the network already.",
    "key-reused": "The same Idempotency-Key was used before with another body.",
    "busy": "The queue is full; try again after the time given.",
}


class Refusal(msgspec.Struct, frozen=True):
    """A rule said no: which rule (``code``, a key of ``CODES``), about which ``field``, and the particulars."""

    code: str
    field: str = ""
    detail: str = ""

    def __post_init__(self) -> None:
        assert self.code in CODES, f"undocumented refusal {self.code!r}"

    @property
    def rule(self) -> str:
        """The rule in words."""
        return CODES[self.code]


class Fault(Exception):
    """The world failed."""

    retryable: bool = False
    blame: Literal["hub", "bank", "partner"] = "hub"

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or (self.__doc__ or type(self).__name__).strip().splitlines()[0])
