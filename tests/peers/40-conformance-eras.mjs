// The conformance suite of both eras through Postern, before upstreams of both eras over HTTP and as children, and through
// `postern stdio`: each run is compared, check by check, with the suite directly at a server that speaks both. What differs is listed
// with its reason; nothing else may, and what is listed must differ. (Modern over HTTP to a modern server: 20-conformance.t.)

import { join } from 'node:path';
import { compare, runSuite, told } from './conformance-gate.mjs';
import { BINARY, is, main, nodeBinary, ok, PEERS, scratch, startPeer, startPostern, startUpstream } from '../lib/postern.mjs';

const OLD = '2025-11-25';
const MODERN = '2026-07-28';
const REFERENCE = { [OLD]: { SUCCESS: 84, INFO: 7 }, [MODERN]: { SUCCESS: 164, FAILURE: 30, SKIPPED: 1, INFO: 1 } };

// What may differ, by run: scenario and check, and why.
const EXPECTED = {};

const only = process.argv[2];

await main(async () => {
    const out = scratch();
    const direct = {};
    const reference = await startUpstream();
    for (const revision of [OLD, MODERN]) {
        direct[revision] = await runSuite(reference.url, join(out, `direct-${revision}`), revision);
        is(direct[revision].totals, REFERENCE[revision], `${revision} directly: ${told(direct[revision])}`);
    }

    async function judge(name, revision, url, postern) {
        const through = await runSuite(url, join(out, name.replaceAll(/\W/g, '-')), revision);
        const expected = new Map(EXPECTED[name] ?? []);
        const differences = compare(direct[revision], through);
        const keyOf = line => line.slice(0, line.indexOf(': '));
        const strange = differences.filter(line => !expected.has(keyOf(line)));
        ok(strange.length === 0, `${name}: no difference but the ${expected.size} listed`,
            () => `direct ${told(direct[revision])}\nthrough ${told(through)}\n${strange.join('\n')}\n${postern.errors.slice(-1500)}`);
        const seen = new Set(differences.map(keyOf));
        is([...expected.keys()].filter(key => !seen.has(key)), [], `${name}: and these do differ`);
    }

    const http = async era => {
        const upstream = await startUpstream('--era', era);
        return [{ url: upstream.url }, upstream];
    };
    const child = era => [{ command: nodeBinary(), args: [join(PEERS, 'upstream.mjs'), '--stdio', '--era', era] }];
    for (const [what, [server, upstream], revisions] of [
        ['modern HTTP upstream', await http('modern'), [OLD]], ['old HTTP upstream', await http('old'), [OLD, MODERN]],
        ['modern child', child('modern'), [OLD, MODERN]], ['old child', child('old'), [OLD, MODERN]]
    ]) {
        if (!only || what === only) {
            const postern = await startPostern({ up: server });
            for (const revision of revisions) await judge(`${revision} before ${/^[aeiou]/.test(what) ? 'an' : 'a'} ${what}`, revision, postern.url, postern);
            is(await postern.stop(), 0, `${what}: Postern ends with status 0`);
        }
        await upstream?.stop();
    }
    if (!only || only === 'stdio') {
        const postern = await startPostern({ up: { url: reference.url } });
        const door = await startPeer('stdio-http.mjs', BINARY, 'stdio', '-c', postern.config);
        await judge(`${OLD} over stdio`, OLD, door.url, door);
        await door.stop();
        await postern.stop();
    }
    await reference.stop();
});
