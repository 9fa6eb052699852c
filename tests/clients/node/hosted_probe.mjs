// Tools of Responses that are no functions, as the AI SDK and openai-node use them:
//
//     OPENAI_BASE_URL=... OPENAI_API_KEY=... PROBE_MODEL=gpt-5.4 node hosted_probe.mjs CASE [CASE ...]

import { createOpenAI } from '@ai-sdk/openai';
import { generateText, stepCountIs, streamText, tool } from 'ai';
import OpenAI from 'openai';
import { z } from 'zod';
import { collect, run } from './cases.mjs';

const model = process.env.PROBE_MODEL;
const provider = createOpenAI();
const client = new OpenAI();

const RATE = {
    type: 'function',
    name: 'get_exchange_rate',
    description: 'Look up the current exchange rate between two currencies.',
    parameters: {
        type: 'object',
        properties: { from_currency: { type: 'string' }, to_currency: { type: 'string' } },
        required: ['from_currency', 'to_currency'],
        additionalProperties: false,
    },
    strict: true,
};

/** What a tool was asked, and the tool. */
function noted(make, answer) {
    const asked = [];
    const made = make({
        execute: async (input) => {
            asked.push(input);
            return answer;
        },
    });
    return { asked, made };
}

/** A whole round, plain and as a stream: what the tool was asked, the words, and what the stream brought. */
async function round(prompt, name, make, answer, others = {}) {
    const found = [];
    for (const streams of [false, true]) {
        const { asked, made } = noted(make, answer);
        const said = { model: provider.responses(model), prompt, tools: { [name]: made, ...others }, stopWhen: stepCountIs(4) };
        if (!streams) {
            const { text, steps, sources } = await generateText(said);
            found.push({ asked, text, steps: steps.length, sources });
            continue;
        }
        const errors = [];
        const stream = streamText({ ...said, onError: ({ error }) => errors.push(String(error)) });
        const parts = await collect(stream.fullStream);
        const types = [...new Set(parts.map((part) => part.type))];
        const calls = parts.filter((part) => part.type === 'tool-call').map((part) => part.toolName);
        found.push({ asked, text: await stream.text, errors, types, calls, sources: await stream.sources });
    }
    return found;
}

const currencies = z.object({ from_currency: z.string(), to_currency: z.string() });
const hidden = (execute) =>
    tool({
        description: RATE.description,
        inputSchema: currencies,
        execute,
        providerOptions: { openai: { deferLoading: true } },
    });

/** The final response of a stream of openai-node, and the events that it brought. */
async function streamed(asked) {
    const stream = client.responses.stream({ model, ...asked });
    const events = [];
    stream.on('event', ({ type }) => events.push(type));
    return { response: await stream.finalResponse(), events };
}

await run({
    'AI SDK, shell': () =>
        round('Run `ls -l` in the shell.', 'shell', (how) => provider.tools.shell(how), {
            output: [{ stdout: 'notes.txt', stderr: '', outcome: { type: 'exit', exitCode: 0 } }],
        }),

    'AI SDK, local shell': () =>
        round('Run `ls -l` in the shell.', 'local_shell', (how) => provider.tools.localShell(how), { output: 'notes.txt' }),

    'AI SDK, patch': () =>
        round('Create a file hello.py with the content "print(1)"', 'apply_patch', (how) => provider.tools.applyPatch(how), {
            status: 'completed',
            output: 'It is change 31.',
        }),

    'AI SDK, tool search': () =>
        round('What is the current exchange rate from USD to EUR?', 'get_exchange_rate', ({ execute }) => hidden(execute), '0.92', {
            tool_search: provider.tools.toolSearch(),
        }),

    'AI SDK, tool search of the application': () =>
        round(
            'What is the current exchange rate from USD to EUR?',
            'tool_search',
            ({ execute }) =>
                provider.tools.toolSearch({
                    execution: 'client',
                    description: 'Finds tools.',
                    parameters: { type: 'object', properties: { query: { type: 'string' } }, required: ['query'] },
                    execute,
                }),
            { tools: [{ ...RATE, defer_loading: true }] },
            { get_exchange_rate: hidden(async () => '0.92') },
        ),

    'AI SDK, file search': () =>
        round('What do my files say of penguins?', 'file_search', () => provider.tools.fileSearch({ vectorStoreIds: ['vs_1'] })),

    // The accumulator of openai-node 6 fails on events of shells, which came later; that of 7 reads them.
    'openai-node, shell': async () => {
        const tools = [{ type: 'shell', environment: { type: 'local' } }];
        const parts = await collect(
            await client.responses.create({ model, input: 'Run `ls -l` in the shell.', tools, stream: true }),
        );
        return { response: parts.at(-1).response, events: parts.map(({ type }) => type) };
    },

    'openai-node, patch': () =>
        streamed({ input: 'Create a file hello.py with the content "print(1)"', tools: [{ type: 'apply_patch' }] }),

    'openai-node, computer': () =>
        streamed({ input: 'Click at (120, 80)', tools: [{ type: 'computer' }], tool_choice: { type: 'computer' } }),

    'openai-node, tool search': () =>
        streamed({
            input: 'What is the current exchange rate from USD to EUR?',
            tools: [{ type: 'tool_search' }, { ...RATE, defer_loading: true }],
        }),

    'openai-node, program': async () => {
        const parameters = { type: 'object', properties: { city: { type: 'string' } }, required: ['city'], additionalProperties: false };
        const weather = { type: 'function', name: 'get_weather', parameters, strict: true, allowed_callers: ['programmatic'] };
        const tools = [{ type: 'programmatic_tool_calling' }, weather];
        const first = await streamed({ input: 'What is the weather in Paris and in Rome?', tools });
        const calls = first.response.output.filter(({ type }) => type === 'function_call');
        const input = calls.map(({ call_id }) => ({ type: 'function_call_output', call_id, output: '21 degrees' }));
        const last = await streamed({ input, tools, previous_response_id: first.response.id });
        return [first.response.output, last.response.output];
    },

    'openai-node, file search': () =>
        streamed({
            input: 'What do my files say of penguins?',
            tools: [{ type: 'file_search', vector_store_ids: ['vs_1'] }],
        }),

    'openai-node, compaction': async () => {
        const { response } = await streamed({
            input: 'The code word is PELICAN7. Remember it. ' + 'Rain fell on the quiet harbour. '.repeat(250),
            context_management: [{ type: 'compaction', compact_threshold: 1000 }],
        });
        const input = 'What is the code word? Answer with the code word only.';
        const { output_text } = await client.responses.create({ model, input, previous_response_id: response.id });
        return { response, again: output_text };
    },
});
