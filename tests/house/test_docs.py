"""The documents say what the code does: every refusal, event, fact, command and setting, and no dead links."""

import importlib
import re
from types import ModuleType

import msgspec
import pytest

from restante.cli import app
from restante.core import events
from restante.core.refusals import CODES
from restante.hub.settings import PREFIX, Settings
from tests.house.tidy import ROOT, texts
from tools import reference


@pytest.mark.parametrize("name", reference.PAGES)
def test_a_page_of_the_reference_says_what_the_code_says(name: str) -> None:
    """Whatever changes in the code is written down by `make docs`, or this fails."""
    written = reference.REFERENCE / name
    expected = reference.page(name)
    found = written.read_text(encoding="utf-8") if written.exists() else None
    assert found == expected, f"docs/reference/{name} is not what the code says now; run `make docs`"


def test_every_refusal_is_documented() -> None:
    """A code that a caller may meet has its rule in the reference, once."""
    page = (reference.REFERENCE / "refusals.md").read_text(encoding="utf-8")
    assert sorted(CODES) == re.findall(r"^\| `([a-z0-9-]+)` \|", page, flags=re.MULTILINE)


def test_every_setting_is_documented() -> None:
    """What an operator may set stands in the reference, once."""
    page = (reference.REFERENCE / "settings.md").read_text(encoding="utf-8")
    variables = [PREFIX + name.upper() for name in Settings.__struct_fields__]
    assert variables == re.findall(r"^\| `([A-Z_]+)` \|", page, flags=re.MULTILINE)


def test_every_event_is_documented() -> None:
    """A kind of event that a feed may carry has its section in the reference, once."""
    page = (reference.REFERENCE / "events.md").read_text(encoding="utf-8")
    tags = {kind.__struct_config__.tag for kind in events.AnyEvent.__args__}
    sections = re.findall(r"^## (.+)$", page, flags=re.MULTILINE)
    assert sorted(tags) == sorted(sections)


@pytest.mark.parametrize(("code", "rule"), CODES.items())
def test_a_refusal_has_a_kebab_case_code_and_a_sentence(code: str, rule: str) -> None:
    """Programs read the code, people the rule."""
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", code)
    assert rule[0].isupper()
    assert rule.endswith(".")


def module_with(**values: object) -> ModuleType:
    """A module that holds these values."""
    module = ModuleType("restante.planted")
    vars(module).update(values)
    return module


class _Quiet(msgspec.Struct, frozen=True, tag="quiet"):
    pass


class _Silent(msgspec.Struct, frozen=True):
    silent: int = 1


_Quiet.__module__ = "restante.planted"
_Quiet.__doc__ = None


def test_a_value_without_words_is_not_let_through() -> None:
    """The reference refuses to print an empty line in place of a meaning."""
    with pytest.raises(reference.Undocumented, match="no-words"):
        reference.refusals(module_with(CODES={"no-words": ""}))
    with pytest.raises(reference.Undocumented, match="quiet"):
        reference.catalogue("Events", "…")(module_with(Quiet=_Quiet))
    with pytest.raises(reference.Undocumented, match="silent"):
        reference.settings(module_with(PREFIX="X_", Settings=_Silent))


def test_the_make_commands_named_in_the_documents_exist() -> None:
    """A reader who types what a page says gets what the page promises."""
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE))
    named = {
        command for path, text in texts() if path.endswith(".md") for command in re.findall(r"`make ([a-z]+)", text)
    }
    assert named
    assert named <= targets


def test_the_programs_named_in_the_documents_exist() -> None:
    """Every `restante …` that a page names is a command, with the subcommand and the options that it is given."""
    lines = {
        line.replace("`", "").strip()
        for path, text in texts()
        if path.endswith(".md")
        for line in re.findall(r"^ *restante [a-z][^\n|#]*|`restante [a-z][^`\n]*`", text, flags=re.MULTILINE)
    }
    assert len(lines) > 10
    assert [line for line in sorted(lines) if not is_understood(line.split()[1:])] == []


def is_understood(words: list[str]) -> bool:
    """Whether the command line knows these words: the command, its subcommand, each option."""
    at = app
    while words and words[0] in at:
        at, words = at[words[0]], words[1:]
    options = {word for word in words if word.startswith("--")} - {"--help"}
    if at is app or (at.default_command is None and words[:1] and words[0].isalpha()):
        return False
    if not options:
        return True
    return options <= {name for argument in at.assemble_argument_collection() for name in argument.names}


def test_links_between_documents_lead_somewhere() -> None:
    """Every relative link in a Markdown page names a file that is there."""
    dead = [
        f"{path}: {target}"
        for path, text in texts()
        if path.endswith(".md")
        for target in re.findall(r"\]\(([^)#\s]+)", text)
        if "://" not in target and not (ROOT / path).parent.joinpath(target).exists()
    ]
    assert not dead, "\n".join(dead)


def test_the_glossary_defines_the_words_of_the_house() -> None:
    """The words that code and pages lean on stand in the glossary."""
    glossary = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8").lower()
    words = "pick-up point,locker bank,bank module,compartment,parcel,consignment,stay,hold,lapse,grant,code,manifest,"
    words += "journal,feed,case,refusal,fault,bug,lane,source,fact,event,command"
    assert [word for word in words.split(",") if f"**{word}" not in glossary] == []


def test_the_version_is_the_changelogs_newest() -> None:
    """A release is written down before it is made."""
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    newest = re.search(r"^## \[(\d+\.\d+\.\d+)\]", changelog, flags=re.MULTILINE)
    assert newest
    assert newest.group(1) == importlib.import_module("restante").__version__
