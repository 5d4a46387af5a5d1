"""Codex: the Responses API behind a ChatGPT login, with few fields (wire reference, 6)."""
