// openai-node at a provider of the OpenAI family: what it keeps, parses, streams, aborts and refuses.
//
//     OPENAI_BASE_URL=... OPENAI_API_KEY=... PROBE_MODEL=gpt-4o-mini node openai_family_probe.mjs CASE [CASE ...]

import OpenAI from 'openai';
import { zodFunction, zodResponseFormat, zodTextFormat } from 'openai/helpers/zod';
import { z } from 'zod';
import { TOOL, collect, describe, run } from './cases.mjs';

const model = process.env.PROBE_MODEL;
const prompt = process.env.PROBE_PROMPT ?? 'Reply with exactly: amber kettle 42';
const picture = process.env.PROBE_PICTURE;
const messages = [{ role: 'user', content: prompt }];
const weather = 'What is the weather in Paris?';
const city = z.object({ city: z.string(), population: z.number().int(), river: z.string().nullable() });
const client = new OpenAI();

/** The classes of openai-node that an error is an instance of. */
function classes(error) {
    return Object.keys(OpenAI).filter((name) => name.endsWith('Error') && error instanceof OpenAI[name]);
}

/** Reads a stream, leaves it after three parts, and says what came and whether the client still works. */
async function leave(stream) {
    const received = [];
    let error = null;
    try {
        for await (const part of stream) {
            received.push(part);
            if (received.length === 3) stream.controller.abort();
        }
    } catch (thrown) {
        error = describe(thrown);
    }
    const after = await client.chat.completions.create({ model, messages: [{ role: 'user', content: 'Hello' }] });
    return { received: received.length, aborted: stream.controller.signal.aborted, error, after: after.choices.length };
}

await run({
    'chat, parsed': async () => {
        const completion = await client.chat.completions.parse({
            model,
            messages,
            response_format: zodResponseFormat(city, 'city'),
        });
        return completion.choices[0].message;
    },

    'chat, parsed from a stream': async () => {
        const stream = client.chat.completions.stream({
            model,
            messages,
            response_format: zodResponseFormat(city, 'city'),
        });
        const snapshots = [];
        stream.on('content.delta', ({ parsed }) => snapshots.push(parsed));
        const { choices } = await stream.finalChatCompletion();
        return { message: choices[0].message, snapshots: snapshots.length };
    },

    'chat, two choices': () => client.chat.completions.create({ model, messages, n: 2 }),

    'chat, two choices streamed': async () => {
        const stream = client.chat.completions.stream({ model, messages, n: 2 });
        return stream.finalChatCompletion();
    },

    'chat, picture': () =>
        client.chat.completions.create({
            model,
            messages: [
                {
                    role: 'user',
                    content: [
                        { type: 'text', text: prompt },
                        { type: 'image_url', image_url: { url: picture } },
                    ],
                },
            ],
        }),

    'chat, tools run in a stream': async () => {
        const asked = [];
        const answer = (wanted) => {
            asked.push(wanted);
            return `sunny, 21 degrees in ${wanted.city}`;
        };
        const parameters = z.object({ city: z.string() });
        const runner = client.chat.completions.runTools({
            model,
            stream: true,
            messages: [{ role: 'user', content: weather }],
            tools: [zodFunction({ name: TOOL.name, parameters, function: answer })],
        });
        return { text: await runner.finalContent(), asked };
    },

    'responses, parsed': async () => {
        const text = { format: zodTextFormat(city, 'city') };
        return (await client.responses.parse({ model, input: prompt, text })).output_parsed;
    },

    'responses, parsed from a stream': async () => {
        const text = { format: zodTextFormat(city, 'city') };
        const stream = client.responses.stream({ model, input: prompt, text });
        return (await stream.finalResponse()).output_parsed;
    },

    'responses, picture': async () => {
        const content = [
            { type: 'input_text', text: prompt },
            { type: 'input_image', image_url: picture, detail: 'auto' },
        ];
        return (await client.responses.create({ model, input: [{ role: 'user', content }] })).output_text;
    },

    'responses, tool streamed': async () => {
        const tools = [{ type: 'function', ...TOOL, strict: false }];
        const stream = client.responses.stream({ model, input: weather, tools });
        let fragments = '';
        stream.on('response.function_call_arguments.delta', ({ delta }) => (fragments += delta));
        return { response: await stream.finalResponse(), fragments };
    },

    'responses, cut off': () => client.responses.create({ model, input: prompt, max_output_tokens: 16 }),

    'responses, continued': async () => {
        const told = await client.responses.create({ model, input: 'The code word is PELICAN7. Remember it.' });
        const asked = { model, input: 'What is the code word? Answer with the code word only.' };
        return (await client.responses.create({ ...asked, previous_response_id: told.id })).output_text;
    },

    'responses, kept': async () => {
        const made = await client.responses.create({ model, input: prompt });
        const found = await client.responses.retrieve(made.id);
        const deleted = await client.responses.delete(made.id);
        let gone = null;
        try {
            await client.responses.retrieve(made.id);
        } catch (error) {
            gone = describe(error);
        }
        return { made, found, deleted: deleted ?? null, gone };
    },

    'responses, items of the input': async () => {
        const input = ['My name is Ada.', 'What is my name?'].map((content) => ({ role: 'user', content }));
        const { id } = await client.responses.create({ model, input });
        return collect(client.responses.inputItems.list(id, { limit: 1, order: 'asc' }));
    },

    'responses, in the background': async () => {
        let response = await client.responses.create({ model, input: prompt, background: true });
        const began = response.status;
        while (response.status === 'queued' || response.status === 'in_progress') {
            response = await client.responses.retrieve(response.id);
        }
        return { began, response };
    },

    'responses, cancelled': async () => {
        const { id } = await client.responses.create({ model, input: prompt, background: true });
        return client.responses.cancel(id);
    },

    conversation: async () => {
        const { id } = await client.conversations.create({ metadata: { of: 'probe' } });
        await client.responses.create({ model, input: 'The code word is PELICAN7. Remember it.', conversation: id });
        const asked = await client.responses.create({
            model,
            input: 'What is the code word? Answer with the code word only.',
            conversation: id,
        });
        const items = await collect(client.conversations.items.list(id, { order: 'asc' }));
        const deleted = await client.conversations.delete(id);
        return { text: asked.output_text, roles: items.map((item) => item.role), deleted };
    },

    'chat, stored': async () => {
        const made = await client.chat.completions.create({ model, messages, store: true, metadata: { of: 'probe' } });
        const found = await client.chat.completions.retrieve(made.id);
        const updated = await client.chat.completions.update(made.id, { metadata: { of: 'another' } });
        const asked = await collect(client.chat.completions.messages.list(made.id));
        const deleted = await client.chat.completions.delete(made.id);
        return { made, found, updated, asked, deleted };
    },

    'chat, aborted': async () =>
        leave(await client.chat.completions.create({ model, messages, stream: true })),

    'responses, aborted': async () =>
        leave(await client.responses.create({ model, input: prompt, stream: true })),

    'aborted before an answer': () => client.chat.completions.create({ model, messages }, { signal: AbortSignal.abort() }),

    errors: async () => {
        const raised = [];
        for (let left = Number(process.env.PROBE_TIMES); left; left -= 1) {
            try {
                await client.chat.completions.create({ model, messages }, { maxRetries: 0 });
                raised.push(null);
            } catch (error) {
                raised.push({ ...describe(error), classes: classes(error), body: error.error });
            }
        }
        return raised;
    },

    'error in a responses stream': async () => {
        const received = [];
        try {
            const stream = await client.responses.create({ model, input: prompt, stream: true });
            for await (const event of stream) received.push(event.type);
            return { received, error: null };
        } catch (error) {
            return { received, error: describe(error) };
        }
    },
});
