// Talks to the socket with the real socket.io-client.
//
//     PROBE_ORIGIN=http://127.0.0.1:4010 PROBE_TOKEN=... node socket_probe.mjs CASE [CASE ...]
//
// The value of a case: {how: "connected" | the message of connect_error, transport, acknowledged}.

import { io } from 'socket.io-client';
import { run } from './cases.mjs';

const PATIENCE_MS = 60_000;

async function talk(transports, { path = '', settled = null, token = process.env.PROBE_TOKEN } = {}) {
    const socket = io(process.env.PROBE_ORIGIN + path, {
        transports,
        auth: { auth_token: token },
        forceNew: true,
        reconnection: false,
        withCredentials: true,
    });
    try {
        const how = await new Promise((said) => {
            socket.on('connect', () => said('connected'));
            socket.on('connect_error', ({ message }) => said(message));
            setTimeout(said, PATIENCE_MS, 'nothing came');
        });
        if (how !== 'connected') return { how };
        const { engine } = socket.io;
        if (settled && engine.transport.name !== settled) await new Promise((done) => engine.once('upgrade', done));
        const acknowledged = await socket.timeout(PATIENCE_MS).emitWithAck('hello', { from: 'Zürich 🙂' });
        return { how, transport: engine.transport.name, acknowledged: acknowledged ?? 'with nothing' };
    } finally {
        socket.disconnect();
    }
}

await run({
    polling: () => talk(['polling']),
    websocket: () => talk(['websocket']),
    'polling, then websocket': () => talk(['polling', 'websocket'], { settled: 'websocket' }),
    'an address with a path': () => talk(['websocket', 'polling'], { path: '/puter' }),
    'a namespace that there is not': () => talk(['websocket'], { path: '/nowhere' }),
    'no token': () => talk(['websocket'], { token: null }),
    'ten at once': async () => Promise.all(Array.from({ length: 10 }, (_, one) => talk(one % 2 ? ['polling'] : ['websocket']))),
});
process.exit(0);
