"""Messages: from the checked shapes to :mod:`piproxy.chat`, byte for byte."""

from __future__ import annotations

from collections.abc import Sequence

from piproxy import chat
from piproxy.errors import UnsupportedParameter
from piproxy.jsontext import Json
from piproxy.openai import images, schema
from piproxy.openai.faults import Path, bracketed, invalid, missing


def messages(shapes: Sequence[schema.Message], *, remote_images: bool) -> tuple[chat.Message, ...]:
    """Raises :class:`~piproxy.errors.InvalidRequest` or :class:`~piproxy.errors.UnsupportedParameter`."""
    return tuple(_message(shape, ("messages", at), remote_images) for at, shape in enumerate(shapes))


def _message(shape: schema.Message, path: Path, remote: bool) -> chat.Message:
    match shape:
        case schema.UserMessage():
            return chat.UserMessage(_content(shape.content, path, remote), shape.name, shape.cache_control)
        case schema.ToolMessage():
            content = _content(shape.content, path, remote)
            return chat.ToolMessage(content, shape.tool_call_id, shape.name, shape.cache_control)
        case schema.SystemMessage():
            content = _content(shape.content, path, remote)
            return chat.SystemMessage(content, shape.role, shape.name, shape.cache_control)
        case schema.AssistantMessage():
            return _assistant(shape, path, remote)


def _assistant(shape: schema.AssistantMessage, path: Path, remote: bool) -> chat.AssistantMessage:
    if shape.function_call is not None:
        raise _refused((*path, "function_call"), "it is deprecated; use 'tool_calls'.")
    if shape.audio is not None:
        raise _refused((*path, "audio"), "piproxy does not carry audio output; send the transcript as text.")
    reasoning = next(
        (text for text in (shape.reasoning_content, shape.reasoning, shape.reasoning_text) if text is not None), None
    )
    content = shape.content
    said = content if content is None or isinstance(content, str) else _spoken(content)
    if reasoning is None and not isinstance(content, str):
        reasoning = "".join(_thought(part) for part in content or () if isinstance(part, schema.ThinkingPart)) or None
    return chat.AssistantMessage(
        content=None if said is None else _content(said, path, remote),
        tool_calls=tuple(_tool_call(call, (*path, "tool_calls", at)) for at, call in enumerate(shape.tool_calls or ())),
        reasoning=reasoning,
        reasoning_details=shape.reasoning_details,
        refusal=shape.refusal,
        name=shape.name,
        cache_control=shape.cache_control,
    )


def _spoken(
    parts: Sequence[schema.TextPart | schema.RefusalPart | schema.ThinkingPart],
) -> list[schema.TextPart | schema.RefusalPart] | None:
    """The parts that are no thinking; ``None`` for a message that only thought."""
    spoken = [part for part in parts if not isinstance(part, schema.ThinkingPart)]
    return None if parts and not spoken else spoken


def _thought(part: schema.ThinkingPart) -> str:
    return part.thinking if isinstance(part.thinking, str) else "".join(piece.text for piece in part.thinking)


def _tool_call(shape: schema.ToolCall, path: Path) -> chat.ToolCall:
    if shape.type == "custom" or (shape.type is None and shape.custom is not None):
        if shape.custom is None:
            raise missing((*path, "custom"))
        text = shape.custom.input or ""
        return chat.ToolCall(shape.id, shape.custom.name, text, custom=True, extra_content=shape.extra_content)
    if shape.function is None:
        raise missing((*path, "function"))
    text = shape.function.arguments or ""
    return chat.ToolCall(shape.id, shape.function.name, text, extra_content=shape.extra_content)


AnyPart = schema.TextPart | schema.ImagePart | schema.AudioPart | schema.FilePart | schema.RefusalPart


def _content(content: str | Sequence[AnyPart], path: Path, remote: bool) -> chat.Content:
    if isinstance(content, str):
        return content
    return tuple(_part(part, (*path, "content", at), remote) for at, part in enumerate(content))


def _part(part: AnyPart, path: Path, remote: bool) -> chat.Part:
    match part:
        case schema.TextPart():
            return chat.Text(part.text, _mark(part.cache_control, part.prompt_cache_breakpoint))
        case schema.ImagePart():
            return _image(part, path, remote)
        case schema.AudioPart():
            mark = _mark(part.cache_control, part.prompt_cache_breakpoint)
            return chat.Audio(part.input_audio.data, part.input_audio.format, mark)
        case schema.FilePart():
            file = part.file
            if file.file_data is None and file.file_id is None:
                raise invalid((*path, "file"), "it needs 'file_data' or 'file_id'.")
            mark = _mark(part.cache_control, part.prompt_cache_breakpoint)
            return chat.File(file.file_data, file.file_id, file.filename, mark)
        case schema.RefusalPart():
            return chat.Refusal(part.refusal)


def _image(part: schema.ImagePart, path: Path, remote: bool) -> chat.Image:
    mark = _mark(part.cache_control, part.prompt_cache_breakpoint)
    if isinstance(part.image_url, str):  # as Mistral's own clients write it
        return chat.Image(images.checked(part.image_url, (*path, "image_url"), remote=remote), None, mark)
    url = images.checked(part.image_url.url, (*path, "image_url", "url"), remote=remote)
    return chat.Image(url, part.image_url.detail, mark)


def _mark(cache_control: Json | None, breakpoint_: Json | None) -> Json | None:
    return breakpoint_ if cache_control is None else cache_control


def _refused(path: Path, reason: str) -> UnsupportedParameter:
    where = bracketed(path)
    return UnsupportedParameter(f"'{where}' is not supported: {reason}", advice="", param=where)
