from __future__ import annotations

import re
import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from piproxy.pi.kept import RECENT
from piproxy.pi.values import (
    Command,
    CommandCache,
    Failed,
    Template,
    Unresolved,
    Variable,
    expand,
    parse,
    run_command,
)

ENV = {"MY_K": "k", "MY_Z": "z", "EMPTY": ""}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("abc", "abc"),
        ("OPENAI_API_KEY", "OPENAI_API_KEY"),
        ("", ""),
        ("pre-$MY_K-${MY_Z}", "pre-k-z"),
        ("$MY_K$MY_Z", "kz"),
        ("$$a$!b$", "$a!b$"),
        ("$$MY_K", "$MY_K"),
        ("${bad-name}x", "${bad-name}x"),
        ("${}", "${}"),
        ("${MY_K", "${MY_K"),
        ("${a$MY_K", "${ak"),
        ("${a$MY_K}", "${a$MY_K}"),
        ("$1", "$1"),
        ("a!b", "a!b"),
        ("$MY_Ké", "ké"),
        ("$ MY_K", "$ MY_K"),
    ],
)
def test_a_template_expands(text: str, value: str) -> None:
    """The vectors of pi-on-disk.md, 2.2, and their neighbours."""
    assert expand(text, ENV) == value


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("$MISSING", "environment variable: MISSING"),
        ("x${EMPTY}", "environment variable: EMPTY"),
        ("$A-$MY_K-$B-$A", "environment variables: A, B"),
        ("$MY_KX", "environment variable: MY_KX"),
    ],
)
def test_an_unset_or_empty_variable_leaves_the_whole_value_unresolved(text: str, words: str) -> None:
    """The words are pi's, with every missing name once."""
    assert expand(text, ENV) == Unresolved(words)


def test_variables_are_looked_up_from_left_to_right() -> None:
    """A credential's own env goes before the process; an empty value there does not hide the process's."""
    assert expand("$A$B$C", {"A": "1", "B": ""}, {"A": "x", "B": "2", "C": "3"}) == "123"


@pytest.mark.parametrize(
    ("line", "printed"),
    [
        ('printf "  abc\\n"', "abc"),
        ("printf 'a b'; echo no >&2", "a b"),
        ("true", Failed("it printed nothing")),
        ("printf '  '", Failed("it printed nothing")),
        ("echo x; exit 3", Failed("exit code 3")),
        ("no-such-program-here", Failed("exit code 127: not found")),
        ("/", Failed("exit code 126: it cannot be executed")),
        ("kill -9 $$", Failed("it was ended by signal 9")),
        ("cat", Failed("it printed nothing")),
        ("", Failed("it printed nothing")),
        ("echo a\0b", Failed("it could not be started")),
    ],
)
def test_a_command_gives_what_it_prints(line: str, printed: str | Failed) -> None:
    """Trimmed; a failure and silence are no value, and why is told; standard input is empty."""
    assert run_command(line) == printed


def test_a_command_that_takes_too_long_is_ended_with_its_children() -> None:
    """The time limit holds although a child keeps the pipe open, be the shell still there or not."""
    began = time.monotonic()
    for line in ("sleep 30 & sleep 30", "sleep 30 &"):
        assert run_command(line, timeout=0.2) == Failed("it did not end within 0.2 s")
    assert time.monotonic() - began < 5


def test_a_command_that_closes_its_output_and_stays_is_ended_too() -> None:
    """The time limit is on the command, not on its pipe."""
    began = time.monotonic()
    assert run_command("printf k; exec >&-; sleep 30", timeout=0.2) == Failed("it did not end within 0.2 s")
    assert time.monotonic() - began < 5


def test_a_command_that_never_stops_printing_is_ended() -> None:
    """It must not fill the memory."""
    assert run_command("yes") == Failed("it printed more than 1048576 bytes")
    assert len(str(run_command("head -c 1048576 /dev/zero | tr '\\0' x"))) == 1048576


def test_the_text_after_the_mark_is_the_command() -> None:
    """Nothing in it is a template."""
    assert parse("!echo $HOME") == Command("echo $HOME")
    assert expand("!pass x", run=lambda line: f"<{line}>") == "<pass x>"
    assert expand("!pass x", run=lambda _line: Failed("exit code 1")) == Unresolved("shell command (exit code 1)")


def test_a_cache_runs_each_line_once_failures_included() -> None:
    """auth.json: the outcome is kept for the life of the process."""
    ran: list[str] = []

    def run(line: str) -> str | Failed:
        ran.append(line)
        return Failed("no") if line == "bad" else line

    cache = CommandCache(run)
    assert [cache("bad"), cache("a"), cache("bad"), cache("a"), cache("b")] == [
        Failed("no"),
        "a",
        Failed("no"),
        "a",
        "b",
    ]
    assert ran == ["bad", "a", "b"]


def test_a_refused_outcome_is_made_anew_but_not_at_once() -> None:
    """What was never run was not refused."""
    ran: list[str] = []
    now = 0.0

    def run(line: str) -> str:
        ran.append(line)
        return str(len(ran))

    cache = CommandCache(run, clock=lambda: now)
    assert [cache("a"), cache("b")] == ["1", "2"]
    now = RECENT - 1
    cache.refused("a")
    cache.refused("never")
    assert cache("a") == "1"
    now = RECENT
    cache.refused("a")
    assert [cache("a"), cache("b")] == ["3", "2"]


def test_two_threads_run_a_command_once() -> None:
    """The second waits for the first one's outcome."""
    ran: list[str] = []
    gate = threading.Event()

    def run(line: str) -> str:
        ran.append(line)
        gate.wait(5)
        return "k"

    cache = CommandCache(run)
    results: list[str | Failed] = []
    threads = [threading.Thread(target=lambda: results.append(cache("x"))) for _ in range(3)]
    for thread in threads:
        thread.start()
    gate.set()
    for thread in threads:
        thread.join()
    assert (ran, results) == (["x"], ["k"] * 3)


def test_a_slow_command_does_not_hold_up_others() -> None:
    """Each line has its own turn."""
    gate, started = threading.Event(), threading.Event()

    def run(line: str) -> str:
        if line == "slow":
            started.set()
            gate.wait(5)
        return line

    cache = CommandCache(run)
    thread = threading.Thread(target=cache, args=("slow",))
    thread.start()
    assert started.wait(5)
    assert cache("quick") == "quick"
    gate.set()
    thread.join()
    assert cache("slow") == "slow"


NAMES = st.from_regex("[A-Za-z_][A-Za-z0-9_]{0,5}", fullmatch=True)
LITERALS = st.text(st.characters(exclude_characters="$", exclude_categories=["Cs"])).filter(
    lambda text: not text.startswith("!")
)


@given(st.text())
def test_every_text_has_a_meaning(text: str) -> None:
    """Reading never fails, and text without a dollar sign or a mark in front is itself."""
    value = parse(text)
    assert isinstance(value, Command) == text.startswith("!")
    if "$" not in text and not text.startswith("!"):
        assert expand(text) == text


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_escaped_text_comes_back(text: str) -> None:
    """With every dollar sign doubled and a mark in front escaped, any text is a literal."""
    escaped = text.replace("$", "$$")
    escaped = f"${escaped}" if text.startswith("!") else escaped
    assert expand(escaped) == text


@given(st.lists(st.tuples(NAMES, LITERALS.filter(lambda text: not re.match("[A-Za-z0-9_]", text)))))
def test_bare_and_braced_variables_mean_the_same(parts: list[tuple[str, str]]) -> None:
    """``$NAME`` and ``${NAME}`` differ only where a name goes on."""
    bare = "".join(f"${name}{text}" for name, text in parts)
    braced = "".join(f"${{{name}}}{text}" for name, text in parts)
    assert parse(bare) == parse(braced)
    template = parse(bare)
    assert isinstance(template, Template)
    assert template.names == tuple(dict.fromkeys(name for name, _ in parts))


@given(st.lists(LITERALS | NAMES.map(Variable), min_size=1))
def test_a_template_keeps_its_parts_in_order(parts: list[str | Variable]) -> None:
    """Writing parts down and expanding them gives their values one after the other."""
    text = "".join(part if isinstance(part, str) else f"${{{part.name}}}" for part in parts)
    env = {part.name: f"<{part.name}>" for part in parts if isinstance(part, Variable)}
    if not text.startswith("!"):
        assert expand(text, env) == "".join(part if isinstance(part, str) else env[part.name] for part in parts)
