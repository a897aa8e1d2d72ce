"""Every name under which a program writes to its log: at which level, with which fields, and what it means."""

from collections.abc import Mapping
from typing import Final

import msgspec


class Note(msgspec.Struct, frozen=True):
    """What a program may write under one name: at which level, with which fields, and what that means."""

    level: str
    fields: tuple[str, ...]
    meaning: str


EVENTS: Final[Mapping[str, Note]] = {
    # every program
    "bug": Note(
        "critical", (), "A mistake in the program ended one piece of its work; `trace` tells where. Report it."
    ),
    "library": Note(
        "as said", ("library", "says"), "A library says something; its words stand without what it put in."
    ),
    "unlisted": Note("as said", ("logger",), "Something was logged under a name that no table has. Report it."),
    "migration-waits": Note(
        "warning",
        ("awaited", "waited_s"),
        "A migration waits for a table that somebody has, or for another program; `pg_stat_activity` has who.",
    ),
    # the hub
    "request-failed": Note(
        "error",
        ("request", "fault", "words", "route", "retryable"),
        "A request was answered with 500 or 503; its problem document names the same `request`.",
    ),
    "figures-missing": Note(
        "warning", ("fault",), "The figures of the database could not be collected for the metrics."
    ),
    "listener-waits": Note(
        "warning", ("fault",), "The banks' listener lost the database, and begins again in a moment."
    ),
    "listener-bug": Note("error", (), "A loop of the banks' listener met a mistake in the program, and begins again."),
    "line-ended": Note(
        "warning", ("fault",), "A session with a source ended by a fault of the hub's; the source dials again."
    ),
    "line-not-told": Note("error", (), "One session could not be told of a change; the others were."),
    "enrolment-unanswered": Note("info", (), "A machine that asked for a certificate went away, or took too long."),
    "entries-not-taken": Note(
        "warning",
        ("source", "answer", "epoch", "seq", "code"),
        "Entries of a journal were missing, altered or of another history: a damaged or cloned disk, or an attempt.",
    ),
    "entries-set-aside": Note(
        "warning",
        ("source", "epoch", "count"),
        "Entries of an ended log epoch that do not follow were kept for a person.",
    ),
    # the worker
    "worker-waits": Note("warning", ("fault",), "The worker lost the database, and looks again in a moment."),
    "task-left-leased": Note(
        "warning", ("errand", "fault"), "A task is done and could not be ended; it is done again later."
    ),
    "task-failed": Note(
        "error",
        ("errand", "fault", "attempts"),
        "A task failed in a way that time alone does not cure; it is tried again.",
    ),
    "timer-failed": Note("warning", ("errand", "fault"), "What a timer is for failed; it is tried again."),
    "point-failed": Note("error", ("point", "fault"), "A point could not be reconciled; the round went on without it."),
    "people-forgotten": Note("info", ("count",), "People whose parcels are long over were forgotten."),
    "notice-not-taken": Note(
        "info", ("errand", "channel", "outcome"), "A channel did not take a notice; another try follows."
    ),
    # a source
    "ready": Note("info", ("source",), "A source works, with or without a line to the hub."),
    "out-of-service": Note(
        "error", ("fault", "words"), "The book cannot be written, so nobody is served until it can."
    ),
    "no-line": Note("info", ("fault",), "There is no line to the hub; it is dialled again."),
    "line-refused": Note(
        "warning", ("fault", "words"), "The line to the hub could not be made, for a reason that time does not cure."
    ),
    "line-closed": Note("info", ("why",), "The source closed its line to the hub, and dials again."),
    "message-unreadable": Note("warning", ("code",), "The hub sent what is no message; the line is closed."),
    "enrolment-waits": Note("warning", ("fault",), "The hub cannot be reached to enrol; it is tried again."),
    "certificate-not-renewed": Note("warning", ("fault",), "The certificate could not be renewed; it is tried again."),
    "certificate-asked": Note(
        "info", ("answer",), "The hub answered to the renewal of the certificate: `done`, or its refusal."
    ),
    "board-silent": Note(
        "info", ("asked",), "A lock board did not answer a question; doors tell by themselves what that means."
    ),
    "serial-port-failed": Note("warning", ("path", "fault"), "The line to the lock boards cannot be used."),
}
"""Every name under which a program writes to its log."""
