"""The catalogue is whole in every language, every key in it is used, and every key that is used is in it."""

import ast
import io
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from babel import Locale
from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po as babel_reads
from babel.messages.pofile import write_po as babel_writes
from hypothesis import given
from hypothesis import strategies as st

import restante
from restante.words import LANGUAGES, Catalogue, blanks, catalogue, fill, nearest_language, read_po

PACKAGE = Path(next(iter(restante.__path__)))
WEB = PACKAGE.parents[1] / "web" / "src"
KEY = re.compile(r"[a-z_]+(\.[a-z_]+)+")
NOT_FOR_PEOPLE = re.compile(r"(?i)\b(compartment|lapsed?|grant|manifest|consignee|asset|user|please|oops)\b|!")


def test_every_language_has_every_key() -> None:
    """Given two catalogues, when their keys are compared, then nothing is untranslated."""
    keys = {language: catalogue(language).entries.keys() for language in LANGUAGES}
    assert all(keys[language] == keys["en"] for language in LANGUAGES)
    assert all(all(forms) for language in LANGUAGES for forms in catalogue(language).entries.values())


def test_every_language_fills_the_same_blanks() -> None:
    """Given a key, when its sentences are compared, then each form in each language names the same blanks."""
    for key, forms in catalogue("en").entries.items():
        expected = blanks(forms[0])
        for language in LANGUAGES:
            assert {blanks(form) for form in catalogue(language).entries[key]} == {expected}, key


def test_every_key_is_used_and_every_used_key_exists() -> None:
    """Given the program's sources, when the keys in them are collected, then they are the catalogue's."""
    used = {key for path in sorted(PACKAGE.rglob("*.py")) for key in keys_in(path.read_text("utf-8"))}
    pages = [path for path in WEB.rglob("*") if path.suffix in (".ts", ".svelte")]
    used |= {key for path in pages for key in re.findall(r'\b(?:word|plural)\("([^"]+)"', path.read_text("utf-8"))}
    defined = set(catalogue("en").entries)
    assert used - defined == set(), "used but not in the catalogue"
    assert defined - used == set(), "in the catalogue but not used"


def keys_in(source: str) -> Iterator[str]:
    """The keys a module asks for; a key made up at run time cannot be checked, so only passing one on is allowed."""
    if "restante.words" not in source and "Voice" not in source:
        return
    for node in ast.walk(ast.parse(source)):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args):
            continue
        if node.func.attr in ("word", "plural"):
            key = node.args[0]
            if isinstance(key, ast.Constant):
                yield str(key.value)
            else:
                assert isinstance(key, ast.Name), ast.unparse(node)
                assert key.id == "key", ast.unparse(node)


def test_the_scan_sees_keys_and_refuses_made_up_ones() -> None:
    """Given a module with a key and one with a key glued together, then the first is seen and the second refused."""
    assert list(keys_in("from restante.words import catalogue\ncatalogue('en').word('a.b')")) == ["a.b"]
    with pytest.raises(AssertionError, match="glue"):
        list(keys_in("from restante.words import catalogue\ncatalogue('en').word('glue.' + part)"))


@pytest.mark.parametrize("language", LANGUAGES)
def test_keys_have_the_form_of_keys(language: str) -> None:
    """Given a catalogue, then its keys are lower-case words with dots between them."""
    assert [key for key in catalogue(language).entries if not KEY.fullmatch(key)] == []


def test_english_keeps_to_the_rules_of_words() -> None:
    """Given the English sentences, then they are short, calm, and free of the system's own words."""
    for key, forms in catalogue("en").entries.items():
        for sentence in (part for form in forms for part in re.split(r"(?<=[.:]) ", form)):
            assert NOT_FOR_PEOPLE.search(sentence) is None, key
            assert len(sentence.split()) <= 12, key


@pytest.mark.parametrize("language", LANGUAGES)
def test_our_reading_is_gettexts_reading(language: str) -> None:
    """Given a catalogue file, when babel reads it too, then both find the same sentences, none of them fuzzy."""
    source = (PACKAGE / "words" / f"{language}.po").read_bytes()
    theirs = babel_reads(io.BytesIO(source), locale=language)
    sentences = {
        message.id if isinstance(message.id, str) else message.id[0]: (
            (message.string,) if isinstance(message.string, str) else tuple(message.string or ())
        )
        for message in theirs
        if message.id
    }
    assert sentences == dict(catalogue(language).entries)
    assert [message.id for message in theirs if message.id and message.fuzzy] == []
    assert len(sentences) == len(list(read_po(source.decode()))) - 1, "a key stands twice"


@pytest.mark.parametrize("language", LANGUAGES)
def test_plural_rules_are_those_of_cldr(language: str) -> None:
    """Given counts from 0 to 300, when CLDR calls two of them alike, then so does our rule, and the other way round."""
    cldr = Locale.parse(language).plural_form
    chosen = {(cldr(count), catalogue(language).plural("notice.hours_left", count, count="")) for count in range(301)}
    assert len(chosen) == len(catalogue(language).entries["notice.hours_left"])


def test_a_plural_names_its_count() -> None:
    """Given one hour and two, when told in Finnish, then the forms differ as they must."""
    finnish = catalogue("fi")
    assert finnish.plural("notice.hours_left", 1) == "Noutoaikaa on jäljellä 1 tunti."
    assert finnish.plural("notice.hours_left", 2) == "Noutoaikaa on jäljellä 2 tuntia."


def test_a_sentence_without_its_value_is_a_bug() -> None:
    """Given a blank nobody fills, or a key nobody wrote, when the sentence is asked for, then it fails loudly."""
    with pytest.raises(KeyError, match="point"):
        catalogue("en").word("notice.ready.subject")
    with pytest.raises(KeyError, match=r"no\.such"):
        catalogue("en").word("no.such")


def test_a_value_is_never_read_as_a_blank() -> None:
    """Given a value that looks like a blank, when it is filled in, then it stands as it is."""
    assert fill("{point}: {when}", {"point": "{when} {0} %s", "when": "now"}) == "{when} {0} %s: now"


@pytest.mark.parametrize(
    ("wish", "served"),
    [("fi", "fi"), ("fi-FI", "fi"), ("FI_fi", "fi"), ("sv", "en"), ("", "en"), (None, "en"), ("../fi", "en")],
)
def test_the_nearest_language_serves(wish: str | None, served: str) -> None:
    """Given what a person asked for, when we do not speak it, then English serves."""
    assert nearest_language(wish) == served


def test_a_line_that_is_no_po_is_refused() -> None:
    """Given a catalogue with a stray line or without a plural rule, when read, then it fails at once."""
    with pytest.raises(AssertionError, match="not a line"):
        list(read_po('msgid "a"\nmsgstr hello\n'))
    with pytest.raises(AssertionError, match="plural rule"):
        Catalogue("xx", 'msgid ""\nmsgstr "Language: xx\\n"\n')


SENTENCES = st.text(
    st.characters(exclude_categories=("Cs", "Cc")) | st.sampled_from('\n\t"\\'), min_size=1, max_size=120
)


@given(st.dictionaries(st.from_regex(KEY, fullmatch=True), SENTENCES, min_size=1, max_size=5))
def test_whatever_gettext_writes_we_read(sentences: dict[str, str]) -> None:
    """Given any sentences, when babel writes them to a file, then our reader returns them unchanged."""
    written = Catalog(locale="en")
    for key, sentence in sentences.items():
        written.add(key, sentence)
    file = io.BytesIO()
    babel_writes(file, written)
    ours = {key: forms for key, forms in read_po(file.getvalue().decode()) if key}
    assert ours == {key: (sentence,) for key, sentence in sentences.items()}
