// A server on stdin and stdout made reachable for the conformance suite, which knows HTTP only: each old session is one child,
// and what the child says goes, unchanged, where that revision of Streamable HTTP puts it.
//
//     node stdio-http.mjs COMMAND ARGUMENT...
//
// Prints `listening PORT`. An answer goes to the POST that asked; anything else to the newest POST still unanswered, else to
// the GET stream. `initialize` starts a child, DELETE ends it.

import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import { localhostHostValidation, localhostOriginValidation } from '@modelcontextprotocol/node';

const [command, ...args] = process.argv.slice(2);
const sessions = new Map();

class Session {
    id = randomUUID();
    asked = new Map();
    stream;
    constructor() {
        this.child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] });
        this.child.on('close', () => this.end());
        let rest = '';
        this.child.stdout.setEncoding('utf8').on('data', part => {
            rest += part;
            for (let end; (end = rest.indexOf('\n')) >= 0; rest = rest.slice(end + 1)) this.said(rest.slice(0, end));
        });
        sessions.set(this.id, this);
    }
    said(line) {
        const message = JSON.parse(line);
        const answers = message.method === undefined;
        const to = answers ? this.asked.get(message.id) : [...this.asked.values()].at(-1) ?? this.stream;
        to?.write(`data: ${line}\n\n`);
        if (answers && to) {
            this.asked.delete(message.id);
            to.end();
        }
    }
    post(message, res) {
        if (message.method === undefined || message.id === undefined) res.writeHead(202).end();
        else this.asked.set(message.id, this.open(res));
        this.child.stdin.write(`${JSON.stringify(message)}\n`);
    }
    open(res) {
        res.writeHead(200, { 'content-type': 'text/event-stream', 'mcp-session-id': this.id });
        res.flushHeaders();
        return res;
    }
    end() {
        sessions.delete(this.id);
        this.child.stdin.end();
        for (const res of [...this.asked.values(), this.stream]) res?.end();
    }
}

const refuse = (res, status, code, message) =>
    res.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify({ jsonrpc: '2.0', id: null, error: { code, message } }));
const hostIsLocal = localhostHostValidation();
const originIsLocal = localhostOriginValidation();

const http = createServer(async (req, res) => {
    if (!hostIsLocal(req, res) || !originIsLocal(req, res)) return;
    const parts = [];
    for await (const part of req) parts.push(part);
    const message = req.method === 'POST' ? JSON.parse(Buffer.concat(parts).toString()) : undefined;
    const id = req.headers['mcp-session-id'];
    const session = message?.method === 'initialize' ? new Session() : sessions.get(id);
    if (!session) refuse(res, id ? 404 : 400, -32000, 'no such session');
    else if (message) session.post(message, res);
    else if (req.method === 'GET') session.stream = session.open(res);
    else if (req.method === 'DELETE') {
        session.end();
        res.writeHead(200).end();
    } else refuse(res, 405, -32000, 'no such method');
});
http.listen(0, '127.0.0.1', () => process.stdout.write(`listening ${http.address().port}\n`));
for (const signal of ['SIGTERM', 'SIGINT'])
    process.on(signal, () => {
        for (const session of [...sessions.values()]) session.end();
        http.close(() => process.exit(0));
        http.closeAllConnections();
    });
