"""piproxy: a local OpenAI-compatible gateway to every model that the pi coding agent can reach."""

__version__ = "0.1.0"
