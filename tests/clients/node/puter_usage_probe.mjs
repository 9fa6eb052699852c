// Asks puter.js what the account used, before and after a question, and prints both as one line of JSON.
//
//     PUTER_API_ORIGIN=http://127.0.0.1:4010/puter PUTER_TOKEN=... node puter_usage_probe.mjs
//
// Exit code: 0 with an answer, 1 after the time limit or when a call fails.

import { createRequire } from 'node:module';

const TIME_LIMIT_MS = 60_000;
setTimeout(() => process.exit(1), TIME_LIMIT_MS);
for (const level of ['log', 'info', 'debug', 'table', 'group']) console[level] = console.error;
globalThis.PUTER_API_ORIGIN = process.env.PUTER_API_ORIGIN;
globalThis.PUTER_QUIET = true;
const { init } = createRequire(import.meta.url)('@heyputer/puter.js/src/init.cjs');
const puter = init(process.env.PUTER_TOKEN);
const before = await puter.auth.getMonthlyUsage();
const answer = await puter.ai.chat('Explain quantum computing in simple terms', { model: process.env.PROBE_MODEL });
const after = await puter.auth.getMonthlyUsage();
const line = JSON.stringify({ case: 'usage', before, usage: answer.usage, after });
process.stdout.write(`${line}\n`, () => process.exit(0));
