"""The examples of README.md and docs/demo.md, run against a piproxy. Needs nothing but Python and curl.

As a program, ``python tests/fakes/readme.py COMMAND`` starts ``COMMAND --demo`` in an empty home and runs each example;
``--write`` puts what really came into the pages.
"""

from __future__ import annotations

import argparse
import os
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

README: Final = Path(__file__).parents[2] / "README.md"
PAGES: Final = (README, README.parent / "docs" / "demo.md")
"""The documents that have examples."""
PORT: Final = "4141"
"""The port in the examples."""

_BLOCK: Final = re.compile(r"^```console\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_EXAMPLE: Final = re.compile(r"^\$ (curl .*?[^\\])\n(.*?)(?=^\$ |\Z)", re.DOTALL | re.MULTILINE)
_CHANGING: Final = (
    (re.compile(r"chatcmpl-[0-9a-f]+"), "chatcmpl-4f9a0c1e8b7d4c55a3e2d1f0"),
    (re.compile(r'"created":\d+'), '"created":1795348430'),
)
"""What differs from run to run, and what stands for it in the pages."""


@dataclass(frozen=True)
class Example:
    """A command and what its page says it prints."""

    command: str
    output: str


def examples(text: str) -> list[Example]:
    """The curl commands of a page's console blocks."""
    return [Example(*found) for block in _BLOCK.findall(text) for found in _EXAMPLE.findall(block)]


def run(example: Example, port: str) -> str:
    """What the command prints now, with what changes from run to run made the same."""
    words = [word.replace(f":{PORT}/", f":{port}/") for word in shlex.split(example.command.replace("\\\n", " "))]
    done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=True)
    output = done.stdout.replace("\r\n", "\n")
    for changing, fixed in _CHANGING:
        output = changing.sub(fixed, output)
    return output.rstrip("\n") + "\n"


@contextmanager
def serving(command: Sequence[str], environ: Mapping[str, str]) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """A running proxy on a free port: the first line it prints, and the process."""
    with subprocess.Popen(
        [*command, "--port", "0"],
        env=dict(environ),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stderr is not None
            line = process.stdout.readline()
            if "http://" not in line:
                raise RuntimeError(f"{shlex.join(command)} did not start: {line}{process.stderr.read()}")
            yield line, process
        finally:
            process.kill()


def port_of(line: str) -> str:
    """The port in the line that a started piproxy prints."""
    return line.partition("http://")[2].partition("/")[0].rpartition(":")[2]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run all examples; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("command")
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as home:
        environ = {"PATH": os.environ["PATH"], "HOME": home}
        with serving([*shlex.split(options.command), "--demo"], environ) as (line, _):
            sys.stdout.write(line)
            right = [_try(page, port_of(line), write=options.write) for page in PAGES]
    return 0 if all(right) else 1


def _try(page: Path, port: str, *, write: bool) -> bool:
    """Are there examples in the page, and do they print what it says, or what is now written there?"""
    text = page.read_text(encoding="utf-8")
    found = examples(text)
    right = bool(found)
    for example in found:
        output = run(example, port)
        if write:
            text = text.replace(f"$ {example.command}\n{example.output}", f"$ {example.command}\n{output}")
        elif output != example.output:
            right = False
            sys.stdout.write(f"NOT AS IN {page.name}: {example.command}\n{output}")
        else:
            sys.stdout.write(f"as in {page.name}: {example.command.splitlines()[0]}\n")
    if write:
        page.write_text(text, encoding="utf-8")
    return right


if __name__ == "__main__":
    sys.exit(main())
