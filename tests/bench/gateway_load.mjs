// The load of tests/bench/gateway: old or modern clients, each with one kept connection and one call on the way.
//
//     node gateway_load.mjs URL modern|old CLIENTS CALLS TOOL…
//
// Client n calls TOOL n modulo their number, with 100 bytes of text. First every client opens; then it prints `ready` and waits for a
// line on standard input, so that only calls are measured. Prints one line of JSON: errors, seconds, p50_us, p99_us, rate.

import { Wire } from '../peers/wire.mjs';

const [url, era, clients, calls, ...tools] = process.argv.slice(2);
const wires = [];
for (let n = 0; n < Number(clients); n++) wires.push(await Wire.open(url, era));
process.stdout.write('ready\n');
await new Promise(settle => process.stdin.once('data', settle));
process.stdin.destroy();
const each = Math.ceil(Number(calls) / wires.length);
const took = [];
let errors = 0;
const pad = 'x'.repeat(80);
const begun = process.hrtime.bigint();
await Promise.all(wires.map(async (wire, n) => {
    for (let i = 0; i < each; i++) {
        const text = `${n} ${i} ${pad}`;
        const from = process.hrtime.bigint();
        const message = await wire.call('tools/call', { name: tools[n % tools.length], arguments: { text } });
        took.push(Number(process.hrtime.bigint() - from) / 1000);
        if (message.result?.structuredContent?.text !== text) errors++;
    }
    wire.close();
}));
const seconds = Number(process.hrtime.bigint() - begun) / 1e9;
took.sort((a, b) => a - b);
const at = share => Math.round(took[Math.min(took.length - 1, Math.floor(took.length * share))]);
process.stdout.write(`${JSON.stringify({ errors, seconds, calls: took.length, p50_us: at(0.5), p99_us: at(0.99), rate: Math.round(took.length / seconds) })}\n`);
