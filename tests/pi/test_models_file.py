"""models.json is read as pi reads it, and refused with pi's words."""

from __future__ import annotations

from pathlib import Path

import pytest
from fakes.pidir import PiDirectory

from piproxy.pi.models_file import ModelsFile, read

EXAMPLE = """\ufeff{
  "providers": {
    // one's own
    "ollama": {
      "baseUrl": "http://localhost:11434/v1", "api": "openai-completions", "apiKey": "ollama",
      "models": [ { "id": "qwen3:8b", "reasoning": true, "thinkingLevelMap": { "xhigh": null } }, ]
    },
    "anthropic": { "baseUrl": "https://gw.example/v1", "headers": { "X-Team": "$TEAM" } },
    "openai": { "modelOverrides": { "gpt-5.4": { "cost": { "input": 9 }, "contextWindow": 200000 } } },
    "corp": { "baseUrl": "https://llm.corp/v1", "api": "openai-completions", "apiKey": "!corp-token",
              "authHeader": true, "models": [ { "id": "m1", "headers": { "X-Model": "m1" } } ], "unknown": 1 }
  },
}
"""


def load(content: object, tmp_path: Path) -> ModelsFile:
    directory = PiDirectory(tmp_path).models(content)
    return read(directory.agent.models, sleep=lambda _: None)


def test_example_of_pi(tmp_path: Path) -> None:
    """Comments, trailing commas, a byte order mark and unknown keys are allowed; keys stay config values."""
    file = load(EXAMPLE, tmp_path)
    assert file.problems == ()
    assert list(file.providers) == ["ollama", "anthropic", "openai", "corp"]
    corp = file.providers["corp"]
    assert (corp.base_url, corp.api_key, corp.auth_header) == ("https://llm.corp/v1", "!corp-token", True)
    assert corp.model_headers("m1") == {"X-Model": "m1"}
    assert corp.model_headers("other") == {}
    assert file.providers["anthropic"].headers == {"X-Team": "$TEAM"}


def test_definition_headers_beat_override_headers(tmp_path: Path) -> None:
    """Both may name a model's headers; the definition's win."""
    file = load(
        {
            "providers": {
                "a": {
                    "models": [{"id": "m", "headers": {"X": "def", "Y": "def"}}],
                    "modelOverrides": {"m": {"headers": {"X": "over", "Z": "over"}}},
                }
            }
        },
        tmp_path,
    )
    assert file.providers["a"].model_headers("m") == {"X": "def", "Y": "def", "Z": "over"}


def test_no_file_is_no_providers(tmp_path: Path) -> None:
    """A missing file is not a problem."""
    assert read(tmp_path / "models.json") == ModelsFile()


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('{\n "providers": {\n  "a" 1}}', 3),
        ('{"providers": /* no */ {}}', 1),
        ("{\n\n", 3),
        ('{"providers": NaN}', None),
    ],
)
def test_syntax_error_names_the_line(text: str, line: int | None, tmp_path: Path) -> None:
    """The whole file is left out, and the problem says where."""
    file = load(text, tmp_path)
    assert file.providers == {}
    (problem,) = file.problems
    assert problem.reason.startswith("Failed to parse models.json: ")
    assert (problem.path.name, problem.line) == ("models.json", line)


def test_unreadable_file(tmp_path: Path) -> None:
    """A file that cannot be opened is told apart from one that cannot be parsed."""
    (tmp_path / "models.json").mkdir()
    (problem,) = read(tmp_path / "models.json", sleep=lambda _: None).problems
    assert problem.reason == "Failed to load models.json: Is a directory"


@pytest.mark.parametrize(
    ("document", "lines"),
    [
        ([], ["root: must be object"]),
        ({}, ["providers: is required"]),
        ({"$schema": 1, "providers": {}}, ["$schema: must be string"]),
        ({"providers": {"a": 1}}, ["providers.a: must be object"]),
        ({"providers": {"a": {"baseUrl": ""}}}, ["providers.a.baseUrl: must be a string that is not empty"]),
        ({"providers": {"a": {"authHeader": "yes"}}}, ["providers.a.authHeader: must be boolean"]),
        ({"providers": {"a": {"oauth": "google"}}}, ['providers.a.oauth: must be "radius"']),
        ({"providers": {"a": {"headers": {"X": 1}}}}, ["providers.a.headers.X: must be string"]),
        ({"providers": {"a": {"headers": []}}}, ["providers.a.headers: must be object"]),
        ({"providers": {"a": {"models": {}}}}, ["providers.a.models: must be array"]),
        ({"providers": {"a": {"models": ["m"]}}}, ["providers.a.models.0: must be object"]),
        ({"providers": {"a": {"models": [{}]}}}, ["providers.a.models.0.id: is required"]),
        (
            {"providers": {"a": {"models": [{"id": "m", "contextWindow": 0, "input": ["audio"]}]}}},
            [
                'providers.a.models.0.input.0: must be "text" or "image"',
                "providers.a.models.0.contextWindow: must be a number above 0",
            ],
        ),
        (
            {"providers": {"a": {"models": [{"id": "m", "cost": {"input": 1, "output": 1, "cacheRead": 0}}]}}},
            ["providers.a.models.0.cost.cacheWrite: is required"],
        ),
        (
            {"providers": {"a": {"modelOverrides": {"m": {"cost": {"tiers": [{"input": 1}]}}}}}},
            [
                f"providers.a.modelOverrides.m.cost.tiers.0.{key}: is required"
                for key in ("inputTokensAbove", "output", "cacheRead", "cacheWrite")
            ],
        ),
        (
            {"providers": {"a": {"models": [{"id": "m", "thinkingLevelMap": {"low": 1, "turbo": 1}}]}}},
            ["providers.a.models.0.thinkingLevelMap.low: must be string or null"],
        ),
        (
            {
                "providers": {
                    "a": {"models": [{"id": "m", "inputLimits": {"images": {"resize": {"jpegQuality": 101}}}}]}
                }
            },
            ["providers.a.models.0.inputLimits.images.resize.jpegQuality: must be an integer from 1 to 100"],
        ),
    ],
)
def test_schema_error_names_the_path(document: object, lines: list[str], tmp_path: Path) -> None:
    """A wrong type leaves the whole file out, with pi's prefix and one line per fault."""
    file = load(document, tmp_path)
    assert file.providers == {}
    (problem,) = file.problems
    assert problem.reason == "\n".join(["Invalid models.json schema:", *(f"  - {line}" for line in lines)])


def test_schema_error_names_the_line(tmp_path: Path) -> None:
    """The place of the first fault, counted with the comments."""
    text = '{ // mine\n"providers": {\n"a": {"baseUrl": "x"},\n"b": {"models": [\n{"id": "m",\n"name": ""}]}}}'
    (problem,) = load(text, tmp_path).problems
    assert (problem.line, str(problem).partition(": ")[0]) == (6, f"{tmp_path / 'models.json'}:6")


def test_providers_know_their_line(tmp_path: Path) -> None:
    """For messages about one of them."""
    assert [one.line for one in load(EXAMPLE, tmp_path).providers.values()] == [4, 8, 9, 10]


def test_override_may_change_part_of_the_cost(tmp_path: Path) -> None:
    """What is required in a definition is optional in an override."""
    document = {"providers": {"a": {"modelOverrides": {"m": {"cost": {"input": 1}}}}}}
    assert load(document, tmp_path).problems == ()
