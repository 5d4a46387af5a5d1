"""``piproxy models``."""

from __future__ import annotations

import json

from fakes.command import Home

from piproxy.wire.demo import MODELS


def test_exposed_models_are_listed(home: Home) -> None:
    """One line per model, with the id that requests use."""
    done = home.piproxy("models", "--demo")
    head, first, *rest = done.stdout.splitlines()
    assert head.split() == ["ID", "MODEL", "API", "CONTEXT", "OUTPUT", "TAKES", "THINKS"]
    assert first.split()[:3] == ["echo", "demo/echo", "demo"]
    assert len(rest) == len(MODELS) - 1
    assert done.returncode == 0


def test_nothing_is_explained(home: Home) -> None:
    """No model at all comes with the reason."""
    for arguments, listed in ((("models",), ""), (("models", "--json"), "[]\n")):
        done = home.piproxy(*arguments)
        assert done.stdout == listed
        assert "no provider has a usable credential" in done.stderr


def test_broken_files_are_named(home: Home) -> None:
    """Whoever misses a model reads which file does not count, and which name in the settings means nothing."""
    path = home.write("auth.json", '{"groq": ')
    home.environ |= {
        "OPENAI_API_KEY": "k",
        "PI_PROXY_MODEL_EXPOSURE_MODE": "scoped",
        "PI_PROXY_SCOPED_PROVIDERS": "openai,opneai",
    }
    done = home.piproxy("models", "--json")
    assert f"{path}:1: no stored credentials" in done.stderr
    assert "scopedProviders: opneai has no usable model" in done.stderr
    assert {row["provider"] for row in json.loads(done.stdout)} == {"openai"}


def test_hidden_models_say_why(home: Home) -> None:
    """``--all`` names what is missing for each model that clients do not see."""
    home.environ |= {
        "OPENAI_API_KEY": "sk-hidden",
        "PI_PROXY_MODEL_EXPOSURE_MODE": "custom",
        "PI_PROXY_CUSTOM_MODELS": "openai/gpt-5",
    }
    done = home.piproxy("models", "--all", "--json")
    rows = {row["model"]: row for row in json.loads(done.stdout)}
    assert (rows["openai/gpt-5"]["id"], rows["openai/gpt-5"]["hidden"]) == ("gpt-5", None)
    assert rows["openai/gpt-5-mini"]["hidden"] == "not chosen by modelExposureMode custom"
    assert rows["groq/openai/gpt-oss-120b"]["hidden"]
    assert any("not a chat model" in (row["hidden"] or "") for row in rows.values())
    assert "sk-hidden" not in done.stdout + done.stderr


def test_all_as_a_table(home: Home) -> None:
    """The table has a column for the reason."""
    done = home.piproxy("models", "--all", "--demo")
    assert done.stdout.splitlines()[0].endswith("NOT SEEN BECAUSE")
    assert "not a chat model" in done.stdout
