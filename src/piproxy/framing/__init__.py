"""Byte formats of streamed answers: server-sent events and the AWS event stream. Pure."""
