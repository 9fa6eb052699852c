import json

import boto3

client = boto3.client("bedrock-runtime", region_name="us-east-1")
response = client.invoke_model(
    modelId="mistral.magistral-small-2509",
    body=json.dumps(
        {
            "messages": [{"role": "user", "content": "Can you explain the features of Amazon Bedrock?"}],
            "max_tokens": 1024,
        }
    ),
)
print(json.loads(response["body"].read()))
