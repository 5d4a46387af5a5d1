"""HTTPS on real sockets: certificates of the user's, certificates of our own, real clients over HTTP/2."""

from __future__ import annotations

import json
import os
import shutil
import signal
import ssl
import stat
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
import trio
from cryptography import x509
from fakes.h2client import H2Client
from fakes.provider import DONE, chunk
from fakes.served import HEAD, piece, served
from fakes.tls import write_tls
from fakes.waiting import Said

from piproxy.errors import ConfigError
from piproxy.server.selfsigned import names, self_signed
from piproxy.server.tls import certificate, server_context
from piproxy.settings import Address, Settings

CHAT = {"model": "m", "messages": [{"role": "user", "content": "hello"}]}
LOCAL = (Address("127.0.0.1", 4141),)


async def hello(stream: trio.SocketStream) -> None:
    frames = chunk(content="hello") + chunk(finish_reason="stop") + DONE
    head = HEAD.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n")
    await stream.send_all(head + piece(frames) + b"0\r\n\r\n")


async def one_event(stream: trio.SocketStream) -> None:
    await stream.send_all(HEAD + piece(chunk(content="a")))


@pytest.mark.parametrize("http2", [True, False], ids=["h2", "http/1.1"])
async def test_httpx_negotiates(http2: bool, tmp_path: Path) -> None:
    """ALPN gives HTTP/2 to whoever can, HTTP/1.1 to the rest; twenty answers on one connection."""
    tls = write_tls(tmp_path)
    with trio.fail_after(60):
        async with served(tmp_path, hello, certfile=str(tls.certfile), keyfile=str(tls.keyfile)) as s:
            base = f"https://127.0.0.1:{s.port}"
            async with httpx.AsyncClient(
                http2=http2, http1=not http2, verify=tls.client(), base_url=base, timeout=60
            ) as client:
                for _ in range(20):
                    answer = await client.post("/v1/chat/completions", json=CHAT)
                    assert answer.json()["choices"][0]["message"]["content"] == "hello"
                    assert answer.http_version == ("HTTP/2" if http2 else "HTTP/1.1")


@pytest.mark.parametrize("secured", [False, True], ids=["h2c", "TLS"])
@pytest.mark.parametrize("how", ["reset", "close"])
async def test_leaving_over_http2_closes_the_upstream(secured: bool, how: str, tmp_path: Path) -> None:
    """RST_STREAM ends one request, and the connection goes on; closing it ends all."""
    tls = write_tls(tmp_path)
    flags = {"certfile": str(tls.certfile), "keyfile": str(tls.keyfile)} if secured else {}
    with trio.fail_after(60):
        async with served(tmp_path, one_event, **flags) as s:
            stream: trio.abc.Stream = await trio.open_tcp_stream("127.0.0.1", s.port)
            if secured:
                assert isinstance(stream, trio.SocketStream)
                stream = trio.SSLStream(stream, tls.client("h2"), server_hostname="localhost", https_compatible=True)
            client = await H2Client(stream, s.nursery).start()
            reply = await client.send("POST", "/v1/chat/completions", {**CHAT, "stream": True})
            await client.until(lambda: b'"content":"a"' in reply.body)
            assert s.provider.closed == 0
            await (client.reset(reply) if how == "reset" else client.leave())
            await s.provider.gone.wait()
            assert (s.provider.asked, s.provider.closed) == (1, 1)
            if how == "reset":
                assert (await client.ask("GET", "/health")).status == 200
                await client.leave()


async def test_httpx_says_nothing_when_it_closes_a_stream_over_http2(tmp_path: Path) -> None:
    """httpcore sends no RST_STREAM: the upstream is closed with the connection, or when the client has stalled."""

    async def flood(stream: trio.SocketStream) -> None:
        await stream.send_all(HEAD)
        while True:
            await stream.send_all(piece(chunk(content="x" * 10_000)))

    with trio.fail_after(60):
        async with served(tmp_path, flood, client_stall_timeout_sec=0.5) as s:
            url = f"http://127.0.0.1:{s.port}"
            async with httpx.AsyncClient(http2=True, http1=False, base_url=url, timeout=60) as client:
                body = {**CHAT, "stream": True}
                async with client.stream("POST", "/v1/chat/completions", json=body) as answer:
                    assert answer.status_code == 200
                assert (await client.get("/health")).status_code == 200
                await s.provider.gone.wait()


async def test_the_openai_sdk_over_http2(tmp_path: Path) -> None:
    """Its own client with HTTP/2 on, streaming and not."""
    tls = write_tls(tmp_path)

    def talk(base: str) -> list[str]:
        http = openai.DefaultHttpxClient(http2=True, http1=False, verify=tls.client())
        with openai.OpenAI(base_url=base, api_key="k", http_client=http, max_retries=0) as client:
            messages = [{"role": "user", "content": "hello"}]
            whole = client.chat.completions.create(model="m", messages=messages)  # type: ignore[arg-type]
            parts: Any = client.chat.completions.create(model="m", messages=messages, stream=True)  # type: ignore[arg-type]
            texts = [part.choices[0].delta.content or "" for part in parts if part.choices]
            return [whole.choices[0].message.content or "", "".join(texts)]

    with trio.fail_after(60):
        async with served(tmp_path, hello, certfile=str(tls.certfile), keyfile=str(tls.keyfile)) as s:
            assert await trio.to_thread.run_sync(talk, f"https://127.0.0.1:{s.port}/v1") == ["hello", "hello"]


async def test_a_stopping_server_ends_http2_streams_properly(tmp_path: Path) -> None:
    """The error frame, [DONE] and the end of the stream all arrive before the connection is closed."""
    with trio.fail_after(60):
        async with served(tmp_path, one_event, drain_sec=0) as s:
            async with httpx.AsyncClient(http2=True, http1=False, timeout=60) as client:
                url = f"http://127.0.0.1:{s.port}/v1/chat/completions"
                async with client.stream("POST", url, json={**CHAT, "stream": True}) as answer:
                    text = ""
                    async for line in answer.aiter_lines():
                        text += line
                        if '"content":"a"' in line:
                            os.kill(os.getpid(), signal.SIGTERM)
            assert '"code":"shutting_down"' in text
            assert text.endswith("data: [DONE]")
            await s.provider.gone.wait()


async def test_plain_http_to_a_tls_port_harms_nothing(tmp_path: Path) -> None:
    """That connection is closed; the next one is served."""
    tls = write_tls(tmp_path)
    with trio.fail_after(60):
        async with served(tmp_path, hello, certfile=str(tls.certfile), keyfile=str(tls.keyfile)) as s:
            stray = await s.post(CHAT)
            with pytest.raises(trio.BrokenResourceError):
                while await stray.receive_some(1000):
                    pass
                raise trio.BrokenResourceError
            await stray.aclose()
            async with httpx.AsyncClient(verify=tls.client(), timeout=60) as client:
                assert (await client.get(f"https://localhost:{s.port}/health")).status_code == 200


async def test_sighup_reads_the_certificate_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A renewed certificate needs no restart; a broken file changes nothing."""
    tls = write_tls(tmp_path)
    with trio.fail_after(60):
        async with served(tmp_path, hello, certfile=str(tls.certfile), keyfile=str(tls.keyfile)) as s:

            async def serial() -> int:
                stream = await trio.open_ssl_over_tcp_stream("127.0.0.1", s.port, ssl_context=tls.client("h2"))
                await stream.do_handshake()
                cert = x509.load_der_x509_certificate(stream.getpeercert(binary_form=True))
                await trio.aclose_forcefully(stream)
                return cert.serial_number

            before = await serial()
            good = tls.keyfile.read_bytes()
            tls.keyfile.write_bytes(b"broken")
            os.kill(os.getpid(), signal.SIGHUP)
            await Said(capsys).until("the settings were not changed")
            assert await serial() == before
            tls.keyfile.write_bytes(good)
            fresh = write_tls(tmp_path, renew=True)
            assert fresh.certfile == tls.certfile
            os.kill(os.getpid(), signal.SIGHUP)
            while await serial() == before:
                pass


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (Settings(certfile="none.pem"), "Cannot read none.pem"),
        (Settings(certfile="cert.pem", keyfile="none.pem"), "Cannot read none.pem"),
        (Settings(certfile="cert.pem"), "is --keyfile missing"),
        (Settings(certfile="ca.pem", keyfile="key.pem"), "key values mismatch"),
        (Settings(certfile="secret.pem"), "encrypted"),
        (Settings(keyfile="key.pem"), "certfile is not"),
    ],
)
def test_wrong_files_are_said_plainly(
    settings: Settings, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which file, and what is wrong with it; nobody is asked for a passphrase."""
    write_tls(tmp_path)
    monkeypatch.chdir(tmp_path)
    key = x509.load_pem_x509_certificate(Path("cert.pem").read_bytes())
    assert key.serial_number
    encrypted = b"-----BEGIN ENCRYPTED PRIVATE KEY-----"
    Path("secret.pem").write_bytes(_encrypted(Path("key.pem").read_bytes()) + Path("cert.pem").read_bytes())
    assert encrypted in Path("secret.pem").read_bytes()
    with pytest.raises(ConfigError, match=words):
        if found := certificate(settings, tmp_path):
            server_context(found.certfile, found.keyfile)


def _encrypted(pem: bytes) -> bytes:
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415

    key = serialization.load_pem_private_key(pem, None)
    how = serialization.BestAvailableEncryption(b"secret")
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, how)


async def test_a_self_signed_server_is_trusted_through_its_authority(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every name and address of the certificate works; the start says how to trust it; keys are the user's alone."""
    with trio.fail_after(60):
        async with served(tmp_path, hello, tls_self_signed=True) as s:
            folder = tmp_path / "piproxy-tls"
            trust = ssl.create_default_context(cafile=str(folder / "ca.pem"))
            async with httpx.AsyncClient(http2=True, verify=trust, timeout=60) as client:
                for host in ("localhost", "127.0.0.1"):
                    assert (await client.get(f"https://{host}:{s.port}/health")).http_version == "HTTP/2"
            modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
            assert (modes["key.pem"], modes["ca-key.pem"], stat.S_IMODE(folder.stat().st_mode)) == (0o600, 0o600, 0o700)
            command = [_found("curl"), "-sS", "--cacert", str(folder / "ca.pem"), "-w", " %{http_version}"]
            done = await trio.run_process(
                [*command, f"https://localhost:{s.port}/health"], capture_stdout=True, capture_stderr=True
            )
            assert done.stdout == b'{"status":"ok"} 2'
    said = capsys.readouterr().out
    assert f"curl --cacert {folder / 'ca.pem'}" in said
    assert "A new certificate authority" in said


def test_the_authority_is_made_once(tmp_path: Path) -> None:
    """A second start finds everything; another name, or the end coming near, is a new certificate of the same one."""
    now = datetime.now(UTC)
    first = self_signed(tmp_path, LOCAL, now)
    authority, cert = (first.folder / "ca.pem").read_bytes(), first.certfile.read_bytes()
    again = self_signed(tmp_path, LOCAL, now)
    assert (first.fresh, again.fresh, again.certfile.read_bytes()) == (True, False, cert)
    named = self_signed(tmp_path, (Address("box.local", 1),), now)
    assert (named.fresh, named.certfile.read_bytes() == cert) == (False, False)
    cert = named.certfile.read_bytes()
    renewed = self_signed(tmp_path, LOCAL, now + timedelta(days=390))
    assert (renewed.fresh, renewed.certfile.read_bytes() == cert) == (False, False)
    assert (first.folder / "ca.pem").read_bytes() == authority
    assert self_signed(tmp_path, LOCAL, now + timedelta(days=3640)).fresh


def test_the_authority_can_sign_for_this_machine_alone(tmp_path: Path) -> None:
    """Whoever steals its key cannot pass for another site: OpenSSL refuses such a certificate."""
    made = self_signed(tmp_path, LOCAL)
    ca = x509.load_pem_x509_certificate((made.folder / "ca.pem").read_bytes())
    constraints = ca.extensions.get_extension_for_class(x509.NameConstraints)
    assert constraints.critical
    permitted = constraints.value.permitted_subtrees or []
    assert {"localhost", "local"} <= {name.value for name in permitted if isinstance(name, x509.DNSName)}
    assert all(name.value.is_private for name in permitted if isinstance(name, x509.IPAddress))


def test_names_of_the_certificate() -> None:
    """This machine's, and those of the addresses that are no wildcards and nobody else's."""
    given = [Address(host, 1) for host in ("0.0.0.0", "::", "192.168.1.7", "8.8.8.8", "Box.example")]
    found = names(tuple(given))
    assert {"localhost", "127.0.0.1", "::1", "192.168.1.7", "box.example"} <= set(found)
    assert not {"0.0.0.0", "::", "8.8.8.8"} & set(found)


def test_a_broken_folder_is_said_plainly(tmp_path: Path) -> None:
    """With the folder and what to do."""
    made = self_signed(tmp_path, LOCAL)
    made.certfile.write_text("broken")
    with pytest.raises(ConfigError, match=r"piproxy-tls.*Remove that folder"):
        self_signed(tmp_path, LOCAL)


def test_without_cryptography_the_next_step_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The package is optional; nothing else needs it."""
    monkeypatch.delitem(sys.modules, "piproxy.server.authority", raising=False)
    monkeypatch.setitem(sys.modules, "cryptography", None)
    with pytest.raises(ConfigError, match=r"pip install 'piproxy\[tls\]'"):
        self_signed(tmp_path, LOCAL)


async def test_curl_by_prior_knowledge_and_by_upgrade(tmp_path: Path) -> None:
    """HTTP/2 without TLS: at once, or after asking in HTTP/1.1; a body goes on in HTTP/1.1."""
    body = json.dumps(CHAT)
    with trio.fail_after(60):
        async with served(tmp_path, hello) as s:
            base = f"http://127.0.0.1:{s.port}"
            for option, path, version in (
                ("--http2-prior-knowledge", "/v1/models", b"2"),
                ("--http2", "/v1/models", b"2"),
                ("--http1.1", "/v1/models", b"1.1"),
            ):
                command = [_found("curl"), "-sS", option, "-o", os.devnull, "-w", "%{http_version} %{http_code}"]
                done = await trio.run_process([*command, base + path], capture_stdout=True)
                assert done.stdout == version + b" 200"
            command = [_found("curl"), "-sS", "--http2-prior-knowledge", "-d", body, f"{base}/v1/chat/completions"]
            done = await trio.run_process(command, capture_stdout=True)
            assert json.loads(done.stdout)["choices"][0]["message"]["content"] == "hello"


def _found(program: str) -> str:
    path = shutil.which(program)
    assert path is not None, f"{program} is needed"
    return path


def test_a_certificate_of_the_users_own_authority_verifies(tmp_path: Path) -> None:
    """As openssl, if it is there, sees our chain; ``ssl`` sees it in the tests above."""
    made = self_signed(tmp_path, LOCAL)
    if program := shutil.which("openssl"):
        command = [program, "verify", "-CAfile", str(made.folder / "ca.pem"), str(made.certfile)]
        assert subprocess.run(command, check=True, capture_output=True, text=True).stdout.endswith(": OK\n")
