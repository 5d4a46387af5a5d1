"""Mistral's chat completions (pi calls the API ``mistral-conversations``; wire reference, 7)."""
