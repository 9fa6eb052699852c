// Asks the mock from a page in Chromium, with Playwright recording all traffic as HAR.
//
//     PROBE_CHROMIUM=/usr/bin/chromium PROBE_MOCK=http://127.0.0.1:4010 PROBE_KEY=... PROBE_MODEL=... \
//         node har_probe.mjs FILE.har
//
// The value of a case: {case, status, text}, as the page read it.

import { chromium } from 'playwright-core';

const { PROBE_CHROMIUM, PROBE_MOCK, PROBE_KEY, PROBE_MODEL } = process.env;
const [file] = process.argv.slice(2);
const ask = [{ role: 'user', content: 'Hello from a page' }];
const converse = { messages: [{ role: 'user', content: [{ text: 'Hello from a page' }] }], inferenceConfig: { maxTokens: 64 } };
const CASES = {
    chat: ['/bedrock-mantle/v1/chat/completions', { model: PROBE_MODEL, messages: ask, max_tokens: 64 }],
    stream: ['/bedrock-mantle/v1/chat/completions', { model: PROBE_MODEL, messages: ask, max_tokens: 64, stream: true }],
    converse: [`/bedrock-runtime/model/${PROBE_MODEL}/converse`, converse],
    'converse stream': [`/bedrock-runtime/model/${PROBE_MODEL}/converse-stream`, converse],
    'unknown model': ['/bedrock-mantle/v1/chat/completions', { model: 'no.such-model-1', messages: ask, max_tokens: 64 }],
};

const browser = await chromium.launch({ executablePath: PROBE_CHROMIUM, args: ['--no-sandbox', '--disable-gpu'] });
try {
    const context = await browser.newContext({ recordHar: { path: file, content: 'embed' } });
    const page = await context.newPage();
    await page.goto(`${PROBE_MOCK}/_mock/`);
    for (const [name, [path, body]] of Object.entries(CASES)) {
        const seen = await page.evaluate(
            async ([url, key, body]) => {
                const answer = await fetch(url, {
                    method: 'POST',
                    headers: { 'Content-Type': 'application/json', Authorization: `Bearer ${key}` },
                    body: JSON.stringify(body),
                });
                return { status: answer.status, text: await answer.text() };
            },
            [PROBE_MOCK + path, PROBE_KEY, body],
        );
        console.log(JSON.stringify({ case: name, ...seen }));
    }
    await context.close();
} finally {
    await browser.close();
}
