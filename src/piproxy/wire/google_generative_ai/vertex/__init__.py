"""The room of ``google-vertex``: Gemini on Vertex AI, with other addresses and logins (wire reference, 4)."""
