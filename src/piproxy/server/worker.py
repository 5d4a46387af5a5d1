"""One of several processes that serve the same sockets: ``python -m piproxy.server.worker``, started by the supervisor.

Its standard input says what to do, in one line of JSON, and stays open while the supervisor lives.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
from functools import partial

from piproxy.errors import ConfigError
from piproxy.server.lifecycle import STOP_WITH_STDIN, main, run
from piproxy.server.supervisor import UNUSABLE, Worker
from piproxy.server.tally import SharedTally


def work() -> int:
    """The exit code."""
    # Ctrl-C reaches every process of the terminal; the supervisor hears it and says when to stop.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    line = b""
    while not line.endswith(b"\n"):
        byte = os.read(0, 1)
        if not byte:
            return 0
        line += byte
    task = json.loads(line)
    flags = {name: tuple(value) if isinstance(value, list) else value for name, value in task["flags"].items()}
    sockets = [socket.socket(fileno=number) for number in task["sockets"]]
    tally = SharedTally(task["sums"], task["number"], task["count"], task["started"])

    def ready() -> None:
        os.write(task["ready"], b"!")
        os.close(task["ready"])

    worker = Worker(sockets, task["first"], tally, task["flaws"], ready)
    try:
        return run(partial(main, {**flags, STOP_WITH_STDIN: True}, task["environ"], worker))
    except ConfigError as error:
        sys.stderr.write(f"piproxy: {error.message}\n")
        return UNUSABLE


if __name__ == "__main__":
    sys.exit(work())
