// What Postern sends upstream, as the conformance suite judges clients: its mock servers are asked by the official client
// directly and through a Postern that stands in between. Every check must end alike.
//
// The scenarios of authorization are left out: a client's tokens are for Postern, never for the server behind it.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { again, compare, SUITE, told } from './conformance-gate.mjs';
import { is, main, nodeBinary, ok, PEERS, run, scratch } from '../lib/postern.mjs';

const SCENARIOS = {
    '2025-11-25': { initialize: 1, tools_call: 2, 'elicitation-sep1034-client-defaults': 5, 'sse-retry': 3, 'json-schema-2020-12-preservation': 9 },
    '2026-07-28': {
        tools_call: 2, 'request-metadata': 8, 'sep-2322-client-request-state': 5, 'http-standard-headers': 9, 'http-custom-headers': 18,
        'http-invalid-tool-headers': 12, 'json-schema-ref-no-deref': 1, 'json-schema-2020-12-preservation': 9
    }
};
// Postern asks server/discover itself, once for all clients, and declares nothing with it. The server of this scenario offers nothing else
// that the client could ask for, so what the client declares is not seen there.
const OURS = ['elicitation', 'roots', 'sampling'].map(what => `request-metadata sep-2575-client-declares-${what}-capability: SUCCESS directly, SKIPPED through the gateway`);
const AT_ONCE = 2;

async function leg(revision, scenario, how) {
    const out = scratch();
    const command = `${nodeBinary()} ${join(PEERS, 'reference-client.mjs')}${how ? ` ${how}` : ''}`;
    const ended = await run(nodeBinary(), [SUITE, 'client', '--command', command, '--scenario', scenario, '--spec-version', revision, '-o', out]);
    const list = [];
    let said = ended.stdout + ended.stderr;
    for (const dir of readdirSync(out)) {
        said += readFileSync(join(out, dir, 'stderr.txt'), 'utf8');
        // What went over the wire is told as information, and is not the same on purpose.
        for (const check of JSON.parse(readFileSync(join(out, dir, 'checks.json'), 'utf8')))
            if (!/^(incoming|outgoing)-/.test(check.id)) list.push(check);
    }
    const totals = {};
    for (const { status } of list) totals[status] = (totals[status] ?? 0) + 1;
    return { checks: new Map([[scenario, list]]), totals, said };
}

await main(async () => {
    const todo = Object.entries(SCENARIOS).flatMap(([revision, wanted]) => Object.entries(wanted).map(row => [revision, ...row]));
    const worker = async () => {
        for (let row; (row = todo.shift()) !== undefined;) {
            const [revision, scenario, wanted] = row;
            const name = `${revision} ${scenario}`;
            const direct = await again(() => leg(revision, scenario, ''), suite => suite.totals.SUCCESS === wanted && !suite.totals.FAILURE ? [] : [told(suite)]);
            const through = await again(() => leg(revision, scenario, '--through'), suite => compare(direct, suite).filter(line => !OURS.includes(line)));
            is([direct.totals.SUCCESS, direct.totals.FAILURE], [wanted, undefined], `${name}: directly, ${wanted} checks pass`);
            const differences = compare(direct, through).filter(line => !OURS.includes(line));
            ok(differences.length === 0 && direct.totals.SUCCESS > 0, `${name}: the same through Postern`,
                () => `direct ${told(direct)}\nthrough ${told(through)}\n${differences.join('\n')}\n${through.said}`);
        }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, worker));
});
