// Opens pages that use puter.js in Chromium and prints what a person and the console saw.
//
//     PROBE_CHROMIUM=/usr/bin/chromium PUTER_API_ORIGIN=http://127.0.0.1:4010 PUTER_TOKEN=... \
//         PROBE_MODEL=mistralai/magistral-small-2509 node chromium_probe.mjs CASE [CASE ...]
//
// The pages come from a server of their own, so that the mock is another origin to them.

import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { chromium } from 'playwright-core';
import { run } from './cases.mjs';

const FLAGS = [
    '--no-sandbox',
    '--disable-gpu',
    '--disable-quic',
    '--no-first-run',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
];
const script = (name, value) => `globalThis.${name} = ${JSON.stringify(value)};`;
const page = (body) => `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<link rel="icon" href="data:,">
<title>A page that uses puter.js</title>
</head>
<body>
<p id="answer"></p>
<script>
${script('PUTER_API_ORIGIN', process.env.PUTER_API_ORIGIN)}
${script('PUTER_QUIET', true)}
${script('model', process.env.PROBE_MODEL)}
const show = (text) => (document.getElementById('answer').textContent += text);
const end = () => (document.body.dataset.ended = 'yes');
</script>
<script src="/puter.js"></script>
<script>
puter.setAuthToken(${JSON.stringify(process.env.PUTER_TOKEN)});
${body}
</script>
</body>
</html>
`;
const pages = {
    'seed call': `
puter.ai.chat("Explain quantum computing in simple terms", { model: "mistralai/magistral-small-2509" })
    .then((response) => show(response.message.content))
    .finally(end);`,

    stream: `
(async () => {
    const parts = await puter.ai.chat("Explain quantum computing in simple terms", { model, stream: true });
    for await (const part of parts) if (part.type === "text") show(part);
})().finally(end);`,

    models: `
puter.ai.listModels().then((models) => show(JSON.stringify(models.map(({ id }) => id)))).finally(end);`,

    'unknown model': `
puter.ai.chat("Hello", { model: "no-such-model" }).catch((error) => show(JSON.stringify(error))).finally(end);`,
};

const library = readFileSync(createRequire(import.meta.url).resolve('@heyputer/puter.js/dist/puter.cjs'));
const server = createServer((request, response) => {
    const path = decodeURIComponent(request.url);
    if (path === '/puter.js') {
        response.setHeader('Content-Type', 'text/javascript; charset=utf-8').end(library);
    } else {
        response.setHeader('Content-Type', 'text/html; charset=utf-8').end(page(pages[path.slice(1)]));
    }
});
await new Promise((listening) => server.listen(0, '127.0.0.1', listening));
const browser = await chromium.launch({ executablePath: process.env.PROBE_CHROMIUM, args: FLAGS });

/** What the page shows once it has ended, what stands in the console, and which answers came. */
async function open(name) {
    const tab = await browser.newPage();
    const complaints = [];
    tab.on('console', (message) => {
        if (['error', 'warning'].includes(message.type())) {
            complaints.push({ text: message.text(), url: message.location().url });
        }
    });
    tab.on('pageerror', (error) => complaints.push({ text: String(error), url: tab.url() }));
    const started = Promise.all(
        ['/whoami', '/rao'].map((path) => tab.waitForResponse((each) => each.url().endsWith(path))),
    );
    await tab.goto(`http://127.0.0.1:${server.address().port}/${encodeURIComponent(name)}`);
    await tab.locator('body[data-ended]').waitFor({ state: 'attached' });
    const answers = await started;
    const shown = await tab.locator('#answer').textContent();
    await tab.close();
    return { shown, complaints, started: answers.map((answer) => answer.status()) };
}

await run(Object.fromEntries(Object.keys(pages).map((name) => [name, () => open(name)])));
await browser.close();
server.close();
