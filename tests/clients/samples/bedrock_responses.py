from openai import OpenAI

client = OpenAI()
response = client.responses.create(
    model="mistral.magistral-small-2509", input="Can you explain the features of Amazon Bedrock?"
)
print(response)
