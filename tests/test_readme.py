"""The documents are true: their examples are run, their tables are compared with what they are made from."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from fakes.command import Home
from fakes.readme import PAGES, PORT, README, Example, examples, port_of, run

from piproxy.cli.main import COMMANDS
from piproxy.openai.fields import markdown
from piproxy.settings.describe import table
from piproxy.upstream.demo.wishes import wishes
from piproxy.wire.demo import MODELS

ROOT: Final = Path(__file__).parents[1]
TEXT: Final = README.read_text(encoding="utf-8")
DEMO: Final = (ROOT / "docs" / "demo.md").read_text(encoding="utf-8")
LINK: Final = re.compile(r"\]\((?!https?://)([^)#]+)")


def between(text: str, name: str) -> str:
    """What stands between the marks of a table that is made from code."""
    found = re.search(rf"<!-- {name}[^>]*-->\n(.*?)<!-- /{name} -->", text, re.DOTALL)
    assert found
    return found[1]


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The port of a running ``piproxy --demo``."""
    home = Home(tmp_path_factory.mktemp("home"), {"PI_PROXY_CATALOG": "snapshot"})
    with home.serving("--demo") as (line, _):
        yield port_of(line)


EXAMPLES: Final = [example for page in PAGES for example in examples(page.read_text(encoding="utf-8"))]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.command[-60:])
def test_examples_print_what_their_page_says(example: Example, port: str) -> None:
    """Each curl of the documents, run against a served piproxy, prints what stands below it."""
    assert run(example, port) == example.output


def test_the_python_program_prints_what_the_readme_says(port: str) -> None:
    """The program with OpenAI's SDK, run against a served piproxy, prints what the comment in its last line says."""
    (program,) = re.findall(r"^```python\n(.*?)^```$", TEXT, re.DOTALL | re.MULTILINE)
    here = program.replace(f":{PORT}/", f":{port}/")
    done = subprocess.run([sys.executable, "-c", here], capture_output=True, text=True, timeout=60, check=True)
    assert program.endswith(f"  # {done.stdout}")


def test_there_are_examples() -> None:
    """A whole answer and a streamed one are among the examples."""
    commands = [example.command for example in examples(TEXT)]
    assert any('"stream": true' in command for command in commands)
    assert len(commands) > 3


def test_the_two_commands() -> None:
    """The README installs with pip and tests with nox; the check of every change runs the same."""
    assert "\npip install . && piproxy --demo\n" in TEXT
    assert "\npip install 'nox[uv]' && nox\n" in TEXT
    assert "pip install -q 'nox[uv]' && nox" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")


def test_settings_table_is_made_from_the_schema() -> None:
    """``piproxy config schema --markdown`` prints the table that the README shows."""
    assert between(TEXT, "settings") == table() + "\n"


def test_field_table_is_made_from_the_fields() -> None:
    """docs/fields.md shows the table that decoding works by."""
    assert between((ROOT / "docs" / "fields.md").read_text(encoding="utf-8"), "fields") == markdown()


def test_demo_models_are_documented() -> None:
    """docs/demo.md says what each demo model does."""
    rows = "".join(f"| `demo/{name}` | {does} |\n" for name, does in MODELS.items())
    assert between(DEMO, "models") == f"| model | what it does |\n|---|---|\n{rows}"


@pytest.mark.parametrize("words", re.findall(r"`(\[[a-z]+.*?\])`", DEMO))
def test_documented_wishes_are_understood(words: str) -> None:
    """Every wish of docs/demo.md is one."""
    assert wishes(words, "echo").text == ""


def test_commands_are_documented() -> None:
    """The README names every command."""
    for command in COMMANDS:
        assert f"`piproxy {command}" in TEXT


PAGES_WITH_LINKS: Final = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), ROOT / "conformance" / "README.md"])


@pytest.mark.parametrize("page", PAGES_WITH_LINKS, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    """Files that a document links to exist."""
    for target in LINK.findall(page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), target


def test_supported_pythons_are_tested() -> None:
    """This Python is one that the package says it supports."""
    classifiers = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert f"Programming Language :: Python :: {sys.version_info[0]}.{sys.version_info[1]}" in classifiers
