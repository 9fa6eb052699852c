"""Citations in Converse: which sentence of which document an answer quotes.

A text that quotes sentences of documents with `citations: {enabled: true}` becomes several blocks: the
quoted words in citationsContent with where they stand, the words around them as text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from conformance.dialects import Profile
from conformance.dialects.chat import decoded, mapping, sequence, word

SENTENCE = re.compile(r"\S.*?(?:[.!?](?=\s|$)\s*|$)", re.S)


@dataclass(frozen=True, slots=True)
class _Sentence:
    """A sentence of a document: from `start` to `end` with the space behind it, in characters."""

    document: int
    title: str
    text: str
    start: int
    end: int

    def citation(self) -> dict[str, Any]:
        span = {"documentIndex": self.document, "start": self.start, "end": self.end}
        return {
            "location": {"documentChar": span},
            "sourceContent": [{"text": self.text}],
            "title": self.title,
        }


def cited(text: str, body: Mapping[str, Any], profile: Profile, model: str) -> list[dict[str, Any]]:
    """The blocks of `text`; one block of text where the model does not cite, or the text quotes nothing."""
    said = profile.get("cites")
    if not said or not re.search(said["models"], model):
        return [{"text": text}]
    found = []
    lower = text.lower()
    for sentence in _sentences(body, said["formats"]):
        core = sentence.text.strip().lower()
        start = lower.find(core)
        # One word alone is no quotation; a letter that is longer in lower case would shift all places.
        if start >= 0 and len(core.split()) > 1 and len(lower) == len(text):
            end = start + len(core)
            found.append((start, end + len(text[end:]) - len(text[end:].lstrip()), sentence))
    blocks: list[dict[str, Any]] = []
    at = 0
    for start, end, sentence in sorted(found, key=lambda each: each[:2]):
        if start < at:
            continue
        if start > at:
            blocks.append({"text": text[at:start]})
        quoted = {"content": [{"text": text[start:end]}], "citations": [sentence.citation()]}
        blocks.append({"citationsContent": quoted})
        at = end
    if at < len(text) or not blocks:
        blocks.append({"text": text[at:]})
    return blocks


def _sentences(body: Mapping[str, Any], formats: list[str]) -> Iterator[_Sentence]:
    """The sentences of the documents that are to be cited, of those that are plain text."""
    index = -1
    for message in sequence(body.get("messages")):
        for block in sequence(mapping(message).get("content")):
            document = mapping(block).get("document")
            if not isinstance(document, Mapping):
                continue
            index += 1
            text = _text(document, formats)
            if text is None or mapping(document.get("citations")).get("enabled") is not True:
                continue
            title = word(document.get("name")) or ""
            for match in SENTENCE.finditer(text):
                yield _Sentence(index, title, match[0], match.start(), match.end())


def _text(document: Mapping[str, Any], formats: list[str]) -> str | None:
    match document.get("source"):
        case {"text": str(text)}:
            return text
        case {"bytes": str(blob)} if document.get("format") in formats:
            data = decoded(blob)
            return None if data is None else data.decode(errors="replace")
    return None
