"""The smallest answer of every API, ended, closed, reset or stalled at every one of its bytes: the exchange alone."""

from __future__ import annotations

import json

import pytest
import trio
from fakes.breaking import APIS, WAIT, body
from fakes.faults import ABOUT, PLACES, Verdict, samples, verdict
from fakes.line import Lines, Peer
from trio.testing import MockClock, wait_all_tasks_blocked

from piproxy.credential import Credential
from piproxy.errors import PiproxyError
from piproxy.exchange import Call, Exchange, Limits, Providers, Record
from piproxy.model import Model
from piproxy.openai.decode import decode
from piproxy.openai.encode import Fold
from piproxy.upstream.http import Http
from piproxy.wire.room import Options
from piproxy.wire.rooms import room_for

SMALL = 800
"""Bytes; of a larger sample every third one is tried."""


async def no_credential(model: Model, override: str | None) -> Credential:
    return Credential(api_key="k")


@pytest.mark.parametrize("api", APIS)
async def test_every_byte(api: str, autojump_clock: MockClock) -> None:
    """Complete or an error, never something between, and the line is closed unless its answer ended well."""
    sample = min((sample for sample in samples(api) if not sample.fails), key=lambda sample: len(sample.body))
    model = Model(provider="p", id="m", api=api, base_url=f"http://{api}.test/v1")
    chat = decode(json.dumps(body(api, stream=False)).encode(), strictness="strict", remote_images=False).chat
    request = room_for(api).build_request(chat, model, Options(wire_id="w"))
    kinds = list(PLACES.values())
    step = 1 if len(sample.body) <= SMALL else 3

    async def script(peer: Peer) -> None:
        while await peer.asked():
            await plan.play(peer)

    async with trio.open_nursery() as nursery:
        lines = Lines(nursery, script)
        async with Http(connect=lines.connect) as http:
            limits = Limits(first_byte=WAIT, idle=WAIT)
            exchange = Exchange(Providers(upstream=http, credential=no_credential), limits)
            for number, at in enumerate(range(0, len(sample.body), step)):
                plan = kinds[number % len(kinds)](sample, at)
                right = verdict(plan, sample, chat, model, request=request)
                call = Call(chat=chat, model=model, record=Record(request_id="req_w"))
                check(await answer(exchange, call), right, at)
                await wait_all_tasks_blocked()
                assert len(nursery.child_tasks) == lines.open <= (plan.given == "whole"), at
                assert len(exchange) == exchange.places.taken == 0
        await wait_all_tasks_blocked()
        assert lines.open == len(nursery.child_tasks) == 0


async def answer(exchange: Exchange, call: Call) -> bytes | PiproxyError:
    try:
        return (await exchange.whole(call, Fold(**ABOUT)))[1]
    except PiproxyError as error:
        return error


def check(got: bytes | PiproxyError, right: Verdict, at: int) -> None:
    if right.error is None:
        assert isinstance(got, bytes), at
        assert json.loads(got)["choices"][0]["finish_reason"] is not None
        assert len(got) == len(right.whole()) or b"tool_calls" in got
    else:
        assert isinstance(got, PiproxyError), at
        assert (got.status, got.code) == (right.error.status, right.error.code), at
