"""What other processes do in tests; importable by name, so that a fresh interpreter finds it."""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import trio
from fakes.fetcher import Asked, ScriptedFetcher, ok
from fakes.fetcher import answer as reply

from piproxy.pi.auth_entry import OAuthEntry, read_entry
from piproxy.pi.auth_file import AuthFile
from piproxy.pi.lock import DirectoryLock
from piproxy.pi.login import Login
from piproxy.upstream.http import Fetched
from piproxy.upstream.oauth.refresh import Refresher


def run_together(work: Sequence[tuple[Callable[..., None], tuple[Any, ...]]]) -> list[int | None]:
    """Run each function in a fresh process of its own, all at once; gives their exit codes."""
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=function, args=arguments) for function, arguments in work]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
        if process.is_alive():
            process.kill()
    return [process.exitcode for process in processes]


def count_up(target: Path, times: int) -> None:
    """Read a number, write the next one, under the lock."""
    for _ in range(times):
        with DirectoryLock(target):
            target.write_text(str(int(target.read_text()) + 1))


def count_entry(path: Path, key: str, times: int) -> None:
    """Count one entry's ``expires`` up, by read-modify-writes of the whole file."""
    file = AuthFile(path)
    for _ in range(times):
        file.update(key, lambda entry: {**entry, "expires": entry["expires"] + 1})


def refresh_once(path: Path, endpoint: Path, die: bool) -> None:
    """Refresh the login in ``path`` against a token endpoint that is a directory: each refresh token works once.

    ``die``: the process ends the moment the endpoint has answered, before anything can be written.
    """

    def answer(request: Asked) -> Fetched:
        spent = request.json["refresh_token"]
        try:
            (endpoint / spent).mkdir()
        except FileExistsError:
            return reply(400, {"error": "invalid_grant"})
        if die:
            os._exit(7)
        number = int(spent.removeprefix("r")) + 1
        return ok({"refresh_token": f"r{number}", "access_token": f"a{number}", "expires_in": 7200})

    async def main() -> None:
        auth = AuthFile(path)
        entry = read_entry(auth.read_locked()["anthropic"])
        assert isinstance(entry, OAuthEntry)
        login = Login(provider="anthropic", kind="oauth", entry=entry, flow="anthropic")
        async with trio.open_nursery() as nursery:
            http = ScriptedFetcher([0.2, answer])
            refresher = Refresher(http=http, auth=auth, environ={}, nursery=nursery, clock=time.time)
            fresh = await refresher.fresh(login)
            assert fresh.access == "a2"

    trio.run(main)
