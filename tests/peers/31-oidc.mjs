// A real authorization server (oidc-provider) and the official client in front of Postern, everything over TLS: 401, metadata, token, call; the
// code flow without a browser; DPoP; wrong tokens; key rotation; step-up; introspection; and what an authorization server can do to harm.

import { createServer } from 'node:https';
import { Client, ClientCredentialsProvider, DpopSession, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { fails, is, main, ok, startPostern, until } from '../lib/postern.mjs';
import { startGuarded } from './guarded.mjs';
import { browse, startIdp } from './idp.mjs';
import { freePort, pem, pki, secretFile } from './pki.mjs';

const REDIRECT = 'http://127.0.0.1:9/callback';
const SECRET = { agent: 'agent-secret-agent-secret-agent-1', watch: 'watch-secret-watch-secret-watch-1', lost: 'lost-secret-lost-secret-lost-12' };

const port = await freePort();
const opaquePort = await freePort();
const RESOURCE = `https://localhost:${port}/mcp`;
const OPAQUE = `https://localhost:${opaquePort}/mcp`;
const ELSEWHERE = 'https://elsewhere.example/mcp';

// ---------------------------------------------------------------- raw requests

async function post(url, method, params = {}, headers = {}) {
    const named = params.name ?? params.uri;
    const response = await fetch(url, {
        method: 'POST',
        headers: {
            'content-type': 'application/json', accept: 'application/json, text/event-stream', 'mcp-protocol-version': '2026-07-28', 'mcp-method': method,
            ...(named ? { 'mcp-name': named } : {}), ...headers
        },
        body: JSON.stringify({
            jsonrpc: '2.0', id: 1, method,
            params: { ...params, _meta: { 'io.modelcontextprotocol/protocolVersion': '2026-07-28', 'io.modelcontextprotocol/clientCapabilities': {} } }
        })
    });
    const text = await response.text();
    return { status: response.status, challenge: response.headers.get('www-authenticate'), text, json: (() => { try { return JSON.parse(text); } catch { return undefined; } })() };
}

const call = (token, name = 'up__whoami', url = RESOURCE) => post(url, 'tools/call', { name }, token === undefined ? {} : { authorization: `Bearer ${token}` });
const status = async (token, name, url) => (await call(token, name, url)).status;

async function token(idp, form, client = 'agent') {
    const response = await fetch(`${idp.issuer}/token`, {
        method: 'POST', headers: { authorization: `Basic ${Buffer.from(`${client}:${SECRET[client]}`).toString('base64')}` },
        body: new URLSearchParams({ grant_type: 'client_credentials', scope: 'tools:read', ...form })
    });
    const got = await response.json();
    if (!got.access_token) throw new Error(JSON.stringify(got));
    return got.access_token;
}

// ---------------------------------------------------------------- the official client

function wired() {
    const wire = [];
    return {
        wire,
        fetch: async (input, init) => {
            const response = await fetch(input, init);
            const url = new URL(input.url ?? input);
            wire.push({ method: init?.method ?? 'GET', path: url.pathname, port: Number(url.port), status: response.status, headers: new Headers(init?.headers), body: String(init?.body ?? ''), challenge: response.headers.get('www-authenticate') });
            return response;
        }
    };
}

async function connect(authProvider, tap, url = RESOURCE, mode = { pin: '2026-07-28' }) {
    const client = new Client({ name: 'postern-test-client', version: '1.0.0' }, { ...(mode ? { versionNegotiation: { mode } } : {}) });
    const transport = new StreamableHTTPClientTransport(new URL(url), { authProvider, fetch: tap.fetch });
    await client.connect(transport);
    return { client, transport };
}

const said = result => result.content[0].text;

async function sdkFlows(idp, postern) {
    const tap = wired();
    const machine = new ClientCredentialsProvider({ clientId: 'agent', clientSecret: SECRET.agent, scope: 'tools:read', expectedIssuer: idp.issuer });
    const { client } = await connect(machine, tap);
    is(said(await client.callTool({ name: 'up__whoami' })), 'whoami: nobody', 'the SDK client, knowing only the URL and its own secret, gets a token and calls');
    const steps = tap.wire.map(w => `${w.port === port ? 'postern' : 'idp'} ${w.method} ${w.path} ${w.status}`);
    const first = steps[0];
    is(first, 'postern POST /mcp 401', '… first a 401');
    ok(/^Bearer .*resource_metadata="https:\/\/localhost:\d+\/\.well-known\/oauth-protected-resource\/mcp"/.test(tap.wire[0].challenge) && !/error=/.test(tap.wire[0].challenge),
        '… whose challenge says where the metadata is, and no error', tap.wire[0].challenge);
    is(steps[1], 'postern GET /.well-known/oauth-protected-resource/mcp 200', '… then the metadata');
    const asked = tap.wire.find(w => w.path === '/token');
    is(new URLSearchParams(asked?.body).get('resource'), RESOURCE, '… then a token for exactly this resource');
    ok(tap.wire.filter(w => w.port === port && w.status === 401).length === 1, '… and no second 401', steps);
    const listed = await client.listTools();
    ok(listed.tools.some(tool => tool.name === 'up__whoami'), 'it lists', listed.tools.map(tool => tool.name));

    await client.close();

    // step-up: a client whose token may only read; one more scope is asked for, for this tool
    tap.wire.length = 0;
    const narrow = new ClientCredentialsProvider({ clientId: 'agent', clientSecret: SECRET.agent, expectedIssuer: idp.issuer });
    narrow.saveTokens({ access_token: await token(idp, { resource: RESOURCE }), token_type: 'Bearer', scope: 'tools:read', issuer: idp.issuer });
    const { client: reader } = await connect(narrow, tap);
    is(said(await reader.callTool({ name: 'up__whoami' })), 'whoami: nobody', 'a token that may only read is enough to read');
    is(said(await reader.callTool({ name: 'up__write' })), 'write: nobody', 'a tool that needs another scope: the SDK client steps up and calls');
    const refused = tap.wire.find(w => w.status === 403);
    ok(/error="insufficient_scope"/.test(refused?.challenge) && /scope="[^"]*tools:write[^"]*"/.test(refused?.challenge) && /resource_metadata="/.test(refused?.challenge),
        '… after one complete 403 challenge', refused?.challenge);
    ok(tap.wire.filter(w => w.path === '/token').length === 1 && tap.wire.find(w => w.path === '/token').body.includes('tools%3Awrite'), '… and one token request that asks for it');
    const never = await fails(reader.callTool({ name: 'up__admin' }), 'a tool the policy does not give is refused');
    is(never?.code, -32602, '… as an unknown one is, whatever the scopes');
    await reader.close();

    // the same of a client of an older revision, whose call has gone through the keeper of sessions meanwhile
    tap.wire.length = 0;
    const older = new ClientCredentialsProvider({ clientId: 'agent', clientSecret: SECRET.agent, expectedIssuer: idp.issuer });
    older.saveTokens({ access_token: await token(idp, { resource: RESOURCE }), token_type: 'Bearer', scope: 'tools:read', issuer: idp.issuer });
    const { client: old } = await connect(older, tap, RESOURCE, null);
    is(said(await old.callTool({ name: 'up__write' })), 'write: nobody', 'a client of an older revision steps up and calls');
    const told = tap.wire.find(w => w.status === 403);
    is(told?.challenge, refused?.challenge, '… after the same challenge');
    await old.close();

    // the code flow: a person logs in and consents, PKCE, the token is the person's
    const store = {};
    const person = {
        redirectUrl: REDIRECT, clientMetadata: { client_name: 'test', redirect_uris: [REDIRECT] },
        clientInformation: () => ({ client_id: 'web', client_secret: SECRET.agent, issuer: idp.issuer }),
        tokens: () => store.tokens, saveTokens: tokens => { store.tokens = tokens; }, codeVerifier: () => store.verifier, saveCodeVerifier: verifier => { store.verifier = verifier; },
        state: () => 'state-1', redirectToAuthorization: url => { store.url = url; }
    };
    const again = wired();
    const attempt = new Client({ name: 'postern-test-client', version: '1.0.0' }, { versionNegotiation: { mode: { pin: '2026-07-28' } } });
    const way = new StreamableHTTPClientTransport(new URL(RESOURCE), { authProvider: person, fetch: again.fetch });
    await fails(attempt.connect(way), 'the code flow: the client must send a person to log in');
    is(store.url?.searchParams.get('resource'), RESOURCE, '… for this resource');
    is(store.url?.searchParams.get('code_challenge_method'), 'S256', '… with PKCE');
    const back = await browse(store.url, REDIRECT);
    await way.finishAuth(back.searchParams);
    const human = await connect(person, again);
    is(said(await human.client.callTool({ name: 'up__whoami' })), 'whoami: nobody', 'the person has logged in and calls');
    await human.client.close();

    // DPoP: the token is bound to a key of the client, each request proves it
    const bound = new ClientCredentialsProvider({ clientId: 'agent', clientSecret: SECRET.agent, scope: 'tools:read', expectedIssuer: idp.issuer });
    const session = await DpopSession.create();
    bound.dpop = () => session;
    const proof = wired();
    const { client: prover } = await connect(bound, proof);
    is(said(await prover.callTool({ name: 'up__whoami' })), 'whoami: nobody', 'DPoP: the SDK client with a bound token');
    const sent = proof.wire.filter(w => w.port === port && w.status === 200).at(-1);
    ok(/^DPoP /.test(sent.headers.get('authorization')) && sent.headers.get('dpop'), '… sends the DPoP scheme and a proof');
    const stolen = sent.headers.get('authorization').slice(5);
    const replay = (headers, method = 'tools/call') => post(RESOURCE, method, method === 'tools/call' ? { name: 'up__whoami' } : {}, headers);
    is((await replay({ authorization: `Bearer ${stolen}` })).status, 401, 'the stolen token as a bearer: 401');
    is((await replay({ authorization: `DPoP ${stolen}` })).status, 401, '… without a proof: 401');
    is((await replay({ authorization: `DPoP ${stolen}`, dpop: sent.headers.get('dpop') })).status, 401, '… with the proof that was used: 401');
    const thief = await DpopSession.create();
    for (const [what, key, request] of [
        ['by another key', thief, { htm: 'POST', htu: RESOURCE }], ['for another method', session, { htm: 'GET', htu: RESOURCE }],
        ['for another place', session, { htm: 'POST', htu: RESOURCE.replace('/mcp', '/other') }], ['for another host', session, { htm: 'POST', htu: RESOURCE.replace('localhost', '127.0.0.1') }]
    ]) {
        const made = await key.buildProof({ ...request, accessToken: stolen });
        is((await replay({ authorization: `DPoP ${stolen}`, dpop: made })).status, 401, `… with a proof ${what}: 401`);
    }
    const right = await session.buildProof({ htm: 'POST', htu: RESOURCE, accessToken: stolen });
    is((await replay({ authorization: `DPoP ${stolen}`, dpop: right })).status, 200, '… and with a right one it is served');
    const other = await session.buildProof({ htm: 'POST', htu: RESOURCE, accessToken: await token(idp, { resource: RESOURCE }) });
    is((await replay({ authorization: `DPoP ${stolen}`, dpop: other })).status, 401, '… with a proof for another token: 401');
    await prover.close();
    const log = postern.errors;
    ok(![SECRET.agent, stolen, store.tokens.access_token].some(secret => log.includes(secret)), 'the log holds no token and no secret');
}

// ---------------------------------------------------------------- metadata and refusals

async function metadata(idp) {
    const path = '/.well-known/oauth-protected-resource/mcp';
    const response = await fetch(`https://localhost:${port}${path}`);
    const told = response.ok ? await response.json() : {};
    ok(response.status === 200 && told.resource === RESOURCE && told.authorization_servers?.[0] === idp.issuer && told.bearer_methods_supported?.join() === 'header',
        `${path} needs no token and says all`, [response.status, told]);
    ok(!told.scopes_supported?.includes('offline_access'), '… without offline_access', told);
    const preflight = await fetch(`https://localhost:${port}/.well-known/oauth-protected-resource/mcp`, { headers: { origin: 'https://evil.example' } });
    ok(preflight.status === 200 || preflight.status === 403, 'a page elsewhere learns no more than anybody', preflight.status);
}

async function refusals(idp) {
    const good = await token(idp, { resource: RESOURCE });
    is(await status(good), 200, 'a token of the authorization server is served');
    const nobody = await call(undefined);
    const bodies = new Map();
    const refuse = async (what, text) => {
        const answer = await call(text);
        ok(answer.status === 401 && /error="invalid_token"/.test(answer.challenge ?? ''), `${what}: 401 invalid_token`, answer);
        bodies.set(answer.text, what);
        bodies.set(answer.challenge, what);
    };
    await refuse('for another resource', await token(idp, { resource: ELSEWHERE }));
    await refuse('for the other resource of this gateway', idp.sign({ aud: OPAQUE, tenant: 'acme', roles: ['user'], scope: 'tools:read' }));
    const mine = { aud: RESOURCE, tenant: 'acme', roles: ['user'], scope: 'tools:read' };
    is(await status(idp.sign(mine)), 200, 'the same made by hand with the right key is served');
    is(await status(idp.sign({ ...mine, aud: [ELSEWHERE, RESOURCE] })), 200, 'and for two resources');
    const now = Math.floor(Date.now() / 1000);
    const stranger = idp.newKey(idp.keys[0].kid);
    for (const [what, claims, header, key] of [
        ['expired', { exp: now - 120 }], ['without an end', { exp: undefined }], ['not yet valid', { nbf: now + 600 }], ['issued in the future', { iat: now + 600 }],
        ['of another issuer', { iss: 'https://evil.example' }], ['of an issuer with a slash more', { iss: `${idp.issuer}/` }], ['without an audience', { aud: undefined }],
        ['for a resource with a slash more', { aud: `${RESOURCE}/` }], ['for a prefix of the resource', { aud: RESOURCE.slice(0, -1) }], ['for its host', { aud: new URL(RESOURCE).origin }],
        ['of an unknown tenant', { tenant: 'initech' }], ['without a tenant', { tenant: undefined }], ['an id token', {}, { typ: 'JWT' }], ['without a type', {}, { typ: undefined }],
        ['alg none', {}, { alg: 'none' }], ['alg HS256', {}, { alg: 'HS256' }], ['alg ES384', {}, { alg: 'ES384' }], ['with critical extensions', {}, { crit: ['x'], x: 1 }],
        ['signed by a stranger under the right kid', {}, {}, stranger]
    ]) await refuse(what, idp.sign({ ...mine, ...claims }, header, key));
    await refuse('with the signature cut off', `${good.split('.').slice(0, 2).join('.')}.`);
    await refuse('with a changed last letter', good.slice(0, -1) + (good.endsWith('A') ? 'Q' : 'A'));
    await refuse('with another payload', [good.split('.')[0], idp.sign({ ...mine, roles: ['admin'] }).split('.')[1], good.split('.')[2]].join('.'));
    is(bodies.size, 2, 'every refusal has the same body and the same challenge');
    ok(nobody.status === 401 && nobody.challenge && !/error=/.test(nobody.challenge), 'no token at all: 401 without an error', nobody);
    is((await post(`${RESOURCE}?access_token=${good}`, 'tools/list')).status, 401, 'a token in the query is none');
}

// ---------------------------------------------------------------- keys

async function rotation(idp, postern) {
    const before = await token(idp, { resource: RESOURCE });
    is(await status(before), 200, 'rotation: a token of the first key');
    const firstKey = idp.keys[0];
    const fetched = () => idp.hits['/jwks'] ?? 0;
    const then = fetched();
    idp.rotate({ overlap: true });
    const after = await token(idp, { resource: RESOURCE });
    is(await status(after), 200, '… a token of the next key is served at once');
    is(fetched() - then, 1, '… after one look at the key set');
    is(await status(before), 200, '… and the old one too, while both are published');
    is(await status(idp.sign({ aud: RESOURCE, tenant: 'acme', roles: ['user'], scope: 'tools:read' }, {}, firstKey)), 200, '… a fresh token of the old key as well');

    // a flood of kids nobody knows
    const at = fetched();
    const since = Date.now();
    const results = new Map();
    for (let round = 0; round < 20; round++) {
        const statuses = await Promise.all(Array.from({ length: 25 }, (_, n) =>
            status(idp.sign({ aud: RESOURCE, tenant: 'acme', roles: ['user'] }, { kid: `unknown-${round}-${n}` }))));
        for (const s of statuses) results.set(s, (results.get(s) ?? 0) + 1);
    }
    is([...results], [[401, 500]], '500 tokens with unknown kids are 401');
    ok(fetched() - at <= 1 + Math.floor((Date.now() - since) / 60000), `… and cost at most one look at the key set a minute (${fetched() - at})`);
    is(await status(after), 200, '… while good ones are served');

    // the overlap is over; a reload reads the key set anew
    idp.rotate({ overlap: false });
    const last = await token(idp, { resource: RESOURCE });
    postern.process.kill('SIGHUP');
    ok(await until(() => postern.errors.includes('generation 2 serves')), 'a reload', () => postern.errors);
    ok(await until(async () => (await status(last)) === 200), '… a token of the newest key is served');
    ok(await until(async () => (await status(before)) === 401), '… the old key is gone: its tokens are 401');
    ok(await until(async () => (await status(after)) === 401), '… and those of the second');
}

// ---------------------------------------------------------------- introspection

async function introspection(idp, postern) {
    const opaque = await token(idp, { resource: OPAQUE });
    const seen = () => idp.hits['/token/introspection'] ?? 0;
    ok(!opaque.includes('.'), 'the authorization server gives opaque tokens for this resource', opaque);
    const before = seen();
    is(await status(opaque, 'up__whoami', OPAQUE), 200, 'an opaque token is served after introspection');
    for (let n = 0; n < 20; n++) await status(opaque, 'up__whoami', OPAQUE);
    ok(seen() - before <= 2, `21 calls cost ${seen() - before} introspection(s): at most one a worker`);
    is(await status('not-a-token-of-anybody', 'up__whoami', OPAQUE), 401, 'an unknown one is 401');
    is(await status(await token(idp, { resource: RESOURCE }), 'up__whoami', OPAQUE), 401, 'a JWT, which it does not introspect, is 401');
    is(await status(opaque, 'up__whoami', RESOURCE), 401, 'and an opaque one where none is expected');
    const lost = await token(idp, { resource: OPAQUE }, 'lost');
    is(await status(lost, 'up__whoami', OPAQUE), 401, 'an active one without a tenant is 401');
    const revoked = await token(idp, { resource: OPAQUE });
    await fetch(`${idp.issuer}/token/revocation`, {
        method: 'POST', headers: { authorization: `Basic ${Buffer.from(`agent:${SECRET.agent}`).toString('base64')}` }, body: new URLSearchParams({ token: revoked })
    });
    is(await status(revoked, 'up__whoami', OPAQUE), 401, 'a revoked one is 401');
    const flood = seen();
    const junk = await Promise.all(Array.from({ length: 100 }, (_, n) => status(`junk-${n % 5}`, 'up__whoami', OPAQUE)));
    ok(junk.every(s => s === 401 || s === 503) && junk.includes(401), '100 calls with junk are refused', junk);
    ok(seen() - flood <= 100, `… with ${seen() - flood} questions`);
    ok(!postern.errors.includes(opaque) && !postern.errors.includes(SECRET.watch), 'the log holds no token and no secret');
}

// ---------------------------------------------------------------- a key set that harms

async function hostileKeys(up) {
    let mode = 'good';
    let hits = 0;
    const idp = await startIdp({ ...pem('idp'), resources: {}, clients: [{ client_id: 'agent', client_secret: SECRET.agent, claims: {} }] });
    const keys = createServer(pem('idp'), (request, response) => {
        hits++;
        const open = idp.keys.map(({ d, ...rest }) => rest);
        const junk = n => ({ kty: 'EC', crv: 'P-256', x: open[0].x, y: open[0].y, kid: `junk-${n}`, alg: 'ES256', use: 'sig' });
        const head = { 'content-type': 'application/json' };
        if (mode === 'silent') return;
        if (mode === 'big') response.writeHead(200, head).end(JSON.stringify({ keys: open, pad: 'x'.repeat(10 << 20) }));
        else if (mode === 'endless') {
            response.writeHead(200, head);
            const more = () => { while (!response.destroyed && response.write(' '.repeat(65536))); };
            response.on('drain', more);
            more();
        } else if (mode === 'many') response.writeHead(200, head).end(JSON.stringify({ keys: [...Array.from({ length: 10000 }, (_, n) => junk(n)), ...open] }));
        else if (mode === 'twice') response.writeHead(200, head).end(JSON.stringify({ keys: [...open, { ...junk(0), kid: open[0].kid }] }));
        else if (mode === 'secret') response.writeHead(200, head).end(JSON.stringify({ keys: [...open, { kty: 'oct', k: 'AAAA', kid: 'o', alg: 'HS256' }] }));
        else if (mode === 'private') response.writeHead(200, head).end(JSON.stringify({ keys: idp.keys }));
        else if (mode === 'offcurve') response.writeHead(200, head).end(JSON.stringify({ keys: [{ ...open[0], y: open[0].x }] }));
        else if (mode === 'redirect') response.writeHead(302, { location: `${idp.issuer}/jwks` }).end();
        else if (mode === 'html') response.writeHead(200, { 'content-type': 'text/html' }).end('<html>');
        else if (mode === 'error') response.writeHead(500).end();
        else response.writeHead(200, head).end(JSON.stringify({ keys: open }));
    });
    await new Promise(settle => keys.listen(0, '127.0.0.1', settle));
    const at = keys.address().port;
    for (const what of ['good', 'big', 'endless', 'many', 'twice', 'secret', 'private', 'offcurve', 'redirect', 'html', 'error', 'silent']) {
        mode = what;
        hits = 0;
        const here = await freePort();
        const resource = `https://localhost:${here}/mcp`;
        const postern = await startPostern({ up: { url: up.url, address: `127.0.0.1:${up.port}`, tls: { ca: pki.ca } } }, {
            names: 'prefixed', workers: 1, listeners: [{ address: `127.0.0.1:${here}`, tls: { cert: pki.door.cert, key: pki.door.key } }],
            identity: {
                resource, keys: [{ id: 'ci', sha256: '0'.repeat(64), tenant: 'acme', roles: ['user'] }],
                issuers: [{ issuer: idp.issuer, algorithms: ['ES256'], jwks: { url: `https://localhost:${at}/jwks`, address: `127.0.0.1:${at}`, tls: { ca: pki.ca } }, claims: { tenant: 'tenant', roles: 'roles' } }]
            },
            policy: [{ allow: 'up__*', roles: ['user'] }]
        });
        const mine = idp.sign({ aud: resource, tenant: 'acme', roles: ['user'] });
        const began = Date.now();
        const got = await Promise.all(Array.from({ length: 10 }, () => status(mine, 'up__whoami', resource)));
        if (what === 'good') ok(got.every(s => s === 200), 'a key set as it should be', got);
        else ok(got.every(s => s === 401 || s === 503), `a key set that is ${what}: nobody is let in`, got);
        ok(Date.now() - began < 20000, '… and nobody waits for ever');
        ok(hits <= 3, `… and it is asked for ${hits} time(s), not for each call`);
        is((await fetch(`https://localhost:${here}/.well-known/oauth-protected-resource/mcp`)).status, 200, '… and everything else goes on');
        is(await postern.stop(), 0, '… and it stops in order');
    }
    keys.closeAllConnections();
    keys.close();
    await idp.stop();
}

process.setMaxListeners(50);
await main(async () => {
    const up = await startGuarded(pem('up'));
    const claims = { tenant: 'acme', roles: ['user'] };
    const idp = await startIdp({
        ...pem('idp'),
        resources: { [RESOURCE]: { scope: 'tools:read tools:write' }, [OPAQUE]: { scope: 'tools:read', format: 'opaque' }, [ELSEWHERE]: { scope: 'tools:read' } },
        clients: [
            { client_id: 'agent', client_secret: SECRET.agent, claims }, { client_id: 'lost', client_secret: SECRET.lost, claims: {} },
            { client_id: 'watch', client_secret: SECRET.watch },
            { client_id: 'web', client_secret: SECRET.agent, claims, grant_types: ['authorization_code'], response_types: ['code'], redirect_uris: [REDIRECT], application_type: 'native' }
        ]
    });
    const there = path => ({ url: `${idp.issuer}${path}`, address: idp.address, tls: { ca: pki.ca } });
    const issuer = { issuer: idp.issuer, claims: { tenant: 'tenant', roles: 'roles' }, skew: '1s' };
    const policy = [{ allow: 'up__write', roles: ['user'], scopes: ['tools:read', 'tools:write'] }, { allow: 'up__whoami', roles: ['user'], scopes: ['tools:read'] }];
    const servers = { up: { url: up.url, address: `127.0.0.1:${up.port}`, tls: { ca: pki.ca } } };
    const common = at => ({ names: 'prefixed', workers: 2, listeners: [{ address: `127.0.0.1:${at}`, tls: { cert: pki.door.cert, key: pki.door.key } }], policy });
    const postern = await startPostern(servers, { ...common(port), identity: { resource: RESOURCE, tenants: ['acme'], dpop: 'optional', issuers: [{ ...issuer, algorithms: ['ES256'], jwks: there('/jwks') }] } });
    const asking = await startPostern(servers, {
        ...common(opaquePort),
        identity: { resource: OPAQUE, tenants: ['acme'], issuers: [{ ...issuer, introspection: { ...there('/token/introspection'), client_id: 'watch', client_secret: { file: secretFile('watch', SECRET.watch) } } }] }
    });
    await sdkFlows(idp, postern);
    await metadata(idp);
    await refusals(idp);
    await introspection(idp, asking);
    await rotation(idp, postern);
    const leaked = up.seen.filter(({ raw, body }) => /authorization|dpop|cookie|eyJ/i.test(raw) || /eyJ/.test(body));
    ok(up.seen.length > 20 && leaked.length === 0, 'in all this the upstream was sent no credential of a caller', leaked[0]);
    is(await asking.stop(), 0, 'Postern ends with status 0');
    is(await postern.stop(), 0, 'and the other');
    await hostileKeys(up);
    await idp.stop();
    await up.stop();
});
