"""Images in a request."""

from __future__ import annotations

import json
import random
from base64 import b64encode
from typing import Any

import pytest

from piproxy.chat import Image, UserMessage
from piproxy.errors import InvalidRequest
from piproxy.openai import images
from piproxy.openai.decode import decode

PNG = b64encode(b"\x89PNG\r\n\x1a\n").decode()


def _image(image_url: Any, *, remote_images: bool = False) -> Image:
    content = [{"type": "text", "text": "look"}, {"type": "image_url", "image_url": image_url}]
    body = json.dumps({"model": "m", "messages": [{"role": "user", "content": content}]}).encode()
    (message,) = decode(body, remote_images=remote_images).chat.messages
    assert isinstance(message, UserMessage)
    image = message.content[1]
    assert isinstance(image, Image)
    return image


@pytest.mark.parametrize("kind", ["png", "jpeg", "gif", "webp"])
def test_a_data_uri_is_carried(kind: str) -> None:
    """The four types that every provider takes; the base64 text is not touched."""
    image = _image({"url": f"data:image/{kind};base64,{PNG}", "detail": "original"})
    assert image == Image(f"data:image/{kind};base64,{PNG}", "original")
    assert (image.media_type, image.data, image.remote) == (f"image/{kind}", PNG, False)


@pytest.mark.parametrize(
    "url",
    [f"data:image/jpg;base64,{PNG}", f"DATA:image/JPEG;BASE64,{PNG}", f"data:image/jpeg;charset=utf-8;base64,{PNG}"],
)
def test_the_head_of_a_data_uri_is_made_plain(url: str) -> None:
    """Providers are picky about the media type; its usual misspellings are put right."""
    assert _image({"url": url}).url == f"data:image/jpeg;base64,{PNG}"


def test_the_url_may_stand_alone() -> None:
    """``image_url`` as a string, as Mistral's clients write it."""
    assert _image(f"data:image/png;base64,{PNG}") == Image(f"data:image/png;base64,{PNG}")


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("https://example.com/a.png", "unsupported_image_url"),
        ("HTTP://example.com/a.png", "unsupported_image_url"),
        ("file:///etc/passwd", "invalid_image_url"),
        (PNG, "invalid_image_url"),
        ("", "invalid_image_url"),
        ("data:image/png,abc", "invalid_image_url"),
        ("data:image/png;base64", "invalid_image_url"),
        ("data:image/png;base64,", "invalid_image_url"),
        ("data:image/png;base64,a", "invalid_image_url"),
        ("data:image/png;base64,AA=A", "invalid_image_url"),
        ("data:image/png;base64,AA==AA==", "invalid_image_url"),
        ("data:image/png;base64,AA\n==", "invalid_image_url"),
        ("data:image/png;base64,ÄÄ==", "invalid_image_url"),
        (f"data:image/svg+xml;base64,{PNG}", "unsupported_image_type"),
        (f"data:application/pdf;base64,{PNG}", "unsupported_image_type"),
        (f"data:;base64,{PNG}", "unsupported_image_type"),
    ],
)
def test_what_no_provider_could_take_is_refused(url: str, code: str) -> None:
    """400 with the path of the URL, and the URL itself is not repeated."""
    with pytest.raises(InvalidRequest) as caught:
        _image({"url": url})
    assert (caught.value.param, caught.value.code) == ("messages[0].content[1].image_url.url", code)
    assert "passwd" not in caught.value.message
    with pytest.raises(InvalidRequest) as caught:
        _image(url)
    assert caught.value.param == "messages[0].content[1].image_url"


def test_remote_images_can_be_allowed() -> None:
    """Then the address is carried as it is."""
    image = _image({"url": "https://example.com/a.png", "detail": None}, remote_images=True)
    assert image == Image("https://example.com/a.png")
    assert image.remote


def test_an_image_has_a_limit() -> None:
    """20 MiB of base64 is the most, to the character."""
    head = "data:image/png;base64,"
    data = b64encode(random.Random(1).randbytes(images.MAX_BASE64 // 4 * 3)).decode()
    assert len(data) == images.MAX_BASE64
    assert images.checked(head + data, (), remote=False) == head + data
    with pytest.raises(InvalidRequest) as caught:
        images.checked(head + data + "AAAA", ("x",), remote=False)
    assert caught.value.code == "image_too_large"


@pytest.mark.parametrize("size", [4, 8, 12, 262140, 262144, 262148, 524292])
def test_a_large_image_is_read_in_pieces(size: int) -> None:
    """Every character counts, wherever the pieces end; padding only at the end."""
    whole = "A" * size
    for good in (whole, whole[:-1] + "=", whole[:-2] + "=="):
        assert _image({"url": f"data:image/png;base64,{good}"}).data == good
    for at in {0, 1, size // 2, size - 4, size - 2}:
        for bad in "\n=-_\u00c4":
            with pytest.raises(InvalidRequest, match="base64"):
                _image({"url": f"data:image/png;base64,{whole[:at]}{bad}{whole[at + 1 :]}"})
    for short in (1, 2, 3):
        with pytest.raises(InvalidRequest, match="base64"):
            _image({"url": f"data:image/png;base64,{whole[:-short]}"})


def test_an_image_that_is_right_is_not_copied() -> None:
    """Nor is it when its head has to be made plain, but for that."""
    url = f"data:image/png;base64,{PNG}"
    assert images.checked(url, ("messages",), remote=False) is url
