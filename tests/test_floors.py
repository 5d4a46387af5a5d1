"""The house stays as ARCHITECTURE.md draws it: the imports are read and compared with the floors."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Final

import pytest

from piproxy.wire.rooms import ROOMS

ROOT: Final = Path(__file__).parents[1]
SRC: Final = ROOT / "src" / "piproxy"

FLOORS: Final = {
    0: ("__init__", "errors", "jsontext", "events", "chat", "model", "credential", "headers"),
    1: (
        "framing.*",
        "budget",
        "functiontools",
        "logged",
        "providererror.*",
        "redact",
        "replay",
        "settings.*",
        "similar",
        "thinking",
        "toolids",
        "transcript",
    ),
    2: ("pi.*", "openai.*", "wire.*"),
    3: ("exposure.*",),
    4: ("upstream.*",),
    5: ("exchange.*",),
    6: ("server.*",),
    7: ("cli.*",),
    8: ("__main__",),
}
"""Floor -> its files (``name``) and folders (``name.*``). A new file below ``src/piproxy`` needs a place here."""

HTTPX_DOOR: Final = "upstream.http"

DEADLINES: Final = {
    "exchange.deadlines": "every wait for a provider",
    "server.http2": "the watchdog for a client that stopped reading one of its streams",
    "server.serving": "how long running answers may go on after a stop signal",
    "server.sockets": "the watchdog for a client that stopped reading",
    "server.supervisor": "the pause before a worker that crashed is started again",
    "server.tcp": "a client that does not finish its TLS handshake",
    "upstream.oauth.refresh": "a refresh outlives the request that needed it",
    "upstream.tokens": "as a refresh",
}
"""Files that may limit a wait, and what for. Time belongs to the exchange; whoever else needs it says why here."""

PURE: Final = ("wire.*", "openai.*", *FLOORS[0], *(name for name in FLOORS[1] if name != "settings.*"))
"""Bytes and dataclasses in, dataclasses and bytes out."""

IMPURE_MODULES: Final = frozenset(
    "aiofiles anyio asyncio ctypes fcntl getpass glob http httpcore httpx hypercorn io logging multiprocessing os "
    "pathlib platform quart quart_trio random requests secrets select shutil signal socket ssl subprocess sys tempfile "
    "threading time trio".split()
)
IMPURE_CALLS: Final = frozenset(
    "open print input breakpoint now utcnow today uuid1 uuid4 urlopen getproxies import_module".split()
)
PURE_EXCEPTIONS: Final = {
    ("jsontext", "io"): "BytesIO puts a large body together in memory, with one copy less than a join makes",
    ("wire.rooms", "import_module"): "finds a room by name",
}

DISTRIBUTIONS: Final = {"google": "google-auth", "pydantic_core": "pydantic", "quart_trio": "quart-trio"}
"""Package -> the name to install, where they differ; pydantic pins its own core."""

LIMITERS: Final = frozenset("move_on_after move_on_at fail_after fail_at timeout wait_for".split())
SCOPE_TIMES: Final = frozenset(("deadline", "relative_deadline"))


def _names() -> list[str]:
    """Every module of the package, without the package's own name: ``errors``, ``wire.room`` …"""
    found = []
    for path in sorted(SRC.rglob("*.py")):
        parts = list(path.relative_to(SRC).with_suffix("").parts)
        if parts[-1] == "__init__" and len(parts) > 1:
            parts.pop()
        found.append(".".join(parts))
    return found


MODULES: Final = _names()


@cache
def _tree(name: str) -> ast.Module:
    path = SRC.joinpath(*name.split("."))
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    return ast.parse(file.read_text(encoding="utf-8"), str(file))


def _matches(name: str, pattern: str) -> bool:
    folder = pattern.removesuffix(".*")
    return name == folder or (folder != pattern and name.startswith(f"{folder}."))


def _floor(name: str) -> int | None:
    return next((floor for floor, patterns in FLOORS.items() if any(_matches(name, p) for p in patterns)), None)


def _imported(name: str) -> Iterator[str]:
    """The dotted names that a module imports, inside functions and for type checkers too."""
    is_folder = SRC.joinpath(*name.split(".")).is_dir()
    package = ["piproxy", *name.split(".")] if is_folder else ["piproxy", *name.split(".")[:-1]]
    for node in ast.walk(_tree(name)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            source = ".".join([*base, *(node.module.split(".") if node.module else [])])
            yield from (f"{source}.{alias.name}" for alias in node.names)


def _inside(dotted: str) -> str | None:
    """The module of ours that a dotted name is, or lies in."""
    parts = dotted.split(".")
    if parts[0] != "piproxy":
        return None
    candidates = (".".join(parts[1:end]) for end in range(len(parts), 1, -1))
    return next((candidate for candidate in candidates if candidate in MODULES), "__init__")


def _uses(name: str) -> set[str]:
    """The modules of ours that a module imports."""
    return {module for dotted in _imported(name) if (module := _inside(dotted)) is not None} - {name}


def _foreign(name: str) -> set[str]:
    """The top-level packages of others that a module imports."""
    return {dotted.partition(".")[0] for dotted in _imported(name)} - {"piproxy"}


def _top(name: str) -> str:
    return name.partition(".")[0]


def _room(name: str) -> str | None:
    """``wire/<room>/`` of a module; a variant of a room belongs to the room."""
    parts = name.split(".")
    folder = SRC / "wire" / parts[1] if parts[0] == "wire" and len(parts) > 1 else None
    return parts[1] if folder is not None and folder.is_dir() else None


def _is_pure(name: str) -> bool:
    return any(_matches(name, pattern) for pattern in PURE)


def _limited_waits(name: str) -> Iterator[str]:
    """Where a module says how long something may take."""
    for node in ast.walk(_tree(name)):
        if isinstance(node, ast.Call):
            called = _last(node.func)
            timed = called == "CancelScope" and SCOPE_TIMES & {word.arg for word in node.keywords}
            if called in LIMITERS or timed:
                yield f"line {node.lineno}, {called}"
        elif isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if SCOPE_TIMES & {_last(target) for target in targets if isinstance(target, ast.Attribute)}:
                yield f"line {node.lineno}"


@pytest.mark.parametrize("name", MODULES)
def test_file_has_a_floor(name: str) -> None:
    """Every file of the package has its place in the drawing."""
    assert _floor(name) is not None, f"{name} is not in FLOORS; see ARCHITECTURE.md"


@pytest.mark.parametrize("name", MODULES)
def test_imports_go_down(name: str) -> None:
    """A file imports from lower floors, from its own folder, or from a neighbour that stands beside it."""
    own = _floor(name)
    for used in _uses(name):
        floor = _floor(used)
        assert own is not None
        assert floor is not None
        same_folder = _top(used) == _top(name)
        both_loose = own < 2 and "." not in used and "." not in name
        folder_beside_files = own == 1 and floor == 1
        assert floor < own or same_folder or both_loose or folder_beside_files, f"{name} imports {used}"


def test_the_drawing_is_complete() -> None:
    """ARCHITECTURE.md shows every file and folder of the package, each on its floor."""
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    drawn = {name: int(floor) for name, floor in re.findall(r"^  (\w+)(?:\.py|/) +(\d) ", text, re.MULTILINE)}
    real = {_top(name): _floor(name) for name in MODULES if name != "__init__"}
    assert drawn == real


def test_imports_make_no_circle() -> None:
    """No two files need each other."""
    packages = {name for name in MODULES if SRC.joinpath(*name.split(".")).is_dir()}
    graph = {name: _uses(name) - packages - {"__init__"} for name in MODULES}
    tuple(TopologicalSorter(graph).static_order())


@pytest.mark.parametrize("name", [name for name in MODULES if _matches(name, "wire.*")])
def test_rooms_do_not_know_each_other(name: str) -> None:
    """A room imports its own files and the contract, no other room, no dialect and nothing of pi's."""
    for used in _uses(name):
        assert _room(used) in {None, _room(name)}, f"{name} imports {used}"
        assert _top(used) not in {"openai", "pi"}, f"{name} imports {used}"
        assert _room(name) is None or used != "wire.rooms", f"{name} imports {used}"


@pytest.mark.parametrize("name", [name for name in MODULES if _matches(name, "openai.*") or _matches(name, "pi.*")])
def test_dialects_and_files_do_not_know_rooms(name: str) -> None:
    """``openai/``, ``pi/`` and ``wire/`` stand side by side."""
    own = _top(name)
    assert not {used for used in _uses(name) if _top(used) in {"openai", "pi", "wire"} - {own}}


def test_every_folder_below_wire_is_a_room() -> None:
    """``wire/`` holds the contract, the finder and one folder per room that the finder knows."""
    rooms = {package.partition(".")[0] for package in ROOMS.values()}
    for name in MODULES:
        assert name in {"wire", "wire.room", "wire.rooms"} or not name.startswith("wire.") or _room(name) in rooms


@pytest.mark.parametrize("name", [name for name in MODULES if name != HTTPX_DOOR])
def test_httpx_has_one_door(name: str) -> None:
    """Only ``upstream/http.py`` imports httpx."""
    assert "httpx" not in _foreign(name)


@pytest.mark.parametrize("name", MODULES)
def test_time_belongs_to_the_exchange(name: str) -> None:
    """No file limits a wait but those that are named above with their reasons, and each of those does."""
    assert bool(found := list(_limited_waits(name))) == (name in DEADLINES), f"{name}: {found}"


def test_every_reason_for_a_deadline_has_its_file() -> None:
    """The list above names files that exist."""
    assert set(DEADLINES) <= set(MODULES)


@pytest.mark.parametrize("name", [name for name in MODULES if _is_pure(name)])
def test_pure_files_do_no_io(name: str) -> None:
    """Rooms, dialects, framing and the lowest floors touch no file, socket, clock or dice."""
    assert not {found for found in _foreign(name) & IMPURE_MODULES if (name, found) not in PURE_EXCEPTIONS}
    for node in ast.walk(_tree(name)):
        if isinstance(node, ast.Call) and (called := _last(node.func)) in IMPURE_CALLS:
            assert (name, called) in PURE_EXCEPTIONS, f"{name}:{node.lineno} {called}"


def test_every_import_is_declared() -> None:
    """What the package imports is the standard library or stands in ``pyproject.toml``, and nothing needless does."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lines = [*project["dependencies"], *(line for extra in project["optional-dependencies"].values() for line in extra)]
    declared = {re.split(r"[^\w.-]", line)[0] for line in lines}
    imported = set[str]().union(*(_foreign(name) for name in MODULES)) - sys.stdlib_module_names
    used = {DISTRIBUTIONS.get(name, name) for name in imported}
    assert used <= declared
    assert {re.split(r"[^\w.-]", line)[0] for line in project["dependencies"]} <= used


def _last(node: ast.expr) -> str:
    """``sleep`` of ``trio.sleep``."""
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""
