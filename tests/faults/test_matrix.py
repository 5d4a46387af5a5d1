"""Each fault, in each room, streamed and whole, over HTTP/1.1 and HTTP/2: one honest error, and nothing left."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fakes.breaking import APIS, Breaking, breaking
from fakes.faults import Plan, Sample, after_the_end, at_places, named_faults, samples
from trio.testing import MockClock

every_api = pytest.mark.parametrize("api", APIS)
both_protocols = pytest.mark.parametrize("protocol", ["h1", "h2"])

MANY, FEW = 8, 3
"""Places at which the smallest sample of an API, and each of the others, is broken."""


def good(api: str) -> list[Sample]:
    """The smallest one first."""
    return sorted((sample for sample in samples(api) if not sample.fails), key=lambda sample: len(sample.body))


async def play(b: Breaking, plans: Iterator[tuple[str, Plan]], sample: Sample) -> int:
    """All of them, streamed and whole, one after the other on one client connection; how many ended in an error."""
    errors = 0
    for name, plan in plans:
        right = await b.right(plan, sample)
        for stream in (True, False):
            try:
                await b.play(plan, sample, stream=stream, right=right)
            except BaseException as error:
                error.add_note(f"{sample}: {name}, {'stream' if stream else 'whole'}")
                raise
        errors += right.error is not None
    await b.good(good(sample.api)[0])
    return errors


@every_api
@both_protocols
async def test_faults_of_every_kind(api: str, protocol: str, tmp_path: Path, autojump_clock: MockClock) -> None:
    """The client sees what the pure room makes of the bytes, no task, connection or place is left, and on it goes."""
    sample = good(api)[0]
    async with breaking(tmp_path, protocol) as b:
        assert await play(b, named_faults(sample), sample) >= 35


@every_api
@both_protocols
async def test_faults_in_every_place(api: str, protocol: str, tmp_path: Path, autojump_clock: MockClock) -> None:
    """Ended, closed, reset and stalled at many places of every sample: nothing that was said is lost or made up."""
    async with breaking(tmp_path, protocol) as b:
        for number, sample in enumerate(good(api)):
            assert await play(b, at_places(sample, FEW if number else MANY), sample)


@every_api
@both_protocols
async def test_nothing_behind_the_end_harms(api: str, protocol: str, tmp_path: Path, autojump_clock: MockClock) -> None:
    """Said twice, broken, reset, silent: the answer was complete, and is told as such."""
    async with breaking(tmp_path, protocol) as b:
        ending = [sample for sample in good(api) if await b.ends_itself(sample)]
        assert ending or api.startswith("google")  # there the connection alone ends an answer
        for sample in ending:
            assert await play(b, after_the_end(sample), sample) == 0


@every_api
async def test_errors_inside_an_answer(api: str, tmp_path: Path, autojump_clock: MockClock) -> None:
    """The samples of answers that fail in their own words."""
    async with breaking(tmp_path, "h1") as b:
        for sample in samples(api):
            if sample.fails:
                assert await play(b, at_places(sample, FEW), sample)
