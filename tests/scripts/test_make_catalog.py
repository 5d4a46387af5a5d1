"""The maintainers' script makes the same catalog from the same package, and none from a damaged one."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import subprocess
import sys
import tarfile
from pathlib import Path

from piproxy.jsontext import Json

SCRIPT = Path(__file__).parents[2] / "scripts" / "make_catalog.py"
CHAT = {"id": "m/1", "name": "M", "api": "a", "provider": "corp", "baseUrl": "https://x", "type": "chat", "lab": "L"}
CORP = {"a": {"chat:m/1": CHAT}, "pics": {"image:draw": {"id": "draw", "type": "image"}}}


def pack(path: Path, corp: Json, digest: str | None = None) -> Path:
    """A pi-ai tarball with one provider."""
    data = json.dumps(corp).encode()
    manifest = {
        "schemaVersion": 6,
        "generatedAt": "2026-11-10T12:05:37.628Z",
        "files": {"corp.json": digest or hashlib.sha256(data).hexdigest()},
    }
    files = {
        "package/package.json": json.dumps({"name": "@earendil-works/pi-ai", "version": "1.5.2"}).encode(),
        "package/dist/providers/data/.manifest.json": json.dumps(manifest).encode(),
        "package/dist/providers/data/corp.json": data,
        "package/dist/providers/all.js": b"",
    }
    with tarfile.open(path, "w:gz") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return path


def run(tarball: Path, into: Path) -> subprocess.CompletedProcess[str]:
    into.mkdir(exist_ok=True)
    command = [sys.executable, str(SCRIPT), str(tarball), "--into", str(into)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_catalog_and_its_note(tmp_path: Path) -> None:
    """Chat models keep what is not said by their place; others leave their ids; twice is the same bytes."""
    tarball = pack(tmp_path / "pi-ai.tgz", CORP)
    first, second = run(tarball, tmp_path / "one"), run(tarball, tmp_path / "two")
    assert (first.returncode, first.stderr, second.stdout) == (0, "", first.stdout)
    packed = (tmp_path / "one" / "catalog.json.gz").read_bytes()
    assert packed == (tmp_path / "two" / "catalog.json.gz").read_bytes()
    assert json.loads(gzip.decompress(packed)) == {
        "schema": 1,
        "pi_version": "1.5.2",
        "generated_at": "2026-11-10T12:05:37.628Z",
        "models": {"corp": {"a": {"m/1": {"baseUrl": "https://x", "name": "M"}}}},
        "others": {"corp": {"image": ["draw"]}},
    }
    assert b'"models":{\n"corp":{"a":{"m/1":' in gzip.decompress(packed)  # piproxy reads each provider's line alone
    note = (tmp_path / "one" / "README.md").read_text(encoding="utf-8")
    assert all(fact in note for fact in ("1.5.2", "2026-11-10T12:05:37.628Z", "MIT", "@earendil-works/pi-ai"))


def test_damaged_package_is_refused(tmp_path: Path) -> None:
    """A file that is not what the manifest says ends the script, and nothing is written."""
    done = run(pack(tmp_path / "pi-ai.tgz", CORP, digest="0" * 64), tmp_path / "out")
    assert (done.returncode, done.stderr) == (1, "not as the manifest says: corp.json\n")
    assert list((tmp_path / "out").iterdir()) == []
