from openai import OpenAI

client = OpenAI()
response = client.chat.completions.create(
    model="mistral.magistral-small-2509",
    messages=[{"role": "user", "content": "Can you explain the features of Amazon Bedrock?"}],
)
print(response)
