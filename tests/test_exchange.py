"""Who cancels what, and when, in virtual seconds."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from math import inf

import pytest
import trio
from fakes.phases import before_first_byte, before_headers
from fakes.provider import Conversation, Provider
from fakes.room import MODEL, Room
from trio.testing import MockClock, wait_all_tasks_blocked

from piproxy.chat import Chat, UserMessage
from piproxy.credential import Credential
from piproxy.errors import (
    PiproxyError,
    ProviderError,
    ShuttingDown,
    UpstreamBroken,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from piproxy.events import Event, TextDelta, Usage
from piproxy.exchange import Call, Ending, Exchange, Head, Limits, Providers, Record, providers
from piproxy.exchange.deadlines import DRAIN, ERROR_BODY, GRAIN
from piproxy.exchange.lateness import AGAIN
from piproxy.model import Model
from piproxy.replay import ReplayMemory
from piproxy.upstream.http import Http

Script = Callable[[Conversation], Awaitable[None]]
LIMITS = Limits(connect=10, first_byte=120, idle=60, hold=10, keep_alive=15)


@pytest.fixture(autouse=True)
def _fake_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(providers, "room_for", lambda api: Room())


class Words:
    """An encoder that writes text as it is."""

    def __init__(self) -> None:
        self.usage: Usage | None = None

    def feed(self, events: Sequence[Event]) -> bytes:
        self.usage = next((event for event in events if isinstance(event, Usage)), self.usage)
        return "".join(event.text + "|" for event in events if isinstance(event, TextDelta)).encode()

    def fail(self, error: PiproxyError) -> bytes:
        return f"<{error.code}>".encode()

    def keep_alive(self) -> bytes:
        return b":"


@dataclass
class Setup:
    """One exchange on its way, and what the client got of it."""

    exchange: Exchange
    provider: Provider
    record: Record
    got: list[tuple[float, bytes]] = field(default_factory=list)
    raised: BaseException | None = None
    head: Head | None = None
    head_at: float = inf

    @property
    def text(self) -> bytes:
        return b"".join(piece for _, piece in self.got)

    def call(self, override_key: str | None = None) -> Call:
        chat = Chat(model="m", messages=(UserMessage("hello"),))
        return Call(chat=chat, model=MODEL, record=self.record, override_key=override_key)

    async def stream(self, *, read: bool = True, scope: trio.CancelScope | None = None) -> None:
        """Run as the server does: a request nursery, the exchange in it, a body that reads the channel."""
        with scope or trio.CancelScope():
            try:
                async with trio.open_nursery() as nursery:
                    send, receive = trio.open_memory_channel[bytes](0)
                    try:
                        self.head = await nursery.start(self.exchange.stream, self.call(), Words(), send)
                    except PiproxyError as error:
                        self.raised = error
                        return
                    self.head_at = trio.current_time()
                    if not read:
                        await trio.sleep_forever()
                    async with receive:
                        async for piece in receive:
                            self.got.append((trio.current_time(), piece))
            except BaseExceptionGroup as group:
                self.raised = group


@asynccontextmanager
async def setup(
    script: Script,
    *,
    limits: Limits = LIMITS,
    connect: Callable[[], Awaitable[None]] | None = None,
    credential: Callable[[Model, str | None], Awaitable[Credential]] | None = None,
    memory: ReplayMemory | None = None,
    other: Other | None = None,
) -> AsyncIterator[Setup]:
    async def no_credential(model: Model, override: str | None) -> Credential:
        return Credential(api_key="k", from_client=override is not None)

    async with trio.open_nursery() as nursery:
        provider = Provider(nursery, script, connect)
        async with Http(connect=provider.connect) as http:
            asked = Providers(
                upstream=http,
                credential=credential or no_credential,
                memory=memory,
                other=other,
                blame=blame if other is not None else None,
            )
            yield Setup(Exchange(asked, limits), provider, Record(request_id="r"))
        await wait_all_tasks_blocked()
        assert provider.open == 0, "a connection to the provider is still open"
        nursery.cancel_scope.cancel()


class Endless:
    """An upstream that always has another line, and counts how many were taken."""

    status = 200
    headers: Mapping[str, str] = {}

    def __init__(self) -> None:
        self.given = 0

    @asynccontextmanager
    async def stream(self, method: str, url: str, **kwargs: object) -> AsyncIterator[Endless]:
        yield self

    async def read(self) -> bytes:
        await trio.lowlevel.checkpoint()
        self.given += 1
        return b"a" * 100_000 + b"\n"


async def forever(talk: Conversation) -> None:
    await trio.sleep_forever()


async def test_events_reach_the_client_as_they_come(autojump_clock: MockClock) -> None:
    """A delta sent at second 1 is at the client at second 1, and the answer ends when the provider ends."""

    async def script(talk: Conversation) -> None:
        await talk.head()
        for word in (b"a\n", b"b\n"):
            await trio.sleep(1)
            await talk.data(word)
        await talk.data(b"!end\n")
        await talk.end()

    async with setup(script) as s:
        start = trio.current_time()
        await s.stream()
        assert [(round(at - start, 3), piece) for at, piece in s.got] == [(1, b"a|"), (2, b"b|")]
        assert s.record.usage == Usage(input=3, output=2)
        assert s.record.ending is Ending.DONE
        assert s.record.first_event == 1
        assert s.head == Head(("seed",))


async def between_events(talk: Conversation) -> None:
    await talk.head()
    await talk.data(b"a\n")
    await trio.sleep_forever()


async def mid_event(talk: Conversation) -> None:
    await talk.head()
    await talk.data(b"a\nb")
    await trio.sleep_forever()


PHASES = (before_headers, before_first_byte, between_events, mid_event)


@pytest.mark.parametrize("script", PHASES)
@pytest.mark.parametrize("whole", [False, True])
async def test_a_client_that_leaves_closes_the_upstream_in_that_instant(
    script: Script, whole: bool, autojump_clock: MockClock
) -> None:
    """In every phase, streaming or not, no virtual time passes between the leaving and the close."""
    async with setup(script) as s:
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as nursery:
                if whole:
                    nursery.start_soon(s.exchange.whole, s.call(), Words())
                else:
                    nursery.start_soon(s.stream)
                await trio.sleep(5)
                assert s.provider.opened == 1
                left = trio.current_time()
                scope.cancel()
        await wait_all_tasks_blocked()
        assert s.provider.closed_at == [left]


async def test_a_client_that_leaves_while_the_connection_is_being_made(autojump_clock: MockClock) -> None:
    """Nothing is opened after the client left."""
    async with setup(forever, connect=trio.sleep_forever) as s:
        with trio.move_on_after(3):
            await s.stream()
        assert s.provider.opened == 0


async def test_a_client_that_leaves_while_the_credential_is_fetched(autojump_clock: MockClock) -> None:
    """The provider is never asked."""

    async def slow(model: Model, override: str | None) -> Credential:
        await trio.sleep_forever()
        raise AssertionError

    async with setup(forever, credential=slow) as s:
        with trio.move_on_after(3):
            await s.stream()
        assert s.provider.opened == 0


async def hang_after_one(talk: Conversation) -> None:
    await talk.head()
    await trio.sleep(30)
    await talk.data(b"a\n")
    await trio.sleep_forever()


@pytest.mark.parametrize(
    ("script", "limits", "seconds", "words"),
    [
        (before_headers, LIMITS, 120, "did not begin to answer within 120 s"),
        (before_first_byte, Limits(first_byte=50, hold=inf), 50, "did not begin to answer within 50 s"),
        (hang_after_one, Limits(idle=60, hold=inf), 90, "silent for 60 s"),
        (hang_after_one, Limits(idle=60, total=70), 70, "longer than 70 s"),
        (before_headers, Limits(total=7), 7, "longer than 7 s"),
    ],
)
async def test_each_wait_has_its_deadline(
    script: Script, limits: Limits, seconds: float, words: str, autojump_clock: MockClock
) -> None:
    """A whole answer fails with 504 at the exact second, and the upstream is closed then."""
    async with setup(script, limits=limits) as s:
        start = trio.current_time()
        with pytest.raises(UpstreamTimeout, match=words) as caught:
            await s.exchange.whole(s.call(), Words())
        assert caught.value.status == 504
        await wait_all_tasks_blocked()
        assert [at - start for at in s.provider.closed_at] == [pytest.approx(seconds)]
        assert s.record.ending is Ending.DEADLINE


@pytest.mark.parametrize("gap", [0.02, 0.3, 0.9, 1.1])
async def test_a_silence_behind_dense_pieces_may_last_a_second_longer(gap: float, autojump_clock: MockClock) -> None:
    """Never is it cut short, wherever the deadline was moved last."""
    last = 0.0
    for pieces in range(1, 8):

        async def script(talk: Conversation, pieces: int = pieces) -> None:
            nonlocal last
            await talk.head()
            for _ in range(pieces):
                await trio.sleep(gap)
                await talk.data(b"a\n")
            last = trio.current_time()
            await trio.sleep_forever()

        async with setup(script) as s:
            with pytest.raises(UpstreamTimeout, match="silent for 60 s"):
                await s.exchange.whole(s.call(), Words())
            await wait_all_tasks_blocked()
            [closed] = s.provider.closed_at
            assert 60 - 1e-6 <= closed - last <= 60 + GRAIN + 1e-6


async def test_connecting_has_a_deadline_of_its_own(autojump_clock: MockClock) -> None:
    """Ten seconds without a connection are a 504, although the first byte may take 120."""
    async with setup(forever, connect=trio.sleep_forever) as s:
        start = trio.current_time()
        with pytest.raises(UpstreamTimeout, match="No connection to the provider within 10 s"):
            await s.exchange.whole(s.call(), Words())
        assert trio.current_time() - start == pytest.approx(10)


async def test_a_healthy_stream_lives_longer_than_every_deadline(autojump_clock: MockClock) -> None:
    """An hour of an event every 59 seconds is no timeout."""

    async def script(talk: Conversation) -> None:
        await talk.head()
        for _ in range(61):
            await trio.sleep(59)
            await talk.data(b"a\n")
        await talk.data(b"!end\n")
        await talk.end()

    async with setup(script) as s:
        await s.stream()
        assert s.text.count(b"a|") == 61
        assert s.record.ending is Ending.DONE


async def test_a_deadline_in_mid_stream_is_one_error_frame(autojump_clock: MockClock) -> None:
    """The upstream is closed first, then the client is told."""
    async with setup(between_events, limits=Limits(idle=60, keep_alive=0)) as s:
        start = trio.current_time()
        await s.stream()
        assert [(at - start, piece) for at, piece in s.got] == [(0, b"a|"), (pytest.approx(60), b"<timeout>")]
        assert [at - start for at in s.provider.closed_at] == [pytest.approx(60)]


async def test_comments_keep_a_silent_stream_alive_but_not_its_deadline(autojump_clock: MockClock) -> None:
    """A comment every 15 seconds of silence; after 50 the deadline passes all the same."""
    async with setup(between_events, limits=Limits(idle=50, keep_alive=15)) as s:
        start = trio.current_time()
        await s.stream()
        assert [(round(at - start), piece) for at, piece in s.got] == [
            (0, b"a|"),
            (15, b":"),
            (30, b":"),
            (45, b":"),
            (50, b"<timeout>"),
        ]


async def test_the_status_line_waits_for_the_first_event_but_not_for_ever(autojump_clock: MockClock) -> None:
    """A provider that thinks for 30 seconds: the head goes out after 10, comments follow."""
    async with setup(hang_after_one, limits=Limits(hold=10, keep_alive=20, idle=60)) as s:
        start = trio.current_time()
        await s.stream()
        assert s.head_at - start == pytest.approx(10)
        assert s.head == Head(("seed",))
        assert [(round(at - start), piece) for at, piece in s.got][:2] == [(20, b":"), (30, b"a|")]


@pytest.mark.parametrize(("status", "shown"), [(429, 429), (400, 400), (401, 502), (503, 503)])
async def test_a_refusal_keeps_its_status(status: int, shown: int, autojump_clock: MockClock) -> None:
    """What the provider refuses is raised before the answer has begun."""

    async def script(talk: Conversation) -> None:
        await talk.json(status, b"no")

    async with setup(script) as s:
        await s.stream()
        assert isinstance(s.raised, ProviderError)
        assert (s.raised.status, s.raised.message) == (shown, "no")
        assert s.record.ending is (Ending.REFUSED if shown < 500 else Ending.UPSTREAM)


@pytest.mark.parametrize("then", ["reset", "silence"])
async def test_a_refusal_keeps_its_status_without_its_words(then: str, autojump_clock: MockClock) -> None:
    """A body that breaks off, or stalls, loses nothing but what it did not say."""

    async def script(talk: Conversation) -> None:
        await talk.head(429, "text/plain", retry_after="7")
        await talk.data(b"slow do")
        if then == "reset":
            await talk.break_off()
        await trio.sleep_forever()

    async with setup(script) as s:
        start = trio.current_time()
        with pytest.raises(ProviderError, match="slow do") as caught:
            await s.exchange.whole(s.call(), Words())
        assert caught.value.status == 429
        assert trio.current_time() - start == (0 if then == "reset" else pytest.approx(ERROR_BODY))


Other = Callable[[Model, Credential, ProviderError], Awaitable[Credential | None]]


def others(*keys: str | None) -> Other:
    """Another credential for each refusal, in this order; ``None``: there is none."""
    left = list(keys)

    async def other(model: Model, credential: Credential, error: ProviderError) -> Credential | None:
        assert credential.api_key == "k"
        key = left.pop(0)
        return Credential(api_key=key) if key else None

    return other


async def blame(model: Model, error: ProviderError) -> None:
    error.message += " (of ours)"


@pytest.mark.parametrize(
    ("refused", "other", "asked", "ending"),
    [
        (1, others("another"), 2, None),
        (2, others("another", "third"), 2, "refusal 2 (of ours)"),
        (1, others(None), 1, "refusal 1 (of ours)"),
        (1, None, 1, "refusal 1"),
    ],
)
async def test_a_refused_credential_is_replaced_once(
    *, refused: int, other: Other | None, asked: int, ending: str | None
) -> None:
    """If by now there is another one; the second refusal stands, and so does the first where there is none.

    Each says whose credential it was.
    """
    came: list[str] = []

    async def script(talk: Conversation) -> None:
        came.append(talk.asked.headers["authorization"])
        if len(came) <= refused:
            await talk.json(401, f"refusal {len(came)}".encode())
        else:
            await talk.head()
            await talk.data(b"a\n!end\n")
            await talk.end()

    async with setup(script, other=other) as s:
        await s.stream()
        assert came == ["Bearer k", "Bearer another"][:asked]
        if ending is None:
            assert (s.text, s.raised, s.record.ending) == (b"a|", None, Ending.DONE)
        else:
            assert isinstance(s.raised, ProviderError)
            assert (s.raised.status, s.raised.message) == (502, ending)


async def test_the_clients_own_key_is_the_clients_own_fault(autojump_clock: MockClock) -> None:
    """A key from X-Pi-Upstream-Api-Key that the provider refuses is a 401, and may not be retried by itself."""

    async def script(talk: Conversation) -> None:
        await talk.json(403, b"bad key")

    async with setup(script) as s:
        with pytest.raises(ProviderError) as caught:
            await s.exchange.whole(s.call(override_key="mine"), Words())
        assert (caught.value.status, caught.value.code) == (403, "invalid_api_key")


async def cut(talk: Conversation) -> None:
    await talk.head()
    await talk.data(b"a\n")
    await talk.break_off()


async def short(talk: Conversation) -> None:
    await talk.head()
    await talk.data(b"a\n")
    await talk.end()


async def sad(talk: Conversation) -> None:
    await talk.head()
    await talk.data(b"a\n!error\n")
    await trio.sleep_forever()


@pytest.mark.parametrize(
    ("script", "code"), [(cut, "upstream_protocol_error"), (short, "upstream_protocol_error"), (sad, "overloaded")]
)
async def test_a_stream_that_stops_short_is_an_error(script: Script, code: str, autojump_clock: MockClock) -> None:
    """What came before is delivered, also when it came in the same bytes; then one error frame."""
    async with setup(script) as s:
        await s.stream()
        assert s.text == b"a|<" + code.encode() + b">"
        assert s.record.ending is Ending.UPSTREAM
    async with setup(script) as s:
        with pytest.raises((UpstreamBroken, ProviderError)):
            await s.exchange.whole(s.call(), Words())


async def test_no_answer_at_all(autojump_clock: MockClock) -> None:
    """A connection that closes without a byte is a 502 that names the host."""

    async def script(talk: Conversation) -> None:
        await talk.break_off()

    async with setup(script) as s:
        with pytest.raises(UpstreamUnreachable, match=r"provider\.test:80 did not answer"):
            await s.exchange.whole(s.call(), Words())


async def test_a_bug_ends_one_request(autojump_clock: MockClock) -> None:
    """The client gets an error frame without details, the record keeps the exception."""

    async def script(talk: Conversation) -> None:
        await talk.head()
        await talk.data(b"a\n")
        await trio.sleep(1)
        await talk.data(b"!bug\n")
        await trio.sleep_forever()

    async with setup(script) as s:
        await s.stream()
        assert s.text == b"a|<None>"
        assert isinstance(s.record.bug, RuntimeError)
        assert s.record.ending is Ending.BUG


async def test_a_slow_client_slows_the_provider(autojump_clock: MockClock) -> None:
    """Nothing piles up: while the client reads nothing, one piece of the answer is taken and no more."""
    async with setup(forever) as s:
        s.exchange.providers._upstream = endless = Endless()
        with trio.move_on_after(30):
            await s.stream(read=False)
        assert s.text == b""
        assert endless.given == 1


async def test_the_connection_is_used_again(autojump_clock: MockClock) -> None:
    """An answer read to its end leaves its connection in the pool."""

    async def script(talk: Conversation) -> None:
        await talk.head()
        await talk.data(b"a\n!end\n")
        await talk.end()

    async with setup(script) as s:
        await s.exchange.whole(s.call(), Words())
        assert s.provider.opened == 1


async def test_a_finished_answer_does_not_wait_for_a_provider_that_never_closes(autojump_clock: MockClock) -> None:
    """The last frame goes out at once; the body's end follows a tenth of a second later."""

    async def script(talk: Conversation) -> None:
        await talk.head()
        await talk.data(b"a\n!end\n")
        await trio.sleep_forever()

    async with setup(script) as s:
        start = trio.current_time()
        await s.stream()
        assert (s.got[0][0], s.text) == (start, b"a|")
        assert trio.current_time() - start == pytest.approx(DRAIN)
        assert s.record.ending is Ending.DONE


async def test_whoever_never_ends_its_answers_is_not_waited_for_again(autojump_clock: MockClock) -> None:
    """Twice a whole answer waits, then none for a minute; a provider that ends one in time is waited for as before."""
    ends = False

    async def script(talk: Conversation) -> None:
        await talk.head()
        await talk.data(b"a\n!end\n")
        if not ends:
            await trio.sleep_forever()
        await trio.sleep(DRAIN / 2)
        await talk.end()

    async def took() -> float:
        start = trio.current_time()
        await s.exchange.whole(s.call(), Words())
        return trio.current_time() - start

    async with setup(script) as s:
        assert [await took() for _ in range(4)] == pytest.approx([DRAIN, DRAIN, 0, 0])
        await trio.sleep(AGAIN)
        assert [await took() for _ in range(2)] == pytest.approx([DRAIN, 0])
        await trio.sleep(AGAIN)
        ends = True
        opened = s.provider.opened
        assert [await took() for _ in range(3)] == pytest.approx([DRAIN / 2] * 3)
        assert s.provider.opened == opened + 1


@pytest.mark.parametrize("how", ["total", "shutdown"])
async def test_nothing_that_comes_after_the_finish_harms(how: str, autojump_clock: MockClock) -> None:
    """Neither a total that passes nor a shutdown, while the connection is being saved."""

    async def script(talk: Conversation) -> None:
        await talk.head()
        await trio.sleep(5)
        await talk.data(b"a\n!end\n")
        await trio.sleep_forever()

    async with setup(script, limits=Limits(total=5 + DRAIN / 2) if how == "total" else LIMITS) as s:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(s.exchange.whole, s.call(), Words())
            await trio.sleep(5 + DRAIN / 2)
            if how == "shutdown":
                s.exchange.end_all(ShuttingDown("stopping"))
        assert s.record.ending is Ending.DONE


async def test_replay_is_kept_for_the_next_request(autojump_clock: MockClock) -> None:
    """What the parser left is in the memory, under its api."""
    memory = ReplayMemory()

    async def script(talk: Conversation) -> None:
        await talk.head()
        await talk.data(b"!end\n")
        await talk.end()

    async with setup(script, memory=memory) as s:
        await s.exchange.whole(s.call(), Words())
    assert memory.view("fake")["call_1"] == "signature"
    assert "call_1" not in memory.view("other")


async def test_a_shutdown_ends_every_stream_with_an_error_frame(autojump_clock: MockClock) -> None:
    """The upstream is closed in that instant, the client is told, and nothing is running any more."""
    async with setup(between_events) as s:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(s.stream)
            await trio.sleep(5)
            assert len(s.exchange) == 1
            s.exchange.end_all(ShuttingDown("stopping"))
        assert s.text == b"a|<shutting_down>"
        assert len(s.exchange) == 0
        assert s.record.ending is Ending.SHUTDOWN
