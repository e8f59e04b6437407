// A small fast upstream without an SDK, for tests of load: one tool that gives its text back, one that makes it misbehave.
//
//     node echo.mjs http|stdio modern|old NAME [PORT]
//
// Over HTTP it binds 127.0.0.1, without PORT a port of the kernel's choice, and prints `listening PORT`. `old` speaks 2025-11-25, over HTTP with
// sessions. Tools: echo {text, delay_ms} -> {text, by: NAME, pid, conversation}; misbehave {how, ms}: for so long it is
// slow (each answer 300 ms late), garbage (answers are no JSON), flood (over HTTP: answers far too long; else messages that nobody asked for, as
// fast as it goes) or chatter (HTTP: such messages before each answer).

import { createServer } from 'node:http';
import { randomUUID } from 'node:crypto';

const [transport, era, name, port = '0'] = process.argv.slice(2);
const old = era === 'old';
const INFO = { name, version: '1.0.0' };
const HOW = ['slow', 'garbage', 'flood', 'chatter'];
const SLOW_MS = 300;
const GARBAGE = '}{ this is no JSON \u0000\u0001';
const NOISE = JSON.stringify({ jsonrpc: '2.0', method: 'notifications/message', params: { level: 'info', data: 'x'.repeat(400) } });
const TOO_MUCH = Buffer.alloc(8 << 20, ' ');
let mode = '';

const cached = result => old ? result : { ...result, resultType: 'complete', ttlMs: 60000, cacheScope: 'public' };
const object = (properties, required) => ({ type: 'object', properties, required });
const TOOLS = [
    { name: 'echo', description: 'Gives its text back', inputSchema: object({ text: { type: 'string' }, delay_ms: { type: 'integer' } }, ['text']) },
    { name: 'misbehave', description: 'For so many milliseconds it does', inputSchema: object({ how: { type: 'string', enum: HOW }, ms: { type: 'integer' } }, ['how', 'ms']) }
];

// The answer to a request, by `say`, now or later.
function answer(request, conversation, say) {
    const { id, method, params = {} } = request;
    const result = value => say({ jsonrpc: '2.0', id, result: value });
    const error = (code, message) => say({ jsonrpc: '2.0', id, error: { code, message } });
    const args = params.arguments ?? {};
    const structured = value => cached({ content: [{ type: 'text', text: JSON.stringify(value) }], structuredContent: value });
    if (old && method === 'initialize') result({ protocolVersion: '2025-11-25', capabilities: { tools: {} }, serverInfo: INFO });
    else if (old && method === 'ping') result({});
    else if (!old && method === 'server/discover')
        result({ ...cached({ supportedVersions: ['2026-07-28'], capabilities: { tools: {} } }), _meta: { 'io.modelcontextprotocol/serverInfo': INFO } });
    else if (method === 'tools/list') result(cached({ tools: TOOLS }));
    else if (method === 'tools/call' && params.name === 'echo') {
        const late = (args.delay_ms ?? 0) + (mode === 'slow' ? SLOW_MS : 0);
        const tell = () => result(structured({ text: args.text, by: name, pid: process.pid, conversation }));
        if (late) setTimeout(tell, late);
        else tell();
    } else if (method === 'tools/call' && params.name === 'misbehave' && HOW.includes(args.how)) {
        result(structured({ how: args.how, pid: process.pid }));
        // Behind the answer.
        setTimeout(() => { mode = args.how; flood?.(); }, 20);
        setTimeout(() => { mode = ''; }, 20 + args.ms);
    } else error(-32601, `no ${method}`);
}

let flood;

function onStdio() {
    const write = message => process.stdout.write(mode === 'garbage' ? `${GARBAGE}\n` : `${JSON.stringify(message)}\n`);
    flood = () => {
        if (mode !== 'flood') return;
        const room = process.stdout.write(`${NOISE}\n`.repeat(64));
        process.stderr.write(`${'noise '.repeat(20)}\n`.repeat(16));
        if (room) setImmediate(flood);
        else process.stdout.once('drain', flood);
    };
    let rest = '';
    process.stdin.setEncoding('utf8').on('data', part => {
        rest += part;
        let from = 0;
        for (let end; (end = rest.indexOf('\n', from)) >= 0; from = end + 1) {
            const message = JSON.parse(rest.slice(from, end));
            if (message.method !== undefined && message.id !== undefined) answer(message, 'child', write);
        }
        rest = rest.slice(from);
    }).on('end', () => process.exit(0));
}

// Events that nobody asked for, as long as it lasts, and then the answer.
function chatter(res, body) {
    if (res.destroyed) return;
    if (mode !== 'chatter') return res.end(`data: ${body}\n\n`);
    const room = res.write(`data: ${NOISE}\n\n`.repeat(64));
    if (room) setImmediate(chatter, res, body);
    else res.once('drain', () => chatter(res, body));
}

function onHttp() {
    const sessions = new Set();
    const http = createServer((req, res) => {
        const parts = [];
        req.on('data', part => parts.push(part)).on('end', () => {
            const session = req.headers['mcp-session-id'];
            const plain = (status, body = '') => res.writeHead(status, { 'content-length': Buffer.byteLength(body), ...(body ? { 'content-type': 'application/json' } : {}) }).end(body);
            const refuse = (status, code) => plain(status, JSON.stringify({ jsonrpc: '2.0', id: null, error: { code, message: 'refused' } }));
            if (req.method === 'DELETE' && sessions.delete(session)) return plain(200);
            if (req.method !== 'POST') return plain(405);
            const message = JSON.parse(Buffer.concat(parts).toString());
            const first = old && message.method === 'initialize';
            if (old && !first && !sessions.has(session)) return refuse(session ? 404 : 400, -32000);
            if (!old && (message.method === 'initialize' || message.params?._meta?.['io.modelcontextprotocol/protocolVersion'] === undefined)) return refuse(400, -32022);
            if (message.id === undefined) return plain(202);
            const id = first ? randomUUID() : session;
            if (first) sessions.add(id);
            answer(message, id ?? 'none', said => {
                const body = mode === 'garbage' ? GARBAGE : JSON.stringify(said);
                const status = said.error?.code === -32601 ? 404 : 200;
                const head = (type, rest) => res.writeHead(status, { 'content-type': type, ...rest, ...(old ? { 'mcp-session-id': id } : {}) });
                if (mode === 'chatter') return chatter(head('text/event-stream', {}), body);
                const more = mode === 'flood' ? TOO_MUCH : '';
                head('application/json', { 'content-length': Buffer.byteLength(body) + more.length }).write(body);
                res.end(more);
            });
        });
    });
    http.keepAliveTimeout = 600000;
    http.listen(Number(port), '127.0.0.1', () => process.stdout.write(`listening ${http.address().port}\n`));
    process.on('SIGTERM', () => process.exit(0));
}

if (transport === 'http') onHttp();
else onStdio();
