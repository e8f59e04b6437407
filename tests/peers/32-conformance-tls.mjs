// The conformance comparison of 20-conformance through TLS and with a bearer token: no check may differ. The suite can neither send a token
// nor trust our authority, so a shim of ours stands before Postern: it takes plain connections, speaks TLS behind, adds one header line to
// each request and changes no other byte.

import { generateKeyPairSync, sign } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { again, compare, count, runSuite, told } from './conformance-gate.mjs';
import { is, main, ok, scratch, startPostern, startUpstream } from '../lib/postern.mjs';
import { pki } from './pki.mjs';

// Heads are found, a line is put before their end, bodies are counted past. Whatever is no HTTP goes through as it is.
function addLine(line) {
    let held = Buffer.alloc(0);
    let body = 0;
    return part => {
        held = Buffer.concat([held, part]);
        const out = [];
        while (held.length) {
            if (body > 0) {
                out.push(held.subarray(0, body));
                const n = Math.min(body, held.length);
                held = held.subarray(n);
                body -= n;
                continue;
            }
            const end = held.indexOf('\r\n\r\n');
            if (end < 0) break;
            const head = held.subarray(0, end).toString('latin1');
            out.push(held.subarray(0, end + 2), Buffer.from(`${line}\r\n\r\n`));
            held = held.subarray(end + 4);
            body = Number(/\r\ncontent-length: *(\d+)/i.exec(head)?.[1] ?? 0);
            if (/\r\ntransfer-encoding:/i.test(head)) body = Infinity;      // the last of its connection, then
        }
        return Buffer.concat(out);
    };
}

async function startShim(line) {
    const me = { to: 0, requests: 0 };
    const server = createServer(plain => {
        const add = addLine(line);
        const behind = connect({ port: me.to, host: '127.0.0.1', servername: 'localhost', ca: readFileSync(pki.ca) });
        plain.setNoDelay(true);
        behind.setNoDelay(true);
        plain.on('data', part => {
            me.requests++;
            behind.write(add(part));
        });
        behind.on('data', part => plain.write(part));
        plain.on('end', () => behind.end());
        behind.on('end', () => plain.end());
        for (const [one, other] of [[plain, behind], [behind, plain]]) {
            one.on('error', () => other.destroy());
            one.on('close', () => other.destroy());
        }
    });
    await new Promise(settle => server.listen(0, '127.0.0.1', settle));
    me.port = server.address().port;
    me.stop = () => server.close();
    return me;
}

await main(async () => {
    const out = scratch();
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const jwks = join(out, 'jwks.json');
    writeFileSync(jwks, JSON.stringify({ keys: [{ ...publicKey.export({ format: 'jwk' }), kid: 'k1', alg: 'ES256', use: 'sig' }] }));
    const now = Math.floor(Date.now() / 1000);
    const resource = 'https://localhost/mcp';
    const parts = [{ alg: 'ES256', typ: 'at+jwt', kid: 'k1' },
        { iss: 'https://idp.example', aud: resource, sub: 'suite', client_id: 'suite', iat: now, exp: now + 3600, jti: '1', tenant: 'acme' }]
        .map(part => Buffer.from(JSON.stringify(part)).toString('base64url'));
    const token = `${parts.join('.')}.${sign('sha256', Buffer.from(parts.join('.')), { key: privateKey, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`;

    const upstream = await startUpstream();
    const shim = await startShim(`Authorization: Bearer ${token}`);
    const without = await startShim('X-Nothing: here');
    const names = [`localhost:${shim.port}`, `127.0.0.1:${shim.port}`];
    const postern = await startPostern({ up: { url: upstream.url } }, {
        listeners: [{ address: '127.0.0.1:0', path: '/mcp', hosts: [...names, `localhost:${without.port}`, `127.0.0.1:${without.port}`], origins: names.map(name => `http://${name}`), tls: { cert: pki.door.cert, key: pki.door.key } }],
        identity: { resource, issuers: [{ issuer: 'https://idp.example', algorithms: ['ES256'], jwks, claims: { tenant: 'tenant' }, roles: ['user'] }] },
        policy: [{ allow: '*', tenants: ['acme'], roles: ['user'] }]
    });
    shim.to = postern.port;
    without.to = postern.port;
    const refused = await fetch(`http://127.0.0.1:${without.port}/mcp`, {
        method: 'POST', body: '{}', headers: { 'content-type': 'application/json', accept: 'application/json, text/event-stream' }
    });
    is(refused.status, 401, 'without the token nobody is served');
    const direct = await runSuite(upstream.url, join(out, 'direct'));
    const through = await again(n => runSuite(`http://127.0.0.1:${shim.port}/mcp`, join(out, `through${n}`)), suite => compare(direct, suite));
    const differences = compare(direct, through);
    ok(differences.length === 0 && count(direct) > 190, 'through TLS and with a token: no per-check difference',
        () => `direct ${told(direct)}\nthrough ${told(through)}\n${differences.join('\n')}\n${count(direct) ? '' : direct.output}`);
    is(through.status, direct.status, 'the suite\'s own verdict is the same');
    ok(shim.requests > 100, 'the suite came this way', shim.requests);
    is(await postern.stop(), 0, 'Postern stops cleanly afterwards');
    shim.stop();
    without.stop();
    await upstream.stop();
});
