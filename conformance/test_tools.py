"""The suite's own tools: what is written down, what is taken out, what counts as a difference."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import trio
from hpack import Encoder
from hyperframe.frame import DataFrame, HeadersFrame, SettingsFrame
from trio.testing import MockClock

from conformance.blocks import CLOSED, GOT, SENT, Block, dump, parse
from conformance.case import Exchange, exchanges, folders, load
from conformance.clients import TABLE, clients
from conformance.compare import difference, rows
from conformance.inside import play
from conformance.messages import PREFACE, Message, Reader
from conformance.player import Recorded
from conformance.record import KEY
from conformance.scenarios import SCENARIOS
from conformance.strip import SecretLeft, stripped
from conformance.vendors import UPSTREAM_KEY
from conformance.verdict import held, late, verdict

README = Path(__file__).with_name("README.md")


def answered(body: bytes, *, status: int = 200, kind: str = "text/event-stream") -> Exchange:
    """A request and this answer."""
    asked, replied = Reader("client"), Reader("server")
    asked.feed(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n", 0.0)
    head = f"HTTP/1.1 {status} \r\ncontent-type: {kind}\r\ncontent-length: {len(body)}\r\n\r\n".encode()
    replied.feed(head + body, 0.1)
    return Exchange(1, asked.messages[0], replied.messages[0], left=False)


def frames(*texts: str, id: str = "c1") -> bytes:
    """A stream of these pieces of text."""
    values = [{"id": id, "created": len(texts), "choices": [{"delta": {"content": text}}]} for text in texts]
    return b"".join(b"data: %s\n\n" % json.dumps(value).encode() for value in values) + b"data: [DONE]\n\n"


def test_blocks_are_written_and_read() -> None:
    """Any bytes come back, with their times, those of the format itself too."""
    odd = b"### sent 1 at 0.1 size 3\n"
    blocks = [Block(SENT, 1, 0.000001, odd), Block(GOT, 12, 3.5, b"\r\n\xff\x00"), Block(GOT, 1, 4)]
    assert parse(dump(blocks)) == blocks


def test_damaged_blocks_are_refused() -> None:
    """An editor that changes line ends does not go unnoticed."""
    damaged = dump([Block(SENT, 1, 0.0, b"a\r\nb")]).replace(b"\r\n", b"\n")
    with pytest.raises(ValueError, match="not as long"):
        parse(damaged)


@pytest.mark.parametrize(
    "line",
    [
        "Authorization: Bearer SECRETSECRET",
        "x-api-key: SECRETSECRET",
        "X-Goog-Api-Key:SECRETSECRET",
        "cookie: a=SECRETSECRET",
        "x-other: sk-proj-SECRETSECRETSECRET",
        "x-other: ghp_SECRETSECRETSECRETSECRET",
        "x-other: named-SECRETSECRET",
    ],
)
def test_secrets_are_taken_out(line: str) -> None:
    """A key goes, cut anywhere, and every byte keeps its place."""
    data = f"GET / HTTP/1.1\r\nhost: x\r\n{line}\r\n\r\n".encode()
    for cut in range(len(data)):
        blocks = [Block(SENT, 1, 0.0, data[:cut]), Block(GOT, 1, 0.1, b"x"), Block(SENT, 1, 0.2, data[cut:])]
        clean = stripped(blocks, ["named-SECRETSECRET"])
        assert b"SECRET" not in b"".join(block.data for block in clean)
        assert [len(block.data) for block in clean] == [len(block.data) for block in blocks]


def over_http2(*headers: tuple[str, str], bodies: Sequence[bytes] = ()) -> bytes:
    """A request, its body in these frames."""
    head = HeadersFrame(1, flags=["END_HEADERS"])
    head.data = Encoder().encode([(":method", "POST"), *headers])
    data = [DataFrame(1, body).serialize() for body in bodies]
    end = DataFrame(1, b"", flags=["END_STREAM"]).serialize()
    return b"".join((PREFACE, SettingsFrame(0).serialize(), head.serialize(), *data, end))


@pytest.mark.parametrize(
    "data",
    [
        over_http2(("authorization", "Bearer key")),
        over_http2(("x-other", "sk-proj-SECRETSECRETSECRET")),
        over_http2(("x-other", "of named-SECRETSECRET")),
        over_http2(bodies=[b"named-SECRE", b"TSECRET"]),
    ],
    ids=["authorization", "token", "name", "cut"],
)
def test_http2_with_a_secret_is_not_recorded(data: bytes) -> None:
    """HTTP/2 hides headers from a search and cuts bodies, so a connection that carries a secret there is refused."""
    with pytest.raises(SecretLeft):
        stripped([Block(SENT, 1, 0.0, data)], ["named-SECRETSECRET"])


def test_secrets_are_taken_out_of_http2_bodies() -> None:
    """What stands in one frame goes as it does from HTTP/1.1."""
    (clean,) = stripped([Block(SENT, 1, 0.0, over_http2(bodies=[b"a named-SECRETSECRET b"]))], ["named-SECRETSECRET"])
    assert clean.data == over_http2(bodies=[b"a " + b"x" * 18 + b" b"])


def test_a_cookie_of_http2_is_not_recorded() -> None:
    """The server's side is looked at, too."""
    answer = over_http2(("set-cookie", "a=b")).removeprefix(PREFACE)
    with pytest.raises(SecretLeft):
        stripped([Block(SENT, 1, 0.0, over_http2()), Block(GOT, 1, 0.1, answer)])


@pytest.mark.parametrize("name", ["request", "upstream", "expected"])
def test_no_recording_holds_a_secret(name: str) -> None:
    """There is nothing left to take out of what is in the repository."""
    for folder in folders():
        blocks = getattr(load(folder).recording, name)
        assert stripped(blocks, [KEY, UPSTREAM_KEY], names=[]) == blocks, folder


def test_ids_dates_and_cuts_do_not_matter() -> None:
    """Two streams that say the same are the same."""
    assert rows(answered(frames("Hel", "lo"))) == rows(answered(frames("Hello", id="c2")))


def test_white_space_matters() -> None:
    """A trimmed answer is another answer, and the difference can be read."""
    old, new = rows(answered(frames(" Hello "))), rows(answered(frames("Hello")))
    assert '-content: " Hello "' in difference(old, new, "answer")


def test_what_a_frame_is_matters() -> None:
    """A chunk that is called something else, has something more, or bears another id than the one before it."""
    plain = frames("Hel", "lo")
    for old, new in (
        (b'"id"', b'"name"'),
        (b'"choices"', b'"usage": null, "choices"'),
        (b'"delta"', b'"index": 0, "delta"'),
    ):
        assert rows(answered(plain.replace(old, new))) != rows(answered(plain))
    assert rows(answered(plain.replace(b"c1", b"c2", 1))) != rows(answered(plain))


def test_statuses_matter() -> None:
    """The same words with another status are another answer."""
    body = b'{"error":{"message":"no"}}'
    refused, failed = (answered(body, status=status, kind="application/json") for status in (400, 500))
    assert rows(refused) != rows(failed)


def test_a_word_that_is_held_back_is_found() -> None:
    """A stream whose pieces come only with the provider's next ones differs, although each comes when something did."""
    (folder,) = folders("/openai-python/stream-anthropic")
    played = play(load(folder))
    assert not held(played)
    spoken = sorted({block.at for block in played.recording.upstream if block.word == GOT})
    for block in [block for block in played.recording.expected if block.word == GOT]:
        after = next((at for at in spoken if at > block.at), block.at)
        played.recording.expected.remove(block)
        played.recording.expected.append(replace(block, at=after))
    assert not late(played)
    assert "'  Grüße f' at" in "".join(held(played))


def test_a_connection_that_stays_open_is_found() -> None:
    """Piproxy has to close what it closed in the recording, and nothing else."""
    (folder,) = folders("/raw/connection-close")
    case = load(folder)
    played = play(case)
    closed = [block for block in played.recording.expected if block.word == CLOSED]
    played.recording.expected.remove(closed[0])
    assert verdict(case, played) == ["piproxy closed connection 1, and leaves it open now"]
    case.recording.expected = [block for block in case.recording.expected if block.word != CLOSED]
    played.recording.expected += closed
    assert verdict(case, played) == ["piproxy closes connection 1 now"]


def test_an_answer_before_the_answer_is_seen() -> None:
    """100 Continue is a part of what a server says."""
    (folder,) = folders("/raw/expect-continue")
    recording = load(folder).recording
    (talk,) = exchanges(recording.request, recording.expected)
    assert rows(talk)[:2] == ["first 100", "status 200"]


@pytest.mark.parametrize(("name", "ends"), [("llm/stream", True), ("llm/abort", False)])
def test_a_provider_that_has_said_all_ends(name: str, ends: bool) -> None:
    """Piproxy left at the last word in the recording; another server may wait for HTTP to say that it was the last."""
    (folder,) = folders(f"/{name}")
    written = bytearray()

    async def write(data: bytes) -> None:
        written.extend(data)

    async def serve() -> None:
        with trio.move_on_after(1000):
            await Recorded(load(folder).recording.upstream, exactly=False).serve(1, Message(), write)

    trio.run(serve, clock=MockClock(autojump_threshold=0))
    assert written.endswith(b"0\r\n\r\n") == ends


def test_every_case_is_known() -> None:
    """Each folder belongs to a client of clients.toml at its version and to a scenario."""
    known = clients()
    for folder in folders():
        about = load(folder).about
        assert folder.parent.name in known, folder
        assert about["scenario"] in SCENARIOS, folder
        assert about["version"] == known[folder.parent.name].version, f"{folder}: {TABLE.name} has another version"


def test_the_readme_counts_right() -> None:
    """Its table has each client with its version and its number of cases, and both READMEs have the sum."""
    text = README.read_text(encoding="utf-8")
    for name, client in clients().items():
        assert f"| {name} | {client.version} | {len(folders(f'/{name}/'))} |" in text
    front = README.parents[1].joinpath("README.md").read_text(encoding="utf-8")
    assert f"{len(folders())} cases of {len(clients())} clients." in text
    assert f"{len(folders())} recorded cases of {len(clients())} real clients" in front


CELLS = {
    "text": {"text"},
    "streaming": {"stream", "structured-stream"},
    "tools": {"tools", "tools-stream", "agent", "called", "structured-tool"},
    "image": {"image", "structured-image"},
    "structured": {"structured"},
    "reasoning": {"reasoning", "reasoning-whole", "structured-reasoning"},
    "error": {"error", "error-stream", "structured-error"},
    "retry": {"retry", "overloaded", "structured-retry"},
    "abort": {"abort", "abort-whole", "abort-early", "structured-abort"},
}
"""What every client should be seen doing, and the scenarios that show it."""


def test_the_readme_says_what_is_not_there() -> None:
    """What a client is not recorded doing is named, and nothing else is."""
    table = README.read_text(encoding="utf-8").partition("<!-- without -->")[2].partition("<!-- /without -->")[0]
    named: dict[str, set[str]] = {}
    for line in table.strip().splitlines()[2:]:
        client, without, why = (cell.strip() for cell in line.strip("|").split("|"))
        assert why
        named.setdefault(client, set()).update(without.split(", "))
    absent = {}
    for name in clients():
        shown = {load(folder).about["scenario"] for folder in folders(f"/{name}/")}
        if missing := {cell for cell, scenarios in CELLS.items() if not scenarios & shown}:
            absent[name] = missing
    assert named == absent


def test_the_readme_names_cases_that_exist() -> None:
    """Every known difference points to a recording."""
    text = README.read_text(encoding="utf-8").partition("## Known differences")[2].partition("## Clients")[0]
    named = {word.strip("`,") for word in text.split() if word.startswith("`") and word.count("/") == 1}
    cases = {f"{folder.parent.name}/{folder.name}" for folder in folders()}
    assert {name for name in named if name.split("/")[0] in clients()} <= cases
