from __future__ import annotations

import json
from pathlib import Path

import pytest
from fakes.processes import count_entry, run_together

from piproxy.pi.auth_file import AuthFile
from piproxy.pi.jsonfile import UnreadableFile
from piproxy.pi.lock import LockImpossible

PI_TEXT = """{
  "groq": {
    "type": "api_key",
    "key": "ключ-\u2028🔑"
  },
  "magic": [
    1,
    {
      "deep": null,
      "list": []
    }
  ],
  "anthropic": {
    "type": "oauth",
    "refresh": "r1",
    "access": "a1",
    "expires": 1795340906365
  },
  "zz": {
    "type": "unknown",
    "x": {}
  }
}"""


@pytest.fixture
def file(tmp_path: Path) -> AuthFile:
    return AuthFile(tmp_path / "auth.json")


@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_one_entry_changes_and_every_other_byte_stays(file: AuthFile, mark: str) -> None:
    """Order, unknown providers, nested extras and non-ASCII text; only a byte order mark goes, as in pi."""
    file.path.write_text(mark + PI_TEXT, encoding="utf-8")
    new = {"type": "oauth", "refresh": "r2", "access": "a2", "expires": 1795340906366}
    assert file.update("anthropic", lambda _old: new)
    expected = PI_TEXT.replace('"r1"', '"r2"').replace('"a1"', '"a2"').replace("365", "366")
    assert file.path.read_bytes() == expected.encode()


def test_a_new_entry_goes_last(file: AuthFile) -> None:
    """The others keep their places."""
    file.path.write_text('{"b": {}, "a": {}}')
    file.update("aa", lambda old: {"was": old})
    assert list(json.loads(file.path.read_text())) == ["b", "a", "aa"]
    assert file.path.read_text().endswith('"was": null\n  }\n}')


def test_a_change_may_be_none(file: AuthFile) -> None:
    """Then the file is not touched."""
    file.path.write_text(" {}")
    assert not file.update("x", lambda _old: None)
    assert file.path.read_text() == " {}"


def test_a_missing_file_is_made_private_before_it_is_locked(file: AuthFile) -> None:
    """Its real path is needed for the lock."""
    file.update("x", lambda _old: {"type": "api_key"})
    assert file.path.stat().st_mode & 0o777 == 0o600
    assert json.loads(file.path.read_text()) == {"x": {"type": "api_key"}}


def test_a_mode_of_0644_stays(file: AuthFile) -> None:
    """Only files that we make are made private."""
    file.path.write_text("{}")
    file.path.chmod(0o644)
    file.update("x", lambda _old: {"type": "api_key"})
    assert file.path.stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize("text", ["null", "{", "/* x */ {}", "3", '{"a": 1,}'])
def test_a_malformed_file_is_reported_and_never_written(file: AuthFile, text: str) -> None:
    """A write is refused with the file's name, and the bytes stay."""
    file.path.write_text(text)
    with pytest.raises(UnreadableFile) as caught:
        file.update("x", lambda _old: {})
    assert str(file.path) in str(caught.value)
    assert file.path.read_text() == text
    assert [entry.name for entry in file.path.parent.iterdir()] == ["auth.json"]


@pytest.mark.parametrize("text", ["[]", '""', "", "  ", "{}"])
def test_what_pi_takes_for_empty_is_empty(file: AuthFile, text: str) -> None:
    """A write makes an object of it."""
    file.path.write_text(text)
    assert file.read_locked() == {}
    file.update("x", lambda _old: {"type": "api_key"})
    assert json.loads(file.path.read_text()) == {"x": {"type": "api_key"}}


def test_a_file_that_went_away_under_the_lock_is_said(file: AuthFile) -> None:
    """With the operating system's reason."""
    with pytest.raises(UnreadableFile, match="No such file"):
        file.read_locked()


def test_a_directory_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    """The reason is the operating system's."""
    (tmp_path / "file").write_text("")
    with pytest.raises(LockImpossible, match="Cannot create"):
        AuthFile(tmp_path / "file" / "auth.json").lock()


def test_writers_of_several_processes_lose_nothing(tmp_path: Path) -> None:
    """Four processes, two by a symlink, 20 read-modify-writes each."""
    real = tmp_path / "real" / "auth.json"
    real.parent.mkdir()
    real.write_text(json.dumps({name: {"type": "oauth", "expires": 0} for name in "ab"}))
    link = tmp_path / "auth.json"
    link.symlink_to(real)
    work = [(count_entry, (path, key, 20)) for path in (real, link) for key in "ab"]
    assert run_together(work) == [0] * 4
    assert {key: entry["expires"] for key, entry in json.loads(link.read_text()).items()} == {"a": 40, "b": 40}
    assert link.is_symlink()
