"""``piproxy config``."""

from __future__ import annotations

import json

from fakes.command import Home

from piproxy.settings import SCHEMA


def test_show_says_where_values_come_from(home: Home) -> None:
    """Each setting has its value and its source."""
    path = home.write("proxy-config.json", {"strictness": "warn", "port": 5000})
    home.environ["PI_PROXY_PORT"] = "8080"
    shown = json.loads(home.piproxy("config", "show", "--json").stdout)
    assert list(shown) == [setting.key for setting in SCHEMA]
    assert shown["port"] == {"value": 8080, "source": "PI_PROXY_PORT"}
    assert shown["strictness"] == {"value": "warn", "source": str(path)}
    assert shown["host"] == {"value": "127.0.0.1", "source": "default"}


def test_show_masks_secrets(home: Home) -> None:
    """The token is neither in the table nor in the JSON."""
    home.environ["PI_PROXY_AUTH_TOKEN"] = "hunter2"
    for arguments in (["show"], ["show", "--json"], ["get", "authToken"]):
        done = home.piproxy("config", *arguments)
        assert "********" in done.stdout
        assert "hunter2" not in done.stdout + done.stderr
    assert home.piproxy("config", "get", "authToken", "--reveal").stdout == "hunter2\n"


def test_show_tells_what_is_wrong(home: Home) -> None:
    """A bad value in the file is shown with how it is taken."""
    home.write("proxy-config.json", {"port": 0})
    done = home.piproxy("config", "show")
    assert "port: 0 is taken as 1" in done.stderr
    assert done.returncode == 0


def test_set_get_unset(home: Home) -> None:
    """What is set is there, other keys stay, what is unset is the default again."""
    path = home.write("proxy-config.json", {"unknown": 1})
    assert home.piproxy("config", "set", "port", "8080").stdout == "port = 8080\n"
    assert home.piproxy("config", "set", "scopedProviders", "anthropic,openai").returncode == 0
    assert json.loads(path.read_text()) == {"unknown": 1, "port": 8080, "scopedProviders": ["anthropic", "openai"]}
    assert home.piproxy("config", "get", "port").stdout == "8080\n"
    assert json.loads(home.piproxy("config", "get", "scopedProviders").stdout) == ["anthropic", "openai"]
    assert home.piproxy("config", "unset", "port").stdout == "port = 4141\n"
    assert home.piproxy("config", "reset").returncode == 0
    assert json.loads(path.read_text()) == {"unknown": 1}


def test_set_says_what_wins_over_it(home: Home) -> None:
    """A variable that hides the new value is named."""
    home.environ["PI_PROXY_PORT"] = "9000"
    done = home.piproxy("config", "set", "port", "8080")
    assert done.stdout == "port = 8080\n"
    assert "PI_PROXY_PORT is set and wins over the file" in done.stderr


def test_bad_values_and_names_are_refused(home: Home) -> None:
    """The message names what is allowed, and nothing is written."""
    for arguments, words in (
        (["set", "port", "eighty"], "port: 'eighty' is not allowed; allowed is a whole number 1 to 65535."),
        (["set", "port", "0"], "port: '0' is not allowed; allowed is a whole number 1 to 65535."),
        (["set", "prot", "80"], "no such setting"),
        (["get", "prot"], "no such setting"),
        (["unset", "prot"], "no such setting"),
    ):
        done = home.piproxy("config", *arguments)
        assert done.returncode == 2
        assert words in done.stderr
    assert not home.agent.exists()


def test_path(home: Home) -> None:
    """The path follows ``PI_CODING_AGENT_DIR``."""
    assert home.piproxy("config", "path").stdout == f"{home.agent}/proxy-config.json\n"
    home.environ["PI_CODING_AGENT_DIR"] = str(home.path / "elsewhere")
    assert home.piproxy("config", "path").stdout == f"{home.path}/elsewhere/proxy-config.json\n"


def test_schema(home: Home) -> None:
    """The schema knows every key; the table shows every flag."""
    schema = json.loads(home.piproxy("config", "schema").stdout)
    assert list(schema["properties"]) == [setting.key for setting in SCHEMA]
    table = home.piproxy("config", "schema", "--markdown").stdout
    assert all(f"`{setting.key}`" in table for setting in SCHEMA)


def test_set_reads_standard_input(home: Home) -> None:
    """With - a token does not stand in the list of processes; an empty list is the default again."""
    done = home.piproxy("config", "set", "authToken", "-", "--json", given="hunter2\n")
    assert json.loads((home.agent / "proxy-config.json").read_text()) == {"authToken": "hunter2"}
    assert json.loads(done.stdout)["shown"] == "********"
    assert "hunter2" not in done.stdout + done.stderr
    home.piproxy("config", "set", "scopedProviders", "openai")
    assert json.loads(home.piproxy("config", "set", "scopedProviders", "-", "--json").stdout)["chosen"] == []
    assert home.piproxy("config", "set", "port", "-").returncode == 2


def test_entries_say_what_can_be_chosen(home: Home) -> None:
    """A panel gets words, choices, candidates, and what wins over the file; a secret only as a mask."""
    home.write("proxy-config.json", {"authToken": "hunter2", "scopedProviders": ["openai", "nobody"]})
    home.environ |= {"OPENAI_API_KEY": "sk-x", "PI_PROXY_PORT": "5000"}
    done = home.piproxy("config", "entries", "--json")
    found = {entry["key"]: entry for entry in json.loads(done.stdout)}
    assert list(found) == [setting.key for setting in SCHEMA]
    assert "hunter2" not in done.stdout
    assert (found["authToken"]["shown"], found["authToken"]["text"]) == ("********", "")
    assert (found["port"]["shown"], found["port"]["wins"]) == ("4141", "PI_PROXY_PORT")
    assert found["remoteImages"]["choices"] == ["true", "false"]
    assert [candidate["value"] for candidate in found["scopedProviders"]["candidates"]] == ["openai"]
    assert found["scopedProviders"]["chosen"] == ["openai", "nobody"]
    assert all(candidate["value"].startswith("openai/") for candidate in found["customModels"]["candidates"])
    assert (found["idleTimeoutSec"]["shown"], found["idleTimeoutSec"]["text"]) == ("as upstream timeout", "0")
    assert found["maxBodySizeMb"]["label"] == "Max body size"
    assert "Upstream timeout      120 s" in home.piproxy("config", "entries").stdout
