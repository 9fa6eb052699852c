// Opens pages that use puter.js in Chromium, clicks where a person would, and prints what was to be seen.
//
//     PROBE_CHROMIUM=/usr/bin/chromium PROBE_LIBRARY=http://127.0.0.1:4010/v2/ PROBE_TOKEN=... \
//         PROBE_MODEL=... PROBE_EYES=... PROBE_PICTURE=picture.png PROBE_SAMPLE=page.html PROBE_SHOTS=build/screenshots \
//         node chromium_probe.mjs CASE [CASE ...]
//
// PROBE_HOSTS=127.0.0.1:4443 has the browser look for Puter's own host names there.
//
// The pages come from a server of their own, so that the mock is another origin to them, and they load
// the library from the mock: nothing else points puter.js at it. Each case has a profile of its own.
//
// The value of a case: {shown, complaints: [{kind, text, url}], popups: [{url, shown}]}, and `again`, what the
// seed page shows when it is loaded a second time, or `enabled`, whether a stranger could be signed in for.

import { mkdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { chromium } from 'playwright-core';
import { TOOL, run } from './cases.mjs';

const { PROBE_CHROMIUM, PROBE_LIBRARY, PROBE_MODEL, PROBE_EYES, PROBE_PICTURE, PROBE_SAMPLE, PROBE_SHOTS } = process.env;
const TOKEN = process.env.PROBE_TOKEN;
const OTHER_TOKEN = process.env.PROBE_OTHER_TOKEN;
const PATIENCE_MS = 30_000;
const FLAGS = [
    '--no-sandbox',
    '--disable-gpu',
    '--disable-quic',
    '--no-first-run',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
];
const PROMPT = 'Explain quantum computing in simple terms';

// ---- pages

const json = JSON.stringify;

/** A page whose script may await; what it returns is shown, as is what it throws. */
const page = (body, { token = TOKEN, before = '' } = {}) => `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<link rel="icon" href="data:,">
<title>A page that uses puter.js</title>
</head>
<body>
<button id="go" hidden>Ask</button>
<pre id="answer" style="white-space: pre-wrap"></pre>
<script>${before}</script>
<script src="${PROBE_LIBRARY}"></script>
<script>
const model = ${json(PROBE_MODEL)}, eyes = ${json(PROBE_EYES)}, prompt = ${json(PROMPT)};
const tools = [{ type: 'function', function: ${json(TOOL)} }];
const settle = (promise) => promise.then(
    (value) => ({ resolved: value }),
    (error) => ({ rejected: error?.message && error.stack ? { message: error.message } : error }),
);
const collect = async (parts) => {
    const found = [];
    for await (const part of parts) found.push(part);
    return found;
};
const clicked = () => new Promise((click) => {
    const button = document.getElementById('go');
    button.hidden = false;
    button.addEventListener('click', click, { once: true });
});
${token === null ? '' : `puter.setAuthToken(${json(token)});`}
(async () => { ${body} })().then(
    (value) => (typeof value === 'string' ? value : JSON.stringify(value, null, 1)),
    (error) => 'threw ' + JSON.stringify(error?.stack ?? error),
).then((text) => {
    document.getElementById('answer').textContent = text;
    document.body.dataset.ended = 'yes';
});
</script>
</body>
</html>
`;

const picture = `data:image/png;base64,${readFileSync(PROBE_PICTURE).toString('base64')}`;
const file = `new File([await (await fetch(${json(picture)})).blob()], 'picture.png', { type: 'image/png' })`;
const messages = `[
    { role: 'system', content: 'Answer in one word.' },
    { role: 'user', content: [{ type: 'text', text: prompt }] },
]`;

const pages = {
    'seed page': readFileSync(PROBE_SAMPLE, 'utf8').replace('https://js.puter.com/v2/', PROBE_LIBRARY),

    'seed page, untouched': readFileSync(PROBE_SAMPLE, 'utf8'),

    chat: page(`const response = await puter.ai.chat(prompt, { model }); return String(response);`),

    forms: page(`
        const forms = {
            'prompt': [prompt],
            'prompt, options': [prompt, { model, temperature: 0, max_tokens: 5 }],
            'prompt, test mode': [prompt, true],
            'prompt, test mode, options': [prompt, true, { model }],
            'prompt, options, test mode': [prompt, { model }, true],
            'prompt, image': [prompt, ${json(picture)}, { model }],
            'prompt, image, test mode, options': [prompt, ${json(picture)}, true, { model: eyes }],
            'prompt, images': [prompt, [${json(picture)}, ${json(picture)}], { model: eyes }],
            'prompt, file': [prompt, ${file}, { model: eyes }],
            'prompt, video': [prompt, 'https://example.com/clip.mp4', { model }],
            'messages': [${messages}, { model }],
            'messages, no options': [${messages}],
            'messages, test mode, options': [${messages}, true, { model }],
        };
        const outcomes = {};
        for (const [form, asked] of Object.entries(forms)) outcomes[form] = await settle(puter.ai.chat(...asked));
        return outcomes;`),

    image: page(`
        const asks = 'Which code do you see in the image?';
        return {
            url: String(await puter.ai.chat(asks, ${json(picture)}, { model: eyes })),
            file: String(await puter.ai.chat(asks, ${file}, { model: eyes })),
            none: String(await puter.ai.chat(asks, { model: eyes })),
        };`),

    stream: page(`
        let text = '';
        const types = [];
        for await (const part of await puter.ai.chat(prompt, { model, stream: true })) {
            types.push(part.type);
            if (part.type === 'text') text += part;
        }
        return { text, types };`),

    'stream failing midway': page(`return collect(await puter.ai.chat(prompt, { model, stream: true }));`),

    tools: page(`
        const asked = [{ role: 'user', content: 'What is the weather in Paris?' }];
        const called = await puter.ai.chat(asked, { model, tools });
        const results = called.message.tool_calls.map(({ id }) =>
            ({ role: 'tool', tool_call_id: id, content: 'sunny, 21 degrees' }));
        const answered = await puter.ai.chat([...asked, called.message, ...results], { model, tools });
        const streamed = await collect(await puter.ai.chat(asked, { model, tools, stream: true }));
        return { called, answered: String(answered), streamed };`),

    models: page(`return { models: await puter.ai.listModels(), mistral: await puter.ai.listModels('mistral'),
        providers: await puter.ai.listModelProviders() };`),

    drivers: page(`return { listed: Object.keys(await puter.drivers.list()), called: await puter.drivers.call(
        'puter-chat-completion', 'ai-chat', 'complete', { messages: [{ content: prompt }], model }) };`),

    user: page(`return (await puter.auth.getUser()).username;`),

    'unknown model': page(`return settle(puter.ai.chat('Hello', { model: 'no-such-model' }));`),
    'empty message': page(`return settle(puter.ai.chat([{ role: 'user', content: '' }], { model }));`),
    'no message': page(`return settle(puter.ai.chat([7], { model }));`),
    failing: page(`return settle(puter.ai.chat(prompt, { model }));`),
    'throttled twice': page(`return String(await puter.ai.chat(prompt, { model }));`),
    'no funds': page(
        `const asked = settle(puter.ai.chat(prompt, { model }));
        const dialog = await new Promise((found) => new MutationObserver(() => {
            const element = document.querySelector('usage-limit-dialog');
            if (element) found(element);
        }).observe(document.body, { childList: true, subtree: true }));
        await new Promise((next) => setTimeout(next, 100));
        window.dialogText = dialog.shadowRoot.querySelector('dialog')?.innerText;
        document.body.dataset.limited = 'yes';
        return { ...(await asked), dialog: window.dialogText };`,
        { token: OTHER_TOKEN },
    ),

    socket: page(`
        const { socket } = puter.fs;
        const how = socket.connected ? 'connected' : await new Promise((said) => {
            socket.once('connect', () => said('connected'));
            socket.once('connect_error', (error) => said('refused: ' + error.message));
        });
        return { how, transport: socket.io.engine?.transport?.name, answer: String(await puter.ai.chat(prompt, { model })) };`,
        { token: OTHER_TOKEN ?? TOKEN }),

    // ---- signing in

    'no token': page(`return String(await puter.ai.chat(prompt, { model }));`, { token: null }),
    'no token, a click': page(`await clicked(); return String(await puter.ai.chat(prompt, { model }));`, { token: null }),
    'no token, dialog cancelled': page(`return settle(puter.ai.chat(prompt, { model }));`, { token: null }),
    'no token, window closed': page(`return settle(puter.ai.chat(prompt, { model }));`, { token: null }),
    // Without a click puter.js takes the window, which it cannot see from here, for closed.
    'no token, isolated': page(`await clicked(); return [crossOriginIsolated, String(await puter.ai.chat(prompt, { model }))];`, { token: null }),
    'sign in': page(`await clicked(); const { success, username } = await puter.auth.signIn();
        return { success, username, user: (await puter.auth.getUser()).username };`, { token: null }),
    'a token that is none': page(`return String(await puter.ai.chat(prompt, { model }));`, { token: 'bad' }),
    // The token goes bad after the start: the call itself is refused, and repeated once somebody has signed in.
    'a token gone old': page(`puter.authToken = 'bad'; return String(await puter.ai.chat(prompt, { model }));`),
    'a token gone wrong': page(`
        puter.authToken = ${json(process.env.PROBE_FORGED)};
        const first = await settle(puter.ai.chat(prompt, { model }));
        return { first, second: String(await puter.ai.chat(prompt, { model })) };`),
    'another origin': page(`return String(await puter.ai.chat(prompt, { model }));`, {
        token: null,
        before: `globalThis.PUTER_ORIGIN = ${json(new URL(PROBE_LIBRARY ?? 'http://none').origin.replace('127.0.0.1', 'localhost'))};`,
    }),

    'a stranger': `<!doctype html><title>A page without puter.js</title><link rel="icon" href="data:,">
        <button id="go">Open</button><pre id="answer"></pre><script>
        const heard = [];
        onmessage = ({ data }) => heard.push(data);
        go.onclick = () => {
            const popup = open(${json(new URL('/action/sign-in?msg_id=1', PROBE_LIBRARY ?? 'http://none').href)});
            const closed = setInterval(() => {
                if (!popup.closed) return;
                clearInterval(closed);
                answer.textContent = JSON.stringify(heard);
                document.body.dataset.ended = 'yes';
            }, 50);
        };
        </script>`,
};

// ---- what a person does

const consent = async (tab) => {
    const button = tab.locator('puter-dialog #launch-auth-popup');
    await button.waitFor();
    return button;
};

/** The window that opens when something is done. */
async function opened(tab, act) {
    const [popup] = await Promise.all([tab.waitForEvent('popup'), act()]);
    await popup.waitForLoadState();
    return popup;
}

/** Signs in as the page proposes, or as somebody else. */
async function signIn(popup, seen, { account, shot } = {}) {
    await popup.locator('#sign-in:enabled').waitFor();
    if (account) await popup.locator('#account').selectOption(account);
    seen.popups.push({ url: popup.url(), shown: await popup.locator('main').innerText() });
    if (shot) await keep(popup, shot);
    await Promise.all([popup.waitForEvent('close'), popup.locator('#sign-in').click().catch(closing)]);
}

// A window that closes under a click is what was wanted.
function closing(error) {
    if (!/closed/.test(String(error))) throw error;
}

const agree = async (tab, seen, name) => {
    const button = await consent(tab);
    if (name) await keep(tab, `${name}, dialog`);
    await signIn(await opened(tab, () => button.click()), seen, { shot: name && `${name}, sign in` });
};

// What Playwright looks into a page with counts as a click there. A page that asks its visitor at once has asked before
// anybody looks; one that a provider refuses first opens the window without asking if it has been looked into by then.
const agreeIfAsked = async (tab, seen) => {
    const asked = tab.locator('puter-dialog #launch-auth-popup');
    await signIn(await opened(tab, () => void asked.click().catch(() => undefined)), seen);
};

const acts = {
    'seed page': (tab, seen) => agree(tab, seen, 'seed page'),
    'seed page, untouched': (tab, seen) => agree(tab, seen),
    'no token': (tab, seen) => agree(tab, seen),
    'a token that is none': agreeIfAsked,
    'a token gone old': agreeIfAsked,
    'a token gone wrong': agreeIfAsked,
    'no token, a click': async (tab, seen) => signIn(await opened(tab, () => tab.locator('#go').click()), seen),
    'sign in': async (tab, seen) =>
        signIn(await opened(tab, () => tab.locator('#go').click()), seen, { account: 'account' }),
    'no token, dialog cancelled': async (tab) => {
        await consent(tab);
        await tab.locator('puter-dialog #launch-auth-popup-cancel').click();
    },
    'no token, window closed': async (tab) => {
        const button = await consent(tab);
        const popup = await opened(tab, () => button.click());
        await Promise.all([popup.waitForEvent('close'), popup.locator('#cancel').click().catch(closing)]);
    },
    'no token, isolated': async (tab, seen) => {
        const [popup] = await Promise.all([tab.context().waitForEvent('page'), tab.locator('#go').click()]);
        await signIn(popup, seen);
    },
    'another origin': async (tab, seen) => {
        const button = await consent(tab);
        await signIn(await opened(tab, () => button.click()), seen);
    },
    'a stranger': async (tab, seen) => {
        const popup = await opened(tab, () => tab.locator('#go').click());
        await popup.locator('#trouble:visible').waitFor();
        seen.popups.push({ url: popup.url(), shown: await popup.locator('main').innerText() });
        seen.enabled = await popup.locator('#sign-in').isEnabled();
        await keep(popup, 'a stranger, sign in');
        await popup.close();
    },
    'no funds': async (tab) => {
        await tab.locator('body[data-limited]').waitFor({ state: 'attached' });
        await keep(tab, 'no funds, dialog');
    },
};

const keep = (tab, name) => tab.screenshot({ path: join(PROBE_SHOTS, `${name.replaceAll(/[ ,]+/g, '-')}.png`) });

// ---- running

mkdirSync(PROBE_SHOTS, { recursive: true });
const server = createServer((request, response) => {
    const name = decodeURIComponent(request.url.slice(1));
    if (name.endsWith('isolated')) {
        response.setHeader('Cross-Origin-Opener-Policy', 'same-origin');
        response.setHeader('Cross-Origin-Embedder-Policy', 'require-corp');
    }
    response.setHeader('Content-Type', 'text/html; charset=utf-8').end(pages[name]);
});
await new Promise((listening) => server.listen(0, '127.0.0.1', listening));
const { PROBE_HOSTS } = process.env;
const hosts = ['js.puter.com', 'api.puter.com', 'puter.com'].map((host) => `MAP ${host}:443 ${PROBE_HOSTS}`);
const browser = await chromium.launch({
    executablePath: PROBE_CHROMIUM,
    args: PROBE_HOSTS ? [...FLAGS, `--host-resolver-rules=${hosts.join(', ')}`] : FLAGS,
});

/** Writes down what a window complains of, in the console and elsewhere. */
function hear(tab, complaints) {
    tab.on('console', (message) => {
        if (['error', 'warning'].includes(message.type())) {
            complaints.push({ kind: 'console', text: message.text(), url: message.location().url });
        }
    });
    tab.on('pageerror', (error) => complaints.push({ kind: 'page', text: String(error), url: tab.url() }));
    tab.on('requestfailed', (request) =>
        complaints.push({ kind: 'request', text: request.failure()?.errorText ?? '', url: request.url() }),
    );
}

/** Opens a page and does what its case asks for; keeps in `seen` what was to be seen. */
async function visit(tab, name, seen) {
    await tab.goto(`http://127.0.0.1:${server.address().port}/${encodeURIComponent(name)}`);
    await acts[name]?.(tab, seen);
    if (name.startsWith('seed page')) {
        // Its own script says when it has ended: the page is nothing but the answer then.
        await tab.locator('body:not(:has(*))').waitFor();
        seen.shown = await tab.locator('body').innerText();
        await keep(tab, name);
        await tab.reload();
        await tab.locator('body:not(:has(*))').waitFor();
        seen.again = await tab.locator('body').innerText();
    } else {
        await tab.locator('body[data-ended]').waitFor({ state: 'attached' });
        seen.shown = await tab.locator('#answer').textContent();
        await keep(tab, name);
    }
}

async function open(name) {
    const context = await browser.newContext({
        viewport: { width: 720, height: 560 },
        ignoreHTTPSErrors: PROBE_HOSTS !== undefined || PROBE_LIBRARY.startsWith('https:'),
    });
    context.setDefaultTimeout(PATIENCE_MS);
    const seen = { shown: null, complaints: [], popups: [] };
    context.on('page', (tab) => hear(tab, seen.complaints));
    const tab = await context.newPage();
    try {
        await visit(tab, name, seen);
    } catch (error) {
        // What the page had come to by then is what a person would look at.
        const body = await tab.locator('body').innerText({ timeout: 1000 }).catch(String);
        error.message += `\nThe page shows ${json(body)}; complaints: ${json(seen.complaints)}`;
        throw error;
    } finally {
        await context.close();
    }
    return seen;
}

await run(Object.fromEntries(Object.keys(pages).map((name) => [name, () => open(name)])));
await browser.close();
server.close();
