"""The yardstick: an aiohttp application that does nothing but answer, with the bytes of the file it is given.

    python -m benchmarks.bare PORT FILE

FILE is JSON: `{"/path": {"type": content type, "pieces": [text]}}`; several pieces make a stream, each
written on its own.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from aiohttp import web


def application(answers: Mapping[str, Any]) -> web.Application:
    app = web.Application()
    for path, said in answers.items():
        app.router.add_post(path, handler(said["type"], [each.encode("latin-1") for each in said["pieces"]]))
    return app


def handler(content_type: str, pieces: list[bytes]) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def whole(request: web.Request) -> web.Response:
        await request.read()
        return web.Response(body=pieces[0], headers={"Content-Type": content_type})

    async def stream(request: web.Request) -> web.StreamResponse:
        await request.read()
        response = web.StreamResponse(headers={"Content-Type": content_type})
        await response.prepare(request)
        for piece in pieces:
            await response.write(piece)
        await response.write_eof()
        return response

    return whole if len(pieces) == 1 else stream


if __name__ == "__main__":
    port, file = sys.argv[1:]
    web.run_app(
        application(json.loads(Path(file).read_text())), host="127.0.0.1", port=int(port), print=None, access_log=None
    )  # fmt: skip
