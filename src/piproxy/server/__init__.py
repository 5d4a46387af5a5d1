"""The network, inward: the Quart-Trio app on Hypercorn."""
