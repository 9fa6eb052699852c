// The AI SDK as an application uses it, over one of four providers:
//
//     PROBE_API=chat|responses|compatible|bedrock PROBE_MODEL=... node ai_sdk_probe.mjs CASE [CASE ...]
//
// They find the mock by OPENAI_BASE_URL and OPENAI_API_KEY, bedrock by AWS_ENDPOINT_URL_BEDROCK_RUNTIME and
// AWS_BEARER_TOKEN_BEDROCK, or by access keys where PROBE_SIGNED is set.

import { createAmazonBedrock } from '@ai-sdk/amazon-bedrock';
import { createOpenAI } from '@ai-sdk/openai';
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { APICallError, RetryError, generateObject, generateText, stepCountIs, streamObject, streamText, tool } from 'ai';
import { z } from 'zod';
import { TOOL, collect, run } from './cases.mjs';

const { OPENAI_BASE_URL: baseURL, OPENAI_API_KEY: apiKey, PROBE_API, PROBE_MODEL, PROBE_SIGNED } = process.env;
const prompt = process.env.PROBE_PROMPT ?? 'Reply with exactly: amber kettle 42';
const weather = 'What is the weather in Paris?';
const city = z.object({ city: z.string(), population: z.number().int() });

function bedrock() {
    const keys = {
        accessKeyId: process.env.AWS_ACCESS_KEY_ID,
        secretAccessKey: process.env.AWS_SECRET_ACCESS_KEY,
        apiKey: '',
    };
    const where = { region: process.env.AWS_REGION, baseURL: process.env.AWS_ENDPOINT_URL_BEDROCK_RUNTIME };
    return createAmazonBedrock({ ...where, ...(PROBE_SIGNED ? keys : {}) })(PROBE_MODEL);
}

const PROVIDERS = {
    chat: () => createOpenAI().chat(PROBE_MODEL),
    responses: () => createOpenAI().responses(PROBE_MODEL),
    compatible: () =>
        createOpenAICompatible({
            name: 'compatible',
            baseURL,
            apiKey,
            includeUsage: true,
            supportsStructuredOutputs: true,
        })(PROBE_MODEL),
    bedrock,
};
const model = PROVIDERS[PROBE_API]();

/** OpenAI sends a summary of the reasoning to those who ask for it. */
const providerOptions = process.env.PROBE_SUMMARY ? { openai: { reasoningSummary: process.env.PROBE_SUMMARY } } : {};

/** A weather tool, and the cities that it was asked about. */
function forecast() {
    const asked = [];
    const get_weather = tool({
        description: TOOL.description,
        inputSchema: z.object({ city: z.string() }),
        execute: async ({ city }) => {
            asked.push(city);
            return `sunny, 21 degrees in ${city}`;
        },
    });
    return { asked, tools: { get_weather } };
}

const told = ({ text, reasoningText, finishReason, usage, steps, warnings, response }) => ({
    text,
    reasoning: reasoningText ?? null,
    finishReason,
    usage,
    steps: steps.length,
    warnings: warnings ?? [],
    model: response.modelId,
});

/** What a call came to that was to fail. */
async function failed(call) {
    try {
        await call();
        return null;
    } catch (error) {
        const last = RetryError.isInstance(error) ? error.lastError : error;
        return {
            retries: RetryError.isInstance(error) ? error.errors.length : 0,
            isCallError: APICallError.isInstance(last),
            status: last.statusCode ?? null,
            retryable: last.isRetryable ?? null,
            message: last.message,
            body: last.responseBody ?? null,
        };
    }
}

await run({
    text: async () => told(await generateText({ model, prompt, providerOptions })),

    'system and settings': async () =>
        told(
            await generateText({
                model,
                system: 'You are terse.',
                prompt,
                maxOutputTokens: 64,
                temperature: 0,
            }),
        ),

    'cut off': async () => told(await generateText({ model, prompt, maxOutputTokens: 16 })),

    stream: async () => {
        const stream = streamText({ model, prompt, providerOptions });
        const parts = await collect(stream.fullStream);
        const [text, finishReason, usage] = await Promise.all([stream.text, stream.finishReason, stream.usage]);
        const errors = parts.filter((part) => part.type === 'error').map((part) => String(part.error));
        return { text, finishReason, usage, errors, types: parts.map((part) => part.type) };
    },

    tools: async () => {
        const { asked, tools } = forecast();
        const done = await generateText({ model, prompt: weather, tools, stopWhen: stepCountIs(3) });
        return { ...told(done), asked, roles: done.response.messages.map((message) => message.role) };
    },

    'tools, streamed': async () => {
        const { asked, tools } = forecast();
        const stream = streamText({ model, prompt: weather, tools, stopWhen: stepCountIs(3) });
        const parts = await collect(stream.fullStream);
        return { text: await stream.text, asked, types: [...new Set(parts.map((part) => part.type))] };
    },

    'tool, forced': async () => {
        const { tools } = forecast();
        const toolChoice = { type: 'tool', toolName: 'get_weather' };
        for (const each of Object.values(tools)) delete each.execute;
        const done = await generateText({ model, prompt: weather, tools, toolChoice });
        return { calls: done.toolCalls.map(({ toolName, input }) => ({ toolName, input })), finishReason: done.finishReason };
    },

    object: async () => {
        const { object, finishReason } = await generateObject({ model, prompt, schema: city });
        return { object, finishReason };
    },

    'object, streamed': async () => {
        const stream = streamObject({ model, prompt, schema: city });
        const partial = await collect(stream.partialObjectStream);
        return { object: await stream.object, partial: partial.length };
    },

    picture: async () => {
        const image = process.env.PROBE_PICTURE;
        const content = [
            { type: 'text', text: prompt },
            { type: 'image', image },
        ];
        return told(await generateText({ model, messages: [{ role: 'user', content }] }));
    },

    'second turn': async () => {
        const first = { role: 'user', content: 'The code word is PELICAN7. Remember it.' };
        const answered = await generateText({ model, messages: [first] });
        const second = { role: 'user', content: 'What is the code word? Answer with the code word only.' };
        return told(await generateText({ model, messages: [first, ...answered.response.messages, second] }));
    },

    failing: () => failed(() => generateText({ model, prompt, maxRetries: 0 })),

    'failing, retried': () => failed(() => generateText({ model, prompt, maxRetries: 1 })),

    'failing midway': async () => {
        const stream = streamText({ model, prompt, onError: () => {} });
        const parts = await collect(stream.fullStream);
        return parts.map((part) => part.type);
    },

    aborted: async () => {
        const controller = new AbortController();
        const stream = streamText({ model, prompt, abortSignal: controller.signal });
        const types = [];
        for await (const part of stream.fullStream) {
            types.push(part.type);
            if (types.filter((type) => type === 'text-delta').length === 3) controller.abort();
        }
        return { types: [...new Set(types)], after: (await generateText({ model, prompt: 'Hello' })).text.length };
    },
});
