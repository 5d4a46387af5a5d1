"""A certificate authority in a folder. Imported only where ``cryptography`` is wanted.

The authority's key stays in the folder (0600), so that a certificate can be renewed, or get another name, without
anybody having to trust something new. What it may sign for is limited inside its own certificate to this machine's
names and to private addresses: whoever trusts it need not fear for other sites if the key is stolen.
"""

from __future__ import annotations

import os
from datetime import datetime, timedelta
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

VALID: Final = timedelta(days=397)
"""Of a certificate; some systems refuse longer ones."""
CA_VALID: Final = timedelta(days=3650)
RENEW: Final = timedelta(days=30)
"""So long before its end a certificate is replaced."""
_UNUSED: Final = (
    "digital_signature content_commitment key_encipherment data_encipherment key_agreement encipher_only decipher_only"
)

Key = ec.EllipticCurvePrivateKey


def issued(folder: Path, host: str, names: tuple[str, ...], networks: tuple[str, ...], now: datetime) -> bool:
    """See to it that ``cert.pem`` and ``key.pem`` are good for ``names``; ``True`` if the authority is new.

    A new authority may sign for ``localhost``, ``local`` and ``host``, what is below them, and these networks.

    Raises :class:`OSError` and :class:`ValueError` for a folder that cannot be used.
    """
    fresh = not _good(folder / "ca.pem", now)
    if fresh:
        _make_authority(folder, host, networks, now)
    elif _good(folder / "cert.pem", now, names) and (folder / "key.pem").exists():
        return False
    authority = _read(folder / "ca.pem")
    signer = serialization.load_pem_private_key((folder / "ca-key.pem").read_bytes(), None)
    if not isinstance(signer, Key):
        raise ValueError("ca-key.pem is not a key of ours")  # noqa: TRY004  (the file is at fault)
    key = ec.generate_private_key(ec.SECP256R1())
    identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key())
    cert = (
        _builder(_name("piproxy"), authority.subject, key, now, VALID)
        .add_extension(x509.SubjectAlternativeName([_general(name) for name in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(identifier, critical=False)
        .sign(signer, hashes.SHA256())
    )
    _write(folder / "key.pem", _key_pem(key))
    _write(folder / "cert.pem", _cert_pem(cert) + _cert_pem(authority))
    return fresh


def _make_authority(folder: Path, host: str, networks: tuple[str, ...], now: datetime) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    permitted: list[x509.GeneralName] = [x509.DNSName(name) for name in dict.fromkeys(("localhost", "local", host))]
    permitted += [x509.IPAddress(ip_network(network)) for network in networks]
    name = _name(f"piproxy on {host}"[:64])
    usage = x509.KeyUsage(key_cert_sign=True, crl_sign=True, **dict.fromkeys(_UNUSED.split(), False))
    cert = (
        _builder(name, name, key, now, CA_VALID)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.NameConstraints(permitted_subtrees=permitted, excluded_subtrees=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    _write(folder / "ca-key.pem", _key_pem(key))
    _write(folder / "ca.pem", _cert_pem(cert))


def _good(path: Path, now: datetime, names: tuple[str, ...] = ()) -> bool:
    """It is there, lasts for a while, and has all these names."""
    if not path.exists():
        return False
    cert = _read(path)
    if cert.not_valid_after_utc - RENEW < now:
        return False
    return not names or set(cert.extensions.get_extension_for_class(x509.SubjectAlternativeName).value) >= {
        _general(name) for name in names
    }


def _builder(
    subject: x509.Name, issuer: x509.Name, key: Key, now: datetime, valid: timedelta
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + valid)
    )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _read(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


def _cert_pem(cert: x509.Certificate) -> bytes:
    return cert.public_bytes(serialization.Encoding.PEM)


def _key_pem(key: Key) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _write(path: Path, data: bytes) -> None:
    """Whole or not at all, and for this user alone."""
    fresh = path.with_name(path.name + ".new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(data)
    fresh.replace(path)
