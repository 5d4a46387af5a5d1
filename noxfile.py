"""The checks of the project: ``nox`` runs them all, ``nox -s lint`` one of them, ``nox -l`` lists them."""

from __future__ import annotations

import os
import re
import shutil
import sys
from pathlib import Path

import nox
from nox.command import CommandFailed

ROOT = Path(__file__).parent
PROJECT = nox.project.load_toml("pyproject.toml")
PYTHONS = nox.project.python_versions(PROJECT)
EXTRAS = ".[aws,vertex]"
PARALLEL = ("-n", "auto", "--dist", "worksteal")
"""As many test processes as there are processors."""
WITH_PI = [
    path for path in ("conformance/real_pi", "conformance/pi_session", "conformance/sdks") if (ROOT / path).is_dir()
]
"""Tests that install published packages from npm."""

nox.needs_version = ">=2025.2.9"
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.reuse_venv = "yes"
nox.options.error_on_missing_interpreters = False
nox.options.stop_on_first_error = False
nox.options.sessions = ["lint", "typing", "tests", "conformance", "sdks", "real_pi", "pi_newest", "wheel", "floors"]


def _reveal_pyenv() -> None:
    """pyenv's ``python3.12`` runs only when its version is switched on: switch on all that we test."""
    root = Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser()
    versions = {version: sorted(root.glob(f"versions/{version}.*")) for version in PYTHONS}
    found = [paths[-1].name for paths in versions.values() if paths]
    if shutil.which("pyenv") and found:
        os.environ.setdefault("PYENV_VERSION", ":".join(found))


_reveal_pyenv()
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # uv compiles nothing, and each of many processes would anew
os.environ.setdefault("UV_SYSTEM_CERTS", "true")  # trust whom pip trusts
os.environ.setdefault("UV_PYTHON_DOWNLOADS", "never")
if "PIP_INDEX_URL" in os.environ:
    os.environ.setdefault("UV_DEFAULT_INDEX", os.environ["PIP_INDEX_URL"])


def _group(name: str) -> list[str]:
    return list(nox.project.dependency_groups(PROJECT, name))


def _folders(*names: str) -> list[str]:
    """Those of the folders that hold Python."""
    return [name for name in names if any((ROOT / name).rglob("*.py"))]


def _pytest(session: nox.Session, *paths: str) -> None:
    """All tests there. Some drive real processes and sockets, which a busy machine can starve: what failed is run once
    more, alone and in one process, and has to pass then; the log tells that it was needed."""
    tests = ("python", "-m", "pytest", "-q", *paths)
    try:
        session.run(*tests, *PARALLEL, *session.posargs)
    except CommandFailed:
        session.warn("once more, alone: what failed")
        session.run(*tests, "--last-failed", "--last-failed-no-failures=none", *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """Rules and format."""
    session.install(*_group("lint"))
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


@nox.session
def typing(session: nox.Session) -> None:
    """Strict types, everywhere."""
    session.install("-e", EXTRAS, *_group("typing"))
    session.run("mypy", *_folders("src", "tests", "conformance", "benchmarks", "scripts"), "noxfile.py")


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """The tests against the installed package; 3.11 has Quart 0.22, 3.13 has Quart 0.23."""
    session.install(EXTRAS, *_group("test"))
    _pytest(session)


@nox.session
def conformance(session: nox.Session) -> None:
    """Real clients and recorded providers."""
    session.install(EXTRAS, *_group("test"))
    ignored = [f"--ignore={path}" for path in WITH_PI]
    session.run("python", "-m", "pytest", "conformance", *ignored, *session.posargs)
    venv = Path(session.virtualenv.location).parent / "recordings"
    session.run("python", "conformance/cassettes.py", "--venv", str(venv), "--piproxy", _script(session, "piproxy"))


@nox.session
def smoke(session: nox.Session) -> None:
    """The living clients, installed from their registries and driven through every scenario; takes long."""
    session.install("-e", EXTRAS, *_group("test"))
    session.run("python", "-m", "conformance.smoke", *session.posargs)


@nox.session
def sdks(session: nox.Session) -> None:
    """openai-node and the Vercel AI SDK, installed from npm, against every room; nothing to do without npm."""
    if shutil.which("npm") is None or shutil.which("node") is None:
        session.skip("npm and node are not there")
    session.install(EXTRAS, *_group("test"))
    session.env["PIPROXY_SDKS_DIR"] = str(Path(session.virtualenv.location).parent / "sdks-npm")
    session.run("python", "-m", "pytest", "conformance/sdks", *session.posargs)


@nox.session
def real_pi(session: nox.Session) -> None:
    """pi's published packages, installed from npm, and piproxy together on one auth.json; nothing to do without npm."""
    directory = os.environ.get("PIPROXY_REAL_PI_DIR") or str(Path(session.virtualenv.location).parent / "real-pi-npm")
    why_not = session.run("python", "-m", "conformance.real_pi.packages", directory, silent=True, stderr=None)
    if isinstance(why_not, str) and why_not.strip():
        session.skip(why_not.strip())
    session.install(".", *(package for package in _group("test") if package.startswith("pytest")))
    session.env["PIPROXY_REAL_PI_DIR"] = directory
    session.run("python", "-m", "pytest", "conformance/real_pi", "-s", *session.posargs)


@nox.session
def pi(session: nox.Session) -> None:
    """The /proxy commands in pi's published packages, and the panels in a terminal where there is tmux."""
    session.install(".", *_group("test"))
    session.run("python", "-m", "pytest", "conformance/pi_session", *session.posargs)


@nox.session
def pi_newest(session: nox.Session) -> None:
    """The same in the newest pi only, as a part of the plain run; nothing to do without npm."""
    why_not = session.run("python", "-m", "conformance.pi_session.pis", silent=True)
    if isinstance(why_not, str) and why_not.strip():
        session.skip(why_not.strip())
    session.install(".", *(package for package in _group("test") if package.startswith("pytest")))
    session.env["PIPROXY_PI_SESSION_DIR"] = str(Path(session.virtualenv.location).parent / "pi-npm")
    session.env["PIPROXY_PI_VERSION"] = "newest"
    _pytest(session, "conformance/pi_session")


@nox.session
def wheel(session: nox.Session) -> None:
    """The built package alone in an empty environment: it starts, and the README's first commands work."""
    session.install("build")
    dist = Path(session.create_tmp()) / "dist"
    shutil.rmtree(dist, ignore_errors=True)
    session.run("python", "-m", "build", "--outdir", str(dist), silent=True)
    bare = dist.parent / "bare"
    session.run("python", "-m", "venv", "--clear", str(bare))
    bin_dir = bare / ("Scripts" if sys.platform == "win32" else "bin")
    session.run(str(bin_dir / "python"), "-m", "pip", "install", "-q", *map(str, dist.glob("*.whl")), external=True)
    session.run(str(bin_dir / "piproxy"), "--version", external=True)
    session.run("python", "tests/fakes/readme.py", str(bin_dir / "piproxy"))


@nox.session
def bench(session: nox.Session) -> None:
    """piproxy beside its peers, which are installed first; a table with the ratios. Less than ten minutes."""
    session.install(".")
    peers = Path(session.virtualenv.location).parent / "peers"
    session.run("python", "-m", "benchmarks", "--install", "--peers", str(peers), *session.posargs)


@nox.session
def soak(session: nox.Session) -> None:
    """Mixed traffic for a given time, ten minutes if not told otherwise; what is left of it. Linux."""
    session.install(".", *_group("test"))
    session.run("python", "-m", "benchmarks.soak", *session.posargs)


@nox.session(python=PYTHONS[0])
def floors(session: nox.Session) -> None:
    """The tests with the lowest version of every dependency that pyproject.toml allows."""
    constraints = Path(session.create_tmp()) / "lowest.txt"
    constraints.write_text("\n".join(_lowest()) + "\n")
    session.install(EXTRAS, *_group("test"), "--constraint", str(constraints))
    _pytest(session)


def _lowest() -> list[str]:
    project = PROJECT["project"]
    given = [*project["dependencies"], *(line for extra in project["optional-dependencies"].values() for line in extra)]
    return sorted({re.sub(r">=\s*", "==", line.partition(";")[0].strip()) for line in given})


def _script(session: nox.Session, name: str) -> str:
    found = shutil.which(name, path=os.pathsep.join(session.bin_paths or ()))
    if found is None:
        session.error(f"{name} was not installed")
    return found
