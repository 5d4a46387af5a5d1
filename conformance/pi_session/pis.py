"""The versions of pi, and one session of one of them.

``python -m conformance.pi_session.pis`` prints why they cannot be had here, if they cannot.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, Queue
from threading import Thread
from typing import Any, Final

from conformance.npm import obstacle

PATIENCE: Final = 180.0
"""Seconds to wait for something that pi should say; more than the extension's own patience with piproxy."""


@dataclass(frozen=True)
class Pi:
    """One published version."""

    package: str
    version: str
    program: str = "dist/cli.js"
    needs: tuple[str, ...] = ()
    """Where not all packages that it names are published: those that it runs with beside its own bundle."""


PIS: Final = (
    Pi("@mariozechner/pi-coding-agent", "0.73.1"),
    Pi("@earendil-works/pi-coding-agent", "0.87.1"),
    Pi("@earendil-works/pi-coding-agent", "1.5.2", "dist/bundle/cli.js", needs=("jiti@2.7.0", "typebox@1.3.27")),
)


@dataclass
class Session:
    """A home with the extension in it, and the pi to start there."""

    pi: tuple[str, str]
    home: Path
    environ: dict[str, str]
    port: str
    started: list[subprocess.Popen[Any]] = field(default_factory=list)
    readers: list[Thread] = field(default_factory=list)

    @property
    def agent(self) -> Path:
        return self.home / "agent"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def piproxy(self, *arguments: str) -> str:
        """What a command of piproxy prints."""
        done = subprocess.run(
            [sys.executable, "-m", "piproxy", *arguments],
            env=self.environ,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        return done.stdout or done.stderr

    def run(self, *arguments: str) -> str:
        """What a command of pi prints."""
        done = subprocess.run(
            [*self.pi, *arguments],
            env=self.environ,
            cwd=self.home,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=True,
        )
        return done.stdout

    def status(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.piproxy("status", "--json"))
        return found

    def config(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.agent / "proxy-config.json").read_text(encoding="utf-8"))
        return found

    @contextmanager
    def rpc(self, *arguments: str, environ: Mapping[str, str] | None = None) -> Iterator[Rpc]:
        """pi in RPC mode."""
        process = subprocess.Popen(
            [*self.pi, "--mode", "rpc", "--no-session", *arguments],
            env={**self.environ, **(environ or {})},
            cwd=self.home,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.started.append(process)
        pi = Rpc(process)
        self.readers += pi.readers
        yield pi
        assert process.stdin is not None
        process.stdin.close()
        process.wait(PATIENCE)

    def hold(self, word: str) -> Hold:
        """Let pi's piproxy wait before every command that begins with these words."""
        hold = Hold(self.home / "asked", self.home / "go")
        program = self.home / "piproxy"
        program.write_text(
            f'#!/bin/sh\ncase "$*" in "{word}"*)\n'
            f"touch {hold.asked}; until [ -e {hold.go} ]; do sleep 0.1; done;; esac\n"
            f'exec {sys.executable} -m piproxy "$@"\n',
            encoding="utf-8",
        )
        program.chmod(0o755)
        self.environ["PIPROXY_BIN"] = str(program)
        return hold

    def outside(self) -> subprocess.Popen[str]:
        """A proxy that no pi started, already listening."""
        process = subprocess.Popen(
            [sys.executable, "-m", "piproxy"],
            env=self.environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self.started.append(process)
        assert process.stdout is not None
        assert "listens on" in process.stdout.readline()
        return process

    def close(self) -> None:
        """Leave nothing running, whatever the test did: a detached proxy neither."""
        for process in self.started:
            process.kill()
            process.wait()
        with suppress(OSError):  # most tests have no proxy any more
            pid = int((self.agent / "proxy.pid").read_text(encoding="utf-8").split()[0])
            if "piproxy" in Path(f"/proc/{pid}/cmdline").read_text(encoding="utf-8"):
                os.kill(pid, signal.SIGKILL)
        for reader in self.readers:
            reader.join(PATIENCE)  # what a stream says is read before it is closed
        for process in self.started:
            for stream in (process.stdin, process.stdout, process.stderr):
                if stream is not None:
                    stream.close()


@dataclass(frozen=True)
class Hold:
    """A piproxy that waits."""

    asked: Path
    """There once it was called."""
    go: Path
    """Made by the test: it need not wait any longer."""


class Rpc:
    """A running pi in RPC mode: commands in, records out."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self._records: Queue[dict[str, Any] | None] = Queue()
        self._errors: list[str] = []
        self.readers = [Thread(target=self._read, daemon=True), Thread(target=self._read_errors, daemon=True)]
        for reader in self.readers:
            reader.start()

    def prompt(self, text: str, *, kind: str = "", confirm: bool = True) -> str:
        """Run a slash command; what it notifies. ``kind``: the notification's type that is expected."""
        self.send({"type": "prompt", "message": text, "id": "test"})
        return self.notified(kind, confirm=confirm)

    def notified(self, kind: str = "", *, confirm: bool = True) -> str:
        """The next notification."""
        for record in self._until():
            if record.get("type") != "extension_ui_request":
                continue
            if record["method"] == "confirm":
                self.send({"type": "extension_ui_response", "id": record["id"], "confirmed": confirm})
            elif record["method"] == "notify":
                assert not kind or record.get("notifyType", "info") == kind, record
                return str(record["message"])
        raise AssertionError("pi ended")

    def footer(self) -> str | None:
        """The next line for the foot of the screen."""
        for record in self._until():
            if record.get("type") == "extension_ui_request" and record["method"] == "setStatus":
                text = record.get("statusText")
                return None if text is None else str(text)
        raise AssertionError("pi ended")

    def commands(self) -> dict[str, dict[str, Any]]:
        """pi's own list of commands, by name."""
        self.send({"type": "get_commands", "id": "commands"})
        return {command["name"]: command for command in self.answered("get_commands")["data"]["commands"]}

    def answered(self, command: str) -> dict[str, Any]:
        """pi's answer to a command of its own."""
        for record in self._until():
            if record.get("type") == "response" and record.get("command") == command:
                return record
        raise AssertionError("pi ended")

    def send(self, record: dict[str, Any]) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(record) + "\n")
        self.process.stdin.flush()

    def _until(self) -> Iterator[dict[str, Any]]:
        end = time.monotonic() + PATIENCE
        seen = []
        while (left := end - time.monotonic()) > 0:
            try:
                record = self._records.get(timeout=left)
            except Empty:
                break
            if record is None:  # pi has ended
                self._records.put(None)
                break
            seen.append(record)
            yield record
        raise AssertionError(f"pi did not say it; it said {seen} and {''.join(self._errors)[-2000:]}")

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            try:
                self._records.put(json.loads(line))
            except ValueError:
                self._errors.append(line)
        self._records.put(None)

    def _read_errors(self) -> None:
        assert self.process.stderr is not None
        self._errors.extend(self.process.stderr)


def wait_for(what: str, met: Any) -> None:
    """Wait until ``met()`` is true."""
    end = time.monotonic() + PATIENCE
    while not met():
        assert time.monotonic() < end, what
        time.sleep(0.1)


def alive(pid: int) -> bool:
    """Whether a process is there and not only waiting to be collected."""
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        try:
            os.kill(pid, 0)
        except OSError:
            return False
        return not Path("/proc/self").exists()


if __name__ == "__main__":
    print(obstacle(PIS[-1].package, PIS[-1].version))
