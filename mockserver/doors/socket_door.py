"""A websocket on a connection of HTTP/1.1: frames in and out, a ping now and then, and nothing else.

Imported for the first client that asks for one.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress

from aiohttp import WSCloseCode, WSMsgType, web

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
    try:
        if await _say(socket, conversation.opening(), state):
            await _listen(socket, conversation, state, ending)
    except ConnectionError:
        # The client has left while we spoke.
        pass
    finally:
        ending.cancel()
        with suppress(asyncio.CancelledError):
            await ending
        for _ in carry_out(conversation.ended(), state):
            pass
        await socket.close(code=WSCloseCode.OK)


async def _listen(
    socket: web.WebSocketResponse, conversation: Conversation, state: State, ending: asyncio.Future[None]
) -> None:
    pinged = False
    while True:
        patience = conversation.timeout_seconds if pinged else conversation.ping_seconds
        hearing = asyncio.ensure_future(socket.receive())
        await asyncio.wait((hearing, ending), timeout=patience, return_when=asyncio.FIRST_COMPLETED)
        if not hearing.done():
            hearing.cancel()
            with suppress(asyncio.CancelledError):
                await hearing
            if pinged or ending.done():
                return
            pinged = True
            if not await _say(socket, conversation.ping(), state):
                return
            continue
        pinged = False
        message = hearing.result()
        if message.type is WSMsgType.BINARY:
            continue
        if message.type is not WSMsgType.TEXT:
            return
        if not await _say(socket, conversation.hear(message.data, time.time()), state):
            return


async def _say(socket: web.WebSocketResponse, answer: Answer, state: State) -> bool:
    """Whether the talk goes on after it."""
    for step in carry_out(answer, state):
        match step:
            case Send(data):
                await socket.send_str(data.decode())
            case Cut():
                return False
    return True
