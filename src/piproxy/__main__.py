"""``python -m piproxy``."""

from __future__ import annotations

from piproxy.cli.main import main

if __name__ == "__main__":
    main()
