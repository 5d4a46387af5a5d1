"""The network, outward: HTTP to providers, credentials that need the network."""
