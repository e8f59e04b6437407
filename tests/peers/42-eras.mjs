// The cross-era matrix: clients of both eras, over HTTP and over `postern stdio`, before upstreams of both eras, over HTTP and as
// children. Each does the same (eras.mjs); where client and upstream are of one era also without Postern, which proves the script.

import { join } from 'node:path';
import { connect } from './clients.mjs';
import { wholeMatrix } from './eras.mjs';
import { BINARY, is, main, nodeBinary, PEERS, startPostern, startUpstream } from '../lib/postern.mjs';

const UPSTREAM = [join(PEERS, 'upstream.mjs'), '--stdio', '--page', '5', '--era'];
const ASK = ['elicitation', 'sampling', 'roots'];
const only = process.argv[2];

await main(async () => {
    for (const era of ['modern', 'old']) {
        const upstream = await startUpstream('--era', era, '--page', '5');
        const child = [nodeBinary(), ...UPSTREAM, era];
        for (const [transport, direct, server] of [['HTTP', upstream.url, { url: upstream.url, ask: ASK }], ['stdio', child, { command: child[0], args: child.slice(1), ask: ASK }]]) {
            if (only && !`${era} ${transport}`.startsWith(only)) continue;
            await wholeMatrix(name => `${era} client directly at ${era} ${transport} server: ${name}`, options => connect(era, direct, options));
            const postern = await startPostern({ up: server });
            for (const client of ['modern', 'old']) {
                const say = way => name => `${client} client over ${way}, ${era} ${transport} upstream: ${name}`;
                await wholeMatrix(say('HTTP'), options => connect(client, postern.url, options));
                await wholeMatrix(say('stdio'), options => connect(client, [BINARY, 'stdio', '-c', postern.config], options));
            }
            is(await postern.stop(), 0, `${era} ${transport} upstream: Postern ends with status 0`);
        }
        await upstream.stop();
    }
});
