"""Keeps stored logins fresh, beside pi and beside other piproxies (pi-on-disk.md, 4.1).

The plan. A refresh belongs to the process, not to a request: it runs as a task of a long-lived nursery, once per
provider at a time, and every request that needs it waits for it. It takes pi's lock, reads the file again (another
process may have been faster), asks the token endpoint and writes. From the moment it asks, the old refresh token may be
spent, so that part is shielded from cancellation: neither a client that leaves nor a shutdown loses a login.

Deadlines live in the exchange, with one exception, which is here: a refresh outlives the request that wanted it, so its
budget of 15 seconds is its own.
"""

from __future__ import annotations

import logging
import math
import os
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final

import trio

from piproxy.errors import CredentialError, PiproxyError, UpstreamError
from piproxy.jsontext import Json
from piproxy.pi.auth_entry import OAuthEntry, find_entry, read_entry
from piproxy.pi.auth_file import AuthFile
from piproxy.pi.jsonfile import UnreadableFile
from piproxy.pi.lock import DirectoryLock, LockBusy, LockImpossible, held
from piproxy.pi.login import Login
from piproxy.upstream.fetching import Fetcher
from piproxy.upstream.flights import Flights
from piproxy.upstream.http import Fetched
from piproxy.upstream.oauth import github_copilot
from piproxy.upstream.oauth.flows import FLOWS
from piproxy.upstream.oauth.parts import Context, Entry, Flow, Refused, TokenRequest, read_reply, rotated

MARGIN_MS: Final = 300_000
"""Renew this long before ``expires``, which already holds a margin of the provider's."""
BUDGET: Final = 15.0
"""Seconds for the token endpoint, further attempts included."""
MODELS_BUDGET: Final = 5.0
"""Seconds for Copilot's model list."""
AFTER_FAILURE: Final = 30.0
"""Seconds in which a token that is still valid is used without another attempt to renew it."""
AFTER_REFUSAL: Final = 300.0
"""Seconds in which a login is renewed once at most because its provider refused a token that had not expired."""

_log: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Failure:
    refresh: str
    until: float
    message: str


@dataclass(frozen=True, slots=True)
class _Refusal:
    access: str
    until: float


@dataclass(frozen=True, slots=True)
class _Unsaved:
    """A renewed entry that is not in the file: the file still holds the token ``spent``."""

    spent: str
    entry: OAuthEntry


class Refresher:
    """Gives logins whose access token can be used now. ``nursery`` must outlive all requests."""

    def __init__(
        self,
        *,
        http: Fetcher,
        auth: AuthFile,
        environ: Mapping[str, str],
        nursery: trio.Nursery,
        clock: Callable[[], float],
    ) -> None:
        self._http = http
        self._auth = auth
        self._environ = environ
        self._clock = clock
        self._flights: Flights[OAuthEntry] = Flights(nursery, "the login for {}")
        self._failures: dict[str, _Failure] = {}
        self._refusals: dict[str, _Refusal] = {}
        self._unsaved: dict[str, _Unsaved] = {}

    async def fresh(self, login: Login) -> OAuthEntry:
        """The login's entry, renewed if it is about to expire.

        Raises :class:`~piproxy.errors.CredentialError`, which says which login to repeat. Being cancelled here does not
        touch a refresh that is under way.
        """
        provider = login.provider
        entry = self._known(login)
        if not self._due(provider, entry):
            return entry
        flow = FLOWS.get(login.flow or "")
        if flow is None:
            if self._valid(entry):
                return entry
            raise CredentialError(
                f"The login for provider '{provider}' has expired, and only the pi extension that made it can renew "
                f"it. Use {provider} in pi once, or log in again: run `pi` and enter `/login {provider}`."
            )
        failure = self._failures.get(provider)
        if failure is not None and failure.refresh == entry.refresh and self._clock() < failure.until:
            final = failure.until == math.inf
            if self._usable(provider, entry, final=final):
                return entry
            if final:
                raise CredentialError(failure.message)
        return await self._flights.join(provider, partial(self._renew, login, flow))

    def refused(self, login: Login, secrets: Collection[str]) -> None:
        """The provider did not accept one of ``secrets``: if that is the login's token, the next caller gets a new one.

        A token can end before its time: revoked, or replaced by somebody who has a copy of the login. pi waits for its
        expiry; its providers' own programs renew it at once, and so do we.
        """
        entry, now = self._known(login), self._clock()
        last = self._refusals.get(login.provider)
        if entry.access in secrets and entry.refresh and (last is None or now >= last.until):
            self._refusals[login.provider] = _Refusal(entry.access, now + AFTER_REFUSAL)

    async def _renew(self, login: Login, flow: Flow) -> OAuthEntry:
        provider = login.provider
        try:
            lock = await trio.to_thread.run_sync(self._auth.lock)
            async with held(lock):
                entry = await self._under_lock(lock, login, flow)
        except LockImpossible as exc:
            return await self._without_file(login, flow, exc.message)
        except (LockBusy, UnreadableFile) as exc:
            failed = Refused(exc.message, passing=isinstance(exc, LockBusy))
            return self._last_resort(provider, self._known(login), failed)
        return entry

    async def _under_lock(self, lock: DirectoryLock, login: Login, flow: Flow) -> OAuthEntry:
        provider = login.provider
        entries = await trio.to_thread.run_sync(self._auth.read_locked)
        found = find_entry(entries, provider)
        key, on_file = found or ("", None)
        if not isinstance(on_file, OAuthEntry):
            raise CredentialError(f"The login for provider '{provider}' is gone from auth.json. {_again(provider)}")
        entry = self._newest(provider, on_file)
        if not self._due(provider, entry):
            return entry
        if flow.ROTATES and not os.access(self._auth.path, os.W_OK):
            raise LockImpossible(f"{self._auth.path} cannot be written")
        with trio.CancelScope(shield=True):
            try:
                new = await self._ask(flow, entry, login)
                entry = await self._save(lock, provider, key, on_file.refresh, new)
            except Refused as exc:
                if exc.kept is not None:
                    entry = await self._save(lock, provider, key, on_file.refresh, exc.kept, done=False)
                entry = self._last_resort(provider, entry, exc)
        return entry

    async def _without_file(self, login: Login, flow: Flow, why: str) -> OAuthEntry:
        """Nothing can be written: a token that rotates must not be spent, any other is renewed in memory."""
        provider, entry = login.provider, self._known(login)
        if flow.ROTATES:
            return self._last_resort(provider, entry, Refused(f"a renewed token could not be saved: {why}"))
        try:
            new = await self._ask(flow, entry, login)
        except Refused as exc:
            return self._last_resort(provider, entry, exc)
        return self._keep(provider, entry.refresh, new)

    async def _ask(self, flow: Flow, entry: OAuthEntry, login: Login) -> Entry:
        """The calls; raises :class:`Refused`."""
        if not entry.refresh:
            raise Refused("auth.json holds nothing to renew it with", final=True)
        try:
            with trio.move_on_after(BUDGET):
                reply = await self._reply(flow, flow.request(entry, Context(self._environ, login.gateway)))
                new = self._stored(flow, entry, reply)
                return await self._with_models(new) if flow is FLOWS["github-copilot"] else new
        except UpstreamError as exc:
            raise Refused(str(exc), passing=True) from exc
        raise Refused(f"no answer within {BUDGET:g} seconds", passing=True)

    def _stored(self, flow: Flow, entry: OAuthEntry, reply: Json) -> Entry:
        """The new entry; a reply that cannot be used keeps its refresh token, as the old one may be spent."""
        try:
            return flow.stored(entry, reply, int(self._clock() * 1000))
        except Refused as exc:
            exc.kept = rotated(entry, reply) if flow.ROTATES else None
            raise

    async def _reply(self, flow: Flow, request: TokenRequest) -> Json:
        for pause in flow.PAUSES:
            try:
                answer = await self._fetch(request)
            except UpstreamError:
                await trio.sleep(pause)
                continue
            if answer.status != 429 and answer.status < 500:
                return read_reply(answer.status, answer.body, answer.headers)
            await trio.sleep(pause)
        answer = await self._fetch(request)
        return read_reply(answer.status, answer.body, answer.headers)

    async def _with_models(self, new: Entry) -> Entry:
        entry = _as_oauth(new)
        with trio.move_on_after(MODELS_BUDGET):
            answer = await self._fetch(github_copilot.models_request(entry))
            reply = read_reply(answer.status, answer.body, answer.headers)
            return github_copilot.with_models(new, github_copilot.base_url(entry), reply)
        raise Refused(f"no model list within {MODELS_BUDGET:g} seconds", passing=True)

    async def _fetch(self, request: TokenRequest) -> Fetched:
        return await self._http.fetch(request.method, request.url, headers=request.headers, body=request.body)

    async def _save(
        self, lock: DirectoryLock, provider: str, key: str, spent: str, new: Entry, *, done: bool = True
    ) -> OAuthEntry:
        """Write the new entry, unless somebody else has replaced the one it was made from.

        A lock that was lost meanwhile is taken again. What cannot be written stays in memory, so that this process can
        go on. ``done``: the login is renewed.
        """

        def change(current: Json) -> Json:
            return new if isinstance(current, dict) and current.get("refresh") == spent else None

        def write() -> bool:
            if not lock.compromised:
                return self._auth.write_locked(key, change)
            lock.release()
            return self._auth.update(key, change)

        try:
            written = await trio.to_thread.run_sync(write)
        except (OSError, PiproxyError) as exc:
            _log.error(
                "The renewed login for %s could not be saved and will be lost when piproxy stops: %s", provider, exc
            )
            return self._keep(provider, spent, new)
        self._unsaved.pop(provider, None)
        self._failures.pop(provider, None)
        if written and done:
            _log.info("Renewed the login for %s", provider)
        return _as_oauth(new)

    def _keep(self, provider: str, spent: str, new: Entry) -> OAuthEntry:
        entry = _as_oauth(new)
        self._unsaved[provider] = _Unsaved(spent, entry)
        return entry

    def _known(self, login: Login) -> OAuthEntry:
        if login.entry is None:
            raise CredentialError(f"No login is stored for provider '{login.provider}'. {_again(login.provider)}")
        return self._newest(login.provider, login.entry)

    def _newest(self, provider: str, on_file: OAuthEntry) -> OAuthEntry:
        unsaved = self._unsaved.get(provider)
        if unsaved is not None and unsaved.spent == on_file.refresh and unsaved.entry.expires >= on_file.expires:
            return unsaved.entry
        return on_file

    def _last_resort(self, provider: str, entry: OAuthEntry, failed: Refused) -> OAuthEntry:
        """The old token while it is valid, else the error for the client."""
        reason, final = failed.reason, failed.final
        ended = "was refused" if self._valid(entry) and self._refused(provider, entry) else "has expired"
        why = f"The login for provider '{provider}' {ended} and could not be renewed ({reason.rstrip('.')})."
        again = _again(provider)
        message = f"{why} {again}" if final else f"{why} If that lasts: {again[0].lower()}{again[1:]}"
        until = math.inf if final else self._clock() + AFTER_FAILURE
        self._failures[provider] = _Failure(entry.refresh, until, message)
        if not self._usable(provider, entry, final=final):
            raise CredentialError(message, passing=failed.passing, retry_after=failed.retry_after)
        _log.warning("The login for %s could not be renewed (%s); its token is still valid", provider, reason)
        return entry

    def _due(self, provider: str, entry: OAuthEntry) -> bool:
        return self._clock() * 1000 + MARGIN_MS >= entry.expires or self._refused(provider, entry)

    def _refused(self, provider: str, entry: OAuthEntry) -> bool:
        last = self._refusals.get(provider)
        return last is not None and last.access == entry.access and self._clock() < last.until

    def _usable(self, provider: str, entry: OAuthEntry, *, final: bool) -> bool:
        """Worth a try without a renewal: not what was refused, once it is certain that no renewal will follow."""
        return self._valid(entry) and not (final and self._refused(provider, entry))

    def _valid(self, entry: OAuthEntry) -> bool:
        return self._clock() * 1000 < entry.expires


def _as_oauth(entry: Entry) -> OAuthEntry:
    read = read_entry(entry)
    if not isinstance(read, OAuthEntry):
        raise Refused("the reply cannot be stored")
    return read


def _again(provider: str) -> str:
    return f"Log in again: run `pi` and enter `/login {provider}`, or `pi auth login {provider}`."
