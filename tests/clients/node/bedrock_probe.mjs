// Calls the AWS SDK for JavaScript as an application does: endpoint and keys come from the environment.
//
//     AWS_REGION=us-east-1 PROBE_MODEL=mistral.magistral-small-2509 node bedrock_probe.mjs CASE [CASE ...]
//
// PROBE_HANDLER: `http1` for NodeHttpHandler, `default` for what this client has by itself, which is HTTP/2.

import {
    BedrockRuntimeClient,
    ConverseCommand,
    ConverseStreamCommand,
    InvokeModelCommand,
    InvokeModelWithResponseStreamCommand,
} from '@aws-sdk/client-bedrock-runtime';
import { NodeHttpHandler } from '@smithy/node-http-handler';
import { TOOL, collect, describe, run } from './cases.mjs';

const modelId = process.env.PROBE_MODEL;
const prompt = process.env.PROBE_PROMPT ?? 'Explain quantum computing in simple terms';
const messages = [{ role: 'user', content: [{ text: prompt }] }];
const weather = [{ role: 'user', content: [{ text: 'What is the weather in Paris?' }] }];
const toolConfig = {
    tools: [{ toolSpec: { name: TOOL.name, description: TOOL.description, inputSchema: { json: TOOL.parameters } } }],
};
const handlers = { http1: () => ({ requestHandler: new NodeHttpHandler() }), default: () => ({}) };
const connect = (options) => new BedrockRuntimeClient({ ...handlers[process.env.PROBE_HANDLER](), ...options });
const client = connect();
const native = {
    modelId,
    contentType: 'application/json',
    body: JSON.stringify({ messages: [{ role: 'user', content: prompt }], max_tokens: 200 }),
};
const read = (bytes) => JSON.parse(new TextDecoder().decode(bytes));

await run({
    converse: () => client.send(new ConverseCommand({ modelId, messages })),

    'converse, one token': () =>
        client.send(new ConverseCommand({ modelId, messages, inferenceConfig: { maxTokens: 1 } })),

    'converse, tool': async () => {
        const called = await client.send(new ConverseCommand({ modelId, messages: weather, toolConfig }));
        const { toolUse } = called.output.message.content.find((block) => block.toolUse);
        const result = { toolUseId: toolUse.toolUseId, content: [{ text: 'sunny, 21 degrees' }] };
        const answered = await client.send(
            new ConverseCommand({
                modelId,
                messages: [
                    ...weather,
                    called.output.message,
                    { role: 'user', content: [{ toolResult: result }] },
                ],
                toolConfig,
            }),
        );
        return { called, toolUse, answered };
    },

    'converse stream': async () => {
        const { stream } = await client.send(new ConverseStreamCommand({ modelId, messages }));
        return collect(stream);
    },

    'converse stream, tool': async () => {
        const { stream } = await client.send(
            new ConverseStreamCommand({ modelId, messages: weather, toolConfig }),
        );
        return collect(stream);
    },

    'ten at once': () =>
        Promise.all(
            Array.from({ length: 10 }, async () => {
                const { stream } = await client.send(new ConverseStreamCommand({ modelId, messages }));
                return (await collect(stream)).map((event) => event.contentBlockDelta?.delta.text ?? '').join('');
            }),
        ),

    'converse stream, left early': async () => {
        const left = new AbortController();
        const command = new ConverseStreamCommand({ modelId, messages });
        const { stream } = await client.send(command, { abortSignal: left.signal });
        for await (const event of stream) {
            left.abort();
            return event;
        }
    },

    protocol: async () => {
        await client.send(new ConverseCommand({ modelId, messages }));
        return client.config.requestHandler.metadata.handlerProtocol;
    },

    'converse stream, failing': async () => {
        const received = [];
        try {
            const { stream } = await client.send(new ConverseStreamCommand({ modelId, messages }));
            for await (const event of stream) received.push(event);
            return { received, error: null };
        } catch (error) {
            return { received, error: describe(error) };
        }
    },

    invoke: async () => {
        const { body, contentType } = await client.send(new InvokeModelCommand(native));
        return { contentType, answer: read(body) };
    },

    'invoke stream': async () => {
        const { body, contentType } = await client.send(new InvokeModelWithResponseStreamCommand(native));
        return { contentType, chunks: (await collect(body)).map((event) => read(event.chunk.bytes)) };
    },

    'unknown model': () => client.send(new ConverseCommand({ modelId: 'mistral.no-such-model', messages })),

    'no second try': () => connect({ maxAttempts: 1 }).send(new ConverseCommand({ modelId, messages })),
});
