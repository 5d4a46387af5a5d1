"""Addresses and logins of Vertex AI."""

from __future__ import annotations

from typing import Final

import pytest

from piproxy.chat import Chat, UserMessage
from piproxy.errors import CredentialError
from piproxy.model import Model
from piproxy.wire.google_generative_ai.request import build_request as gemini
from piproxy.wire.google_generative_ai.vertex.request import build_request
from piproxy.wire.room import Options
from piproxy.wire.rooms import room_for

CHAT: Final = Chat(model="m", messages=(UserMessage("Hi"),), temperature=0.5)
CATALOG: Final = "https://{location}-aiplatform.googleapis.com"
END: Final = ":streamGenerateContent?alt=sse"


def model(id: str = "gemini-2.5-pro", base_url: str = CATALOG) -> Model:
    return Model(provider="google-vertex", id=id, api="google-vertex", base_url=base_url)


def adc(location: str = "europe-west4", project: str = "GOOGLE_CLOUD_PROJECT") -> Options:
    return Options(key_kind="adc", env={project: "my-project", "GOOGLE_CLOUD_LOCATION": location})


@pytest.mark.parametrize(
    ("location", "host"),
    [
        ("europe-west4", "europe-west4-aiplatform.googleapis.com"),
        ("global", "aiplatform.googleapis.com"),
        ("us", "aiplatform.us.rep.googleapis.com"),
        ("eu", "aiplatform.eu.rep.googleapis.com"),
    ],
)
def test_a_google_token_has_a_project_and_a_place(location: str, host: str) -> None:
    """The location picks the host and stands in the path."""
    request = build_request(CHAT, model(), adc(location))
    path = f"v1/projects/my-project/locations/{location}/publishers/google/models/gemini-2.5-pro"
    assert request.url == f"https://{host}/{path}{END}"
    assert request.auth == "bearer"


def test_the_projects_other_name_counts_too() -> None:
    """``GCLOUD_PROJECT`` is read after ``GOOGLE_CLOUD_PROJECT``."""
    assert "/projects/my-project/" in build_request(CHAT, model(), adc(project="GCLOUD_PROJECT")).url


@pytest.mark.parametrize("missing", ["GOOGLE_CLOUD_PROJECT", "GOOGLE_CLOUD_LOCATION"])
def test_a_google_token_without_project_or_location_is_told_what_is_missing(missing: str) -> None:
    """The message names the variables."""
    env = {name: value for name, value in adc().env.items() if name != missing}
    with pytest.raises(CredentialError, match=missing):
        build_request(CHAT, model(), Options(key_kind="adc", env=env))


def test_an_api_key_needs_no_project() -> None:
    """The express address has neither project nor location."""
    request = build_request(CHAT, model(), Options(env=adc().env))
    assert request.url == f"https://aiplatform.googleapis.com/v1/publishers/google/models/gemini-2.5-pro{END}"
    assert request.auth == "x-goog-api-key"


@pytest.mark.parametrize(
    ("base_url", "start"),
    [
        ("https://gateway.example/vertex", "https://gateway.example/vertex/v1"),
        ("https://gateway.example/vertex/v1/", "https://gateway.example/vertex/v1"),
        ("https://gateway.example/v1beta1/x", "https://gateway.example/v1beta1/x"),
        ("https://v1.example", "https://v1.example/v1"),
    ],
)
@pytest.mark.parametrize("key_kind", ["key", "adc"])
def test_a_base_url_of_the_users_own_is_used(base_url: str, start: str, key_kind: str) -> None:
    """It gets a version if it has none, and no project path; the login stays what it is."""
    options = adc() if key_kind == "adc" else Options()
    request = build_request(CHAT, model(base_url=base_url), options)
    assert request.url == f"{start}/publishers/google/models/gemini-2.5-pro{END}"
    assert request.auth == ("bearer" if key_kind == "adc" else "x-goog-api-key")


@pytest.mark.parametrize(
    ("id", "path"),
    [
        ("meta/llama-4", "publishers/meta/models/llama-4"),
        ("publishers/google/models/x", "publishers/google/models/x"),
        ("models/x", "models/x"),
        ("x@001", "publishers/google/models/x@001"),
    ],
)
def test_forms_of_an_id(id: str, path: str) -> None:
    """A resource name is used as it is; ``vendor/model`` is another publisher's."""
    assert build_request(CHAT, model(id), Options()).url == f"https://aiplatform.googleapis.com/v1/{path}{END}"


def test_a_full_resource_name_brings_its_own_project() -> None:
    """Tuned models and endpoints name project and location themselves."""
    name = "projects/p/locations/l/endpoints/7"
    assert (
        build_request(CHAT, model(name), adc("us-east4")).url
        == f"https://us-east4-aiplatform.googleapis.com/v1/{name}{END}"
    )


def test_the_body_is_geminis() -> None:
    """Only addresses and logins differ."""
    plain = Model(provider="google", id="gemini-2.5-pro", api="google-generative-ai", base_url="https://x/v1beta")
    assert build_request(CHAT, model(), Options()).body == gemini(CHAT, plain, Options()).body
    assert room_for("google-vertex").parse_failure is room_for("google-generative-ai").parse_failure
