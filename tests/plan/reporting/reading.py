"""Pages read back by the standard library's parser: which elements there are, what is in them, what they ask for."""

from collections.abc import Sequence
from html.parser import HTMLParser

from hypothesis import strategies as st

VOID = frozenset({"meta", "br", "link", "img", "input", "hr"})
ASKING = frozenset({"src", "href", "srcset", "data", "action", "poster", "xlink:href", "formaction"})

NAMES = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=30) | st.sampled_from([
    "<script>alert(1)</script>", "</style><b>", "\"'&amp;&lt;", "-->", "]]>", "קניון מלחה", "صندوق ١", "👩‍👩‍👧‍👦 Boxen",
    "{{x}}", "Łódź & Söhne", "a\u202eb", "<![CDATA[", "&#x41;",
])  # fmt: skip
"""Names that people, or people who wish no good, might give."""


class Read(HTMLParser):
    """What is in a page: texts by tag, and attributes by tag, in their order; and whether all that opens closes."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.texts: list[tuple[str, str]] = []
        self.attributes: list[tuple[str, str, str]] = []
        self._open: list[tuple[str, list[str]]] = []
        self.feed(page)
        self.close()
        assert not self._open, f"never closed: {self._open}"

    def handle_starttag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        """An element begins."""
        self.tags.append(tag)
        self.attributes += [(tag, key, value or "") for key, value in attrs]
        if tag not in VOID:
            self._open.append((tag, []))

    def handle_data(self, data: str) -> None:
        """Text in the innermost element."""
        if self._open:
            self._open[-1][1].append(data)

    def handle_endtag(self, tag: str) -> None:
        """An element ends, and it is the innermost."""
        opened, texts = self._open.pop()
        assert opened == tag, f"{tag} closes {opened}"
        self.texts.append((tag, "".join(texts)))

    def of(self, tag: str) -> list[str]:
        """The texts of all elements of a tag."""
        return [text for its, text in self.texts if its == tag]

    @property
    def words(self) -> str:
        """All text, each stretch on a line."""
        return "\n".join(text for tag, text in self.texts if tag != "style")

    @property
    def asked(self) -> list[str]:
        """What a browser would load, or go to, for this page."""
        return [value for _, key, value in self.attributes if key in ASKING]
