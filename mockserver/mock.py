"""One running mock, and the ids it gives out."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Mapping, Sequence

from conformance.exchange import Request
from conformance.loading import Specs
from mockserver.auth import Mode
from mockserver.credentials import Credentials
from mockserver.effects import State
from mockserver.journal import summary
from mockserver.memory import Memory
from mockserver.quota import refuse_unknown
from mockserver.route import find_profile, profiles


class Mock:
    """Everything one running mock knows. `limits` are quotas by their ids, over those of the providers.

    `openai_profile` is the provider that answers at the paths that the OpenAI family shares; None: their own.
    Raises KeyError for a rule to break that nobody has, ValueError for a quota or a profile that there is not.
    """

    def __init__(
        self,
        specs: Specs,
        credentials: Credentials,
        *,
        auth: Mode = "lenient",
        reality: str = "documented",
        broken: Sequence[str] = (),
        seed: int | None = None,
        state: State | None = None,
        library: bytes | None = None,
        limits: Mapping[str, float] | None = None,
        openai_profile: str | None = None,
    ) -> None:
        refuse_unknown(specs, limits or {})
        if openai_profile is not None:
            find_profile(specs, openai_profile)
        for name in broken:
            check_broken(specs, name)
        self.specs, self.credentials, self.auth, self.reality = specs, credentials, auth, reality
        self.broken, self.seed = tuple(broken), seed
        self.chance: random.Random = random.SystemRandom()
        """What ids are drawn from without a seed: nobody can tell the next one from those he was given."""
        self.limits = dict(limits or {})
        self.openai_profile = openai_profile
        self.state: State = state or Memory()
        self.library = library
        """Puter's own library as its package has it, None if nobody gave one."""

    def summary(self) -> list[str]:
        """What was asked and refused, line by line, over all spaces."""
        if not isinstance(self.state, Memory):
            return []
        entries = [entry for space in self.state.spaces() for entry in space.journal]
        lines = summary(entries)
        strange = [
            each for each in entries if each.refused == "unknown-model" and each.path.startswith("/v1/")
        ]
        if strange and self.openai_profile is None:
            known = ", ".join(sorted(profiles(self.specs)))
            lines.append(f"a model of another seller? --openai-profile says who answers at /v1: {known}")
        return lines


def check_broken(specs: Specs, name: str) -> None:
    """Raises KeyError, with the closest names, for what is neither a rule nor a broken provider."""
    if name in specs.broken:
        return
    if ":" in name or not any(rule.id == name for rule in specs.rules()):
        specs.rule(name)


LETTERS = 32
"""How many letters are drawn at once."""


class Ids:
    """Ids drawn from `chance`; with a seed the same ids for the same request, in any process."""

    def __init__(self, seed: int | None, chance: random.Random, request: Request) -> None:
        if seed is None:
            self._random = chance
        else:
            digest = hashlib.sha256(
                f"{seed}\n{request.method} {request.target}\n".encode() + request.body
            ).digest()
            self._random = random.Random(int.from_bytes(digest[:8], "big"))

    def uuid(self) -> str:
        text = f"{self._random.getrandbits(128):032x}"
        variant = "89ab"[int(text[16], 16) % 4]
        return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-{variant}{text[17:20]}-{text[20:]}"

    def token(self, length: int, alphabet: str) -> str:
        # One number for many of them: to ask the system for each letter takes longer. Its 64 bits more make the letters
        # as likely as each other.
        letters: list[str] = []
        while len(letters) < length:
            rest = self._random.getrandbits(LETTERS * 8 + 64)
            for _ in range(min(LETTERS, length - len(letters))):
                rest, place = divmod(rest, len(alphabet))
                letters.append(alphabet[place])
        return "".join(letters)

    def number(self, low: int, high: int) -> int:
        return self._random.randint(low, high)
