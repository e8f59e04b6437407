// Credentials for upstreams, got from a real authorization server and shown to an upstream that checks what it gets: a static secret, client
// credentials, token exchange. One for each tenant and upstream, kept, asked for once; never the caller's own; never a wider one.

import { readFileSync } from 'node:fs';
import * as jose from 'jose';
import { is, main, ok, startPostern, until } from '../lib/postern.mjs';
import { connect } from './clients.mjs';
import { startGuarded } from './guarded.mjs';
import { EXCHANGE, startIdp } from './idp.mjs';
import { pem, pki, secretFile } from './pki.mjs';

const GATE = 'gate-secret-gate-secret-gate-sec-1';
const STATIC = 'static-CANARY-9f2c';
const TENANTS = ['acme', 'globex'];
const RESOURCE = 'https://gw.example/mcp';

async function post(port, token, name) {
    const response = await fetch(`http://127.0.0.1:${port}/mcp`, {
        method: 'POST',
        headers: {
            'content-type': 'application/json', accept: 'application/json, text/event-stream', 'mcp-protocol-version': '2026-07-28', 'mcp-method': 'tools/call', 'mcp-name': name,
            authorization: `Bearer ${token}`
        },
        body: JSON.stringify({
            jsonrpc: '2.0', id: 1, method: 'tools/call',
            params: { name, arguments: {}, _meta: { 'io.modelcontextprotocol/protocolVersion': '2026-07-28', 'io.modelcontextprotocol/clientCapabilities': {} } }
        })
    });
    const text = await response.text();
    return { status: response.status, text, said: (() => { try { return JSON.parse(text).result?.content?.[0]?.text; } catch { return undefined; } })() };
}

await main(async () => {
    // What each upstream asks for; the guard verifies like a resource server of its own.
    const audiences = { cc: 'https://cc.example/mcp', wide: 'https://wide.example/mcp', ex: 'https://ex.example/mcp', exwide: 'https://exwide.example/mcp' };
    const idp = await startIdp({
        ...pem('idp'),
        resources: {
            [RESOURCE]: { scope: 'tools:read' }, [audiences.cc]: { scope: 'up:read up:write' }, [audiences.wide]: { scope: 'up:read', widen: 'up:everything' },
            [audiences.ex]: { scope: 'up:read' }, [audiences.exwide]: { scope: 'up:read', widen: 'up:everything' }
        },
        clients: [{ client_id: 'gate', client_secret: GATE, grant_types: ['client_credentials', EXCHANGE] }]
    });
    const keys = () => jose.createLocalJWKSet({ keys: idp.keys.map(({ d, ...open }) => open) });
    const guard = (audience, look = () => true) => async headers => {
        try {
            const [scheme, token] = (headers.authorization ?? '').split(' ');
            const { payload } = await jose.jwtVerify(token, keys(), { issuer: idp.issuer, audience, typ: 'at+jwt' });
            return scheme === 'Bearer' && look(payload);
        } catch {
            return false;
        }
    };
    const ups = {
        fixed: await startGuarded({ ...pem('up'), allow: headers => headers.authorization === `Bearer ${STATIC}` }),
        odd: await startGuarded({ ...pem('up'), allow: headers => headers['x-api-key'] === STATIC && headers.authorization === undefined }),
        cc: await startGuarded({ ...pem('up'), allow: guard(audiences.cc, payload => payload.client_id === 'gate' && payload.scope === 'up:read') }),
        wide: await startGuarded({ ...pem('up') }),
        ex: await startGuarded({ ...pem('up'), allow: guard(audiences.ex, payload => payload.act?.sub === 'gate' && payload.scope === 'up:read') }),
        exwide: await startGuarded({ ...pem('up') })
    };
    const endpoint = {
        token_url: `${idp.issuer}/token`, address: idp.address, tls: { ca: pki.ca }, client_id: 'gate', client_secret: { file: secretFile('gate', `${GATE}\n`) }, scope: 'up:read'
    };
    const fixed = { file: secretFile('static', STATIC) };
    const credentials = {
        fixed: { secret: fixed }, odd: { secret: fixed, header: 'X-Api-Key', scheme: '' },
        cc: { ...endpoint, grant: 'client_credentials', resource: audiences.cc }, wide: { ...endpoint, grant: 'client_credentials', resource: audiences.wide },
        ex: { ...endpoint, grant: 'token_exchange', resource: audiences.ex }, exwide: { ...endpoint, grant: 'token_exchange', resource: audiences.exwide }
    };
    const servers = Object.fromEntries(Object.entries(ups).map(([name, up]) =>
        [name, { url: up.url, address: `127.0.0.1:${up.port}`, tls: { ca: pki.ca }, credentials: credentials[name] }]));
    const postern = await startPostern(servers, {
        names: 'prefixed', workers: 1,
        identity: {
            resource: RESOURCE, tenants: TENANTS,
            issuers: [{ issuer: idp.issuer, algorithms: ['ES256'], jwks: { url: `${idp.issuer}/jwks`, address: idp.address, tls: { ca: pki.ca } }, claims: { tenant: 'tenant', roles: 'roles' } }]
        },
        policy: [{ allow: '*', roles: ['user'] }]
    });
    const caller = (tenant, sub = 'agent') => idp.sign({ aud: RESOURCE, tenant, roles: ['user'], sub, scope: 'tools:read' });
    const callers = Object.fromEntries(TENANTS.map(tenant => [tenant, caller(tenant)]));
    const all = [...Object.values(callers)];
    const ask = (name, token = callers.acme) => post(postern.port, token, `${name}__whoami`);
    const tokens = () => idp.hits['/token'] ?? 0;

    for (const name of ['fixed', 'odd', 'cc', 'ex']) {
        const got = await ask(name);
        is([got.status, got.said?.split(':')[0]], [200, 'whoami'], `${name}: the upstream takes what it gets`);
    }
    // kept, single flight, one for each tenant
    let before = tokens();
    const many = await Promise.all(Array.from({ length: 40 }, () => ask('cc')));
    ok(many.every(({ status }) => status === 200) && tokens() === before, '40 more calls cost no more tokens', tokens() - before);
    before = tokens();
    const first = await Promise.all(Array.from({ length: 20 }, () => ask('cc', callers.globex)));
    ok(first.every(({ status }) => status === 200) && tokens() - before === 1, 'the other tenant has one of its own, got once for 20 calls at a time', tokens() - before);
    const shown = name => new Set(ups[name].seen.map(({ headers }) => headers.authorization));
    is(shown('cc').size, 3, 'two tenants, two tokens; and one of the gateway itself, which asks what there is');

    // exchange: about the caller, by the gateway
    const subjects = () => [...shown('ex')].map(line => jose.decodeJwt(line.split(' ')[1])).map(({ sub, tenant, aud }) => `${sub} ${tenant} ${aud}`);
    ok(subjects().every(line => line.endsWith(audiences.ex)), 'exchange: the token is for the upstream', subjects());
    const others = [caller('acme', 'bob'), caller('globex', 'carol')];
    all.push(...others);
    for (const token of others) is((await ask('ex', token)).status, 200, 'exchange: another person');
    ok(['agent acme', 'bob acme', 'carol globex'].every(who => subjects().some(line => line.startsWith(who))), 'exchange: each upstream token is about its caller', subjects());
    is(idp.exchanges.every(({ subject_token_type: type, client }) => type === 'urn:ietf:params:oauth:token-type:access_token' && client === 'gate'), true, 'exchange: the request is RFC 8693\'s');
    before = tokens();
    await Promise.all(Array.from({ length: 10 }, () => ask('ex', others[0])));
    is(tokens(), before, 'exchange: kept too');
    const dave = caller('acme', 'dave');
    all.push(dave);
    const old = await connect('old', `http://127.0.0.1:${postern.port}/mcp`, { headers: { Authorization: `Bearer ${dave}` } });
    is((await old.call('ex__whoami')).content[0].text.split(':')[0], 'whoami', 'exchange: a client of an older revision');
    ok(subjects().some(line => line.startsWith('dave acme')), '… in its own name, too', subjects());
    await old.client.close();

    // the upstream refuses: once more with a fresh one, then an error of ours
    ups.cc.refuse = 1;
    before = tokens();
    is((await ask('cc')).status, 200, 'an upstream that refuses a token once is shown a fresh one');
    is(tokens() - before, 1, '… which was got for it');
    ups.cc.refuse = 2;
    const refused = await ask('cc');
    ok([502, 503].includes(refused.status) && !/LEAKME|evil\.example|WWW-Authenticate/i.test(refused.text), 'one that refuses again is an error of ours, and nothing it said goes on', refused);
    ups.cc.refuse = 0;
    is((await ask('cc')).status, 200, 'and the next call goes well');
    ups.fixed.refuse = 2;
    ok([502, 503].includes((await ask('fixed')).status), 'a static secret that is refused is an error of ours');
    ups.fixed.refuse = 0;

    // wider than asked
    for (const name of ['wide', 'exwide']) {
        const got = await ask(name);
        ok([502, 503].includes(got.status), `${name}: a token that may do more than was asked for is not used`, got);
        is(ups[name].seen.filter(({ body }) => body.includes('tools/call')).length, 0, '… and the upstream sees no call');
    }
    ok(postern.errors.includes('upstream "exwide"') || postern.errors.includes('exwide'), '… and the log says so', postern.errors);

    // the token endpoint is gone for a while
    const late = caller('acme', 'dora');
    all.push(late);
    idp.refuseTokens = 1000;
    const gone = await ask('ex', late);
    ok([502, 503].includes(gone.status), 'no credential to be had: an error, and soon', gone);
    is((await ask('cc')).status, 200, '… while what is kept serves on');
    idp.refuseTokens = 0;
    ok(await until(async () => (await ask('ex', late)).status === 200), '… and it comes back by itself');

    // never the caller's
    for (const [name, up] of Object.entries(ups)) {
        const found = up.seen.filter(({ raw, body }) => all.some(token => raw.includes(token) || body.includes(token) || raw.includes(token.split('.')[2]) || body.includes(token.split('.')[2])));
        is(found.length, 0, `${name}: no caller's token in ${up.seen.length} requests`);
    }
    const wrongPlace = Object.entries(ups).filter(([name, up]) => !['fixed', 'odd'].includes(name) && up.seen.some(({ raw }) => raw.includes(STATIC)));
    is(wrongPlace, [], 'and no upstream has another\'s secret');
    const secrets = [GATE, STATIC, Buffer.from(`gate:${GATE}`).toString('base64'), ...all, ...[...shown('cc'), ...shown('ex')].map(line => line.split(' ')[1])];
    is(secrets.filter(secret => postern.errors.includes(secret) || postern.lines.join('\n').includes(secret)), [], 'the log holds none of them');
    for (const pid of family(postern.pid)) {
        for (const part of ['cmdline', 'environ']) {
            const text = (() => { try { return readFileSync(`/proc/${pid}/${part}`, 'latin1'); } catch { return ''; } })();
            if (secrets.some(secret => text.includes(secret))) ok(false, `process ${pid} shows a secret in ${part}`);
        }
    }
    is(await postern.stop(), 0, 'Postern ends with status 0');
    for (const up of Object.values(ups)) await up.stop();
    await idp.stop();
});

// The processes below one.
function family(pid) {
    const found = [pid];
    for (const at of found) {
        try {
            found.push(...readFileSync(`/proc/${at}/task/${at}/children`, 'utf8').split(' ').filter(Boolean).map(Number));
        } catch {
            // it has ended meanwhile
        }
    }
    return found;
}
