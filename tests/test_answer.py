"""`answer` by itself: a request in, effects out, no socket and no clock."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from conformance.exchange import Request
from conformance.loading import Specs, load
from mockserver.answer import answer
from mockserver.credentials import make_credentials
from mockserver.effects import Head, Send, carry_out
from mockserver.mock import Mock

NOW = 1_795_000_000.0
MODEL = "mistral.magistral-small-2509"
CONVERSE = f"/model/{MODEL}/converse"


@pytest.fixture(scope="module")
def specs() -> Specs:
    return load()


def mock(specs: Specs, **options: Any) -> Mock:
    forms = specs.providers["bedrock"].said["key"]["made"]
    tokens = specs.providers["puter"].said["auth"]["puter"]["made"]
    keys = make_credentials("us-east-1", bytes, forms=forms, tokens=tokens)
    return Mock(specs, keys, **options)


def ask(
    mocked: Mock, target: str, body: Any = None, method: str = "POST", space: str = "", **headers: str
) -> tuple[Head, bytes]:
    raw = b"" if body is None else json.dumps(body).encode()
    sent = {"Content-Type": "application/json", "Authorization": "Bearer any", **headers}
    request = Request(
        method, target, tuple((name.replace("_", "-"), value) for name, value in sent.items()), raw
    )
    effects = list(carry_out(answer(mocked, request, NOW, space), mocked.state))
    head = effects[0]
    assert isinstance(head, Head)
    return head, b"".join(effect.data for effect in effects if isinstance(effect, Send))


def hello(text: str = "Tell me about rivers.") -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": [{"text": text}]}]}


def test_the_same_seed_gives_the_same_bytes_in_any_process(specs: Specs) -> None:
    here = ask(mock(specs, seed=7), f"{CONVERSE}-stream", hello())
    program = (
        "import sys; sys.path.insert(0, 'tests'); import test_answer as t\n"
        "head, body = t.ask(t.mock(t.load(), seed=7), t.CONVERSE + '-stream', t.hello())\n"
        "print(repr(head) + body.hex())"
    )
    root = Path(__file__).resolve().parent.parent
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=root, capture_output=True, text=True, env={"PYTHONHASHSEED": "3"}
    )
    assert done.stdout.strip() == repr(here[0]) + here[1].hex(), done.stderr


def test_without_a_seed_every_answer_has_ids_of_its_own(specs: Specs) -> None:
    mocked = mock(specs)
    one, other = (dict(ask(mocked, CONVERSE, hello())[0].headers) for _ in range(2))
    assert one["x-amzn-RequestId"] != other["x-amzn-RequestId"]


def test_a_broken_rule_leaves_paths_that_nobody_serves_alone(specs: Specs) -> None:
    mocked = mock(specs, broken=["bedrock-mantle/chat-completions:shape"])
    head, body = ask(mocked, "/v1/no-such-thing", method="GET")
    assert (head.status, body) == (404, b"{}")


def test_a_refusal_always_says_why(specs: Specs) -> None:
    head, _ = ask(mock(specs), CONVERSE, hello(), Authorization="")
    assert dict(head.headers)["x-mock-refused"] == "missing-credentials"
    assert dict(head.headers)["x-mock-says"] == "missing credentials"


def test_an_observation_that_contradicts_the_page_is_told_and_can_be_chosen(specs: Specs) -> None:
    body = {"model": MODEL, "input": "Hello"}
    documented, _ = ask(mock(specs), "/v1/responses", body)
    assert documented.status == 200
    assert "observed false" in dict(documented.headers)["x-mock-reality"]
    observed, said = ask(mock(specs, reality="observed"), "/v1/responses", body)
    assert observed.status == 400
    assert json.loads(said)["error"]["code"] == "validation_error"


def test_the_quota_of_one_space_is_not_another_ones(specs: Specs) -> None:
    from mockserver.effects import Store

    mocked = mock(specs)
    for space in ("one", "two"):
        mocked.state.perform(Store(space, "limits", "all", {"requests_per_minute": 1}))
    statuses = [ask(mocked, CONVERSE, hello(), space=space)[0].status for space in ("one", "two", "one")]
    assert statuses == [200, 200, 429]


def test_a_refused_request_spends_no_quota(specs: Specs) -> None:
    from mockserver.effects import Store

    mocked = mock(specs)
    mocked.state.perform(Store("", "limits", "all", {"requests_per_minute": 1}))
    assert ask(mocked, CONVERSE, {"messages": 3})[0].status == 400
    assert ask(mocked, CONVERSE, hello())[0].status == 200


@pytest.mark.parametrize("name", ["no-such-rule", "bedrock-runtime/converse:no-such-rule"])
def test_a_request_that_names_no_rule_to_break_is_told_so(specs: Specs, name: str) -> None:
    target = "/model/mistral.magistral-small-2509/converse"
    head, _ = ask(mock(specs), target, hello(), x_mock_break=name)
    assert head.status == 200
    assert f"no rule {name!r}" in dict(head.headers)["x-mock-error"]
