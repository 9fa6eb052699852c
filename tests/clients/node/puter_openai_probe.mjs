// Calls openai-node against Puter's OpenAI-compatible endpoint, as an application does: by OPENAI_BASE_URL and OPENAI_API_KEY.
//
//     PROBE_MODEL=mistralai/magistral-small-2509 node puter_openai_probe.mjs CASE [CASE ...]

import OpenAI from 'openai';
import { TOOL, collect, describe, run } from './cases.mjs';

const model = process.env.PROBE_MODEL;
const messages = [{ role: 'user', content: 'Explain quantum computing in simple terms' }];
const weather = [{ role: 'user', content: 'Use the tool get_weather to tell me the weather in Singapore.' }];
const tools = [{ type: 'function', function: TOOL }];
const client = new OpenAI({ maxRetries: 0 });

await run({
    chat: () => client.chat.completions.create({ model, messages }),

    'chat, iterated': async () =>
        collect(await client.chat.completions.create({ model, messages, stream: true })),

    'chat, accumulated': () => client.chat.completions.stream({ model, messages }).finalChatCompletion(),

    'chat, failing midway': async () => {
        const received = [];
        try {
            const stream = await client.chat.completions.create({ model, messages, stream: true });
            for await (const chunk of stream) received.push(chunk);
            return { received, error: null };
        } catch (error) {
            return { received, error: describe(error) };
        }
    },

    tool: () => client.chat.completions.create({ model, messages: weather, tools }),

    'tool, iterated': async () =>
        collect(await client.chat.completions.create({ model, messages: weather, tools, stream: true })),

    completion: () => client.completions.create({ model, prompt: messages[0].content }),

    'completion, iterated': async () =>
        collect(await client.completions.create({ model, prompt: messages[0].content, stream: true })),

    response: () => client.responses.create({ model, input: messages[0].content }),

    'response, iterated': async () =>
        collect(await client.responses.create({ model, input: messages[0].content, stream: true })),

    'response, accumulated': async () => {
        const stream = client.responses.stream({ model, input: messages[0].content });
        let deltas = '';
        stream.on('response.output_text.delta', ({ delta }) => (deltas += delta));
        return { response: await stream.finalResponse(), deltas };
    },

    'unknown model': () => client.chat.completions.create({ model: 'no.such-model', messages }),

    models: async () => collect(client.models.list()),
});
