"""The mock over HTTP/2: many answers at once on one connection, each no faster than its client reads.

Frames are cut here and read by the package h2, one by one, all but two kinds:

- A client's GOAWAY. The AWS SDK for JavaScript sends it as soon as the head of a stream is there, and
  wants the rest all the same; h2 would drop what is under way.
- An empty DATA frame that does not end its stream, which has no use but to keep a server busy. It is
  refused, as bedrock-mantle refuses it (rule no-empty-data-frames): who lives with that lives with all.

A client that breaks the protocol is told what was wrong in a GOAWAY, and the log has one line.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, cast

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import (
    DataReceived,
    Event,
    PingAckReceived,
    RemoteSettingsChanged,
    RequestReceived,
    StreamEnded,
    StreamReset,
    WindowUpdated,
)
from h2.exceptions import ProtocolError
from hyperframe.frame import ContinuationFrame, DataFrame, GoAwayFrame, HeadersFrame, WindowUpdateFrame

from conformance.exchange import Request
from mockserver.outgoing import LARGEST_BODY, PREFACE, ClientLeft, Outgoing, brief, text

if TYPE_CHECKING:
    from hpack.struct import Header

    from mockserver.effects import Head
    from mockserver.server import Server

__all__ = ["Http2"]

log = logging.getLogger("mockserver")

FRAME_HEAD = 9
END_STREAM = 0x1
WORKING = (DataFrame.type, HeadersFrame.type, ContinuationFrame.type, WindowUpdateFrame.type)
"""Kinds of frames that carry a request or let an answer flow; a client has no need of many others."""

PATIENCE = 1000
"""Frames of other kinds, and streams that are given up, that a client may send in a burst ..."""

PATIENCE_PER_SECOND = 100
"""... and how many of them are forgotten every second."""

FRAMES_AT_ONCE = 200
"""So many are heard until others have their turn: one read may hold 20,000 of them, and each takes its time."""

UNREAD = 1 << 18
"""Bytes that lie unsent until we read no more of a client that does not read either."""


class _Refused(ProtocolError):
    """A client sent what h2 would take, or would refuse too late."""

    def __init__(self, code: ErrorCodes, said: str) -> None:
        super().__init__(said)
        self.error_code = code


@dataclass(frozen=True, slots=True)
class _Asking:
    """A request that is not all there yet."""

    headers: list[tuple[str, str]]
    body: bytearray = field(default_factory=bytearray)

    def request(self) -> Request:
        """The request as everybody else reads it: what `:authority` says, Host says."""
        pseudo = {name: value for name, value in self.headers if name.startswith(":")}
        host = pseudo.get(":authority")
        named = [("host", host)] if host else []
        named += [
            (name, value)
            for name, value in self.headers
            if name not in pseudo and not (host and name == "host")
        ]
        return Request(pseudo[":method"], pseudo.get(":path", host or ""), tuple(named), bytes(self.body))


class Http2(asyncio.Protocol):
    """One connection of a client that speaks HTTP/2."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._loop = asyncio.get_running_loop()
        self._h2 = H2Connection(H2Configuration(client_side=False, header_encoding=None))
        self._heard = bytearray()
        self._greeted = False
        self._requests: dict[int, _Asking] = {}
        self._answers: dict[int, asyncio.Task[None]] = {}
        self._waiting: list[asyncio.Future[None]] = []
        self._patience, self._patient_at = float(PATIENCE), self._loop.time()
        self._pings, self._pongs = 0, 0
        self._full, self._deaf, self._behind = False, False, False
        self._reads, self._ending, self._over = True, False, False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._server.opened(self._transport, self._say_goodbye)
        self._h2.initiate_connection()
        self.push()

    def connection_lost(self, error: Exception | None) -> None:
        self._end()
        self._server.closed(self._transport)

    def pause_writing(self) -> None:
        self._full = True

    def resume_writing(self) -> None:
        self._full = self._deaf = False
        self._attend()
        self._wake()

    def data_received(self, data: bytes) -> None:
        if self._over:
            return
        self._heard += data
        if not self._behind:
            self._hear_some()

    def _hear_some(self) -> None:
        """Hears what has come, but no more of it than others can wait for; then it goes on later."""
        if self._over:
            return
        heard = 0
        try:
            while heard < FRAMES_AT_ONCE and (frame := self._cut()):
                self._hear(frame)
                heard += 1
        except ProtocolError as error:
            self._refuse(error)
        self._behind = heard == FRAMES_AT_ONCE
        if self._behind:
            self._loop.call_soon(self._hear_some)
        self.push()
        self._attend()

    def _attend(self) -> None:
        """Reads on, or no more for a while."""
        reads = not self._deaf and not self._behind
        if reads != self._reads and not self._transport.is_closing():
            self._reads = reads
            if reads:
                self._transport.resume_reading()
            else:
                self._transport.pause_reading()

    # ---- what comes in

    def _cut(self) -> bytes:
        """The next whole frame, or the preface; b"" if it is not all there."""
        if not self._greeted:
            if not PREFACE.startswith(bytes(self._heard[: len(PREFACE)])):
                raise _Refused(
                    ErrorCodes.PROTOCOL_ERROR, "expected the preface of HTTP/2, got something else"
                )
            size = len(PREFACE)
            self._greeted = len(self._heard) >= size
        elif len(self._heard) < FRAME_HEAD:
            return b""
        else:
            length, most = int.from_bytes(self._heard[:3], "big"), self._h2.max_inbound_frame_size
            # h2 says so too, but when it has the whole frame: up to 16 MiB.
            if length > most:
                said = f"expected frames of at most {most} bytes, got one of {length}"
                raise _Refused(ErrorCodes.FRAME_SIZE_ERROR, said)
            size = FRAME_HEAD + length
        if len(self._heard) < size:
            return b""
        frame = bytes(self._heard[:size])
        del self._heard[:size]
        return frame

    def _hear(self, frame: bytes) -> None:
        kind, flags = frame[3], frame[4]
        if kind == GoAwayFrame.type:
            self._hear_goodbye(frame[FRAME_HEAD:])
            return
        if kind == DataFrame.type and len(frame) == FRAME_HEAD and not flags & END_STREAM:
            said = "expected data or the end of a stream, got a DATA frame with neither"
            raise _Refused(ErrorCodes.FRAME_SIZE_ERROR, said)
        if kind not in WORKING and frame != PREFACE:
            self._bear()
        for event in self._h2.receive_data(frame):
            self._take(event)

    def _hear_goodbye(self, said: bytes) -> None:
        code = int.from_bytes(said[4:8], "big")
        if code:
            log.warning("a client ends its connection with error %d: %s", code, text(said[8:]) or "no reason")
            self._close()

    def _take(self, event: Event) -> None:
        match event:
            case RequestReceived():
                self._open(event.stream_id, event.headers)
            case DataReceived():
                self._h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                if event.stream_id in self._requests:
                    self._requests[event.stream_id].body.extend(event.data)
                    if sum(len(each.body) for each in self._requests.values()) > LARGEST_BODY:
                        self._refuse_body(event.stream_id)
            case StreamEnded():
                self._answer(event.stream_id)
            case StreamReset():
                self._bear()
                self._drop(event.stream_id)
            case WindowUpdated() | RemoteSettingsChanged():
                self._wake()
            case PingAckReceived():
                self._pongs = max(self._pongs, int.from_bytes(event.ping_data, "big"))
                self._wake()

    def _open(self, stream: int, headers: list[Header]) -> None:
        if self._ending:
            self._h2.reset_stream(stream, ErrorCodes.REFUSED_STREAM)
            return
        self._requests[stream] = _Asking([(text(bytes(name)), text(bytes(value))) for name, value in headers])
        if ("expect", "100-continue") in self._requests[stream].headers:
            self._h2.send_headers(stream, [(":status", "100")])

    def _answer(self, stream: int) -> None:
        if stream not in self._requests:
            return
        asked = self._requests.pop(stream).request()
        if not self._answers:
            self._server.begins(self._transport)
        task = self._loop.create_task(self._respond(asked, _Http2Outgoing(self, stream, asked.method)))
        self._answers[stream] = task
        task.add_done_callback(partial(self._answered, stream))

    def _refuse_body(self, stream: int) -> None:
        """Answers before the end of a body that is too large, perhaps together with those of other streams."""
        del self._requests[stream]
        said = f"expected bodies of at most {LARGEST_BODY:,} bytes, got more"
        log.warning("413: a client sent too much: %s", said)
        body = f"mockserver: {said}\n".encode()
        if self._h2.local_flow_control_window(stream) < len(body):
            # A client that leaves no room for a line is told by the status.
            body = b""
        self._h2.send_headers(stream, _plain(413, body))
        self._h2.send_data(stream, body, end_stream=True)
        # No fault: the rest of the body is not wanted (RFC 9113, 8.1).
        self._h2.reset_stream(stream, ErrorCodes.NO_ERROR)

    async def _respond(self, asked: Request, out: _Http2Outgoing) -> None:
        await self._server.respond(asked, out)
        if not out.keeps:
            with suppress(ClientLeft):
                await out.cut()

    def _answered(self, stream: int, task: asyncio.Task[None]) -> None:
        del self._answers[stream]
        if not self._answers:
            self._server.ends(self._transport)
            if self._ending and not self._over:
                self._transport.close()

    def _drop(self, stream: int) -> None:
        self._requests.pop(stream, None)
        if stream in self._answers:
            self._answers[stream].cancel()

    def _bear(self) -> None:
        """Raises _Refused when a client has sent too much of what is of no use."""
        now = self._loop.time()
        regained = (now - self._patient_at) * PATIENCE_PER_SECOND
        self._patience = min(self._patience + regained, PATIENCE) - 1
        self._patient_at = now
        if self._patience < 0:
            said = f"expected no more than {PATIENCE} frames at once that carry no request, got another"
            raise _Refused(ErrorCodes.ENHANCE_YOUR_CALM, said)

    # ---- how it ends

    def _refuse(self, error: ProtocolError) -> None:
        said = str(error) or type(error).__name__
        log.warning("a client broke HTTP/2: %s", said)
        # h2 may have written a GOAWAY, without the reason.
        self._h2.clear_outbound_data_buffer()
        self._h2.close_connection(error.error_code, f"mockserver: {said}".encode())
        self.push()
        self._close()

    def _say_goodbye(self) -> None:
        """Takes no more requests, and closes after the last answer; the client is told which it was."""
        self._ending = True
        self._wake()
        if self._over:
            return
        for stream in self._requests:
            self._h2.reset_stream(stream, ErrorCodes.REFUSED_STREAM)
        self._requests.clear()
        # Not by h2, which would send nothing after it.
        last = max(self._answers, default=0)
        goodbye = GoAwayFrame(0, last_stream_id=last, error_code=ErrorCodes.NO_ERROR)
        self.push()
        self._transport.write(goodbye.serialize())
        if not self._answers:
            self._transport.close()

    def _close(self) -> None:
        self._end()
        self._transport.close()

    def _end(self) -> None:
        self._over = True
        self._heard.clear()
        self._requests.clear()
        for task in self._answers.values():
            task.cancel()
        self._wake()

    # ---- what goes out

    @property
    def frames(self) -> H2Connection:
        """Makes the frames of answers."""
        return self._h2

    def push(self) -> None:
        """Writes what h2 has made."""
        data = self._h2.data_to_send()
        if self._over or not data:
            return
        self._transport.write(data)
        # Answers wait for a client to read; what h2 says by itself (to a PING, for one) does not.
        if not self._deaf and self._transport.get_write_buffer_size() > UNREAD:
            self._deaf = True
            self._attend()

    async def room(self, stream: int) -> int:
        """How many bytes of a body may go out now: waits until it is one. Raises ClientLeft."""
        while True:
            if self._over:
                raise ClientLeft
            room = min(self._h2.local_flow_control_window(stream), self._h2.max_outbound_frame_size)
            if room > 0 and not self._full:
                return room
            await self._change()

    async def heard(self) -> None:
        """Comes back when the client has heard all that was written. Raises ClientLeft.

        Clients forget what they have not yet read of a stream when they hear that it is reset.
        """
        self._pings += 1
        ping = self._pings
        self._h2.ping(ping.to_bytes(8, "big"))
        while self._pongs < ping and not self._over and not self._ending:
            await self._change()
        if self._over:
            raise ClientLeft

    async def _change(self) -> None:
        self.push()
        waiting = self._loop.create_future()
        self._waiting.append(waiting)
        await waiting

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            if not each.done():
                each.set_result(None)


def _plain(status: int, body: bytes) -> list[tuple[str, str]]:
    """The head of an answer of our own."""
    return [
        (":status", str(status)),
        ("content-type", "text/plain; charset=utf-8"),
        ("content-length", str(len(body))),
    ]


class _Http2Outgoing(Outgoing):
    """An answer on a stream of its own. `keeps` is False if the stream has to be reset."""

    def __init__(self, door: Http2, stream: int, method: str) -> None:
        super().__init__(method)
        self._door, self._stream = door, stream
        self._head: list[tuple[str, str]] | None = None
        self._wrote = False

    def _open(self, head: Head, headers: list[tuple[str, str]]) -> None:
        # h2 writes names small, and leaves out what HTTP/2 forbids.
        self._head = [(":status", str(head.status)), *headers]

    async def flush(self) -> None:
        await self._write(last=False)

    async def _end(self) -> None:
        await self._write(last=True)

    async def fail(self, error: Exception) -> None:
        if self._wrote:
            return
        body = f"mockserver: {brief(error)}\n".encode()
        self._take()
        self._head = [*_plain(500, body), ("x-mock-error", type(error).__name__), *self.readable]
        self._pieces = [body]
        await self._write(last=True)
        self.keeps = True

    async def cut(self) -> None:
        """The stream ends here, before its end; what was sent before has arrived. Raises ClientLeft."""
        await self._door.heard()
        self._door.frames.reset_stream(self._stream, ErrorCodes.INTERNAL_ERROR)
        self._door.push()

    async def _write(self, last: bool) -> None:
        frames, pieces = self._door.frames, self._pieces
        self._pieces, self.size = [], 0
        ended = False
        if self._head is not None:
            ended = last and not pieces
            frames.send_headers(self._stream, self._head, end_stream=ended)
            self._head, self._wrote = None, True
        for number, piece in enumerate(pieces, 1):
            # Each event begins a frame, as over HTTP/1.1 it begins a chunk.
            body = memoryview(piece)
            while body:
                room = await self._door.room(self._stream)
                sent, body = body[:room], body[room:]
                ended = last and not body and number == len(pieces)
                frames.send_data(self._stream, bytes(sent), end_stream=ended)
                if body:
                    self._door.push()
        if last and not ended:
            frames.end_stream(self._stream)
        self._door.push()
