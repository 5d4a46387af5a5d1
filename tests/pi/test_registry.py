"""The registry: which models exist, which can be used, what is sent with them, and how it follows the files."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pytest
from fakes.pidir import PiDirectory, model

from piproxy.errors import CredentialError
from piproxy.jsontext import Json
from piproxy.pi import jsonfile
from piproxy.pi.catalog import snapshot
from piproxy.pi.registry import Registry
from piproxy.pi.view import UnresolvedValue, View

CUSTOM = {"baseUrl": "https://llm.corp/v1", "api": "openai-completions", "models": [{"id": "m1"}]}
LATER = int(time.time() * 1000) + 3_600_000


def oauth(**more: Json) -> Json:
    return {"type": "oauth", "access": "at", "refresh": "rt", "expires": LATER, **more}


def custom(**more: Json) -> Json:
    return {"providers": {"corp": {**CUSTOM, **more}}}


def providers(view: View) -> list[str]:
    return list(dict.fromkeys(m.provider for m in view.available()))


def touched(path: Path, content: str) -> None:
    """Write so that the time stamp surely differs."""
    path.write_text(content, encoding="utf-8")
    at = path.stat().st_mtime_ns + 1_000_000
    os.utime(path, ns=(at, at))


def test_empty_home_has_all_models_and_none_available(tmp_path: Path) -> None:
    """The catalog is there; without a credential nothing can be used, and each model says why."""
    view = PiDirectory(tmp_path / "missing").registry().view()
    assert len(view.models) == 1643
    assert view.available() == ()
    assert view.problems == ()
    assert view.why_not(view.by_id["groq/openai/gpt-oss-120b"]) == "no login and no GROQ_API_KEY"


def test_order_is_pis_then_the_files(tmp_path: Path) -> None:
    """Built-in providers in pi's order, llama.cpp, then new ids in the file's order."""
    entries = {"zeta": CUSTOM, "alpha": CUSTOM, "openai": {"headers": {"X": "1"}}}
    store = {"llama.cpp": {"models": [{"id": "l", "provider": "llama.cpp", "api": "openai-completions"}]}}
    view = PiDirectory(tmp_path).models({"providers": entries}).store(store).registry().view()
    assert view.providers == (*snapshot().models, "llama.cpp", "zeta", "alpha")


AVAILABILITY: list[tuple[str, Json, Json, Mapping[str, str], bool]] = [
    ("stored login", {"anthropic": oauth()}, {}, {}, True),
    ("expired login", {"anthropic": oauth(expires=1)}, {}, {}, True),
    ("stored key", {"groq": {"type": "api_key", "key": "k"}}, {}, {}, True),
    ("stored variable", {"groq": {"type": "api_key", "key": "$K"}}, {}, {"K": "k"}, True),
    ("stored command", {"groq": {"type": "api_key", "key": "!printf abc"}}, {}, {}, True),
    ("stored key unresolved", {"groq": {"type": "api_key", "key": "$K"}}, {}, {}, False),
    ("… with a variable", {"groq": {"type": "api_key", "key": "$K"}}, {}, {"GROQ_API_KEY": "k"}, True),
    ("stored type unsupported", {"groq": oauth()}, {}, {"GROQ_API_KEY": "k"}, False),
    ("malformed entry", {"groq": "k"}, {}, {"GROQ_API_KEY": "k"}, False),
    ("variable", {}, {}, {"GROQ_API_KEY": "k"}, True),
    ("blank variable", {}, {}, {"GROQ_API_KEY": "  "}, False),
    ("nothing", {}, {}, {}, False),
    ("literal", {}, {"apiKey": "k"}, {}, True),
    ("command, not run", {}, {"apiKey": "!exit 1"}, {}, True),
    ("template", {}, {"apiKey": "$A-$B"}, {"A": "1", "B": "2"}, True),
    ("template with a gap", {}, {"apiKey": "$A-$B"}, {"A": "1", "GROQ_API_KEY": "k"}, False),
]


@pytest.mark.parametrize(
    ("auth", "config", "environ", "available"), [row[1:] for row in AVAILABILITY], ids=[row[0] for row in AVAILABILITY]
)
def test_availability(auth: Json, config: Json, environ: Mapping[str, str], available: bool, tmp_path: Path) -> None:
    """Each state of a provider's credential makes its models usable or not, as in pi."""
    directory = PiDirectory(tmp_path).auth(auth)
    if config:
        directory.models({"providers": {"groq": config}})
    view = directory.registry(environ).view()
    assert bool(view.available()) is available
    assert all((view.why_not(m) is None) is (m in view.available()) for m in view.models[::50])


@pytest.mark.parametrize(
    ("ids", "count"), [(["gpt-5.6-sol"], 1), ([], 0), (None, 27), ("gpt-5.6-sol", 27), (["gpt-5.6-sol", 1], 27)]
)
def test_copilot_login_names_its_models(ids: Json, count: int, tmp_path: Path) -> None:
    """A list of strings limits the models; anything else does not."""
    view = PiDirectory(tmp_path).auth({"github-copilot": oauth(availableModelIds=ids)}).registry().view()
    assert Counter(m.provider for m in view.available()) == ({"github-copilot": count} if count else {})
    if count == 1:
        why = view.why_not(next(m for m in view.models if m.provider == "github-copilot" and m.id != "gpt-5.6-sol"))
        assert why == "the Copilot login does not include this model"


def test_hidden_models_say_why(tmp_path: Path) -> None:
    """Other kinds of the catalog, and apis that nobody here speaks."""
    models = {"providers": {"corp": {**CUSTOM, "api": "pi-virtual"}}}
    view = PiDirectory(tmp_path).models(models).registry().view()
    why = {hidden.canonical_id: hidden.why for hidden in view.hidden}
    assert why["corp/m1"] == "api 'pi-virtual' is not spoken here"
    assert why["openai/gpt-6-luna"] == "not a chat model (classifier)"
    assert len(why) == 131
    assert "corp/m1" not in view.by_id


@pytest.mark.parametrize(
    ("id", "known"),
    [
        ("groq/openai/gpt-oss-120b", True),
        ("openai/gpt-oss-120b", False),
        ("corp/m1", True),
        ("m1", True),
        ("corp/m2", False),
        ("openai/gpt-6-luna", True),
        ("typesafe/jev-latest", True),
        ("openai", False),
        ("openai/", False),
        ("", False),
    ],
)
def test_known_is_what_pi_has_whether_it_can_be_used_or_not(id: str, known: bool, tmp_path: Path) -> None:
    """By canonical id everything, by its own id what providers have that somebody set up."""
    view = PiDirectory(tmp_path).models(custom()).registry().view()
    assert view.available() == ()
    assert view.knows(id) is known


def test_one_bad_provider_is_dropped_alone(tmp_path: Path) -> None:
    """The built-in models of that provider stay, the other providers work, and the problem has pi's words."""
    entries = {"openai": {"name": "nothing"}, "corp": {**CUSTOM, "apiKey": "k"}, "none": {"models": [{"id": "x"}]}}
    view = PiDirectory(tmp_path).models({"providers": entries}).registry({"OPENAI_API_KEY": "k"}).view()
    assert Counter(m.provider for m in view.available()) == {"openai": 44, "corp": 1}
    assert [problem.reason.partition(":")[0] for problem in view.problems] == ['Provider "openai"', 'Provider "none"']
    assert [problem.line for problem in view.problems] == [1, 1]


def test_malformed_auth_hides_nothing_else(tmp_path: Path) -> None:
    """Variables and models.json keep working; the problem has the line."""
    directory = PiDirectory(tmp_path).auth('{\n "groq": /*\n').models(custom(apiKey="k"))
    view = directory.registry({"OPENAI_API_KEY": "k"}).view()
    assert providers(view) == ["openai", "corp"]
    assert [(problem.path.name, problem.line) for problem in view.problems] == [("auth.json", 2)]


@pytest.mark.parametrize(("content", "problems"), [("[]", 0), ('""', 0), ("", 0), ("null", 1), ("3", 1)])
def test_auth_that_is_no_object(content: str, problems: int, tmp_path: Path) -> None:
    """What pi takes for empty is empty; the rest is told."""
    view = PiDirectory(tmp_path).auth(content).registry({"GROQ_API_KEY": "k"}).view()
    assert providers(view) == ["groq"]
    assert len(view.problems) == problems


def test_files_are_read_again_when_they_change(tmp_path: Path) -> None:
    """No restart: a new key, a new provider; nothing changed is the same object."""
    directory = PiDirectory(tmp_path)
    registry = directory.registry()
    first = registry.view()
    assert registry.view() is first
    directory.auth({"groq": {"type": "api_key", "key": "k"}})
    assert providers(registry.view()) == ["groq"]
    directory.models(custom(apiKey="k"))
    assert providers(registry.view()) == ["groq", "corp"]
    directory.agent.auth.unlink()
    assert providers(registry.view()) == ["corp"]
    assert first.available() == ()


@pytest.mark.parametrize("name", ["auth.json", "models.json"])
def test_half_written_file_leaves_the_last_good_state(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The truncated text takes nothing away; it is told if it stays so, and forgotten when the file is whole again."""
    directory = PiDirectory(tmp_path).auth({"groq": {"type": "api_key", "key": "k"}}).models(custom(apiKey="k"))
    registry = directory.registry()
    path = tmp_path / name
    whole = path.read_text(encoding="utf-8")
    touched(path, whole[:20])
    with monkeypatch.context() as patch:
        patch.setattr(time, "time_ns", lambda: path.stat().st_mtime_ns)
        patch.setattr(jsonfile, "PAUSE", -1)  # nobody can sleep that long
        assert providers(registry.view()) == ["groq", "corp"]
        assert registry.view().problems == ()
    then = time.time() - 2
    os.utime(path, (then, then))
    assert providers(registry.view()) == ["groq", "corp"]
    assert [problem.path for problem in registry.view().problems] == [path]
    touched(path, whole)
    assert providers(registry.view()) == ["groq", "corp"]
    assert registry.view().problems == ()


def test_reload_reads_everything_again(tmp_path: Path) -> None:
    """After a reload the state is a new one with the same content."""
    registry = PiDirectory(tmp_path).models(custom(apiKey="k")).registry()
    before = registry.view()
    registry.reload()
    assert registry.view() is not before
    assert providers(registry.view()) == ["corp"]


def test_reload_runs_the_commands_of_auth_json_again(tmp_path: Path) -> None:
    """Otherwise once in the life of the process, as in pi: also when a file has changed, and when it failed."""
    key = tmp_path / "key"
    registry = PiDirectory(tmp_path).auth({"groq": {"type": "api_key", "key": f"!cat {key}"}}).registry()
    assert (registry.view().login("groq").problem or "").endswith("from shell command (exit code 1)")
    key.write_text("k")
    PiDirectory(tmp_path).models(custom(apiKey="k"))
    assert not registry.view().login("groq").available
    registry.reload()
    assert registry.view().login("groq").key == "k"


def headers(
    tmp_path: Path, config: Json, environ: Mapping[str, str], id: str, **more: Json
) -> Mapping[str, str | None]:
    provider = id.partition("/")[0]
    registry = PiDirectory(tmp_path).models({"providers": {provider: config}}).registry(environ)
    return registry.view().request_headers(registry.view().by_id[id], **more)


NVIDIA = "nvidia/nvidia/nemotron-3.5-super-vl-120b-a12b"


def test_header_order_of_pi(tmp_path: Path) -> None:
    """Provider, authHeader, catalog, override, definition: later wins, whatever the case of the name."""
    assert snapshot().models["nvidia"][0].headers == {"NVCF-POLL-SECONDS": "3600"}
    config = {
        "apiKey": "key",
        "headers": {"nvcf-poll-seconds": "1", "authorization": "mine", "X-P": "$TEAM", "X-M": "p"},
        "authHeader": True,
        "modelOverrides": {NVIDIA.removeprefix("nvidia/"): {"headers": {"x-m": "o"}}},
    }
    assert headers(tmp_path, config, {"TEAM": "t"}, NVIDIA) == {
        "NVCF-POLL-SECONDS": "3600",
        "Authorization": "Bearer key",
        "X-P": "t",
        "x-m": "o",
    }


def test_model_headers_beat_the_catalogs(tmp_path: Path) -> None:
    """The user's own word on one model is the last."""
    config = {"modelOverrides": {NVIDIA.removeprefix("nvidia/"): {"headers": {"nvcf-poll-seconds": "60"}}}}
    assert headers(tmp_path, config, {}, NVIDIA) == {"nvcf-poll-seconds": "60"}


def test_catalog_headers_without_any_configuration(tmp_path: Path) -> None:
    """A model of a provider that models.json does not name has the catalog's."""
    registry = PiDirectory(tmp_path).registry()
    assert registry.view().request_headers(registry.view().by_id[NVIDIA]) == {"NVCF-POLL-SECONDS": "3600"}


def test_auth_header_takes_the_key_in_use(tmp_path: Path) -> None:
    """A refreshed token or a client's key goes there, without asking models.json's command."""
    config = {**CUSTOM, "apiKey": "!exit 1", "authHeader": True}
    assert headers(tmp_path, config, {}, "corp/m1", key="fresh") == {"Authorization": "Bearer fresh"}


def test_auth_header_without_a_key(tmp_path: Path) -> None:
    """pi's words."""
    with pytest.raises(CredentialError, match='No API key found for "corp"'):
        headers(tmp_path, {**CUSTOM, "authHeader": True}, {}, "corp/m1")


@pytest.mark.parametrize(
    ("provider", "environ"),
    [
        ("cloudflare-ai-gateway", {"CLOUDFLARE_API_KEY": "k", "CLOUDFLARE_GATEWAY_ID": "g"}),
        ("anthropic", {"ANTHROPIC_AUTH_TOKEN": "t"}),
    ],
)
def test_auth_header_of_a_provider_with_a_header_of_its_own(
    provider: str, environ: dict[str, str], tmp_path: Path
) -> None:
    """Cloudflare would pass it on to whoever is behind its gateway; pi refuses it as well."""
    directory = PiDirectory(tmp_path).models({"providers": {provider: {"authHeader": True}}})
    view = directory.registry({**environ, "CLOUDFLARE_ACCOUNT_ID": "a"}).view()
    found = next(model for model in view.models if model.provider == provider)
    assert view.login(provider).available
    with pytest.raises(CredentialError, match="has a header of its own"):
        view.request_headers(found)


def test_auth_header_with_a_key_that_cannot_be_resolved(tmp_path: Path) -> None:
    """The reason is told, without the command line."""
    with pytest.raises(UnresolvedValue) as caught:
        headers(tmp_path, {**CUSTOM, "apiKey": "!test secret = no", "authHeader": True}, {}, "corp/m1")
    assert caught.value.message == 'Failed to resolve API key for provider "corp" from shell command (exit code 1)'


def test_header_variables_of_the_stored_entry_come_first(tmp_path: Path) -> None:
    """The entry's own ``env``, then the process."""
    directory = PiDirectory(tmp_path).models(custom(headers={"X-A": "$A", "X-B": "$B"}))
    directory.auth({"corp": {"type": "api_key", "key": "k", "env": {"A": "stored"}}})
    registry = directory.registry({"A": "process", "B": "process"})
    found = registry.view().request_headers(registry.view().by_id["corp/m1"])
    assert found == {"X-A": "stored", "X-B": "process"}


STORED_ENV = {"A": "stored", "GOOGLE_CLOUD_PROJECT": "p", "GOOGLE_CLOUD_LOCATION": "l"}
LASTING: Json = {"type": "oauth", "access": "a", "refresh": "r", "expires": 4_000_000_000_000}


@pytest.mark.parametrize(
    ("provider", "entry", "environ", "of_model"),
    [
        ("groq", {"type": "api_key", "key": "k"}, {}, "stored"),
        ("groq", {"type": "api_key", "key": "$NOT_SET"}, {"GROQ_API_KEY": "k"}, "process"),
        ("anthropic", {"type": "api_key", "key": "k"}, {}, "stored"),
        ("anthropic", {"type": "api_key"}, {"ANTHROPIC_API_KEY": "k"}, "process"),
        ("xai", LASTING, {}, "process"),
        ("google-vertex", {"type": "api_key", "key": "k"}, {}, "process"),
        ("google-vertex", {"type": "api_key"}, {"GOOGLE_APPLICATION_CREDENTIALS": __file__}, "stored"),
        ("amazon-bedrock", {"type": "api_key", "key": "k"}, {}, "stored"),
        ("amazon-bedrock", {"type": "api_key"}, {"AWS_PROFILE": "work"}, "stored"),
        ("amazon-bedrock", {"type": "api_key"}, {"AWS_BEARER_TOKEN_BEDROCK": "k"}, "process"),
        ("cloudflare-workers-ai", {"type": "api_key", "key": "k"}, {"CLOUDFLARE_ACCOUNT_ID": "a"}, "process"),
    ],
)
def test_stored_variables_in_headers_of_models(
    provider: str, entry: dict[str, Json], environ: dict[str, str], of_model: str, tmp_path: Path
) -> None:
    """They count for the provider's headers always, for a model's where pi's resolver passes them on with the key."""
    model = snapshot().models[provider][0]
    config = {"headers": {"X-P": "$A"}, "modelOverrides": {model.id: {"headers": {"X-M": "$A"}}}}
    directory = PiDirectory(tmp_path).models({"providers": {provider: config}})
    directory.auth({provider: {**entry, "env": STORED_ENV}})
    view = directory.registry({"A": "process", **environ}).view()
    found = view.request_headers(view.by_id[model.canonical_id])
    assert (found["X-P"], found["X-M"]) == ("stored", of_model)


def test_doctor_s_question_looks_where_a_request_would(tmp_path: Path) -> None:
    """A stored variable that does not reach a model's headers is reported for them alone."""
    model = snapshot().models["xai"][0]
    config = {"headers": {"X-P": "$A"}, "modelOverrides": {model.id: {"headers": {"X-M": "$A"}}}}
    directory = PiDirectory(tmp_path).models({"providers": {"xai": config}})
    view = directory.auth({"xai": {**LASTING, "env": {"A": "stored"}}}).registry({}).view()
    assert view.unresolved("xai") == (
        f'Failed to resolve model "{model.canonical_id}" header "X-M" from environment variable: A',
    )


@pytest.mark.parametrize(
    ("config", "shown"),
    [
        (
            {"headers": {"X-T": "$TEAM"}},
            'Failed to resolve provider "corp" header "X-T" from environment variable: TEAM',
        ),
        (
            {"headers": {"X-T": "$A$B"}},
            'Failed to resolve provider "corp" header "X-T" from environment variables: A, B',
        ),
        (
            {"models": [{"id": "m1", "headers": {"X-T": "!test secret = no"}}]},
            'Failed to resolve model "corp/m1" header "X-T" from shell command (exit code 1)',
        ),
    ],
)
def test_unresolved_header_fails_the_request(config: Json, shown: str, tmp_path: Path) -> None:
    """It is never dropped; the reason is told, nobody sees the command line."""
    with pytest.raises(UnresolvedValue) as caught:
        headers(tmp_path, {**CUSTOM, **config}, {}, "corp/m1")
    assert (caught.value.message, caught.value.status) == (shown, 502)


def test_unresolved_key_does_not_show_its_command(tmp_path: Path) -> None:
    """It may hold a secret: how it ended is what the client, the log and the doctor are told."""
    login = PiDirectory(tmp_path).models(custom(apiKey="!test secret = no")).registry().view().login("corp")
    assert login.problem == 'Failed to resolve API key for provider "corp" from shell command (exit code 1)'
    assert "secret" not in repr(login)


def test_commands_need_a_thread(tmp_path: Path) -> None:
    """Only models whose key or headers may run a command do."""
    directory = PiDirectory(tmp_path).models(
        {
            "providers": {
                "key": {**CUSTOM, "apiKey": "!printf k"},
                "header": {**CUSTOM, "headers": {"X": "!printf h"}},
                "model": {**CUSTOM, "models": [{"id": "m1", "headers": {"X": "!printf h"}}, {"id": "m2"}]},
                "plain": {**CUSTOM, "apiKey": "$$!k", "headers": {"X": "a!b"}},
            }
        }
    )
    registry = directory.auth({"groq": {"type": "api_key", "key": "!printf k"}}).registry()
    view = registry.view()
    names = ("key/m1", "header/m1", "model/m1", "model/m2", "plain/m1", "groq/openai/gpt-oss-120b")
    assert [registry.view().needs_thread(view.by_id[name]) for name in names] == [True, True, True, False, False, True]
    assert view.runs_commands
    assert not directory.auth({}).registry().view().runs_commands


def test_own_provider_needs_no_credential(tmp_path: Path) -> None:
    """Models of piproxy's own come first and can always be used."""
    view = PiDirectory(tmp_path).registry(extra=(model("demo", "echo", api="demo"),)).view()
    assert [m.canonical_id for m in view.available()] == ["demo/echo"]
    assert view.login("demo").available


def test_azure_answers_to_its_old_name(tmp_path: Path) -> None:
    """auth.json and models.json of an older pi name it azure-openai-responses."""
    directory = PiDirectory(tmp_path).auth({"azure-openai-responses": {"type": "api_key", "key": "k"}})
    directory.models({"providers": {"azure-openai-responses": {"baseUrl": "https://az"}}})
    view = directory.registry().view()
    assert providers(view) == ["azure"]
    assert {m.base_url for m in view.available()} == {"https://az"}
    assert view.problems == ()


def test_radius_gateway_of_ones_own(tmp_path: Path) -> None:
    """Its models are the stored list, an old login's list, or, at the default gateway, the catalog's."""
    directory = (
        PiDirectory(tmp_path)
        .auth({"team": oauth(), "std": oauth()})
        .models(
            {
                "providers": {
                    "team": {"oauth": "radius", "baseUrl": "https://radius.team/v1"},
                    "std": {"oauth": "radius", "baseUrl": "https://radius.pi.dev/v1"},
                }
            }
        )
    )
    assert Counter(m.provider for m in directory.registry().view().available()) == {"std": 35}
    old = {"baseUrl": "https://radius.team/v1", "models": [{"id": "legacy", "name": "L"}]}
    directory.auth({"team": oauth(gatewayConfig=old)})
    (found,) = directory.registry().view().available()
    assert (found.canonical_id, found.api, found.base_url) == ("team/legacy", "pi-messages", "https://radius.team/v1")
    directory.store({"team": {"models": []}})
    assert directory.registry().view().available() == ()


def test_store_is_compared_with_the_catalog_in_use(tmp_path: Path) -> None:
    """An entry newer than the snapshot is laid over it."""
    entry = {"id": "gpt-next", "api": "openai-responses", "provider": "openai", "baseUrl": "https://api.openai.com/v1"}
    directory = PiDirectory(tmp_path)
    for modified, there in ((snapshot().generated_ms + 1, True), (snapshot().generated_ms, False)):
        directory.store({"openai": {"models": [entry], "lastModified": modified}})
        assert ("openai/gpt-next" in directory.registry().view().by_id) is there


def install_pi(root: Path, generated_at: str, id: str) -> Mapping[str, str]:
    """A pi with one model; gives the environment that leads to it."""
    home = root / "node_modules" / "@earendil-works"
    data = home / "pi-ai" / "dist" / "providers" / "data"
    data.mkdir(parents=True, exist_ok=True)
    (home / "pi-coding-agent").mkdir(exist_ok=True)
    manifest = {"name": "@earendil-works/pi-coding-agent", "version": "9.9.9"}
    (home / "pi-coding-agent" / "package.json").write_text(json.dumps(manifest))
    entry = {"id": id, "api": "openai-completions", "baseUrl": "https://x", "type": "chat"}
    content = json.dumps({"openai-completions": {f"chat:{id}": entry}}).encode()
    (data / "groq.json").write_bytes(content)
    hashes = {"groq.json": hashlib.sha256(content).hexdigest()}
    touched(data / ".manifest.json", json.dumps({"generatedAt": generated_at, "files": hashes}))
    return {"PI_PACKAGE_DIR": str(home / "pi-coding-agent")}


def test_installed_catalog_wins_when_it_is_newer(tmp_path: Path) -> None:
    """By pi's own date, unless one of the two is asked for; an update of pi is seen without a restart."""
    environ = install_pi(tmp_path, "2099-01-01T00:00:00Z", "m1")
    directory = PiDirectory(tmp_path / "agent")
    registry = directory.registry(environ, catalog_choice="auto")
    assert (list(registry.view().by_id), registry.view().catalog.pi_version) == (["groq/m1"], "9.9.9")
    assert len(directory.registry(environ, catalog_choice="snapshot").view().models) == 1643
    install_pi(tmp_path, "2099-01-02T00:00:00Z", "m22")
    assert list(registry.view().by_id) == ["groq/m22"]
    install_pi(tmp_path, "2020-01-01T00:00:00Z", "m333")
    assert len(registry.view().models) == 1643
    assert list(directory.registry(environ, catalog_choice="installed").view().by_id) == ["groq/m333"]


def test_installed_catalog_that_cannot_be_read_falls_back(tmp_path: Path) -> None:
    """The shipped one is used, and the problem says so."""
    environ = install_pi(tmp_path, "never", "m1")
    view = PiDirectory(tmp_path / "agent").registry(environ, catalog_choice="auto").view()
    assert len(view.models) == 1643
    assert "the catalog of pi 9.9.9 cannot be read" in view.problems[0].reason
    view = PiDirectory(tmp_path / "agent").registry({}, catalog_choice="installed").view()
    assert "not found on PATH" in view.problems[0].reason


def test_view_is_cheap_when_nothing_changed(tmp_path: Path) -> None:
    """The same object comes back; what a call costs is printed."""
    registry: Registry = PiDirectory(tmp_path).registry()
    first = registry.view()
    start = time.perf_counter()
    assert all(registry.view() is first for _ in range(100))
    print(f"unchanged view: {10_000 * (time.perf_counter() - start):.0f} µs")  # noqa: T201
