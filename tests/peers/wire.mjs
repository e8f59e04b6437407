// A client of a few lines for tests of load: one kept connection, one request at a time, either era. No SDK.
//
//     const wire = await Wire.open(url, 'modern' | 'old');      // old: initialize is done
//     const message = await wire.call('tools/call', params, id);  // the JSON-RPC answer; rejects when the connection ends
//
// Request ids are the caller's choice; wire.ids counts from 1 in every client, so that the ids of all are equal.

import { connect } from 'node:net';

const META = JSON.stringify({ 'io.modelcontextprotocol/protocolVersion': '2026-07-28', 'io.modelcontextprotocol/clientCapabilities': {} });

export class Wire {
    ids = 0;
    #socket; #host; #path; #old; #session; #buffer = ''; #settle; #fail; #more;

    // more: further head fields, as a text of whole lines.
    static async open(url, era, more = '') {
        const wire = new Wire();
        const { hostname, port, host, pathname } = new URL(url);
        wire.#host = host;
        wire.#path = pathname;
        wire.#more = more;
        wire.#old = era === 'old';
        wire.#socket = connect({ host: hostname, port: Number(port), noDelay: true });
        wire.#socket.setEncoding('utf8').on('data', part => wire.#take(part));
        wire.#socket.on('error', error => wire.#fail?.(error)).on('close', () => wire.#fail?.(new Error('the connection ended')));
        if (wire.#old) {
            const hello = await wire.call('initialize', { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'wire', version: '1' } });
            if (hello.error) throw new Error(JSON.stringify(hello));
            await wire.#ask('POST', JSON.stringify({ jsonrpc: '2.0', method: 'notifications/initialized' }), '');
        }
        return wire;
    }

    call(method, params = {}, id = ++this.ids) {
        const inner = JSON.stringify(params);
        const whole = this.#old ? inner : `{"_meta":${META}${inner === '{}' ? '}' : `,${inner.slice(1)}`}`;
        const mirrored = this.#old ? '' : `MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: ${method}\r\n${params.name === undefined ? '' : `Mcp-Name: ${params.name}\r\n`}`;
        return this.#ask('POST', `{"jsonrpc":"2.0","id":${JSON.stringify(id)},"method":"${method}","params":${whole}}`, mirrored);
    }

    #ask(method, body, fields) {
        const old = this.#session === undefined ? '' : `Mcp-Session-Id: ${this.#session}\r\nMCP-Protocol-Version: 2025-11-25\r\n`;
        this.#socket.write(`${method} ${this.#path} HTTP/1.1\r\nHost: ${this.#host}\r\nContent-Type: application/json\r\n`
            + `Accept: application/json, text/event-stream\r\n${old}${fields}${this.#more}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
        return new Promise((settle, fail) => {
            this.#settle = settle;
            this.#fail = fail;
        });
    }

    #take(part) {
        this.#buffer += part;
        const head = this.#buffer.indexOf('\r\n\r\n');
        if (head < 0) return;
        const fields = this.#buffer.slice(0, head).toLowerCase();
        const length = /\r\ncontent-length: *(\d+)/.exec(fields);
        let body = this.#buffer.slice(head + 4);
        if (length) {
            if (Buffer.byteLength(body) < Number(length[1])) return;
        } else if (fields.includes('\r\ntransfer-encoding: chunked')) {
            if (!body.endsWith('0\r\n\r\n')) return;
            body = Wire.#unchunked(body);
            if (body === undefined) return;
        } else body = '';
        this.#session ??= /\r\nmcp-session-id: *([^\r]+)/i.exec(this.#buffer.slice(0, head))?.[1];
        this.#buffer = '';
        if (fields.includes('text/event-stream'))
            body = body.split(/\r?\n\r?\n/).map(event => /^data: ?(.*)$/m.exec(event)?.[1]).filter(data => data && JSON.parse(data).method === undefined).at(-1) ?? '';
        const settle = this.#settle;
        this.#fail = undefined;
        settle(body === '' ? { status: Number(fields.slice(9, 12)) } : { status: Number(fields.slice(9, 12)), ...JSON.parse(body) });
    }

    // Sizes count bytes; what is asked here is ASCII.
    static #unchunked(text) {
        let out = '';
        for (let at = 0; ;) {
            const end = text.indexOf('\r\n', at);
            if (end < 0) return undefined;
            const size = parseInt(text.slice(at, end), 16);
            if (size === 0) return out;
            if (text.length < end + 2 + size) return undefined;
            out += text.slice(end + 2, end + 2 + size);
            at = end + 4 + size;
        }
    }

    close() {
        this.#fail = undefined;
        this.#socket.destroy();
    }
}
