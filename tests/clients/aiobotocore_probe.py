"""Asks the mock through aiobotocore and prints what came, a JSON line for each case.

Run with build/aws-clients in front: aiobotocore wants a botocore of its own. Arguments: endpoint, CA,
access key, secret, the picture's file.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from aiobotocore.session import get_session
from botocore.config import Config
from botocore.exceptions import ClientError, EventStreamError

ENDPOINT, CA, KEY, SECRET, PICTURE = sys.argv[1:6]
MODEL = "mistral.magistral-small-2509"
EXACTLY = [{"role": "user", "content": [{"text": "Reply with exactly: amber kettle"}]}]
TOOL = {
    "toolSpec": {
        "name": "get_weather",
        "inputSchema": {
            "json": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
        },
    }
}


async def converse(client: Any) -> Any:
    answer = await client.converse(modelId=MODEL, messages=EXACTLY)
    return answer["output"]["message"]["content"][0]["text"]


async def converse_stream(client: Any) -> Any:
    answer = await client.converse_stream(modelId=MODEL, messages=EXACTLY)
    text, names = "", []
    async for event in answer["stream"]:
        names += event
        text += event.get("contentBlockDelta", {}).get("delta", {}).get("text", "")
    return {"text": text, "first": names[0], "last": names[-1]}


async def invoke(client: Any) -> Any:
    body = json.dumps({"messages": [{"role": "user", "content": "Reply with exactly: amber kettle"}]})
    answer = await client.invoke_model(modelId=MODEL, body=body)
    return json.loads(await answer["body"].read())["choices"][0]["message"]["content"]


async def invoke_stream(client: Any) -> Any:
    body = json.dumps({"messages": [{"role": "user", "content": "Reply with exactly: amber kettle"}]})
    answer = await client.invoke_model_with_response_stream(modelId=MODEL, body=body)
    text = ""
    async for event in answer["body"]:
        for choice in json.loads(event["chunk"]["bytes"]).get("choices", []):
            text += choice.get("message", choice.get("delta", {})).get("content") or ""
    return text


async def tool(client: Any) -> Any:
    asks = [{"role": "user", "content": [{"text": "What is the weather in Oslo?"}]}]
    config = {"tools": [TOOL], "toolChoice": {"any": {}}}
    answer = await client.converse(modelId=MODEL, messages=asks, toolConfig=config)
    return answer["output"]["message"]["content"][-1]["toolUse"]["input"]


async def image(client: Any) -> Any:
    picture = {"format": "png", "source": {"bytes": Path(PICTURE).read_bytes()}}
    content = [{"text": "Which code is drawn in the picture? Reply with the code only."}, {"image": picture}]
    answer = await client.converse(modelId=MODEL, messages=[{"role": "user", "content": content}])
    return answer["output"]["message"]["content"][0]["text"]


async def unknown_model(client: Any) -> Any:
    try:
        await client.converse(modelId="no.such-model", messages=EXACTLY)
    except client.exceptions.ValidationException as error:
        return error.response["Error"]["Message"]


async def many_at_once(client: Any) -> Any:
    answers = await asyncio.gather(*(converse_stream(client) for _ in range(10)))
    return sorted({each["text"] for each in answers})


async def scripted(client: Any) -> Any:
    """What the mock was told to do: an error before, or inside, the stream."""
    try:
        return await converse_stream(client)
    except EventStreamError as error:
        return {"inside": error.response["Error"]["Code"]}
    except ClientError as error:
        return {"before": error.response["Error"]["Code"]}


async def main() -> None:
    cases = [globals()[name] for name in sys.argv[6:]]
    async with get_session().create_client(
        "bedrock-runtime",
        region_name="us-east-1",
        endpoint_url=ENDPOINT,
        verify=CA,
        aws_access_key_id=KEY,
        aws_secret_access_key=SECRET,
        config=Config(retries={"total_max_attempts": 1}),
    ) as client:
        for case in cases:
            print(json.dumps({"case": case.__name__, "got": await case(client)}), flush=True)


asyncio.run(main())
