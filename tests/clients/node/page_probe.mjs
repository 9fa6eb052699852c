// OpenAI's SDK and plain fetch inside a page of Chromium, whose origin is another one than the mock's.
//
//     PROBE_CHROMIUM=/usr/bin/chromium PROBE_URL=http://127.0.0.1:4010/v1 PROBE_MODEL=... PROBE_KEY=... \
//         node page_probe.mjs CASE [CASE ...]
//
// The page loads the package's modules as npm has installed them. The value of a case: {value, complaints: [text]}.

import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { chromium } from 'playwright-core';
import { run } from './cases.mjs';

const { PROBE_CHROMIUM, PROBE_URL, PROBE_MODEL, PROBE_KEY } = process.env;
const asked = { url: PROBE_URL, model: PROBE_MODEL, key: PROBE_KEY };
const FLAGS = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking'];
const PAGE = '<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,"><title>A page</title>';
const PACKAGE = new URL('./node_modules/openai/', import.meta.url);

const server = createServer((request, response) => {
    if (request.url === '/') {
        response.setHeader('Content-Type', 'text/html').end(PAGE);
        return;
    }
    response.setHeader('Content-Type', 'text/javascript').end(readFileSync(new URL(`.${request.url}`, PACKAGE)));
});
await new Promise((listening) => server.listen(0, '127.0.0.1', listening));
const browser = await chromium.launch({ executablePath: PROBE_CHROMIUM, args: FLAGS });

/** What `code` came to in a page that has a client `openai` and what was asked for. */
async function inside(code) {
    const complaints = [];
    const tab = await browser.newPage();
    try {
        tab.on('console', (message) => message.type() === 'error' && complaints.push(message.text()));
        await tab.goto(`http://127.0.0.1:${server.address().port}/`);
        const value = await tab.evaluate(
            async ([body, { url, model, key }]) => {
                const { default: OpenAI } = await import('/index.mjs');
                const own = { baseURL: url, apiKey: key, organization: 'org-1', maxRetries: 0 };
                const openai = new OpenAI({ ...own, dangerouslyAllowBrowser: true });
                const messages = [{ role: 'user', content: 'Reply with exactly: amber kettle 42' }];
                const settle = (promise) =>
                    promise.then(
                        () => null,
                        (error) => ({ class: error.constructor.name, status: error.status, code: error.code, id: error.requestID }),
                    );
                const Run = Object.getPrototypeOf(async () => {}).constructor;
                const given = { url, model, key, messages, settle, openai };
                return new Run(...Object.keys(given), body)(...Object.values(given));
            },
            [code, asked],
        );
        return { value, complaints };
    } finally {
        await tab.close();
    }
}

await run({
    chat: () =>
        inside(`
            const { data, request_id } = await openai.chat.completions.create({ model, messages }).withResponse();
            return { text: data.choices[0].message.content, id: request_id };`),

    'chat, streamed': () =>
        inside(`
            let text = '';
            const stream = await openai.chat.completions.create({ model, messages, stream: true });
            for await (const chunk of stream) text += chunk.choices[0]?.delta?.content ?? '';
            return text;`),

    responses: () =>
        inside(`
            const made = await openai.responses.create({ model, input: messages });
            const found = await openai.responses.retrieve(made.id);
            await openai.responses.delete(made.id);
            return { text: found.output_text, gone: await settle(openai.responses.retrieve(made.id)) };`),

    'chat, aborted': () =>
        inside(`
            messages[0].content = 'Count from 1 to 900, one number after the other, separated by spaces.';
            const stream = await openai.chat.completions.create({ model, messages, stream: true });
            let received = 0;
            for await (const _ of stream) if (++received === 3) break;
            return { received, after: (await openai.models.list()).data.length };`),

    // What each spoken answer comes to: what it says, its seconds, the loudest of its samples.
    spoken: () =>
        inside(`
            const heard = {};
            for (const format of ['wav', 'mp3', 'flac', 'opus', 'aac']) {
                const spoken = { modalities: ['text', 'audio'], audio: { voice: 'alloy', format } };
                const answer = await openai.chat.completions.create({ ...spoken, model: 'gpt-audio', messages });
                const { data, transcript } = answer.choices[0].message.audio;
                const file = Uint8Array.from(atob(data), (each) => each.charCodeAt(0));
                const sound = await new OfflineAudioContext(1, 1, 24000).decodeAudioData(file.buffer);
                const loudest = sound.getChannelData(0).reduce((most, each) => Math.max(most, Math.abs(each)), 0);
                heard[format] = { transcript, seconds: sound.duration, channels: sound.numberOfChannels, loudest };
            }
            return heard;`),

    refused: () => inside(`return settle(openai.chat.completions.create({ model, messages }));`),

    // The headers are those that @aws-sdk/client-bedrock-runtime 3.1164.0 sends from a browser.
    converse: () =>
        inside(`
            const headers = {
                authorization: 'Bearer ' + key,
                'content-type': 'application/json',
                'amz-sdk-invocation-id': crypto.randomUUID(),
                'amz-sdk-request': 'attempt=1; max=3',
                'x-amz-user-agent': 'aws-sdk-js/3.1164.0',
            };
            const body = JSON.stringify({ messages: [{ role: 'user', content: [{ text: messages[0].content }] }] });
            const post = (model) => fetch(url + '/model/' + model + '/converse', { method: 'POST', headers, body });
            const [answer, refusal] = [await post(model), await post('no.such-model')];
            const said = await answer.json();
            return {
                text: said.output.message.content[0].text,
                id: answer.headers.get('x-amzn-requestid'),
                kind: refusal.headers.get('x-amzn-errortype'),
            };`),
});
await browser.close();
server.close();
