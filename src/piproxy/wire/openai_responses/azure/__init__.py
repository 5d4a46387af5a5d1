"""Azure's Responses API: another address, a deployment for a model, the key in ``api-key`` (wire reference, 5)."""
