"""The OpenAI-compatible API that clients see: decode requests, encode answers. Pure."""
