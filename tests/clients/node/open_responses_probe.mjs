// Asks the profile `open-responses` with the AI SDK's own provider for it and with openai-node's socket.
//
//     PROBE_URL=http://127.0.0.1:4010/v1 PROBE_KEY=... PROBE_MODEL=... node open_responses_probe.mjs CASE [CASE ...]

import { createOpenResponses } from '@ai-sdk/open-responses';
import { generateText, jsonSchema, stepCountIs, streamText, tool } from 'ai';
import OpenAI from 'openai';
import { ResponsesWS } from 'openai/resources/responses/ws';
import { collect, run, TOOL } from './cases.mjs';

const { PROBE_URL, PROBE_KEY, PROBE_MODEL } = process.env;
const provider = createOpenResponses({ name: 'mock', url: `${PROBE_URL}/responses`, apiKey: PROBE_KEY });
const model = provider(PROBE_MODEL);
const client = new OpenAI({ baseURL: PROBE_URL, apiKey: PROBE_KEY });

/** What comes on one connection to these requests, each sent when the one before has ended. */
async function converse(...asked) {
    const socket = new ResponsesWS(client);
    const told = [];
    let last;
    for await (const event of socket) {
        if (event.type === 'open') ask();
        if (event.type === 'close') break;
        if (event.type === 'error') told.push({ error: event.error.error?.error ?? { message: event.error.message } });
        if (event.type === 'message') {
            const { message } = event;
            if (message.type !== 'response.completed') continue;
            last = message.response.id;
            told.push({ text: message.response.output.at(-1).content[0].text, store: message.response.store });
        }
        if (event.type === 'error' || event.type === 'message') {
            if (asked.length) ask();
            else socket.close();
        }
    }
    return told;

    function ask() {
        const { goes_on, ...body } = asked.shift();
        const previous = goes_on ? { previous_response_id: last } : {};
        socket.send({ type: 'response.create', model: PROBE_MODEL, ...previous, ...body });
    }
}

const tools = { get_weather: tool({ description: TOOL.description, inputSchema: jsonSchema(TOOL.parameters), execute: async () => 'It is 31 degrees and hailing.' }) };

await run({
    text: async () => {
        const { text, finishReason, usage } = await generateText({ model, prompt: 'Reply with exactly: amber kettle 42' });
        return { text, finishReason, counted: usage.inputTokens > 0 && usage.outputTokens > 0 };
    },
    streams: async () => {
        const stream = streamText({ model, prompt: 'Reply with exactly: amber kettle 42' });
        return { pieces: (await collect(stream.textStream)).length, text: await stream.text };
    },
    'uses a tool': async () => {
        const { text, steps } = await generateText({ model, tools, stopWhen: stepCountIs(2), prompt: 'What is the weather in Singapore?' });
        return { called: steps[0].toolCalls.map(({ toolName, input }) => ({ toolName, input })), text };
    },
    'is refused': async () => generateText({ model: provider('no-such-model'), maxRetries: 0, prompt: 'Hello' }),
    'talks on a socket': () =>
        converse(
            { input: 'The code word is PELICAN7. Remember it.', store: false },
            { input: 'What is the code word? Answer with the code word only.', store: false, goes_on: true },
        ),
    'is refused on a socket': () => converse({ input: 'Hello', previous_response_id: 'resp_of_nobody' }, { input: 'Reply with exactly: amber kettle 42' }),
});
process.exit(0);
