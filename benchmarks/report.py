"""Numbers of one run, and the table of them for the README."""

from __future__ import annotations

import math
import platform
import subprocess
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any, Final

SELF: Final = "piproxy"
DIRECT: Final = "(none)"
MARKS: Final = ("<!-- bench: nox -s bench -->", "<!-- /bench -->")

ROWS: Final = (
    ("call, 1 connection: cpu", "CPU per call, 1 connection", "ms"),
    ("call, 16 connections: cpu", "CPU per call, 16 connections", "ms"),
    ("call, 1 connection: latency", "added latency per call, 1 connection", "ms"),
    ("call, 16 connections: latency", "added latency per call, 16 connections", "ms"),
    ("first event: first", "added time to the first event", "ms"),
    ("1 stream: cpu", "CPU per event, 1 stream", "µs"),
    ("64 streams: cpu", "CPU per event, 64 streams at 50/s", "µs"),
    ("1,000 streams: cpu", "CPU per event, 1,000 streams at 3/s", "µs"),
    ("1,000 streams: opening", "CPU to open one of 1,000 streams", "ms"),
    ("1,000 streams: lost", "events lost of 1,000 streams", ""),
    ("64 streams: jitter", "jitter between events (p99), 64 streams", "ms"),
    ("1,000 streams: jitter", "jitter between events (p99), 1,000 streams", "ms"),
    ("leaving: abort", "client leaves to provider's stream closed", "ms"),
    ("idle: rss", "memory, idle", "MB"),
    ("many calls: rss", "memory after many calls", "MB"),
    ("images: rss", "memory after 20 MB image bodies", "MB"),
    ("images: peak", "memory at most", "MB"),
    ("images: cpu", "CPU per 20 MB image body", "ms"),
    ("start: seconds", "start to first 200", "s"),
    ("start: cpu", "CPU from start to first 200", "s"),
    ("import: seconds", "import alone", "s"),
)
_ADDED: Final = frozenset(("call, 1 connection: latency", "call, 16 connections: latency", "first event: first"))
"""Of these the time without any proxy is taken away."""
_PLAIN: Final = frozenset(("1,000 streams: lost",))


@dataclass
class Results:
    """Everything that was measured, each value of each round."""

    values: dict[str, dict[str, list[float]]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(list)))
    versions: dict[str, str] = field(default_factory=dict)
    rooms: dict[str, float] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)
    work: str = ""
    """How much work it was."""
    date: str = field(default_factory=lambda: datetime.now(UTC).strftime("%Y-%m-%d"))

    def add(self, name: str, metric: str, value: float) -> None:
        self.values[name][metric].append(value)

    def of(self, name: str, metric: str) -> list[float]:
        """The values of all rounds, in order."""
        values = self.values.get(name, {}).get(metric, [])
        direct = self.values.get(DIRECT, {}).get(metric, [])
        if metric in _ADDED and len(direct) == len(values):
            return [max(value - without, 0.001) for value, without in zip(values, direct, strict=True)]
        return values

    def as_json(self) -> dict[str, Any]:
        return {
            "date": self.date,
            "machine": machine(),
            "work": self.work,
            "versions": self.versions,
            "values": {name: dict(metrics) for name, metrics in self.values.items()},
            "rooms": self.rooms,
            "failures": self.failures,
        }


def machine() -> str:
    """What kind of machine this is."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    except OSError:
        names = []
    processor = names[0] if names else platform.processor()
    cores = subprocess.run(["nproc"], capture_output=True, text=True, check=True).stdout.strip()
    return f"{cores} cores ({processor}), {platform.system()} {platform.machine()}, Python {platform.python_version()}"


def table(results: Results) -> str:
    """Markdown: piproxy's own figures, then the ratio to each peer as median (least to most over the rounds)."""
    rivals = [name for name in results.versions if name != SELF]
    lines = [
        f"| | {SELF} | " + " | ".join(f": {name}" for name in rivals) + " |",
        "|---|---|" + "---|" * len(rivals),
    ]
    for metric, title, unit in ROWS:
        own = results.of(SELF, metric)
        if own:
            cells = [_ratio(own, results.of(rival, metric), plain=metric in _PLAIN) for rival in rivals]
            lines.append(f"| {title} | {_number(median(own))} {unit} | " + " | ".join(cells) + " |")
    versions = ", ".join(f"{name} {version}" for name, version in results.versions.items())
    lines += ["", f"{results.date}, {machine()}; {versions}; {results.work}."]
    if results.rooms:
        rates = ", ".join(f"{api} {rate / 1000:.0f}" for api, rate in results.rooms.items())
        lines += ["", f"Translation alone, thousand events per second and core: {rates}."]
    lines += [f"\nFailed: {failure}" for failure in dict.fromkeys(one.splitlines()[0] for one in results.failures)]
    return "\n".join(lines)


def into(readme: Path, text: str) -> None:
    """Put the table between the marks."""
    before, _, rest = readme.read_text().partition(MARKS[0])
    _, found, after = rest.partition(MARKS[1])
    if not found:
        raise SystemExit(f"{readme} has no marks {MARKS}")
    readme.write_text(f"{before}{MARKS[0]}\n{text}\n\n{MARKS[1]}{after}")


def _ratio(own: list[float], other: list[float], *, plain: bool) -> str:
    if not other:
        return "-"
    if plain:
        return _number(median(other))
    if math.isinf(median(other)):
        return "never closed"
    ratios = [a / b for a, b in zip(own, other, strict=False) if b]
    if not ratios:
        return "-"
    middle = f"{median(ratios):.2f}"
    return middle if len(ratios) == 1 else f"{middle} ({min(ratios):.2f} to {max(ratios):.2f})"


def _number(value: float) -> str:
    return f"{value:.0f}" if value >= 100 or value == 0 else f"{value:.3g}"
