"""Settings come from flags, variables, the file and the defaults, in this order, and each knows its source."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from piproxy.errors import ConfigError
from piproxy.jsontext import Json
from piproxy.settings import BY_KEY, SCHEMA, Effective, Settings, load, parse_text
from piproxy.settings.load import Flag


def written(tmp_path: Path, content: Json) -> Path:
    path = tmp_path / "proxy-config.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def test_defaults_are_the_records() -> None:
    """With nothing configured, the settings are the record's own defaults, and every source says so."""
    effective = load({})
    assert effective.settings == Settings()
    assert set(effective.sources.values()) == {"default", "upstreamTimeoutSec"}
    assert set(effective.sources) == set(BY_KEY)


def test_order_of_sources(tmp_path: Path) -> None:
    """Flags beat variables, which beat the file."""
    path = written(tmp_path, {"port": 1, "host": "file", "strictness": "warn"})
    effective = load({"PI_PROXY_PORT": "2", "PI_PROXY_HOST": "variable"}, path, {"port": 3, "host": None})
    assert (effective.settings.port, effective.settings.host, effective.settings.strictness) == (3, "variable", "warn")
    assert [effective.sources[key] for key in ("port", "host", "strictness", "demo")] == [
        "--port",
        "PI_PROXY_HOST",
        str(path),
        "default",
    ]


NORMALISED: list[tuple[str, Json, Json, bool]] = [
    # key, in the file, in force, with a warning
    ("port", 8080, 8080, False),
    ("port", "8080", 4141, True),
    ("port", 0.4, 1, True),
    ("port", 0, 1, True),
    ("port", 80.5, 81, True),
    ("port", 70_000, 65_535, True),
    ("port", True, 4141, True),
    ("port", None, 4141, True),
    ("host", "0.0.0.0", "0.0.0.0", False),
    ("host", "", "127.0.0.1", True),
    ("host", 1, "127.0.0.1", True),
    ("authToken", "", "", False),
    ("authToken", "t", "t", False),
    ("authToken", 5, "", True),
    ("remoteImages", True, True, False),
    ("remoteImages", "true", False, True),
    ("maxBodySizeMb", 0, 1.0, True),
    ("maxBodySizeMb", 501, 500.0, True),
    ("upstreamTimeoutSec", 601, 600.0, True),
    ("upstreamTimeoutSec", 1, 5.0, True),
    ("upstreamTimeoutSec", 30, 30.0, False),
    ("publicModelIdMode", "universal", "universal", False),
    ("publicModelIdMode", "Universal", "collision-prefixed", True),
    ("modelExposureMode", "scoped", "scoped", False),
    ("modelExposureMode", [], "all", True),
    ("customModels", ["a/b", "", 3], ("a/b",), True),
    ("customModels", "a/b", (), True),
    ("scopedProviders", ["openai"], ("openai",), False),
    ("providerPrefixes", {"a": "b", "c": "", "d": 1}, {"a": "b"}, True),
    ("providerPrefixes", [], {}, True),
    ("lifetime", "session", "session", False),
    ("lifetime", "forever", "session", True),
    ("zed", {"providerName": " P ", "autoSync": True}, {"providerName": "P", "autoSync": True}, False),
    ("zed", {"providerName": "P", "autoSync": 1}, {"providerName": "Pi Proxy", "autoSync": False}, True),
    ("keepAliveSec", 0, 0.0, False),
    ("keepAliveSec", 2.5, 2.5, False),
    ("connectTimeoutSec", 0, 0.1, True),
    ("drainSec", -1, 0.0, True),
]


@pytest.mark.parametrize(("key", "given", "expected", "warned"), NORMALISED)
def test_file_values_are_normalised(key: str, given: Json, expected: Json, warned: bool, tmp_path: Path) -> None:
    """As the Node proxy does: rounded, pulled in, or the default; with a warning that names file and key."""
    path = written(tmp_path, {key: given})
    effective = load({}, path)
    assert getattr(effective.settings, BY_KEY[key].field) == expected
    assert len(effective.warnings) == warned
    assert all(warning.startswith(f"{path}: {key}: ") for warning in effective.warnings)


@pytest.mark.parametrize(
    ("content", "says"),
    [('{\n"port": 1;\n}', ":2: "), ("[]", "must be an object"), ("", ":1: "), (b"\xff".decode("latin-1"), "Expecting")],
)
def test_broken_file_means_the_defaults(content: str, says: str, tmp_path: Path) -> None:
    """It is told, with the line where there is one."""
    effective = load({}, written(tmp_path, content))
    assert effective.settings == Settings()
    assert len(effective.warnings) == 1
    assert says in effective.warnings[0]
    assert "the defaults are used" in effective.warnings[0]


@pytest.mark.parametrize("number", ["1e999", "1" + "0" * 400, "1" + "0" * 5000, "NaN"])
def test_a_number_beyond_all_numbers_is_none(number: str, tmp_path: Path) -> None:
    """The default stands in, and the file is told."""
    effective = load({}, written(tmp_path, f'{{"port": {number}, "strictness": "warn"}}'))
    assert (effective.settings.port, effective.settings.strictness) == (4141, "warn")
    assert "port: " in effective.warnings[0]


def test_a_file_that_cannot_be_read_to_its_end_means_the_defaults(tmp_path: Path) -> None:
    """A nest without end, and a pipe whose writer may never come."""
    assert load({}, written(tmp_path, "[" * 200_000)).warnings[0].endswith("; the defaults are used")
    path = tmp_path / ("x" * 300)
    assert "File name too long" in load({}, path).warnings[0]
    path = tmp_path / "pipe.json"
    os.mkfifo(path)
    assert load({}, path).warnings == (f"{path}: it is a pipe, not a file; the defaults are used",)


def test_file_that_is_not_there_or_has_unknown_keys(tmp_path: Path) -> None:
    """No file is nothing; an unknown key may be a slip of the pen."""
    assert load({}, tmp_path / "none").warnings == ()
    path = written(tmp_path, {"prot": 1})
    assert load({}, path).warnings == (f"{path}: prot: unknown key (did you mean port?)",)
    path = written(tmp_path, {"xyzzy": 1, "Keep_Alive_Sec": 1})
    assert load({}, path).warnings == (
        f"{path}: xyzzy: unknown key",
        f"{path}: Keep_Alive_Sec: unknown key (did you mean keepAliveSec?)",
    )


def variable(name: str, text: str) -> Effective:
    return load({name: text})


@pytest.mark.parametrize(
    ("name", "text", "field", "expected"),
    [
        ("PI_PROXY_PORT", "0", "port", 0),
        ("PI_PROXY_REMOTE_IMAGES", "true", "remote_images", True),
        ("PI_PROXY_REMOTE_IMAGES", "0", "remote_images", False),
        ("PI_PROXY_MAX_BODY_SIZE", "52428800", "max_body_bytes", 52_428_800),
        ("PI_PROXY_MAX_BODY_SIZE", "1", "max_body_bytes", 1),
        ("PI_PROXY_UPSTREAM_TIMEOUT_MS", "120000", "upstream_timeout_sec", 120.0),
        ("PI_PROXY_UPSTREAM_TIMEOUT_MS", "250", "upstream_timeout_sec", 0.25),
        ("PI_PROXY_UPSTREAM_TIMEOUT_MS", "900000", "upstream_timeout_sec", 900.0),
        ("PI_PROXY_KEEP_ALIVE_SEC", "0.5", "keep_alive_sec", 0.5),
        ("PI_PROXY_SCOPED_PROVIDERS", "openai, groq,", "scoped_providers", ("openai", "groq")),
        ("PI_PROXY_PROVIDER_PREFIXES", "openai=oai, groq = g", "provider_prefixes", {"openai": "oai", "groq": "g"}),
        ("PI_PROXY_STRICTNESS", "pass", "strictness", "pass"),
        ("PI_CACHE_RETENTION", "long", "cache_retention", "long"),
        ("PI_CACHE_RETENTION", "forever", "cache_retention", "short"),
        ("PI_PROXY_HOST", "", "host", "127.0.0.1"),
        ("PI_PROXY_PORT", " ", "port", 4141),
    ],
)
def test_variables_in_their_own_units(name: str, text: str, field: str, expected: object) -> None:
    """Bytes, milliseconds, seconds; an empty variable is not set."""
    assert getattr(variable(name, text).settings, field) == expected


@pytest.mark.parametrize("text", ["", " "])
def test_empty_token_means_no_token(text: str, tmp_path: Path) -> None:
    """It even takes away the one in the file."""
    effective = load({"PI_PROXY_AUTH_TOKEN": text}, written(tmp_path, {"authToken": "t"}))
    assert effective.settings.auth_token == ""
    assert effective.sources["authToken"] == "PI_PROXY_AUTH_TOKEN"


@pytest.mark.parametrize(
    ("environ", "flags", "message"),
    [
        ({"PI_PROXY_PORT": "80x"}, {}, "PI_PROXY_PORT: '80x' is not allowed; allowed is 0 to 65535."),
        ({"PI_PROXY_PORT": "65536"}, {}, "PI_PROXY_PORT: '65536' is not allowed; allowed is 0 to 65535."),
        ({}, {"port": -1}, "--port: '-1' is not allowed; allowed is 0 to 65535."),
        (
            {"PI_PROXY_MAX_BODY_SIZE": "0"},
            {},
            "PI_PROXY_MAX_BODY_SIZE: '0' is not allowed; allowed is 1 to 4294967296 bytes.",
        ),
        (
            {"PI_PROXY_UPSTREAM_TIMEOUT_MS": "soon"},
            {},
            "PI_PROXY_UPSTREAM_TIMEOUT_MS: 'soon' is not allowed; allowed is 1 to 86400000 ms.",
        ),
        ({}, {"upstream_timeout_sec": "nan"}, "--upstream-timeout: 'nan' is not allowed; allowed is 0.001 to 86400 s."),
        (
            {"PI_PROXY_REMOTE_IMAGES": "maybe"},
            {},
            "PI_PROXY_REMOTE_IMAGES: 'maybe' is not allowed; allowed are true and false.",
        ),
        ({}, {"strictness": "lax"}, "--strictness: 'lax' is not allowed; allowed are strict | warn | pass."),
        (
            {"PI_PROXY_PROVIDER_PREFIXES": "openai"},
            {},
            "PI_PROXY_PROVIDER_PREFIXES: 'openai' is not allowed; allowed is name=value,name=value.",
        ),
        ({}, {"host": ""}, "--host: must not be empty."),
        (
            {"PI_PROXY_PORT": "9" * 400},
            {},
            f"PI_PROXY_PORT: '{'9' * 400}' is not allowed; allowed is 0 to 65535.",
        ),
    ],
)
def test_bad_value_names_source_and_range(environ: dict[str, str], flags: dict[str, Flag], message: str) -> None:
    """In the unit of the source."""
    with pytest.raises(ConfigError) as caught:
        load(environ, None, flags)
    assert caught.value.message == message


def test_waits_default_to_the_upstream_timeout() -> None:
    """The first byte and the silence between two take it, unless set."""
    effective = load({"PI_PROXY_UPSTREAM_TIMEOUT_MS": "7000", "PI_PROXY_IDLE_TIMEOUT_SEC": "3"})
    settings = effective.settings
    assert effective.values["firstByteTimeoutSec"] == 7.0
    assert effective.sources["firstByteTimeoutSec"] == "upstreamTimeoutSec"
    assert effective.sources["idleTimeoutSec"] == "PI_PROXY_IDLE_TIMEOUT_SEC"
    assert (settings.first_byte_timeout_sec, settings.idle_timeout_sec) == (7.0, 3.0)
    assert Settings().total_timeout is None
    assert load({"PI_PROXY_TOTAL_TIMEOUT_SEC": "9"}).settings.total_timeout == 9.0


def test_flags_of_every_shape() -> None:
    """Booleans, lists and texts, as a command line gives them."""
    flags: dict[str, Flag] = {
        "remote_images": False,
        "demo": True,
        "custom_models": ("a/b", "c/d"),
        "allowed_hosts": (),
    }
    effective = load({"PI_PROXY_REMOTE_IMAGES": "true"}, None, flags)
    assert (effective.settings.remote_images, effective.settings.custom_models) == (False, ("a/b", "c/d"))
    assert effective.sources["remoteImages"] == "--no-remote-images"
    assert effective.sources["demo"] == "--demo"
    assert effective.sources["allowedHosts"] == "default"


def test_token_is_not_in_the_repr() -> None:
    """Settings may be logged."""
    assert "s3cret" not in repr(load({"PI_PROXY_AUTH_TOKEN": "s3cret"}).settings)


def test_text_for_the_file() -> None:
    """``config set`` takes the file's units and refuses what the file would repair."""
    assert parse_text("maxBodySizeMb", "20") == 20
    assert parse_text("customModels", "a/b,c/d") == ("a/b", "c/d")
    assert parse_text("zed", "providerName=Mine, autoSync=true") == {"providerName": "Mine", "autoSync": True}
    for key, text in (("maxBodySizeMb", "1000"), ("upstreamTimeoutSec", "1"), ("port", "0"), ("prot", "1")):
        with pytest.raises(ConfigError):
            parse_text(key, text)


@pytest.mark.parametrize("text", ["abc", "0", "65536", "80.5", "9" * 400, "9" * 5000])
def test_text_for_the_file_is_refused_with_the_files_range(text: str) -> None:
    """Only flags and variables take port 0, any free one: what a file says is one and the same port at each start."""
    with pytest.raises(ConfigError) as caught:
        parse_text("port", text)
    assert caught.value.message == f"port: {text!r} is not allowed; allowed is a whole number 1 to 65535."


@pytest.mark.parametrize("text", ["nan", "-1", "86401", "inf", ""])
def test_text_that_is_no_number_of_seconds(text: str) -> None:
    """The range is the file's, in its unit."""
    with pytest.raises(ConfigError) as caught:
        parse_text("keepAliveSec", text)
    assert caught.value.message == f"keepAliveSec: {text!r} is not allowed; allowed is 0 to 86400 s."


def test_schema_and_record_agree() -> None:
    """Each key has a field, each field a key, and no two settings share a variable or a flag."""
    assert [setting.field for setting in SCHEMA] == list(Settings.__slots__)
    names = [one.name for setting in SCHEMA for one in setting.variables]
    options = [setting.option for setting in SCHEMA]
    assert len(set(names)) == len(names)
    assert len(set(options)) == len(options)
