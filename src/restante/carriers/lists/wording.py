"""What a text gives away: that a row is a test, that it was read in a wrong encoding, that it is no address."""

import re
import unicodedata
from itertools import pairwise
from typing import Final

TEST_WORDS: Final = frozenset({
    "test", "tests", "testing", "tester", "testpoint", "testlocker", "testshop", "testpunkt", "demo", "dummy",
    "placeholder", "lorem", "asdf", "qwerty", "prueba", "essai", "teszt", "mustermann",
})  # fmt: skip
"""Words that no real point or parcel is called by; found as whole words only."""

PLACE_WORDS: Final = frozenset({"valley", "lane", "road", "street", "way", "bridge", "river", "mill", "farm"})
"""Words after which "Test" is the river in Hampshire, and no test."""

TEST_ADDRESSES: Final = frozenset({
    "test", "teststrasse", "teststr", "testgasse", "testweg", "teststreet", "test street", "testowa", "musterstrasse",
    "musterstr", "musterweg", "demo", "dummy", "dummy street", "xxx", "asdf",
})  # fmt: skip
"""Addresses that are tests as a whole, house number aside."""

TEST_TOWNS: Final = frozenset({"test", "teststadt", "testcity", "testort", "musterstadt", "musterort", "demo", "dummy"})

LONGEST_EMAIL: Final = 254
LONGEST_LOCAL: Final = 64

_HINT: Final = re.compile("|".join(sorted({*TEST_WORDS, *TEST_ADDRESSES, *TEST_TOWNS})))
_MARKS: Final = re.compile("[\u0300-\u036f]+")
_WORD: Final = re.compile(r"[^\W\d_]+")
_HOUSE: Final = re.compile(r"[\s,.]*\d+\s*[a-z]?$")
_GARBLED: Final = re.compile("\ufffd|[ÃÅÄ][\x80-\xbf‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ¡-¿]|â€")
_LOCAL: Final = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_LABEL: Final = re.compile(r"(?!-)[\w-]{1,63}(?<!-)")


def plain(text: str) -> str:
    """Letters without marks and in lower case, single spaces: how names are compared."""
    bare = text.casefold()
    if not bare.isascii():
        bare = _MARKS.sub("", unicodedata.normalize("NFKD", bare.replace("ł", "l").replace("ø", "o")))
    return " ".join(bare.split())


def names_a_test(name: str) -> bool:
    """Whether a name or id holds one of ``TEST_WORDS`` as a whole word: "TEST_01" does, "Sternwartestraße" does not."""
    if not _HINT.search(name.casefold()):  # nearly always so, and told in no time
        return False
    words = [*_WORD.findall(plain(name)), ""]
    return any(word in TEST_WORDS and after not in PLACE_WORDS for word, after in pairwise(words))


def is_test_address(street: str, town: str) -> bool:
    """Whether street or town are nothing but a placeholder."""
    if not _HINT.search(f"{street} {town}".casefold()):
        return False
    return _HOUSE.sub("", plain(street)).rstrip(" .") in TEST_ADDRESSES or plain(town) in TEST_TOWNS


def is_garbled(text: str) -> bool:
    """Whether a text holds a lost character, or what UTF-8 becomes when it is read as Windows-1252."""
    return not text.isascii() and _GARBLED.search(text) is not None


def has_control(text: str) -> bool:
    """Whether a text holds a control character other than the ends of lines and tabs within it."""
    return not text.isprintable() and any(
        unicodedata.category(sign) in {"Cc", "Cs"} and sign not in "\r\n\t" for sign in text
    )


def may_be_email(text: str) -> bool:
    """Whether mail could be sent to an address: RFC 5321's dot-atom before the @, two labels or more after it."""
    local, at, domain = text.rpartition("@")
    labels = domain.split(".")
    is_short = len(local) <= LONGEST_LOCAL and len(text) <= LONGEST_EMAIL
    is_domain = len(labels) >= 2 and not labels[-1].isdigit() and all(map(_LABEL.fullmatch, labels))
    return bool(at) and is_short and is_domain and _LOCAL.fullmatch(local) is not None
