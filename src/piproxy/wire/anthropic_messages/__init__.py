"""Anthropic's Messages API, and the endpoints that copy it (wire-native-apis.md, 2)."""
