"""The exchange: waits for a place, asks the provider, and answers the client in one piece or frame by frame."""

from __future__ import annotations

from contextlib import aclosing

import trio

from piproxy.errors import GatewayError, PiproxyError
from piproxy.exchange.call import Call, Head
from piproxy.exchange.deadlines import Deadline, Limits, last_frame
from piproxy.exchange.delivery import Encoder, Sink, Streamed, StreamingEncoder, Whole
from piproxy.exchange.providers import Deliver, Providers
from piproxy.upstream.places import Places


class Exchange:
    """Everything an exchange needs that outlives a request."""

    def __init__(self, providers: Providers, limits: Limits) -> None:
        self.providers = providers
        self.limits = limits
        self.places = Places()
        self._running: set[Deadline] = set()

    def __len__(self) -> int:
        """How many exchanges are running, or wait for a place."""
        return len(self._running)

    def end_all(self, error: PiproxyError) -> None:
        """End every running exchange with ``error``; each closes its upstream and tells its client."""
        for running in self._running:
            running.fail(error)

    async def whole(self, call: Call, fold: Encoder) -> tuple[Head, bytes]:
        """The answer in one piece. Raises :class:`PiproxyError`; cancelled when the client leaves."""
        answer = Whole(fold)
        try:
            await self._converse(call, answer.deliver)
        except PiproxyError as error:
            call.record.fail(error)
            raise
        finally:
            call.record.account(fold.usage, call.model.cost)
        return Head(call.record.dropped), answer.body

    async def stream(
        self,
        call: Call,
        encoder: StreamingEncoder,
        out: Sink,
        *,
        task_status: trio.TaskStatus[Head] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """The answer, frame by frame, into ``out``.

        ``started(head)`` is the promise that the provider accepted: it is called at its first event, or after
        ``limits.hold`` seconds. What goes wrong before that is raised; afterwards it becomes the encoder's error frame.
        """
        answer = Streamed(encoder, out, lambda: task_status.started(Head(call.record.dropped)))
        failure: PiproxyError | None = None
        async with aclosing(out):
            try:
                async with trio.open_nursery() as beside:
                    beside.start_soon(answer.live, self.limits)
                    try:
                        await self._converse(call, answer.deliver)
                    except PiproxyError as error:
                        failure = error
                    except Exception as bug:  # noqa: BLE001  (it ends this one request, and the log has it)
                        call.record.bug = bug
                        failure = GatewayError("piproxy itself failed; its log says more.")
                    beside.cancel_scope.cancel()
            finally:
                call.record.account(encoder.usage, call.model.cost)
            if failure is None:
                return
            call.record.fail(failure)
            if not answer.began:
                raise failure
            with last_frame():
                await out.send(encoder.fail(failure))

    async def _converse(self, call: Call, deliver: Deliver) -> None:
        """Wait for a place, then ask the provider."""
        began = trio.current_time()
        with Deadline(self.limits, self._running) as deadline:
            deadline.client()
            async with self.places.place():
                call.record.queued = trio.current_time() - began
                await self.providers.ask(call, deliver, deadline)
