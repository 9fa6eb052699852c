// Calls puter.js as an application does and prints what it got, as one line of JSON.
//
//     PUTER_API_ORIGIN=http://127.0.0.1:4010/puter PUTER_TOKEN=... node puter_probe.mjs MODE
//
// PROBE_EYES names a model that is shown pictures, PROBE_PICTURE a file with one.
//
// {"mode", "outcome": "resolved" | "rejected" | "timeout", "value" | "error", "stray"}
// `stray` holds what failed inside the library without reaching the caller's promise.
// Exit code: 0 with an outcome, 1 after the time limit, 2 for a wrong call of this script.
// Without PUTER_TOKEN the library starts signed out, and sends `auth_token: null`.

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const TIME_LIMIT_MS = 60_000;
const MODEL = 'mistralai/magistral-small-2509';
const PROMPT = 'Explain quantum computing in simple terms';
const { PROBE_EYES: EYES, PROBE_PICTURE } = process.env;
const TOOLS = [
    {
        type: 'function',
        function: {
            name: 'get_weather',
            description: 'Get the current weather for a city',
            parameters: {
                type: 'object',
                properties: { city: { type: 'string', description: 'Name of the city' } },
                required: ['city'],
            },
        },
    },
];

const modes = {
    chat: async (puter) => {
        const response = await puter.ai.chat(PROMPT, { model: MODEL });
        return { response, printed: response.toString() };
    },

    'chat-prompt-forms': async (puter) => {
        const { url, file } = picture();
        const messages = [
            { role: 'system', content: 'Answer in one word.' },
            { role: 'user', content: [{ type: 'text', text: PROMPT }] },
        ];
        const forms = {
            prompt: [PROMPT],
            'prompt, options': [PROMPT, { model: MODEL, temperature: 0, max_tokens: 20 }],
            'prompt, true': [PROMPT, true],
            'prompt, true, options': [PROMPT, true, { model: MODEL }],
            'prompt, options, true': [PROMPT, { model: MODEL }, true],
            'prompt, image': [PROMPT, url, { model: MODEL }],
            'prompt, image, true, options': [PROMPT, url, true, { model: EYES }],
            'prompt, video': [PROMPT, 'https://example.com/clip.mp4', { model: MODEL }],
            'prompt, file': [PROMPT, file, { model: MODEL }],
            'prompt, images': [PROMPT, [url, url], { model: EYES }],
            messages: [messages, { model: MODEL }],
            'messages alone': [messages],
            'messages, true, options': [messages, true, { model: MODEL }],
        };
        const outcomes = {};
        for (const [form, args] of Object.entries(forms)) {
            outcomes[form] = await settle(puter.ai.chat(...args));
        }
        return outcomes;
    },

    stream: async (puter) => collect(await puter.ai.chat(PROMPT, { model: MODEL, stream: true })),

    tools: async (puter) => {
        const asked = [{ role: 'user', content: 'What is the weather in Paris?' }];
        const options = { model: MODEL, tools: TOOLS };
        const called = await puter.ai.chat(asked, options);
        const results = (called.message.tool_calls ?? []).map((call) => ({
            role: 'tool',
            tool_call_id: call.id,
            content: 'sunny, 21 degrees',
        }));
        const answered = results.length
            ? await puter.ai.chat([...asked, called.message, ...results], options)
            : null;
        const streamed = await collect(await puter.ai.chat(asked, { ...options, stream: true }));
        return { called, answered, streamed };
    },

    image: async (puter) => {
        const { url, file } = picture();
        const asks = 'Which code do you see in the image?';
        return {
            url: String(await puter.ai.chat(asks, url, { model: EYES })),
            file: String(await puter.ai.chat(asks, file, { model: EYES })),
            none: String(await puter.ai.chat(asks, { model: EYES })),
        };
    },

    drivers: async (puter) => ({
        listed: Object.keys(await puter.drivers.list()),
        called: await puter.drivers.call('puter-chat-completion', 'ai-chat', 'complete', {
            messages: [{ content: PROMPT }],
            model: MODEL,
        }),
        unknown: await puter.drivers.call('puter-chat-completion', 'ai-chat', 'no-such-method', {}),
    }),

    user: (puter) => puter.auth.getUser(),

    'bad-arguments': async (puter) => {
        const wrong = {
            'no content': [[{ role: 'user', content: '' }], { model: MODEL }],
            'a number': [[7], { model: MODEL }],
            'a part that is a number': [[{ role: 'user', content: [7] }], { model: MODEL }],
            'no token left': [PROMPT, { model: MODEL, max_tokens: 0 }],
            'tools that are none': [PROMPT, { model: MODEL, tools: 'weather' }],
            'no-such-model': [PROMPT, { model: 'no-such-model' }],
        };
        const outcomes = {};
        for (const [name, args] of Object.entries(wrong)) outcomes[name] = await settle(puter.ai.chat(...args));
        return outcomes;
    },

    listModels: (puter) => puter.ai.listModels(),

    listModelProviders: (puter) => puter.ai.listModelProviders(),

    'bad-token': (puter) => puter.ai.chat(PROMPT, { model: MODEL }),

    'error-model': (puter) => puter.ai.chat(PROMPT, { model: 'no-such-model' }),
};

/** A picture as a data URL and as a File. */
function picture() {
    const bytes = readFileSync(PROBE_PICTURE);
    return {
        url: `data:image/png;base64,${bytes.toString('base64')}`,
        file: new File([bytes], 'picture.png', { type: 'image/png' }),
    };
}

/** The parts of a streamed answer, and the text that `for await` users print. */
async function collect(parts) {
    const collected = { parts: [], printed: '' };
    for await (const part of parts) {
        collected.parts.push(part);
        if (part.type === 'text') collected.printed += part;
    }
    return collected;
}

/** How a promise ended; what it rejects with is a plain object more often than an Error. */
async function settle(promise) {
    try {
        return { outcome: 'resolved', value: await promise };
    } catch (error) {
        return { outcome: 'rejected', error: describe(error) };
    }
}

function describe(error) {
    if (typeof error?.stack === 'string') return { name: error.name, message: error.message };
    if (error?.readyState !== undefined) return { network: true, status: error.status };
    return error ?? null;
}

function finish(code, line) {
    process.stdout.write(`${JSON.stringify(line)}\n`, () => process.exit(code));
}

function refuse(text) {
    process.stderr.write(`${text}\n`);
    process.exit(2);
}

const [mode] = process.argv.slice(2);
if (!Object.hasOwn(modes, mode ?? '')) {
    refuse(`puter_probe: expected a mode out of ${Object.keys(modes).join(', ')}; got ${mode}`);
}
if (!process.env.PUTER_API_ORIGIN) {
    refuse('puter_probe: expected PUTER_API_ORIGIN in the environment; set it to the URL of the mock');
}

const stray = [];
process.on('unhandledRejection', (error) => stray.push(describe(error)));
process.on('uncaughtException', (error) => stray.push(describe(error)));
// Standard output is for the one line.
for (const level of ['log', 'info', 'debug', 'table', 'group']) console[level] = console.error;
setTimeout(() => finish(1, { mode, outcome: 'timeout', stray }), TIME_LIMIT_MS);

globalThis.PUTER_API_ORIGIN = process.env.PUTER_API_ORIGIN;
globalThis.PUTER_QUIET = true;
const { init } = createRequire(import.meta.url)('@heyputer/puter.js/src/init.cjs');
const puter = init(mode === 'bad-token' ? 'bad' : process.env.PUTER_TOKEN);
// Called within the async function, so that a mode which throws at once is a rejection too.
const outcome = await settle((async () => modes[mode](puter))());
finish(0, { mode, ...outcome, stray });
