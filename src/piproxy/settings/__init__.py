"""piproxy's settings: one schema, four sources (flags, variables, proxy-config.json, defaults)."""

from __future__ import annotations

from piproxy.settings.addresses import Address
from piproxy.settings.load import Effective, load, parse_text
from piproxy.settings.record import Settings
from piproxy.settings.save import save
from piproxy.settings.schema import BY_KEY, SCHEMA, Setting, Value

__all__ = ["BY_KEY", "SCHEMA", "Address", "Effective", "Setting", "Settings", "Value", "load", "parse_text", "save"]
