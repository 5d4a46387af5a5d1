"""pi's own message protocol, spoken by the Radius gateway (wire-native-apis.md, 6)."""
