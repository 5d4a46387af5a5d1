from __future__ import annotations

from pathlib import Path

import pytest

from piproxy.pi.directory import agent_directory

HOME = Path("/home/ada")
CWD = Path("/work/here")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, "/home/ada/.pi/agent"),
        ("", "/home/ada/.pi/agent"),
        ("~", "/home/ada"),
        ("~/x", "/home/ada/x"),
        ("~bob/x", "/work/here/~bob/x"),
        ("file:///srv/pi%20dir", "/srv/pi dir"),
        ("/srv/pi", "/srv/pi"),
        ("rel/../pi", "/work/here/pi"),
        (" /srv", "/work/here/ /srv"),
    ],
)
def test_the_variable_is_read_as_pi_reads_it(value: str | None, expected: str) -> None:
    """pi-on-disk.md, 1.1: unset, empty, tilde, URL, absolute and relative, never trimmed."""
    environ = {} if value is None else {"PI_CODING_AGENT_DIR": value}
    assert agent_directory(environ, HOME, CWD).root == Path(expected)


def test_a_symlinked_directory_keeps_its_name(tmp_path: Path) -> None:
    """The path is made absolute without following links."""
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    assert agent_directory({"PI_CODING_AGENT_DIR": "link"}, HOME, tmp_path).root == tmp_path / "link"


def test_every_file_has_pis_name() -> None:
    """pi-on-disk.md, 1.2."""
    files = agent_directory({}, HOME, CWD)
    assert [
        path.name
        for path in (
            files.auth,
            files.models,
            files.models_store,
            files.settings,
            files.proxy_config,
            files.proxy_pid,
        )
    ] == ["auth.json", "models.json", "models-store.json", "settings.json", "proxy-config.json", "proxy.pid"]
