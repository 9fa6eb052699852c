"""A websocket on a connection of HTTP/1.1: frames in and out, a ping now and then, and nothing else.

Imported for the first client that asks for one.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress

from aiohttp import WSCloseCode, WSMessage, WSMsgType, web

from mockserver.effects import Answer, Conversation, Cut, Send, State, carry_out

__all__ = ["converse"]


async def converse(
    request: web.BaseRequest,
    conversation: Conversation,
    state: State,
    pause: Callable[[], Awaitable[None]],
) -> None:
    """Talks until one side has enough, the client is silent for too long, or `pause` comes back: the server ends."""
    socket = web.WebSocketResponse(max_msg_size=conversation.largest, compress=False, timeout=1.0)
    try:
        # RFC 6455: a version that we do not speak is answered with the one that we do.
        await socket.prepare(request)
    except ConnectionError:
        # Gone before it was answered, as a page that is left.
        for _ in carry_out(conversation.ended(), state):
            pass
        return
    ending = asyncio.ensure_future(pause())
    line = _Line(socket, conversation, state)
    try:
        if await line.say(conversation.opening()):
            await _listen(line, conversation, ending)
    except ConnectionError:
        # The client has left while we spoke.
        pass
    finally:
        ending.cancel()
        with suppress(asyncio.CancelledError):
            await ending
        await line.end()
        for _ in carry_out(conversation.ended(), state):
            pass
        await socket.close(code=WSCloseCode.OK)


async def _listen(line: _Line, conversation: Conversation, ending: asyncio.Future[None]) -> None:
    pinged = False
    while True:
        patience = conversation.timeout_seconds if pinged else conversation.ping_seconds
        message = await line.heard(patience, ending)
        if message is None:
            if pinged or ending.done():
                return
            pinged = True
            if not await line.say(conversation.ping()):
                return
            continue
        pinged = False
        if message.type is WSMsgType.BINARY:
            continue
        if message.type is not WSMsgType.TEXT:
            return
        if not await line.say(conversation.hear(message.data, time.time())):
            return


class _Line:
    """Both ways of a websocket: what is said, and what is heard, also while something is said."""

    def __init__(self, socket: web.WebSocketResponse, conversation: Conversation, state: State) -> None:
        self._socket, self._conversation, self._state = socket, conversation, state
        self._hearing: asyncio.Future[WSMessage] | None = None
        self._waiting: deque[WSMessage] = deque()

    async def heard(self, patience: float, ending: asyncio.Future[None]) -> WSMessage | None:
        """The next message, in the order in which they came; None if none came in time, or the server ends."""
        if self._waiting:
            return self._waiting.popleft()
        hearing = self._listening()
        await asyncio.wait((hearing, ending), timeout=patience, return_when=asyncio.FIRST_COMPLETED)
        if not hearing.done():
            return None
        self._hearing = None
        return hearing.result()

    async def say(self, answer: Answer) -> bool:
        """Whether the talk goes on after it."""
        for step in carry_out(answer, self._state):
            match step:
                case Send(data):
                    await self._socket.send_str(data.decode())
                    await self._lend_an_ear()
                case Cut():
                    return False
        return True

    async def end(self) -> None:
        """Nobody listens any more."""
        if self._hearing is not None:
            self._hearing.cancel()
            # A client that has left may have done so while its ping was answered.
            with suppress(asyncio.CancelledError, ConnectionError):
                await self._hearing

    def _listening(self) -> asyncio.Future[WSMessage]:
        if self._hearing is None:
            self._hearing = asyncio.ensure_future(self._socket.receive())
        return self._hearing

    async def _lend_an_ear(self) -> None:
        """Answers at once what does not wait its turn; all else waits."""
        if any(message.type is not WSMsgType.TEXT for message in self._waiting):
            return
        hearing = self._listening()
        await asyncio.sleep(0)
        if not hearing.done():
            return
        self._hearing = None
        message = hearing.result()
        said = self._conversation.aside(message.data) if message.type is WSMsgType.TEXT else None
        if said is None:
            self._waiting.append(message)
            return
        for each in said:
            await self._socket.send_str(each.data.decode())
