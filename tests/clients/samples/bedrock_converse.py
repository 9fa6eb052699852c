import boto3

client = boto3.client("bedrock-runtime", region_name="us-east-1")
response = client.converse(
    modelId="mistral.magistral-small-2509",
    messages=[{"role": "user", "content": [{"text": "Can you explain the features of Amazon Bedrock?"}]}],
)
print(response)
