"""The demo provider and its room, without a server and without time."""

from __future__ import annotations

from piproxy.chat import Chat, UserMessage
from piproxy.events import Event
from piproxy.model import Model
from piproxy.upstream.demo.script import script
from piproxy.upstream.demo.steps import Data, Step
from piproxy.wire.demo import models
from piproxy.wire.demo.request import build_request
from piproxy.wire.demo.stream import stream_parser
from piproxy.wire.room import Options

MODELS: dict[str, Model] = {model.id: model for model in models()}


def ask(text: str, model: str = "echo") -> Chat:
    """One user message."""
    return Chat(model=f"demo/{model}", messages=(UserMessage(text),))


def steps(chat: Chat) -> list[Step]:
    """Everything that the provider does about a chat."""
    request = build_request(chat, MODELS[chat.model.removeprefix("demo/")], Options())
    return list(script(request.body))


def events(chat: Chat) -> list[Event]:
    """The events of a whole answer."""
    request = build_request(chat, MODELS[chat.model.removeprefix("demo/")], Options())
    parser = stream_parser(request, "text/event-stream")
    body = b"".join(step.body for step in script(request.body) if isinstance(step, Data))
    return [*parser.feed(body), *parser.end()]
