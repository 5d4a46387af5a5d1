"""Counts one entry of auth.json up with piproxy's own code: ``python writer.py <auth.json> <key> <times>``."""

from __future__ import annotations

import sys
from pathlib import Path

from piproxy.pi.auth_file import AuthFile


def main(path: str, key: str, times: str) -> None:
    file = AuthFile(Path(path))
    for _ in range(int(times)):
        file.update(key, lambda entry: {**entry, "expires": entry["expires"] + 1})


if __name__ == "__main__":
    main(*sys.argv[1:])
