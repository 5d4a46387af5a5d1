"""The examples of README.md, run against a piproxy. Needs nothing but Python and curl.

As a program, ``python tests/fakes/readme.py COMMAND`` starts ``COMMAND --demo`` in an empty home and runs each example;
``--write`` puts what really came into README.md.
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
PORT: Final = "4141"
"""The port in the examples."""

_BLOCK: Final = re.compile(r"^```console\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_EXAMPLE: Final = re.compile(r"^\$ (curl .*?[^\\])\n(.*?)(?=^\$ |\Z)", re.DOTALL | re.MULTILINE)
_CHANGING: Final = (
    (re.compile(r"chatcmpl-[0-9a-f]+"), "chatcmpl-4f9a0c1e8b7d4c55a3e2d1f0"),
    (re.compile(r'"created":\d+'), '"created":1795348430'),
)
"""What differs from run to run, and what stands for it in the README."""


@dataclass(frozen=True)
class Example:
    """A command and what the README says it prints."""

    command: str
    output: str


def examples(text: str) -> list[Example]:
    """The curl commands of the README's console blocks."""
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
    text = README.read_text(encoding="utf-8")
    wrong = 0
    with tempfile.TemporaryDirectory() as home:
        environ = {"PATH": os.environ["PATH"], "HOME": home}
        with serving([*shlex.split(options.command), "--demo"], environ) as (line, _):
            sys.stdout.write(line)
            for example in examples(text):
                output = run(example, port_of(line))
                if options.write:
                    text = text.replace(f"$ {example.command}\n{example.output}", f"$ {example.command}\n{output}")
                elif output != example.output:
                    wrong += 1
                    sys.stdout.write(f"NOT AS IN README.md: {example.command}\n{output}")
                else:
                    sys.stdout.write(f"as in README.md: {example.command.splitlines()[0]}\n")
    if options.write:
        README.write_text(text, encoding="utf-8")
    return 1 if wrong or not examples(text) else 0


if __name__ == "__main__":
    sys.exit(main())
