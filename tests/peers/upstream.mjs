// The test upstream: everything.mjs, served over Streamable HTTP or on stdin and stdout, in the era that a test wants.
//
//     node upstream.mjs [PORT] [--era both|modern|old] [--page N] [--name NAME] [--sse] [--verbose]
//     node upstream.mjs --stdio [--era both|modern|old] [--page N] [--name NAME] [--verbose]
//
// --era    modern: 2026-07-28 only. old: 2025-11-25 and before only, over HTTP with sessions, a GET stream and resumption.
//          both (the default): whichever the request is of.
// --page   cuts every list into pages of N. --sse answers every modern request as an event stream.
// --verbose tells on stderr what was refused and why.
// HTTP binds 127.0.0.1 only; PORT 0 or none lets the kernel choose. Prints `listening PORT` once it serves /mcp.

import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import { localhostHostValidation, localhostOriginValidation, NodeStreamableHTTPServerTransport, toNodeHandler } from '@modelcontextprotocol/node';
import { createMcpHandler, isLegacyRequest } from '@modelcontextprotocol/server';
import { serveStdio, StdioServerTransport } from '@modelcontextprotocol/server/stdio';
import { listenerOf, listeners, makeServer } from './everything.mjs';

const options = { port: 0, page: 0, era: 'both', name: undefined, sse: false, stdio: false, verbose: false };
for (let i = 2; i < process.argv.length; i++) {
    const word = process.argv[i];
    if (word === '--sse' || word === '--stdio' || word === '--verbose') options[word.slice(2)] = true;
    else if (word === '--page') options.page = Number(process.argv[++i]);
    else if (word === '--era' || word === '--name') options[word.slice(2)] = process.argv[++i];
    else options.port = Number(word);
}
const told = error => { if (options.verbose) process.stderr.write(`upstream: ${error.message}\n`); };
const make = old => makeServer({ page: options.page, name: options.name, old });

// ---- stdin and stdout: one conversation
async function onStdio() {
    const started = old => {
        const mcp = make(old);
        listeners.add(listenerOf(mcp));
        return mcp;
    };
    if (options.era === 'old') await started(true).connect(new StdioServerTransport());
    else serveStdio(context => started(context?.era === 'legacy'), { legacy: options.era === 'modern' ? 'reject' : 'serve', onerror: told });
}

// ---- HTTP, old: sessions, each with a server of its own and an event store, so that a stream can be resumed
class Events {
    #kept = [];
    storeEvent(stream, message) {
        this.#kept.push([stream, message]);
        return Promise.resolve(`${this.#kept.length - 1}`);
    }
    getStreamIdForEventId(id) {
        return Promise.resolve(this.#kept[Number(id)]?.[0]);
    }
    async replayEventsAfter(id, { send }) {
        const stream = this.#kept[Number(id)]?.[0];
        for (let i = Number(id) + 1; stream !== undefined && i < this.#kept.length; i++)
            if (this.#kept[i][0] === stream && this.#kept[i][1].jsonrpc) await send(`${i}`, this.#kept[i][1]);
        return stream;
    }
}

const sessions = new Map();

async function oldSession() {
    const mcp = make(true);
    const listener = listenerOf(mcp);
    const transport = new NodeStreamableHTTPServerTransport({
        sessionIdGenerator: randomUUID, eventStore: new Events(), retryInterval: 500,
        onsessioninitialized: id => { sessions.set(id, transport); },
        onsessionclosed: id => { sessions.delete(id); }
    });
    await mcp.connect(transport);
    listeners.add(listener);
    transport.onclose = (before => () => { before?.(); listeners.delete(listener); })(transport.onclose);
    return transport;
}

async function old(req, res, body) {
    const id = req.headers['mcp-session-id'];
    const known = id === undefined ? undefined : sessions.get(id);
    const first = Array.isArray(body) ? body[0] : body;
    if (known) return known.handleRequest(req, res, body);
    if (id !== undefined || first?.method !== 'initialize') {
        res.writeHead(id === undefined ? 400 : 404, { 'content-type': 'application/json' })
            .end(JSON.stringify({ jsonrpc: '2.0', error: { code: id === undefined ? -32000 : -32001, message: id === undefined ? 'Bad Request: No valid session ID provided' : 'Session not found' }, id: null }));
        return undefined;
    }
    return (await oldSession()).handleRequest(req, res, body);
}

// ---- HTTP, modern
const handler = createMcpHandler(() => make(false), {
    responseMode: options.sse ? 'sse' : 'auto', legacy: 'reject', maxRequestBodySize: 32 * 1024 * 1024, onerror: told
});
listeners.add(handler.notify);
const modern = toNodeHandler(handler);

async function bodyOf(req) {
    if (req.method !== 'POST') return undefined;
    const parts = [];
    for await (const part of req) parts.push(part);
    try {
        return JSON.parse(Buffer.concat(parts).toString());
    } catch {
        return null;
    }
}

const hostIsLocal = localhostHostValidation();
const originIsLocal = localhostOriginValidation();

function onHttp() {
    const http = createServer(async (req, res) => {
        if (!hostIsLocal(req, res) || !originIsLocal(req, res)) return;
        if (new URL(req.url, 'http://localhost').pathname !== '/mcp') {
            res.writeHead(404).end();
            return;
        }
        if (options.era === 'modern') return void modern(req, res);
        const body = await bodyOf(req);
        if (body === null) {
            res.writeHead(400, { 'content-type': 'application/json' })
                .end(JSON.stringify({ jsonrpc: '2.0', error: { code: -32700, message: 'Parse error' }, id: null }));
            return;
        }
        const asked = new Request('http://localhost/mcp', {
            method: req.method, headers: Object.entries(req.headers).map(([name, value]) => [name, String(value)]),
            ...(req.method === 'POST' ? { body: JSON.stringify(body) } : {})
        });
        if (options.era === 'old' || await isLegacyRequest(asked)) return void old(req, res, body);
        return void modern(req, res, body);
    });
    http.keepAliveTimeout = 60000;
    http.listen(options.port, '127.0.0.1', () => process.stdout.write(`listening ${http.address().port}\n`));
    for (const signal of ['SIGTERM', 'SIGINT'])
        process.on(signal, () => {
            void handler.close();
            http.close(() => process.exit(0));
            http.closeAllConnections();
        });
}

if (options.stdio) await onStdio();
else onHttp();
