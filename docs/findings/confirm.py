"""Asks the servers of findings.md with the clients that their users have, and prints what those clients see.

    python docs/findings/confirm.py ministack=http://127.0.0.1:4566 aimock=... llmock=... litellm=... > docs/findings/confirmed.json

Each entry names the rules of which it shows that they are broken.
"""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Callable, Iterator
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
CITED = ("spec", "official doc", "botocore model", "SDK type")
"""Sources that a reader can look up; findings.py confirms by them."""
MODEL, CHAT_MODEL = "mistral.magistral-small-2509", "gpt-4o-mini"
COUNT = "Count from 1 to 200, one number after the other, separated by spaces."
WEATHER: dict[str, Any] = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
}

Shown = tuple[str, list[str], str, Callable[[], Any]]
"""Contracts (a glob), the rules shown, the code in short, and what gives the words to quote."""


def bedrock(url: str) -> Iterator[Shown]:
    import boto3
    from botocore import UNSIGNED
    from botocore.config import Config

    def client(**how: Any) -> Any:
        config = Config(parameter_validation=False, retries={"total_max_attempts": 1}, **how)
        return boto3.client(
            "bedrock-runtime",
            endpoint_url=url,
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=config,
        )

    asks, unsigned = client(), client(signature_version=UNSIGNED)

    def user(text: str, **more: Any) -> dict[str, Any]:
        return {"modelId": MODEL, "messages": [{"role": "user", "content": [{"text": text}]}], **more}

    def converse(pick: Callable[[Any], Any], **request: Any) -> Callable[[], Any]:
        return lambda: pick(asks.converse(**request))

    def invoke(body: dict[str, Any], **more: Any) -> Any:
        return json.loads(asks.invoke_model(modelId=MODEL, body=json.dumps(body), **more)["body"].read())

    def stop(answer: Any) -> Any:
        return {"stopReason": answer["stopReason"], "usage": answer["usage"]}

    def text(answer: Any) -> Any:
        return answer["output"]["message"]["content"]

    hello = {"messages": [{"role": "user", "content": "Hello"}], "max_tokens": 16}
    yield (
        "*/converse*",
        [
            "unknown-model-is-refused",
            "unknown-model-in-words",
            "error-type-in-header",
            "error-body-says-message",
        ],
        "converse(modelId='no.such-model-1')",
        converse(text, **{**user("Hello"), "modelId": "no.such-model-1"}),
    )
    yield (
        "*/invoke-model*",
        [
            "unknown-model-is-refused",
            "unknown-model-in-words",
            "error-type-in-header",
            "error-body-says-message",
        ],
        "invoke_model(modelId='no.such-model-1')",
        lambda: asks.invoke_model(modelId="no.such-model-1", body=json.dumps(hello))["ResponseMetadata"][
            "HTTPStatusCode"
        ],
    )
    yield (
        "*/converse*",
        ["cap-honoured", "cap-says-length", "lower-cap-is-less"],
        f"converse({COUNT!r}, maxTokens=16)",
        converse(stop, **user(COUNT, inferenceConfig={"maxTokens": 16})),
    )
    yield (
        "*/converse*",
        ["one-token-is-length"],
        "converse('Count from 1 to 50.', maxTokens=1)",
        converse(stop, **user("Count from 1 to 50.", inferenceConfig={"maxTokens": 1})),
    )
    yield (
        "*/converse*",
        ["zero-tokens-are-refused"],
        "converse(maxTokens=0)",
        converse(stop, **user("Hello", inferenceConfig={"maxTokens": 0})),
    )
    yield (
        "*/converse*",
        ["temperature-above-one-is-refused"],
        "converse(temperature=1.5)",
        converse(stop, **user("Hello", inferenceConfig={"temperature": 1.5})),
    )
    tool = {"toolSpec": {"name": "get_weather", "inputSchema": {"json": WEATHER}}}
    forced = {"toolConfig": {"tools": [tool], "toolChoice": {"any": {}}}}
    yield (
        "*/converse*",
        [
            "forced-tool-is-called",
            "arguments-fit",
            "tool-call-ends-with-tool-use",
            "tool-use-begins-with-its-name",
        ],
        "converse('What is the weather in Singapore?', toolChoice={'any': {}})",
        converse(
            lambda answer: [answer["stopReason"], text(answer)],
            **user("What is the weather in Singapore?", **forced),
        ),
    )
    bad_tool = {"toolSpec": {"name": "get weather!", "inputSchema": {"json": WEATHER}}}
    yield (
        "*/converse*",
        ["tool-name-pattern-is-enforced"],
        "converse(toolSpec name 'get weather!')",
        converse(stop, **user("Hello", toolConfig={"tools": [bad_tool]})),
    )
    schema = {
        "type": "json_schema",
        "structure": {"jsonSchema": {"name": "person", "schema": '{"type":"object"}'}},
    }
    yield (
        "*/converse*",
        ["structured-output-fits"],
        "converse(outputConfig=json_schema)",
        converse(
            text, **user("Give the name and the age of Ada as JSON.", outputConfig={"textFormat": schema})
        ),
    )
    picture = {"image": {"format": "bmp", "source": {"bytes": b"BM"}}}
    yield (
        "*/converse*",
        ["unknown-image-format-is-refused"],
        "converse(image format 'bmp')",
        converse(stop, modelId=MODEL, messages=[{"role": "user", "content": [{"text": "Look."}, picture]}]),
    )
    yield (
        "*/converse*",
        ["unknown-tier-is-refused"],
        "converse(serviceTier='gold')",
        converse(stop, **user("Hello", serviceTier={"type": "gold"})),
    )
    yield (
        "*/converse*",
        ["unknown-role-is-refused"],
        "converse(role='tool')",
        converse(stop, modelId=MODEL, messages=[{"role": "tool", "content": [{"text": "Hello"}]}]),
    )
    yield (
        "*/converse*",
        ["missing-role-is-refused"],
        "converse(a message without a role)",
        converse(stop, modelId=MODEL, messages=[{"content": [{"text": "Hello"}]}]),
    )
    yield (
        "*/converse*",
        ["cache-point-is-refused"],
        "converse(cachePoint, for a model without prompt caching)",
        converse(
            stop,
            modelId=MODEL,
            messages=[{"role": "user", "content": [{"text": "Hello"}, {"cachePoint": {"type": "default"}}]}],
        ),
    )
    yield (
        "*/converse*",
        ["bad-pointer-is-refused"],
        "converse(additionalModelResponseFieldPaths=['no pointer'])",
        converse(stop, **user("Hello", additionalModelResponseFieldPaths=["no pointer"])),
    )
    yield (
        "*/converse-stream",
        ["shape", "order", "framing"],
        "converse_stream('Hello')",
        lambda: [list(event) for event in asks.converse_stream(**user("Hello"))["stream"]],
    )
    yield (
        "*/converse*",
        [
            "no-key-is-refused",
            "malformed-key-is-refused",
            "wrong-key-is-refused",
            "key-of-another-region-is-refused",
        ],
        "converse() without a signature",
        lambda: stop(unsigned.converse(**user("Hello"))),
    )
    yield (
        "*/invoke-model*",
        [
            "no-key-is-refused",
            "malformed-key-is-refused",
            "wrong-key-is-refused",
            "key-of-another-region-is-refused",
        ],
        "invoke_model() without a signature",
        lambda: unsigned.invoke_model(modelId=MODEL, body=json.dumps(hello))["ResponseMetadata"][
            "HTTPStatusCode"
        ],
    )
    yield (
        "*",
        ["headers"],
        "converse()['ResponseMetadata']",
        converse(
            lambda answer: {k: answer["ResponseMetadata"].get(k) for k in ("RequestId", "HTTPHeaders")},
            **user("Hello"),
        ),
    )
    yield (
        "*/invoke-model",
        [
            "shape",
            "ends-by-itself",
            "cap-honoured",
            "cap-says-length",
            "one-token-is-length",
            "at-cap-is-answered",
            "cap-may-be-left-out",
            "content-type-may-be-missing",
        ],
        "invoke_model(messages)",
        lambda: invoke(hello),
    )
    yield (
        "*/invoke-model*",
        ["forced-tool-is-called", "arguments-fit", "tool-call-ends-with-tool-calls"],
        "invoke_model(tools, tool_choice='any')",
        lambda: invoke(
            {
                "messages": [{"role": "user", "content": "What is the weather in Singapore?"}],
                "tools": [{"type": "function", "function": {"name": "get_weather", "parameters": WEATHER}}],
                "tool_choice": "any",
            }
        ),
    )
    yield (
        "*/invoke-model*",
        ["missing-messages-are-refused"],
        "invoke_model(body='{}')",
        lambda: invoke({}),
    )
    yield (
        "*/invoke-model*",
        ["not-json-is-refused"],
        "invoke_model(body='no JSON')",
        lambda: asks.invoke_model(modelId=MODEL, body="no JSON")["ResponseMetadata"]["HTTPStatusCode"],
    )
    yield (
        "*/invoke-model*",
        ["unknown-trace-is-refused", "guardrail-needs-its-version"],
        "invoke_model(trace='SOMETIMES')",
        lambda: invoke(hello, trace="SOMETIMES"),
    )
    yield (
        "*/invoke-model-stream",
        [
            "shape",
            "ends-by-itself",
            "cap-honoured",
            "cap-says-length",
            "one-token-is-length",
            "at-cap-is-answered",
            "cap-may-be-left-out",
            "content-type-may-be-missing",
            "last-chunk-has-the-metrics",
            "metrics-come-once",
        ],
        "invoke_model_with_response_stream(messages)",
        lambda: [
            json.loads(event["chunk"]["bytes"]) if "bytes" in event.get("chunk", {}) else event
            for event in asks.invoke_model_with_response_stream(modelId=MODEL, body=json.dumps(hello))["body"]
        ],
    )
    yield (
        "*/count-tokens",
        ["*"],
        "count_tokens(converse)",
        lambda: asks.count_tokens(modelId=MODEL, input={"converse": {"messages": user("Hello")["messages"]}}),
    )
    yield (
        "*/apply-guardrail",
        ["*"],
        "apply_guardrail()",
        lambda: asks.apply_guardrail(
            guardrailIdentifier="nosuchguardrail",
            guardrailVersion="1",
            source="INPUT",
            content=[{"text": {"text": "Hello"}}],
        ),
    )

    yield (
        "*guardrail*",
        ["no-key-is-refused"],
        "apply_guardrail() without a signature",
        lambda: unsigned.apply_guardrail(
            guardrailIdentifier="nosuchguardrail",
            guardrailVersion="1",
            source="INPUT",
            content=[{"text": {"text": "Hello"}}],
        ),
    )


def openai(url: str) -> Iterator[Shown]:
    from openai import OpenAI

    asks = OpenAI(base_url=f"{url}/v1", api_key="sk-test", max_retries=0)
    hello: Any = [{"role": "user", "content": "Hello! Say hello back in one short sentence."}]

    def chat(pick: Callable[[Any], Any], **request: Any) -> Callable[[], Any]:
        return lambda: pick(
            asks.chat.completions.create(**{"model": CHAT_MODEL, "messages": hello, **request})
        )

    def respond(pick: Callable[[Any], Any], **request: Any) -> Callable[[], Any]:
        return lambda: pick(asks.responses.create(**{"model": CHAT_MODEL, "input": "Hello", **request}))

    def end(answer: Any) -> Any:
        return [answer.choices[0].finish_reason, answer.usage.model_dump(exclude_none=True)]

    def settled(answer: Any) -> Any:
        return [answer.status, answer.incomplete_details, answer.usage and answer.usage.output_tokens]

    errors = ["errors-have-a-message", "errors-have-a-type", "errors-have-a-code", "errors-have-a-param"]
    count = [{"role": "user", "content": COUNT}]
    yield (
        "*/chat*",
        ["headers"],
        "chat.completions.create()._request_id",
        chat(lambda answer: answer._request_id),
    )
    yield (
        "*/responses*",
        ["headers"],
        "responses.create()._request_id",
        respond(lambda answer: answer._request_id),
    )
    yield (
        "*/chat*",
        ["cap-says-length", "lower-cap-is-less", "cap-honoured"],
        f"chat.completions.create({COUNT!r}, max_completion_tokens=16)",
        chat(end, messages=count, max_completion_tokens=16),
    )
    yield (
        "*/chat*",
        ["one-token-is-length"],
        "chat.completions.create(max_completion_tokens=1)",
        chat(end, messages=count, max_completion_tokens=1),
    )
    yield (
        "*/responses*",
        ["cap-says-length", "lower-cap-is-less", "cap-honoured", "cut-answer-is-incomplete"],
        f"responses.create({COUNT!r}, max_output_tokens=16)",
        respond(settled, input=COUNT, max_output_tokens=16),
    )
    yield (
        "*/responses*",
        ["below-sixteen-is-refused"],
        "responses.create(max_output_tokens=1)",
        respond(settled, input=COUNT, max_output_tokens=1),
    )
    yield (
        "*/chat*",
        ["unknown-model-is-refused", *errors],
        "chat.completions.create(model='no.such-model-1')",
        chat(lambda answer: answer.choices[0].message.content, model="no.such-model-1"),
    )
    yield (
        "*/responses*",
        ["unknown-model-is-refused", *errors],
        "responses.create(model='no.such-model-1')",
        respond(lambda answer: answer.output_text, model="no.such-model-1"),
    )
    yield (
        "*/chat*",
        ["missing-model-is-refused"],
        "chat.completions.create(without a model)",
        lambda: asks.post("/chat/completions", body={"messages": hello}, cast_to=object),
    )
    yield (
        "*/responses*",
        ["missing-model-is-refused"],
        "responses.create(without a model)",
        lambda: asks.post("/responses", body={"input": "Hello"}, cast_to=object),
    )
    stranger = asks.with_options(api_key="sk-wrong")
    yield (
        "*",
        ["wrong-bearer-is-401", "missing-bearer-is-401"],
        "models.list() and chat.completions.create() with a wrong key",
        lambda: stranger.chat.completions.create(model=CHAT_MODEL, messages=hello).choices[0].message.content,
    )
    yield (
        "*/chat-completions",
        ["shape"],
        "chat.completions.with_raw_response.create().text",
        lambda: json.loads(
            asks.chat.completions.with_raw_response.create(model=CHAT_MODEL, messages=hello).text
        )["choices"][0]["message"],
    )
    yield (
        "*/responses",
        ["shape"],
        "responses.with_raw_response.create().text: its members",
        lambda: sorted(
            json.loads(asks.responses.with_raw_response.create(model=CHAT_MODEL, input="Hello").text)
        ),
    )
    yield (
        "*/responses-stream",
        ["shape", "events-are-numbered", "order"],
        "responses.create(stream=True): type and sequence_number of the events",
        lambda: [
            [event.type, getattr(event, "sequence_number", None)]
            for event in asks.responses.create(model=CHAT_MODEL, input="Hello", stream=True)
        ],
    )


def gateway(url: str) -> Iterator[Shown]:
    """What rules of openai-compatible are about; the proxy of LiteLLM takes the key that its configuration names."""
    from openai import Omit, OpenAI

    asks = OpenAI(base_url=f"{url}/v1", api_key="sk-gateway-1234567", max_retries=0)
    hello: Any = [{"role": "user", "content": "Hello"}]
    secret: Any = [
        {"role": "system", "content": "You are a helpful assistant. The code word is HERON5."},
        {"role": "user", "content": "What is the code word? Answer with the code word only."},
    ]
    stranger = asks.with_options(api_key="sk-wrong")
    nobody: Any = {"Authorization": Omit()}
    yield (
        "*",
        ["system-prompt-is-known"],
        "chat.completions.create(a system prompt that names a code word, and a question for it)",
        lambda: asks.chat.completions.create(model=CHAT_MODEL, messages=secret).choices[0].message.content,
    )
    yield (
        "*",
        ["unknown-model-is-404"],
        "chat.completions.create(model='no.such-model-1')",
        lambda: (
            asks.chat.completions.create(model="no.such-model-1", messages=hello).choices[0].message.content
        ),
    )
    yield (
        "*",
        ["wrong-key-is-401"],
        "models.list() with a wrong key",
        lambda: [each.id for each in stranger.models.list()],
    )
    yield (
        "*",
        ["missing-key-is-401"],
        "chat.completions.create() without a key",
        lambda: (
            asks.chat.completions.create(model=CHAT_MODEL, messages=hello, extra_headers=nobody)
            .choices[0]
            .message.content
        ),
    )
    yield (
        "*/chat-completions-stream",
        ["usage-comes-last-and-alone"],
        "chat.completions.create(stream=True, stream_options={'include_usage': True}): the last chunk",
        lambda: [
            {
                "choices": [each.model_dump(exclude_none=True) for each in chunk.choices],
                "usage": bool(chunk.usage),
            }
            for chunk in asks.chat.completions.create(
                model=CHAT_MODEL, messages=hello, stream=True, stream_options={"include_usage": True}
            )
        ][-1],
    )


def pasted(name: str, url: str) -> Iterator[Shown]:
    """The request behind each finding of a kept run whose source is no page, sent by the openai client to OpenAI's paths."""
    from openai import OpenAI

    asks = OpenAI(base_url=url, api_key="sk-test", max_retries=0)
    for run in sorted(HERE.glob(f"{name}-*.json")):
        for each in json.loads(run.read_text())["findings"]:
            line = shlex.split(each["again"])
            path = line[-1].removeprefix("http://SERVER") if line else ""
            if each["level"] != "must" or each["source"]["sure"] in CITED or "/v1/" not in path:
                continue
            text = line[line.index("--data-raw") + 1] if "--data-raw" in line else "null"
            try:
                body = json.loads(text)
            except ValueError:
                continue
            asked = f"post({path!r}, body={text[:120]})" if body else f"get({path!r})"
            yield each["contract"], [each["rule"]], asked, partial(_sent, asks, path, body)


def _sent(asks: Any, path: str, body: Any) -> Any:
    return asks.post(path, body=body, cast_to=object) if body else asks.get(path, cast_to=object)


SERVERS = {
    "ministack": (bedrock,),
    "aimock": (bedrock, openai, gateway),
    "llmock": (openai,),
    "litellm": (gateway,),
    "fakellm": (gateway,),
    "mock-llm": (gateway,),
}
CLIENTS = {bedrock: "boto3", openai: "openai", gateway: "openai"}


def shown(name: str, url: str) -> Iterator[dict[str, Any]]:
    """What each client says to each request, or the error that it raises."""
    every = [(CLIENTS[asked], asked(url)) for asked in SERVERS[name]]
    for package, entries in [*every, ("openai", pasted(name, url))]:
        client = f"{package} {version(package)}"
        for contracts, rules, code, ask in entries:
            try:
                said = json.dumps(ask(), default=str)
            except Exception as error:
                said = f"{type(error).__name__}: {error}"
            yield {
                "server": name,
                "client": client,
                "contracts": contracts,
                "rules": rules,
                "asked": code,
                "said": said.replace(url, "http://SERVER")[:400],
            }


def main() -> None:
    entries = [each for said in sys.argv[1:] for each in shown(*said.split("=", 1))]
    json.dump(entries, sys.stdout, indent=1)
    print()


if __name__ == "__main__":
    main()
