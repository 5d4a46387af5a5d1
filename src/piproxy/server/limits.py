"""How many files, and with them connections, the operating system lets this process have."""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import Final

ENOUGH: Final = 65_536
"""More than this is not asked for; a stream needs two."""
if sys.platform != "win32":
    import resource

    def allow_open_files() -> None:
        """As many as the hard limit grants: the soft one is for programs that use ``select``, and often 1024 or 256."""
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        most = ENOUGH if hard == resource.RLIM_INFINITY else min(ENOUGH, hard)
        if soft != resource.RLIM_INFINITY and soft < most:
            with suppress(OSError, ValueError):  # a system that says more than it gives
                resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))

    def open_files() -> int:
        """The limit in force; -1 is none."""
        return resource.getrlimit(resource.RLIMIT_NOFILE)[0]

else:

    def allow_open_files() -> None:
        """There is no such limit."""

    def open_files() -> int:
        """There is no such limit."""
        return -1
