"""OpenAI's Responses API, and the hosts that copy it; Azure and Codex are variants (wire reference, 4 to 6)."""
