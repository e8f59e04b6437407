// Nobody gets what is another's: 64 clients of both eras, all counting their requests from 1, ask the same upstreams of both eras over
// HTTP and stdio, with delays by chance. Every answer must be the one to its caller's own text, from the upstream that was asked.

import { join } from 'node:path';
import { is, main, nodeBinary, ok, PEERS, startPeer, startPostern } from '../lib/postern.mjs';
import { Wire } from './wire.mjs';

const CLIENTS = 64;
const CALLS = Number(process.env.ISOLATION_CALLS ?? 100000);
const DELAYED = 0.1;
const DELAY_MS = 8;

// The same numbers in every run.
function chance(seed) {
    let state = seed >>> 0;
    return () => {
        state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
        return state / 2 ** 32;
    };
}

await main(async () => {
    const peers = { m_http: await startPeer('echo.mjs', 'http', 'modern', 'm_http'), o_http: await startPeer('echo.mjs', 'http', 'old', 'o_http') };
    const child = (era, name) => ({ command: nodeBinary(), args: [join(PEERS, 'echo.mjs'), 'stdio', era, name] });
    const postern = await startPostern({
        m_http: { url: peers.m_http.url }, o_http: { url: peers.o_http.url }, m_stdio: child('modern', 'm_stdio'), o_stdio: child('old', 'o_stdio')
    }, { names: 'prefixed', workers: 2 });
    const upstreams = ['m_http', 'o_http', 'm_stdio', 'o_stdio'];
    const counts = { answers: 0, foreign: 0, failed: 0 };
    const strange = [];
    const asked = Object.fromEntries(upstreams.map(name => [name, 0]));

    async function client(number) {
        const random = chance(number + 1);
        const wire = await Wire.open(postern.url, number % 2 ? 'old' : 'modern');
        const calls = Math.floor(CALLS / CLIENTS) + (number < CALLS % CLIENTS ? 1 : 0);
        for (let n = 0; n < calls; n++) {
            const up = upstreams[Math.floor(random() * upstreams.length)];
            const text = `client ${number} call ${n} at ${up}`;
            const id = ++wire.ids;
            const message = await wire.call('tools/call', { name: `${up}__echo`, arguments: { text, ...(random() < DELAYED ? { delay_ms: Math.ceil(random() * DELAY_MS) } : {}) } }, id);
            asked[up]++;
            const got = message.result?.structuredContent;
            if (got === undefined) counts.failed++;
            else if (message.id !== id || got.text !== text || got.by !== up) counts.foreign++;
            else {
                counts.answers++;
                continue;
            }
            if (strange.length < 5) strange.push({ text, id, message });
        }
        wire.close();
    }
    const begun = Date.now();
    await Promise.all(Array.from({ length: CLIENTS }, (_, number) => client(number)));
    const seconds = (Date.now() - begun) / 1000;
    is(counts, { answers: CALLS, foreign: 0, failed: 0 }, `${CALLS} calls of ${CLIENTS} clients with equal ids: each got its own answer`);
    if (!ok(strange.length === 0, 'nothing strange was seen', strange)) ok(false, 'Postern said', postern.errors.slice(-2000));
    ok(Object.values(asked).every(n => n > CALLS / 5), 'all four upstreams were asked', asked);
    process.stdout.write(`# ${seconds.toFixed(1)} s, ${Math.round(CALLS / seconds)} calls a second\n`);
    is(await postern.stop(), 0, 'Postern ends with status 0');
    for (const peer of Object.values(peers)) await peer.stop();
});
