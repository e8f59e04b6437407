// The conformance suite of both eras through Postern, before upstreams of both eras over HTTP and as children, and through
// `postern stdio`: each run is compared, check by check, with the suite directly at a server that speaks both. What differs is listed
// with its reason; nothing else may, and what is listed must differ. (Modern over HTTP to a modern server: 20-conformance.t.)

import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { again, compare, runSuite, told } from './conformance-gate.mjs';
import { BINARY, is, main, nodeBinary, ok, PEERS, scratch, startPeer, startPostern, startUpstream } from '../lib/postern.mjs';

const OLD = '2025-11-25';
const MODERN = '2026-07-28';
const REFERENCE = { [OLD]: { SUCCESS: 84, INFO: 7 }, [MODERN]: { SUCCESS: 164, FAILURE: 30, SKIPPED: 1, INFO: 1 } };

// What differs, and why. A row is a scenario and a check, or a scenario and `*` for all of its checks; the third member `maybe` is said where
// it need not.
const QUICK = [
    ['server-sse-multiple-streams server-sse-streams-functional', 'an answer that is there at once is plain JSON, which the suite notes as information'],
    ['server-sse-polling *', 'the same: it is there before there would be a stream to break (not scored)']
];
const KEYS = 'an old server sends its question under an id and not under a key; the suite wants the key of its own server';
const ONE_BY_ONE = 'an old server sends its questions one by one; the first that comes is asked first';
const FROM_OLD = [
    ['input-required-result-basic-elicitation sep-2322-elicitation-incomplete', KEYS],
    ['input-required-result-basic-elicitation sep-2322-elicitation-complete', KEYS],
    ['input-required-result-ignore-extra-params sep-2322-ignore-unexpected-params', KEYS],
    ['input-required-result-multiple-input-requests *', ONE_BY_ONE],
    ['server-stateless sep-2575-http-server-no-independent-requests-on-stream', 'the suite waits 600 ms; a session for a caller that can be asked may take longer to begin', 'maybe']
];
const STDIO = [['server-sse-polling *', 'there is no stream of events to break (not scored)']];
const EXPECTED = {
    '2025-11-25 before a modern HTTP upstream': QUICK, '2025-11-25 before an old HTTP upstream': QUICK,
    '2025-11-25 before a modern child': QUICK, '2025-11-25 before an old child': QUICK,
    '2026-07-28 before an old HTTP upstream': FROM_OLD, '2026-07-28 before an old child': FROM_OLD, '2025-11-25 over stdio': STDIO
};

const ASK = ['elicitation', 'sampling', 'roots'];

const only = process.argv[2];

await main(async () => {
    const out = scratch();
    const direct = {};
    const reference = await startUpstream();
    for (const revision of [OLD, MODERN]) {
        direct[revision] = await again(n => runSuite(reference.url, join(out, `direct-${revision}-${n}`), revision),
            suite => isDeepStrictEqual(suite.totals, REFERENCE[revision]) ? [] : [told(suite)]);
        is(direct[revision].totals, REFERENCE[revision], `${revision} directly: ${told(direct[revision])}`);
    }

    async function judge(name, revision, url, postern) {
        const expected = EXPECTED[name] ?? [];
        const covers = ([row], line) => row.endsWith(' *') ? line.startsWith(row.slice(0, -1)) : line.startsWith(`${row}: `);
        const strangeOf = suite => compare(direct[revision], suite).filter(line => !expected.some(row => covers(row, line)));
        const through = await again(n => runSuite(url, join(out, `${name.replaceAll(/\W/g, '-')}-${n}`), revision), strangeOf);
        const differences = compare(direct[revision], through);
        const strange = strangeOf(through);
        ok(strange.length === 0, `${name}: no difference but the ${expected.length} listed`,
            () => `direct ${told(direct[revision])}\nthrough ${told(through)}\n${strange.join('\n')}\n${postern.errors.slice(-1500)}`);
        is(expected.filter(row => row[2] !== 'maybe' && !differences.some(line => covers(row, line))), [], `${name}: and these do differ`);
    }

    const http = async era => {
        const upstream = await startUpstream('--era', era);
        return [{ url: upstream.url, ...(era === 'old' ? { ask: ASK } : {}) }, upstream];
    };
    const child = era => [{ command: nodeBinary(), args: [join(PEERS, 'upstream.mjs'), '--stdio', '--era', era], ask: ASK }];
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
