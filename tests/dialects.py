"""What the dialects are tested with: ids drawn from a seed, text in pieces of three, openai's client for one answer."""

from __future__ import annotations

import random
import uuid
from collections.abc import Sequence

import httpx2
import openai


class Drawn:
    """Ids drawn from a seed."""

    def __init__(self, seed: int = 0) -> None:
        self.random = random.Random(seed)

    def uuid(self) -> str:
        return str(uuid.UUID(int=self.random.getrandbits(128), version=4))

    def token(self, length: int, alphabet: str) -> str:
        return "".join(self.random.choices(alphabet, k=length))

    def number(self, low: int, high: int) -> int:
        return self.random.randint(low, high)


def threes(text: str) -> Sequence[str]:
    return [text[start : start + 3] for start in range(0, len(text), 3)]


def client(body: bytes, kind: str, strict: bool = True) -> openai.OpenAI:
    """A client that gets `body`, of that content type, whatever it asks; where it is strict it refuses what has another shape."""
    transport = httpx2.MockTransport(
        lambda request: httpx2.Response(200, headers={"content-type": kind}, content=body)
    )
    return openai.OpenAI(
        base_url="http://mock/v1",
        api_key="k",
        max_retries=0,
        http_client=httpx2.Client(transport=transport),
        _strict_response_validation=strict,
    )
