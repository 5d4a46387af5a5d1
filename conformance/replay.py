"""``python -m conformance.replay``: play the recorded cases, here or against any other server.

Without ``--base-url`` the cases are played into piproxy in this process, on a virtual clock; ``--accept`` writes what
came into the recordings. With ``--base-url`` the client's side is played against the server at that address, in real
time, and a table tells what it gets wrong. Such a server has to find its providers at ``--upstream``:
``--agent-dir FOLDER`` writes pi's files for that.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from conformance.case import Case, Recording, folders, load
from conformance.inside import play
from conformance.strip import stripped
from conformance.vendors import UPSTREAM_KEY, agent_files
from conformance.verdict import verdict


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("case", nargs="*", help="only cases whose /client/case holds one of these")
    parser.add_argument("--accept", action="store_true", help="make what piproxy does now the recording")
    parser.add_argument("--base-url", help="another server: http://127.0.0.1:4141")
    parser.add_argument("--key", default="", help="that server's key")
    parser.add_argument("--upstream", type=int, default=4142, help="port of the recorded providers (default: 4142)")
    parser.add_argument("--agent-dir", type=Path, help="write pi's files for that server into this folder, and stop")
    options = parser.parse_args(arguments)
    if options.agent_dir:
        options.agent_dir.mkdir(parents=True, exist_ok=True)
        for name, content in agent_files(f"http://127.0.0.1:{options.upstream}").items():
            (options.agent_dir / name).write_text(json.dumps(content, indent=2) + "\n")
        return 0
    chosen = {folder for pattern in options.case or [""] for folder in folders(pattern)}
    cases = [load(folder) for folder in sorted(chosen)]
    if options.base_url:
        from conformance.outside import compare_server  # noqa: PLC0415  (piproxy's own replay does not need it)

        return compare_server(cases, options.base_url, options.key, options.upstream)
    return 1 if sum(_play(case, accept=options.accept) for case in cases) else 0


def _play(case: Case, *, accept: bool) -> bool:
    played = play(case)
    wrong = verdict(case, played)
    print(f"{'DIFFERS' if wrong else 'ok     '} {case.id}", *wrong, sep="\n")
    if wrong and accept:
        now = played.recording
        case.recording = Recording(
            stripped(now.request), stripped(now.upstream, [UPSTREAM_KEY]), stripped(now.expected)
        )
        case.save()
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
