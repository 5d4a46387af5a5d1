"""OpenAI chat completions and everything that copies it (wire-openai-family.md, 1 to 3, 8, 13 and 14)."""
