"""The room of ``google-generative-ai``: Gemini's own API (wire reference, 3). Vertex is a variant in ``vertex``."""
