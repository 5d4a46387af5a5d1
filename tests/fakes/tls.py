"""Certificates for tests."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import trustme

from piproxy.server.tls import server_context


@dataclass(frozen=True)
class Tls:
    """A server for ``localhost`` and 127.0.0.1, and a client that trusts it."""

    certfile: Path
    keyfile: Path
    cafile: Path

    @property
    def server(self) -> ssl.SSLContext:
        return server_context(self.certfile, self.keyfile)

    def client(self, *protocols: str) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=str(self.cafile))
        if protocols:
            context.set_alpn_protocols(list(protocols))
        return context


@cache
def _authority() -> trustme.CA:
    return trustme.CA()


@cache
def _leaf() -> trustme.LeafCert:
    return _authority().issue_cert("localhost", "127.0.0.1")


def write_tls(directory: Path, *, renew: bool = False) -> Tls:
    """Files as a user would have them."""
    authority = _authority()
    leaf = authority.issue_cert("localhost", "127.0.0.1") if renew else _leaf()
    tls = Tls(directory / "cert.pem", directory / "key.pem", directory / "ca.pem")
    leaf.cert_chain_pems[0].write_to_path(tls.certfile)
    leaf.private_key_pem.write_to_path(tls.keyfile)
    authority.cert_pem.write_to_path(tls.cafile)
    return tls
