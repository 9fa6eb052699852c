// Calls openai-node as an application does: the client finds the mock by OPENAI_BASE_URL and OPENAI_API_KEY.
//
//     PROBE_MODEL=mistral.magistral-small-2509 node openai_probe.mjs CASE [CASE ...]

import OpenAI from 'openai';
import { TOOL, collect, describe, run } from './cases.mjs';

const model = process.env.PROBE_MODEL;
const messages = [{ role: 'user', content: 'Explain quantum computing in simple terms' }];
const weather = [{ role: 'user', content: 'What is the weather in Paris?' }];
const tools = [{ type: 'function', function: TOOL }];
const schema = {
    type: 'object',
    properties: { city: { type: 'string' }, population: { type: 'integer' } },
    required: ['city', 'population'],
    additionalProperties: false,
};
const client = new OpenAI();

await run({
    chat: () => client.chat.completions.create({ model, messages }),

    'chat, raw': async () => {
        const { data, response, request_id } = await client.chat.completions
            .create({ model, messages })
            .withResponse();
        return { text: data.choices[0].message.content, status: response.status, request_id };
    },

    'chat, one token': () => client.chat.completions.create({ model, messages, max_tokens: 1 }),

    'chat, json_schema': () =>
        client.chat.completions.create({
            model,
            messages: [{ role: 'user', content: 'Which city is the largest of France?' }],
            response_format: { type: 'json_schema', json_schema: { name: 'city', strict: true, schema } },
        }),

    'chat, iterated': async () =>
        collect(
            await client.chat.completions.create({
                model,
                messages,
                stream: true,
                stream_options: { include_usage: true },
            }),
        ),

    'chat, accumulated': async () => {
        const stream = client.chat.completions.stream({
            model,
            messages,
            stream_options: { include_usage: true },
        });
        let deltas = '';
        stream.on('content.delta', ({ delta }) => (deltas += delta));
        return { completion: await stream.finalChatCompletion(), deltas };
    },

    'tool, forced': () =>
        client.chat.completions.create({
            model,
            messages,
            tools,
            tool_choice: { type: 'function', function: { name: TOOL.name } },
        }),

    'tool, accumulated': async () => {
        const stream = client.chat.completions.stream({ model, messages: weather, tools });
        const done = [];
        stream.on('tool_calls.function.arguments.done', (call) => done.push(call));
        return { completion: await stream.finalChatCompletion(), done };
    },

    'tool, run': async () => {
        const asked = [];
        const answer = ({ city }) => {
            asked.push(city);
            return `sunny, 21 degrees in ${city}`;
        };
        const runner = client.chat.completions.runTools({
            model,
            messages: weather,
            tools: [{ type: 'function', function: { ...TOOL, parse: JSON.parse, function: answer } }],
        });
        const text = await runner.finalContent();
        return { asked, text, roles: runner.messages.map((message) => message.role) };
    },

    responses: () => client.responses.create({ model, input: messages[0].content }),

    'responses, iterated': async () =>
        collect(await client.responses.create({ model, input: messages[0].content, stream: true })),

    'responses, accumulated': async () => {
        const stream = client.responses.stream({ model, input: messages[0].content });
        let deltas = '';
        stream.on('response.output_text.delta', ({ delta }) => (deltas += delta));
        return { response: await stream.finalResponse(), deltas };
    },

    'responses, tool': async () => {
        const options = { model, tools: [{ type: 'function', ...TOOL, strict: false }] };
        const called = await client.responses.create({ ...options, input: weather[0].content });
        const call = called.output.find((item) => item.type === 'function_call');
        const answered = await client.responses.create({
            ...options,
            previous_response_id: called.id,
            input: [{ type: 'function_call_output', call_id: call.call_id, output: 'sunny, 21 degrees' }],
        });
        return { call, answered };
    },

    models: async () => collect(client.models.list()),

    'unknown model': () => client.chat.completions.create({ model: 'mistral.no-such-model', messages }),

    'wrong type': () => client.chat.completions.create({ model, messages, max_tokens: 'many' }),

    'no second try': () => client.chat.completions.create({ model, messages }, { maxRetries: 0 }),

    'chat, failing midway': async () => {
        const received = [];
        try {
            const stream = await client.chat.completions.create({ model, messages, stream: true });
            for await (const chunk of stream) received.push(chunk);
            return { received: received.length, error: null };
        } catch (error) {
            return { received: received.length, error: describe(error) };
        }
    },
});
