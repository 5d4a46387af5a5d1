"""What a supervisor's children do in tests: ``python -m fakes.crashing HOW FILE``."""

from __future__ import annotations

import signal
import sys
import time
from pathlib import Path


def main(how: str, file: Path) -> int:
    """Behave as told; the file has a line per start."""
    if how == "ignore":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    with file.open("a") as log:
        log.write("started\n")
    match how:
        case "crash":
            return 1
        case "unusable":
            return 2
        case "hear late":
            return hear_late(file)
        case "crash once" if file.read_text().count("started") == 1:
            return 1
    time.sleep(60)
    return 0


def hear_late(file: Path) -> int:
    """Hear SIGHUP only once the file says so, tell that it is heard, and note each."""
    while "hear\n" not in file.read_text():
        time.sleep(0.01)

    def note(number: int, frame: object) -> None:
        with file.open("a") as log:
            log.write("heard\n")

    signal.signal(signal.SIGHUP, note)
    sys.stdout.write("!")
    sys.stdout.flush()
    while True:
        time.sleep(60)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2])))
