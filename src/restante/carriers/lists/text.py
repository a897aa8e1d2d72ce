"""Which encoding a file is in, found out from all its bytes in one pass, with the reason.

Theory of operation. A byte-order mark or the pattern of zero bytes tells UTF-16. What decodes as UTF-8 is UTF-8: text
in another encoding almost never does. For the rest, the bytes above ASCII are counted, and each encoding that is left
is asked how large a share of them would be letters of one single language: the Polish "ł" of Windows-1250 is "³" in
Windows-1252, which no language writes. Where several do equally well the choice hardly matters; the order decides.
"""

import codecs
from collections import Counter
from typing import Final

import msgspec

from restante.core.refusals import Refusal

ENCODINGS: Final = ("utf-8", "utf-8-sig", "utf-16-le", "utf-16-be", "cp1252", "cp1250", "iso8859-15", "iso8859-2")
"""What a list may be said to be in."""

HEAD_BYTES: Final = 4096
BROKEN_ONE_IN: Final = 20

_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_TAKEN_AS: Final = {"utf-16": "utf-16-le", "iso8859-1": "cp1252", "ascii": "utf-8"}
"""Names that say less than is asked for, and what files that are called so are in; a byte-order mark is passed over."""
_ASCII: Final = bytes(range(128))
_SIGNS: Final = "„“”‚‘’–—…§°€´·\xa0"
_LANGUAGES: Final = {
    "German": "äöüßÄÖÜ",
    "French": "àâæçéèêëîïôœùûüÿÀÂÆÇÉÈÊËÎÏÔŒÙÛÜ",
    "Spanish": "áéíñóúüÁÉÍÑÓÚÜ¿¡ºª",
    "Portuguese": "áâãàçéêíóôõúÁÂÃÀÇÉÊÍÓÔÕÚºª",
    "Italian": "àèéìíîòóùúÀÈÉÌÍÎÒÓÙÚ",
    "Swedish or Finnish": "åäöéÅÄÖÉšžŠŽ",
    "Danish or Norwegian": "æøåéÆØÅÉ",
    "Dutch": "ëïéèöüóáËÏÉÈÖÜ",
    "Polish": "ąćęłńóśźżĄĆĘŁŃÓŚŹŻ",
    "Czech": "áčďéěíňóřšťúůýžÁČĎÉĚÍŇÓŘŠŤÚŮÝŽ",
    "Slovak": "áäčďéíĺľňóôŕšťúýžÁÄČĎÉÍĹĽŇÓÔŔŠŤÚÝŽ",
    "Hungarian": "áéíóöőúüűÁÉÍÓÖŐÚÜŰ",
    "Romanian": "ăâîşţĂÂÎŞŢ",
    "Croatian or Slovene": "čćđšžČĆĐŠŽ",
}
_CANDIDATES: Final = ("cp1252", "cp1250", "iso8859-15", "iso8859-2")


class Encoding(msgspec.Struct, frozen=True):
    """What a file is in, by Python's name, and why it is thought so."""

    name: str
    why: str


class EncodingScan:
    """Looks at a file chunk by chunk; keeps counts and the first bytes only."""

    def __init__(self) -> None:
        self._head = b""
        self._high: Counter[int] = Counter()
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._broken = 0

    def feed(self, chunk: bytes) -> None:
        """Look at the next bytes."""
        if len(self._head) < HEAD_BYTES:
            self._head += chunk[: HEAD_BYTES - len(self._head)]
        self._high.update(chunk.translate(None, _ASCII))
        self._broken += self._decoder.decode(chunk).count("\ufffd")

    def found(self) -> Encoding:
        """The encoding, once all bytes were looked at."""
        broken = self._broken + self._decoder.decode(b"", final=True).count("\ufffd")
        high = self._high.total()
        if (marked := _by_mark(self._head)) is not None:
            return marked
        if not high:
            return Encoding("utf-8", "It holds ASCII only.")
        if not broken:
            return Encoding("utf-8", f"All of its {high:,} bytes above ASCII are UTF-8.")
        if broken * BROKEN_ONE_IN < high:
            return Encoding(
                "utf-8", f"It is UTF-8 but for {broken:,} broken characters among {high:,} bytes above ASCII."
            )
        return _by_language(self._high)


def encoding_named(name: str) -> Encoding | Refusal:
    """The encoding that somebody says a file is in. Refused with ``list-encoding-unknown``."""
    try:
        known = codecs.lookup(name).name
    except (LookupError, ValueError):
        known = ""
    chosen = _TAKEN_AS.get(known, known)
    if chosen not in ENCODINGS:
        return Refusal("list-encoding-unknown", "--encoding", ", ".join(ENCODINGS))
    return Encoding(chosen, "You said so.")


def _by_mark(head: bytes) -> Encoding | None:
    for mark, name in _MARKS:
        if head.startswith(mark):
            return Encoding(name, "It begins with a byte-order mark.")
    pairs = len(head) // 2
    first, second = head[0::2].count(0), head[1::2].count(0)
    if pairs and max(first, second) * 10 >= pairs * 7 and min(first, second) * 10 <= pairs:
        name = "utf-16-be" if first > second else "utf-16-le"
        return Encoding(name, "Every other byte of its beginning is zero.")
    return None


def _by_language(high: Counter[int]) -> Encoding:
    ranked = [
        (_share(high, name, letters), -order, name, language)
        for order, name in enumerate(_CANDIDATES)
        for language, letters in _LANGUAGES.items()
    ]
    share, _, name, language = max(ranked, key=lambda one: one[:2])
    return Encoding(name, f"It is not UTF-8; so read, {share:.0%} of its bytes above ASCII are {language}.")


def _share(high: Counter[int], name: str, letters: str) -> float:
    """Which share of the bytes are letters of a language, or signs, if they are read in an encoding."""
    expected = {code for sign in letters + _SIGNS for code in sign.encode(name, "ignore")}
    return sum(count for code, count in high.items() if code in expected) / high.total()
