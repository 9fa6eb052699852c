"""boto3 and the members of Converse and Invoke that do something: what each of them changes in the answer."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError
from PIL import Image

from conformance.probes.picture import draw
from tests.clients.raised import error_of

SEED = "mistral.magistral-small-2509"
TEXT_MODELS = ["mistral.mistral-7b-instruct-v0:2", "mistral.mixtral-8x7b-instruct-v0:1"]
CLAUDE = "us.anthropic.claude-sonnet-4-20250514-v1:0"
GPT_OSS = "openai.gpt-oss-120b-1:0"
NOVA = "us.amazon.nova-lite-v1:0"
REDACT = "ANTHROPIC_MAGIC_STRING_TRIGGER_REDACTED_THINKING_46C9A13E193C177646C7398A98432ECCCE4C1253D5E2D82641AC0E52CC2876CB"  # fmt: skip
THINK = {"thinking": {"type": "enabled", "budget_tokens": 1024}}
BLOCKED = "Sorry, the model cannot answer this question."


def user(*blocks: Any) -> dict[str, Any]:
    return {"role": "user", "content": [{"text": b} if isinstance(b, str) else b for b in blocks]}


def converse(client: Any, *blocks: Any, **more: Any) -> dict[str, Any]:
    """The plain answer; blocks are those of the user's one message, unless `messages` are given."""
    asked: dict[str, Any] = {"modelId": SEED, "messages": [user(*blocks)], **more}
    return dict(client.converse(**asked))


def streamed(client: Any, *blocks: Any, **more: Any) -> dict[str, Any]:
    """The streamed answer, put together as a plain one."""
    asked: dict[str, Any] = {"modelId": SEED, "messages": [user(*blocks)], **more}
    content: dict[int, dict[str, Any]] = {}
    answer: dict[str, Any] = {}
    for event in client.converse_stream(**asked)["stream"]:
        [(name, data)] = event.items()
        if name == "contentBlockDelta":
            block = content.setdefault(data["contentBlockIndex"], {})
            [(kind, piece)] = data["delta"].items()
            if kind == "text":
                block["text"] = block.get("text", "") + piece
            elif kind == "reasoningContent":
                thought = block.setdefault("reasoningContent", {})
                if "redactedContent" in piece:
                    thought["redactedContent"] = piece["redactedContent"]
                else:
                    trace = thought.setdefault("reasoningText", {"text": ""})
                    trace["text"] += piece.get("text", "")
                    trace |= {key: value for key, value in piece.items() if key == "signature"}
        elif name in ("messageStop", "metadata"):
            answer |= data
    answer["output"] = {"message": {"content": [block for _, block in sorted(content.items())]}}
    return answer


both = pytest.mark.parametrize("ask", [converse, streamed])
Ask = Callable[..., dict[str, Any]]


def text_of(answer: Any) -> str:
    return "".join(block.get("text", "") for block in answer["output"]["message"]["content"])


def refused(mock_provider: Any, condition: str, call: Callable[..., Any], *args: Any, **more: Any) -> str:
    """The text of the ValidationException; the journal says which condition it was."""
    with pytest.raises(ClientError) as caught:
        call(*args, **more)
    assert caught.value.response["Error"]["Code"] == "ValidationException"
    assert mock_provider.journal[-1].refused == condition
    return str(caught.value)


# -- media -----------------------------------------------------------------------------------------------


def picture(format: str = "png", size: tuple[int, int] = (8, 8), label: str | None = None) -> dict[str, Any]:
    data = io.BytesIO()
    Image.new("RGB", size, "white").save(data, format)
    return {"image": {"format": label or format, "source": {"bytes": data.getvalue()}}}


def document(name: str = "notes", data: bytes = b"The code word is HERON5.", format: str = "txt") -> Any:
    return {"document": {"name": name, "format": format, "source": {"bytes": data}}}


class TestMedia:
    @both
    @pytest.mark.parametrize("format", ["png", "jpeg", "gif", "webp"])
    def test_each_format_of_an_image_is_taken(self, once: Any, ask: Ask, format: str) -> None:
        answer = ask(once, "What is in this picture?", picture(format))
        assert f"{format.upper()} image" in text_of(answer)

    @pytest.mark.parametrize(
        ("said", "is_"), [("png", "jpeg"), ("jpeg", "png"), ("gif", "webp"), ("webp", "gif")]
    )
    def test_a_format_that_the_bytes_are_not_of_is_refused(
        self, mock_provider: Any, once: Any, said: str, is_: str
    ) -> None:
        told = refused(mock_provider, "media-format", converse, once, "Look", picture(is_, label=said))
        assert f"image/{said}" in told
        assert f"image/{is_}" in told

    @pytest.mark.parametrize("data", [b"no picture", draw("K7Q2")[:40], draw("K7Q2")[:-30]])
    def test_a_corrupt_image_is_refused(self, mock_provider: Any, once: Any, data: bytes) -> None:
        image = {"image": {"format": "png", "source": {"bytes": data}}}
        refused(mock_provider, "media-unreadable", converse, once, "Look", image)

    def test_twenty_images_are_taken_and_one_more_is_not(self, mock_provider: Any, once: Any) -> None:
        assert converse(once, "Look", *[picture()] * 20)["stopReason"] == "end_turn"
        refused(mock_provider, "media-limit", converse, once, "Look", *[picture()] * 21)

    def test_an_image_of_more_than_8000_pixels_is_refused(self, mock_provider: Any, once: Any) -> None:
        assert converse(once, "Look", picture(size=(8000, 1)))["stopReason"] == "end_turn"
        told = refused(mock_provider, "media-limit", converse, once, "Look", picture(size=(8001, 1)))
        assert "8001 x 1" in told

    def test_an_image_of_more_bytes_than_the_limit_is_refused(self, mock_provider: Any, once: Any) -> None:
        image = {"image": {"format": "png", "source": {"bytes": draw("K7Q2") + bytes(3_932_160)}}}
        refused(mock_provider, "media-limit", converse, once, "Look", image)

    def test_an_image_of_the_assistant_is_refused(self, mock_provider: Any, once: Any) -> None:
        messages = [user("Draw"), {"role": "assistant", "content": [picture()]}, user("Again")]
        refused(mock_provider, "media-limit", converse, once, messages=messages)

    def test_an_address_in_s3_is_for_models_that_open_it(self, mock_provider: Any, once: Any) -> None:
        image = {"image": {"format": "png", "source": {"s3Location": {"uri": "s3://my-bucket/a.png"}}}}
        told = refused(mock_provider, "address-not-offered", converse, once, "Look", image)
        assert "This model doesn't support the s3Uri field. Remove s3Uri and try again." in told
        assert converse(once, "Look", image, modelId=NOVA)["stopReason"] == "end_turn"

    @both
    def test_a_document_is_read(self, once: Any, ask: Ask) -> None:
        answer = ask(once, "What is the code word? Answer with the code word only.", document())
        assert text_of(answer) == "HERON5"

    def test_five_documents_are_taken_and_one_more_is_not(self, mock_provider: Any, once: Any) -> None:
        documents = [document(f"notes {number}") for number in range(6)]
        assert converse(once, "Read", *documents[:5])["stopReason"] == "end_turn"
        refused(mock_provider, "media-limit", converse, once, "Read", *documents)

    def test_a_document_stands_beside_a_text(self, mock_provider: Any, once: Any) -> None:
        refused(mock_provider, "media-limit", converse, once, document())

    def test_a_document_in_a_tool_result_needs_no_text_beside_it(self, once: Any) -> None:
        spec = {"toolSpec": {"name": "read", "inputSchema": {"json": {"type": "object"}}}}
        call = {"toolUse": {"toolUseId": "tooluse_1", "name": "read", "input": {}}}
        result = {"toolResult": {"toolUseId": "tooluse_1", "content": [document()]}}
        messages = [user("Read it"), {"role": "assistant", "content": [call]}, user(result)]
        assert converse(once, messages=messages, toolConfig={"tools": [spec]})["stopReason"] == "end_turn"

    @pytest.mark.parametrize(
        "block",
        [
            {"video": {"format": "mp4", "source": {"bytes": b"video"}}},
            {"audio": {"format": "wav", "source": {"bytes": b"audio"}}},
        ],
        ids=["video", "audio"],
    )
    def test_what_the_card_does_not_offer_is_refused(self, mock_provider: Any, once: Any, block: Any) -> None:
        told = refused(mock_provider, "input-modality", converse, once, "Listen", block)
        assert f"the {next(iter(block))} content block" in told

    @both
    def test_a_search_result_is_read(self, once: Any, ask: Ask) -> None:
        found = {"searchResult": {"source": "https://a.example", "title": "Words", "content": [{"text": "The code word is EGRET3."}]}}  # fmt: skip
        answer = ask(once, "What is the code word? Answer with the code word only.", found)
        assert text_of(answer) == "EGRET3"


# -- reasoning ------------------------------------------------------------------------------------------


def thoughts(answer: Any) -> list[Any]:
    return [b["reasoningContent"] for b in answer["output"]["message"]["content"] if "reasoningContent" in b]


class TestReasoning:
    @both
    def test_claude_signs_what_it_thought_and_takes_it_back(self, once: Any, ask: Ask) -> None:
        question = "What is the capital of France?"
        answer = ask(once, question, modelId=CLAUDE, additionalModelRequestFields=THINK)
        [thought] = thoughts(answer)
        assert thought["reasoningText"]["text"]
        assert len(thought["reasoningText"]["signature"]) > 50
        message = {**answer["output"]["message"], "role": "assistant"}
        again = ask(once, messages=[user(question), message, user("And of Spain?")], modelId=CLAUDE)
        assert again["stopReason"] == "end_turn"

    @both
    def test_what_claude_redacts_is_bytes(self, once: Any, ask: Ask) -> None:
        answer = ask(once, REDACT, modelId=CLAUDE, additionalModelRequestFields=THINK)
        [thought] = thoughts(answer)
        assert set(thought) == {"redactedContent"}
        assert isinstance(thought["redactedContent"], bytes)
        message = {"role": "assistant", "content": [{"reasoningContent": thought}, {"text": "Well."}]}
        again = ask(once, messages=[user(REDACT), message, user("Go on")], modelId=CLAUDE)
        assert again["stopReason"] == "end_turn"

    @both
    def test_an_open_model_thinks_without_a_signature(self, once: Any, ask: Ask) -> None:
        more = {"additionalModelRequestFields": {"reasoning_effort": "low"}}
        [thought] = thoughts(ask(once, "What is the capital of France?", modelId=GPT_OSS, **more))
        assert set(thought["reasoningText"]) == {"text"}

    @both
    def test_effort_is_a_member_of_its_own_too(self, once: Any, ask: Ask) -> None:
        asked = {"modelId": GPT_OSS, "outputConfig": {"effort": "high"}}
        assert thoughts(ask(once, "What is the capital of France?", **asked))

    @both
    def test_nobody_thinks_aloud_who_was_not_asked_to(self, once: Any, ask: Ask) -> None:
        off = {"thinking": {"type": "disabled"}}
        assert thoughts(ask(once, "Hello", modelId=CLAUDE, additionalModelRequestFields=off)) == []
        assert thoughts(ask(once, "Hello", modelId=SEED, additionalModelRequestFields=THINK)) == []


# -- documents that are cited ----------------------------------------------------------------------------

POLICY = "Staff get 20 days of leave. Ask your manager for more!"


def policy(enabled: bool = True, **source: Any) -> dict[str, Any]:
    said = {"name": "policy", "format": "txt", "source": source or {"text": POLICY}}
    return {"document": {**said, "citations": {"enabled": enabled}}}


def citation(index: int, start: int, end: int) -> dict[str, Any]:
    span = {"documentIndex": index, "start": start, "end": end}
    return {
        "title": "policy",
        "sourceContent": [{"text": POLICY[start:end]}],
        "location": {"documentChar": span},
    }


class TestCitations:
    @pytest.mark.parametrize("source", [{"text": POLICY}, {"bytes": POLICY.encode()}], ids=["text", "bytes"])
    def test_what_an_answer_quotes_is_cited_by_its_place(self, once: Any, source: Any) -> None:
        other = document("other", b"Nobody asks for this one.")
        answer = converse(once, "What does policy say?", other, policy(**source), modelId=CLAUDE)
        content = answer["output"]["message"]["content"]
        quoted = [block["citationsContent"] for block in content if "citationsContent" in block]
        assert "".join(each["content"][0]["text"] for each in quoted) == POLICY
        assert [each["citations"] for each in quoted] == [[citation(1, 0, 28)], [citation(1, 28, 54)]]
        again = [user("What does policy say?", policy()), {"role": "assistant", "content": content}]
        assert once.converse(modelId=CLAUDE, messages=[*again, user("Thanks.")])["stopReason"]

    def test_in_a_stream_the_citation_comes_before_its_words(self, once: Any) -> None:
        asked = [user("What does policy say?", policy())]
        blocks: dict[int, list[Any]] = {}
        for event in once.converse_stream(modelId=CLAUDE, messages=asked)["stream"]:
            if "contentBlockDelta" in event:
                delta = event["contentBlockDelta"]
                blocks.setdefault(delta["contentBlockIndex"], []).append(delta["delta"])
        citing = [deltas for deltas in blocks.values() if any("citation" in each for each in deltas)]
        assert [deltas[0]["citation"] for deltas in citing] == [citation(0, 0, 28), citation(0, 28, 54)]
        words = ["".join(each["text"] for each in deltas[1:]) for deltas in citing]
        assert words == [POLICY[:28], POLICY[28:]]

    @both
    @pytest.mark.parametrize(("model", "enabled"), [(CLAUDE, False), (NOVA, True)])
    def test_nothing_is_cited_unasked_or_by_another_model(
        self, once: Any, ask: Ask, model: str, enabled: bool
    ) -> None:
        answer = ask(once, "What does policy say?", policy(enabled), modelId=model)
        [block] = answer["output"]["message"]["content"]
        assert POLICY in block["text"]


# -- prompts that were read before ------------------------------------------------------------------------

LONG = "The kettle is amber and the lamp is green. " * 150
POINT = {"cachePoint": {"type": "default"}}


def cached(usage: Any) -> tuple[int, int]:
    """(read, written), which are told under one name in the model and another beside it."""
    return usage["cacheReadInputTokens"], usage["cacheWriteInputTokens"]


class TestCaching:
    @both
    def test_a_prefix_is_written_once_and_read_from_then_on(self, once: Any, ask: Ask) -> None:
        asked = {"modelId": CLAUDE, "system": [{"text": LONG}, POINT]}
        plain = ask(once, "Hello", modelId=CLAUDE, system=[{"text": LONG}])["usage"]
        first = ask(once, "Hello", **asked)["usage"]
        second = ask(once, "What is amber?", **asked)["usage"]
        assert cached(first) == (0, cached(first)[1]) and cached(first)[1] > 1024
        assert cached(second) == (cached(first)[1], 0)
        assert first["inputTokens"] == plain["inputTokens"] - cached(first)[1]
        for usage in (first, second):
            counts = usage["inputTokens"] + usage["outputTokens"] + sum(cached(usage))
            assert usage["totalTokens"] == counts

    @both
    def test_what_comes_after_a_known_prefix_is_written(self, once: Any, ask: Ask) -> None:
        talk = [user(LONG, POINT)]
        written = cached(ask(once, modelId=CLAUDE, messages=talk)["usage"])[1]
        talk += [{"role": "assistant", "content": [{"text": "I see."}]}, user("And " + LONG, POINT)]
        read, more = cached(ask(once, modelId=CLAUDE, messages=talk)["usage"])
        assert (read, more > 1024) == (written, True)

    def test_another_prefix_another_model_and_a_short_one_are_not_read(self, once: Any) -> None:
        other = "us.anthropic.claude-3-7-sonnet-20250219-v1:0"
        for model, text in ((CLAUDE, LONG), (CLAUDE, LONG + "And more."), (other, LONG)):
            usage = converse(once, "Hello", modelId=model, system=[{"text": text}, POINT])["usage"]
            assert cached(usage)[0] == 0 and cached(usage)[1] > 1024
        for _ in range(2):
            short = converse(once, "Hello", POINT, modelId=CLAUDE)["usage"]
            assert cached(short) == (0, 0)

    def test_a_prefix_is_forgotten_when_its_time_is_over(
        self, mock_provider: Any, once: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        now = time.time()
        hour = {"cachePoint": {"type": "default", "ttl": "1h"}}
        five, sixty = [{"text": LONG}, POINT], [{"text": "Once. " + LONG}, hour]

        def read(system: Any, seconds: float) -> int:
            monkeypatch.setattr(time, "time", lambda: now + seconds)
            return cached(converse(once, "Hello", modelId=CLAUDE, system=system)["usage"])[0]

        assert [read(five, 0) > 0, read(five, 290) > 0, read(five, 580) > 0, read(five, 890) > 0] == [
            False,
            True,
            True,
            False,
        ]
        assert [read(sixty, 900) > 0, read(sixty, 4400) > 0, read(sixty, 8100) > 0] == [False, True, False]


# -- members beside the messages -------------------------------------------------------------------------


class TestMembers:
    @both
    def test_the_stop_sequence_can_be_asked_back(self, once: Any, ask: Ask) -> None:
        asked = {
            "inferenceConfig": {"stopSequences": ["HALT"]},
            "additionalModelResponseFieldPaths": ["/stop_sequence", "/no/such/member"],
        }
        answer = ask(once, "Reply with exactly: one HALT two", **asked)
        assert answer["additionalModelResponseFields"] == {"stop_sequence": "HALT"}
        assert "additionalModelResponseFields" not in ask(once, "Hello", **asked)

    @both
    def test_prompt_variables_are_ignored_without_a_prompt(self, once: Any, ask: Ask) -> None:
        answer = ask(once, "Reply with exactly: ok", promptVariables={"who": {"text": "Ada"}})
        assert text_of(answer) == "ok"

    @both
    def test_metadata_and_fields_for_the_vendor_change_nothing(self, once: Any, ask: Ask) -> None:
        more = {"requestMetadata": {"team": "a b"}, "additionalModelRequestFields": {"top_k": 5}}
        assert text_of(ask(once, "Reply with exactly: ok", **more)) == "ok"

    @both
    def test_latency_and_tier_are_repeated(self, once: Any, ask: Ask) -> None:
        more = {"performanceConfig": {"latency": "standard"}, "serviceTier": {"type": "priority"}}
        answer = ask(once, "Hello", **more)
        assert (answer["performanceConfig"], answer["serviceTier"]) == tuple(more.values())

    @pytest.mark.parametrize("where", ["message", "system", "tools"])
    def test_a_cache_point_is_refused_wherever_it_stands(self, once: Any, where: str) -> None:
        point = {"cachePoint": {"type": "default", "ttl": "5m"}}
        tool = {"toolSpec": {"name": "look", "inputSchema": {"json": {"type": "object"}}}}
        places: dict[str, dict[str, Any]] = {
            "message": {"messages": [user("Hello", point)]},
            "system": {"messages": [user("Hello")], "system": [{"text": "Be brief."}, point]},
            "tools": {"messages": [user("Hello")], "toolConfig": {"tools": [tool, point]}},
        }
        asked = places[where]
        error = error_of(once.converse, modelId=SEED, **asked)
        assert isinstance(error, once.exceptions.AccessDeniedException)
        assert once.converse(modelId=CLAUDE, **asked)["stopReason"]

    @pytest.mark.parametrize(
        "model", ["us.mistral.pixtral-large-2502-v1:0", "us.meta.llama3-3-70b-instruct-v1:0"]
    )
    def test_tools_in_a_stream_are_refused_where_the_card_lacks_them(
        self, mock_provider: Any, once: Any, model: str
    ) -> None:
        tool = {"toolSpec": {"name": "look", "inputSchema": {"json": {"type": "object"}}}}
        asked = {"modelId": model, "messages": [user("Hello")], "toolConfig": {"tools": [tool]}}
        said = refused(mock_provider, "tools-not-streamed", once.converse_stream, **asked)
        assert said.endswith("This model doesn't support tool use in streaming mode.")
        assert once.converse(**asked)["stopReason"]
        assert once.converse_stream(modelId=model, messages=[user("Hello")])["stream"]

    @pytest.mark.parametrize(
        "written", ["mistral.mistral-7b-instruct-v0:2", "mistral.mistral-7b-instruct-v0%3A2"]
    )
    def test_a_colon_of_a_model_id_stands_in_the_path_raw_or_encoded(
        self, mock_provider: Any, written: str
    ) -> None:
        """boto3 encodes it; Anthropic's SDK does not, so this is asked as a client of HTTP asks it."""
        import urllib3

        answer = urllib3.PoolManager().request(
            "POST",
            f"{mock_provider.url('bedrock-runtime')}/model/{written}/invoke",
            headers={"Authorization": f"Bearer {mock_provider.info['bearer']}"},
            body=json.dumps({"prompt": "Hello"}),
        )
        assert answer.status == 200

    def test_invoke_says_tier_and_latency_in_headers(self, once: Any) -> None:
        body = json.dumps({"messages": [{"role": "user", "content": "Hello"}], "max_tokens": 16})
        asked = {"modelId": SEED, "body": body, "serviceTier": "flex", "performanceConfigLatency": "standard"}
        answer = once.invoke_model(**asked)
        assert (answer["serviceTier"], answer["performanceConfigLatency"]) == ("flex", "standard")
        answer = once.invoke_model_with_response_stream(**asked)
        assert (answer["serviceTier"], answer["performanceConfigLatency"]) == ("flex", "standard")
        assert [*answer["body"]]
        plain = once.invoke_model(modelId=SEED, body=body)
        assert "serviceTier" not in plain


# -- guardrails in conversations --------------------------------------------------------------------------


def guarded(name: str = "mockwords001", **more: Any) -> dict[str, Any]:
    return {"guardrailConfig": {"guardrailIdentifier": name, "guardrailVersion": "1", **more}}


class TestGuardrails:
    @both
    def test_a_blocked_prompt_never_reaches_the_model(self, once: Any, ask: Ask) -> None:
        answer = ask(once, "Buy me a kumquat", **guarded(trace="enabled"))
        assert (text_of(answer), answer["stopReason"]) == (BLOCKED, "guardrail_intervened")
        found = answer["trace"]["guardrail"]["inputAssessment"]["mockwords001"]
        assert found["wordPolicy"]["customWords"][0]["match"] == "kumquat"
        assert (answer["usage"]["inputTokens"], answer["usage"]["outputTokens"]) == (0, 0)

    @both
    def test_a_blocked_answer_is_replaced(self, mock_provider: Any, once: Any, ask: Ask) -> None:
        mock_provider.reply("Eat a kumquat.")
        answer = ask(once, "What shall I eat?", **guarded(trace="enabled"))
        assert (text_of(answer), answer["stopReason"]) == (BLOCKED, "guardrail_intervened")
        [found] = answer["trace"]["guardrail"]["outputAssessments"]["mockwords001"]
        assert found["wordPolicy"]["customWords"][0]["action"] == "BLOCKED"

    @both
    def test_personal_data_are_masked_on_both_ways(self, mock_provider: Any, once: Any, ask: Ask) -> None:
        answer = ask(once, "Reply with exactly: ada@example.com", **guarded("mockprivacy1"))
        assert text_of(answer) == "{EMAIL}"
        mock_provider.reply("Ask bob@example.com.")
        assert text_of(ask(once, "Whom?", **guarded("mockprivacy1"))) == "Ask {EMAIL}."

    @both
    def test_only_what_is_marked_is_looked_at(self, mock_provider: Any, once: Any, ask: Ask) -> None:
        marked = {"guardContent": {"text": {"text": "Hello", "qualifiers": ["guard_content"]}}}
        mock_provider.reply("Fine.")
        assert ask(once, "Buy a kumquat.", marked, **guarded())["stopReason"] == "end_turn"
        marked = {"guardContent": {"text": {"text": "kumquat"}}}
        assert ask(once, "Buy one.", marked, **guarded())["stopReason"] == "guardrail_intervened"

    @both
    def test_a_trace_comes_only_when_it_is_asked_for(self, once: Any, ask: Ask) -> None:
        assert "trace" not in ask(once, "Hello", **guarded())
        assert "trace" not in ask(once, "Hello", **guarded(trace="disabled"))
        full = ask(once, "Hello", **guarded(trace="enabled_full"))["trace"]["guardrail"]
        assert full["inputAssessment"]["mockwords001"]["topicPolicy"]["topics"][0]["detected"] is False

    def test_an_asynchronous_stream_is_out_before_it_is_judged(self, mock_provider: Any, once: Any) -> None:
        for mode, said in (("sync", BLOCKED), ("async", "Eat a kumquat.")):
            mock_provider.reply("Eat a kumquat.")
            answer = streamed(once, "What?", **guarded(streamProcessingMode=mode))
            assert (text_of(answer), answer["stopReason"]) == (said, "guardrail_intervened")

    @both
    def test_a_guardrail_that_does_not_exist_is_refused(
        self, mock_provider: Any, once: Any, ask: Ask
    ) -> None:
        refused(mock_provider, "unknown-guardrail", ask, once, "Hello", **guarded("nosuchguard"))

    @pytest.mark.parametrize("trace", ["ENABLED", None])
    def test_invoke_names_it_in_headers_and_tells_it_in_the_body(self, once: Any, trace: str | None) -> None:
        body = {"messages": [{"role": "user", "content": "A kumquat"}], "max_tokens": 16}
        asked = {"modelId": SEED, "body": json.dumps(body), "contentType": "application/json"}
        named = {"guardrailIdentifier": "mockwords001", "guardrailVersion": "1"}
        more = {**asked, **named, **({"trace": trace} if trace else {})}
        said = json.loads(once.invoke_model(**more)["body"].read())
        assert said["choices"][0]["message"]["content"] == BLOCKED
        assert said["amazon-bedrock-guardrailAction"] == "INTERVENED"
        assert ("amazon-bedrock-trace" in said) is bool(trace)
        stream = once.invoke_model_with_response_stream(**more)["body"]
        [chunk] = [json.loads(event["chunk"]["bytes"]) for event in stream]
        assert chunk["amazon-bedrock-guardrailAction"] == "INTERVENED"
        assert "amazon-bedrock-invocationMetrics" not in chunk
        plain = json.loads(once.invoke_model(**asked)["body"].read())
        assert "amazon-bedrock-guardrailAction" not in plain


# -- the vendors' own bodies ------------------------------------------------------------------------------


def prompted(words: str, model: str = TEXT_MODELS[0], **more: Any) -> dict[str, Any]:
    body = {"prompt": f"<s>[INST] {words} [/INST]", "max_tokens": 64, **more}
    return {"modelId": model, "body": json.dumps(body)}


class TestVendors:
    @pytest.mark.parametrize("model", TEXT_MODELS)
    def test_the_old_dialect_of_mistral_is_spoken_by_its_models(self, once: Any, model: str) -> None:
        answer = once.invoke_model(**prompted("Reply with exactly: amber kettle 42", model))
        body = json.loads(answer["body"].read())
        assert body == {"outputs": [{"text": " amber kettle 42", "stop_reason": "stop"}]}
        counted = answer["ResponseMetadata"]["HTTPHeaders"]
        assert int(counted["x-amzn-bedrock-output-token-count"]) > 0

    def test_its_stream_ends_with_an_empty_text_and_the_metrics(self, once: Any) -> None:
        stream = once.invoke_model_with_response_stream(**prompted("Reply with exactly: one two"))["body"]
        chunks = [json.loads(event["chunk"]["bytes"]) for event in stream]
        assert "".join(chunk["outputs"][0]["text"] for chunk in chunks) == " one two"
        assert chunks[-1]["outputs"] == [{"text": "", "stop_reason": "stop"}]
        assert chunks[-1]["amazon-bedrock-invocationMetrics"]["outputTokenCount"] > 0
        assert {chunk["outputs"][0]["stop_reason"] for chunk in chunks[:-1]} == {None}

    def test_its_cut_stream_has_the_reason_with_the_last_token(self, once: Any) -> None:
        asked = prompted("Count from 1 to 50.", max_tokens=5)
        chunks = [
            json.loads(event["chunk"]["bytes"])
            for event in once.invoke_model_with_response_stream(**asked)["body"]
        ]
        assert chunks[-1]["outputs"][0]["text"]
        assert chunks[-1]["outputs"][0]["stop_reason"] == "length"

    def test_it_remembers_what_stands_in_the_prompt(self, once: Any) -> None:
        told = "<s>[INST] The code word is PELICAN7. [/INST] Noted.</s>"
        question = "[INST] What is the code word? Answer with the code word only. [/INST]"
        body = json.dumps({"prompt": told + question, "max_tokens": 64})
        answer = once.invoke_model(modelId=TEXT_MODELS[0], body=body)
        assert "PELICAN7" in json.loads(answer["body"].read())["outputs"][0]["text"]

    def test_each_dialect_is_refused_by_the_models_of_the_other(self, once: Any) -> None:
        chat = json.dumps({"messages": [{"role": "user", "content": "Hello"}]})
        error = error_of(once.invoke_model, modelId=TEXT_MODELS[0], body=chat)
        assert "required key [prompt] not found" in str(error)
        error = error_of(once.invoke_model, **prompted("Hello", SEED))
        assert "required key [messages] not found" in str(error)

    @pytest.mark.parametrize("model", [CLAUDE, NOVA, GPT_OSS, "us.meta.llama3-3-70b-instruct-v1:0"])
    def test_no_vendor_is_answered_in_the_words_of_another(self, once: Any, model: str) -> None:
        """The mock says that it cannot, with a status that no provider has for it."""
        chat = json.dumps({"messages": [{"role": "user", "content": "Hello"}], "max_tokens": 16})
        for call in (once.invoke_model, once.invoke_model_with_response_stream):
            error = error_of(call, modelId=model, body=chat)
            assert error.response["ResponseMetadata"]["HTTPStatusCode"] == 501
            assert "has not the form of bodies" in str(error)

    def test_a_chat_says_finish_reason_in_both_realities(self, once: Any) -> None:
        body = json.dumps({"messages": [{"role": "user", "content": "Hello"}], "max_tokens": 16})
        choice = json.loads(once.invoke_model(modelId=SEED, body=body)["body"].read())["choices"][0]
        assert "finish_reason" in choice
        assert "stop_reason" not in choice

    @pytest.mark.mock_provider(reality="observed")
    def test_a_chat_says_finish_reason_as_it_was_observed_too(self, once: Any) -> None:
        self.test_a_chat_says_finish_reason_in_both_realities(once)
