// The official conformance suite, and the comparison that judges a gateway: the suite is run against a server directly
// and through the gateway, and every check must end alike. The suite's own exit status misses half of the faults a
// gateway can have (it covers scored scenarios only), so it is not what is looked at.
//
//     node conformance-gate.mjs URL_DIRECT URL_THROUGH [-o OUT] [--requirements 2026-07-28]
//
// Prints each difference; exit status 0 only if there is none.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { diag, nodeBinary, PEERS, run, scratch } from '../lib/postern.mjs';

export const SUITE = join(PEERS, 'node_modules', '@modelcontextprotocol', 'conformance', 'dist', 'index.js');

// Runs the suite; gives its status, output, counts by result, and the checks: Map of "scenario" → array of
// {id, status, errorMessage, details}.
export async function runSuite(url, out, requirements = '2026-07-28') {
    const args = [SUITE, 'server', '--url', url, '--requirements', requirements, '-o', out];
    const ended = await run(nodeBinary(), args, { timeoutMs: 1200000 });
    const checks = new Map();
    const totals = {};
    let dirs = [];
    try {
        dirs = readdirSync(out).sort();
    } catch {
        // No scenario wrote anything: the caller sees no checks and what the suite said.
    }
    for (const dir of dirs) {
        const scenario = dir.replace(/^server-/, '').replace(/-\d{4}-\d\d-\d\dT.*$/, '');
        const list = JSON.parse(readFileSync(join(out, dir, 'checks.json'), 'utf8'));
        checks.set(scenario, [...(checks.get(scenario) ?? []), ...list]);
        for (const check of list) totals[check.status] = (totals[check.status] ?? 0) + 1;
    }
    return { status: ended.status, output: ended.stdout + ended.stderr, checks, totals };
}

// What `run(n)` gives, again up to twice if it `differs` (a list of lines): the suite waits for some things by the clock, some hundred milliseconds
// long, which a machine without time does not have. What a fault makes differ, differs again; the lines are told each time.
export async function again(run, differs) {
    for (let n = 0; ; n++) {
        const got = await run(n);
        const lines = differs(got);
        if (lines.length === 0 || n === 2) return got;
        diag(`once more: ${lines.join('; ')}`);
    }
}

// What differs, one line each. A check may be there several times: then the lists of results are compared.
export function compare(direct, through) {
    const table = run_ => {
        const rows = new Map();
        for (const [scenario, list] of run_.checks)
            for (const check of list) {
                const key = `${scenario} ${check.id}`;
                rows.set(key, [...(rows.get(key) ?? []), check]);
            }
        return rows;
    };
    const a = table(direct);
    const b = table(through);
    const results = list => (list ?? []).map(check => check.status).sort().join('+') || 'not there';
    const differences = [];
    for (const key of [...new Set([...a.keys(), ...b.keys()])].sort()) {
        if (results(a.get(key)) === results(b.get(key))) continue;
        const said = (b.get(key) ?? []).map(check => check.errorMessage).filter(Boolean).join('; ');
        differences.push(`${key}: ${results(a.get(key))} directly, ${results(b.get(key))} through the gateway${said ? `: ${said}` : ''}`);
    }
    return differences;
}

export const count = run_ => [...run_.checks.values()].reduce((sum, list) => sum + list.length, 0);

export const told = run_ => Object.entries(run_.totals).sort().map(([status, n]) => `${n} ${status}`).join(', ');

if (process.argv[1] === fileURLToPath(import.meta.url)) {
    const urls = [];
    let out;
    let requirements;
    for (let i = 2; i < process.argv.length; i++) {
        if (process.argv[i] === '-o') out = process.argv[++i];
        else if (process.argv[i] === '--requirements') requirements = process.argv[++i];
        else urls.push(process.argv[i]);
    }
    if (urls.length !== 2) {
        process.stderr.write('usage: conformance-gate.mjs URL_DIRECT URL_THROUGH [-o OUT] [--requirements REVISION]\n');
        process.exit(2);
    }
    out ??= scratch();
    const direct = await runSuite(urls[0], join(out, 'a'), requirements);
    const through = await runSuite(urls[1], join(out, 'b'), requirements);
    const differences = compare(direct, through);
    process.stdout.write(`direct:  ${told(direct)}\nthrough: ${told(through)}\n`);
    process.stdout.write(differences.map(line => `${line}\n`).join(''));
    process.stdout.write(`${differences.length} difference(s) in ${count(direct)} checks\n`);
    process.exit(differences.length === 0 && count(direct) > 0 ? 0 : 1);
}
