// A real authorization server for the tests: the npm package oidc-provider, on loopback behind TLS, with what an operator would set up:
// JWT access tokens bound to a resource, client credentials, the code flow (logins and consents answered by themselves), introspection,
// DPoP, key rotation, and token exchange (RFC 8693), which the package leaves to its users.
//
//     const idp = await startIdp({ cert, key, resources, clients });
//     idp.issuer, idp.port, idp.hits['/jwks'], idp.rotate({ overlap: true }), idp.sign(claims, { kid }), await idp.stop()

import { createHash, createPrivateKey, generateKeyPairSync, randomBytes, sign as signBytes } from 'node:crypto';
import { createServer } from 'node:https';
import * as jose from 'jose';
import { interactionPolicy, Provider } from 'oidc-provider';

// It warns of everything that is not fit for production; this is a test.
console.warn = console.info = () => {};

export const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange';
const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token';
const LIFE_S = 300;

function newKey(kid) {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    return { ...privateKey.export({ format: 'jwk' }), kid, alg: 'ES256', use: 'sig' };
}

// resources: { [uri]: { scope, format: 'jwt' | 'opaque', widen: scope that is added without being asked } }
// clients: oidc-provider's client metadata; `claims` of a client are added to its tokens.
export async function startIdp({ cert, key, resources, clients, host = 'localhost' }) {
    const claimsOf = new Map(clients.map(c => [c.client_id, c.claims ?? {}]));
    const metadata = clients.map(({ claims, ...rest }) => ({
        grant_types: ['client_credentials'], redirect_uris: [], response_types: [], token_endpoint_auth_method: 'client_secret_basic',
        id_token_signed_response_alg: 'ES256', ...rest
    }));
    const me = { hits: {}, tokens: [], keys: [newKey('k1')], exchanges: [], life: LIFE_S, refuseTokens: 0 };
    let provider;

    const resourceInfo = (ctx, indicator) => {
        const known = resources[indicator];
        if (!known) return { scope: 'any', audience: indicator, accessTokenTTL: me.life, accessTokenFormat: 'jwt', jwt: { sign: { alg: 'ES256', kid: me.keys[0].kid } } };
        return {
            scope: known.scope, audience: indicator, accessTokenTTL: me.life, accessTokenFormat: known.format ?? 'jwt',
            ...(known.format === 'opaque' ? {} : { jwt: { sign: { alg: 'ES256', kid: me.keys[0].kid } } })
        };
    };

    // RFC 8693, 2.1 and 2.2: who the token was about stays its subject, the client that exchanges it becomes the actor.
    async function exchange(ctx) {
        const { params, client } = ctx.oidc;
        me.exchanges.push({ ...params, client: client.clientId });
        const keys = jose.createLocalJWKSet({ keys: me.keys.map(({ d, ...open }) => open) });
        let subject;
        try {
            ({ payload: subject } = await jose.jwtVerify(params.subject_token, keys, { issuer: me.issuer, typ: 'at+jwt' }));
        } catch {
            ctx.status = 400;
            ctx.body = { error: 'invalid_grant' };
            return;
        }
        const target = params.resource ?? params.audience;
        const scope = [params.scope, resources[target]?.widen].filter(Boolean).join(' ');
        const token = me.sign({ ...subject, aud: target, scope, client_id: client.clientId, act: { sub: client.clientId }, jti: undefined });
        me.tokens.push(token);
        ctx.body = { access_token: token, issued_token_type: ACCESS_TOKEN, token_type: 'Bearer', expires_in: me.life, scope };
    }

    function build() {
        provider = new Provider(me.issuer, {
            clients: metadata, jwks: { keys: me.keys }, scopes: ['openid', ...new Set(Object.values(resources).flatMap(r => r.scope.split(' ')))],
            cookies: { keys: [randomBytes(16).toString('hex')] },
            features: {
                devInteractions: { enabled: false }, clientCredentials: { enabled: true }, introspection: { enabled: true, allowedPolicy: () => true },
                revocation: { enabled: true, allowedPolicy: () => true }, dPoP: { enabled: true, nonceSecret: randomBytes(32) },
                resourceIndicators: { enabled: true, defaultResource: (ctx, client, oneOf) => oneOf, getResourceServerInfo: resourceInfo, useGrantedResource: () => true }
            },
            interactions: { url: (ctx, interaction) => `/interaction/${interaction.uid}`, policy: interactionPolicy.base() },
            findAccount: (ctx, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
            extraTokenClaims: (ctx, token) => claimsOf.get(token.clientId),
            pkce: { required: () => true }, ttl: { AccessToken: () => me.life, ClientCredentials: () => me.life }
        });
        provider.registerGrantType(EXCHANGE, async (...given) => exchange(given.at(-1)?.oidc ? given.at(-1) : given.find(g => g?.oidc)),
            ['subject_token', 'subject_token_type', 'requested_token_type', 'audience', 'resource', 'scope', 'actor_token', 'actor_token_type']);
        // What a careless one does: gives more than was asked for.
        provider.use(async (ctx, next) => {
            await next();
            const more = resources[ctx.oidc?.params?.resource]?.widen;
            if (more && ctx.body?.access_token && ctx.oidc.params.grant_type === 'client_credentials') ctx.body.scope = `${ctx.body.scope} ${more}`;
        });
        me.handle = provider.callback();
    }

    // The person in front of the browser: logs in as `ada` and agrees to everything.
    async function interact(request, response) {
        const { prompt, params, session, grantId } = await provider.interactionDetails(request, response);
        if (prompt.name === 'login') return provider.interactionFinished(request, response, { login: { accountId: 'ada' } });
        const grant = grantId ? await provider.Grant.find(grantId) : new provider.Grant({ accountId: session.accountId, clientId: params.client_id });
        if (prompt.details.missingOIDCScope) grant.addOIDCScope(prompt.details.missingOIDCScope.join(' '));
        for (const [indicator, scopes] of Object.entries(prompt.details.missingResourceScopes ?? {})) grant.addResourceScope(indicator, scopes.join(' '));
        return provider.interactionFinished(request, response, { consent: { grantId: await grant.save() } }, { mergeWithLastSubmission: true });
    }

    const server = createServer({ cert, key }, (request, response) => {
        const path = new URL(request.url, me.issuer).pathname;
        me.hits[path] = (me.hits[path] ?? 0) + 1;
        if (path === '/token' && me.refuseTokens > 0) {
            me.refuseTokens--;
            response.writeHead(503).end();
        } else if (path.startsWith('/interaction/')) {
            interact(request, response).catch(error => { response.writeHead(500).end(String(error)); });
        } else {
            me.handle(request, response);
        }
    });
    await new Promise(settle => server.listen(0, '127.0.0.1', settle));
    me.port = server.address().port;
    me.issuer = `https://${host}:${me.port}`;
    me.address = `127.0.0.1:${me.port}`;
    build();

    // A new signing key. overlap: the old one is still published; else tokens of the old key are orphans.
    me.rotate = ({ overlap }) => {
        me.keys = [newKey(`k${randomBytes(4).toString('hex')}`), ...(overlap ? me.keys : [])];
        build();
    };
    // What only the holder of the keys could make: a token with any claims and any header.
    me.sign = (claims, header = {}, jwk = me.keys[0]) => {
        const now = Math.floor(Date.now() / 1000);
        const full = { iss: me.issuer, sub: 'agent', client_id: 'agent', iat: now, exp: now + me.life, jti: randomBytes(12).toString('base64url'), ...claims };
        const parts = [{ alg: 'ES256', typ: 'at+jwt', kid: jwk.kid, ...header }, full].map(part => Buffer.from(JSON.stringify(part)).toString('base64url'));
        const signature = signBytes('sha256', Buffer.from(parts.join('.')), { key: createPrivateKey({ key: jwk, format: 'jwk' }), dsaEncoding: 'ieee-p1363' });
        return [...parts, signature.toString('base64url')].join('.');
    };
    me.newKey = newKey;
    me.stop = () => new Promise(settle => { server.closeAllConnections(); server.close(settle); });
    return me;
}

// A browser's part of the code flow: follows redirects, keeps cookies, and stops where the client's redirect URI begins.
export async function browse(url, redirectUri) {
    const jar = new Map();
    for (let hop = 0; hop < 20; hop++) {
        if (String(url).startsWith(redirectUri)) return new URL(url);
        const response = await fetch(url, { redirect: 'manual', headers: { cookie: [...jar].map(([name, value]) => `${name}=${value}`).join('; ') } });
        for (const line of response.headers.getSetCookie()) {
            const [, name, value] = /^([^=]+)=([^;]*)/.exec(line);
            if (value === '') jar.delete(name);
            else jar.set(name, value);
        }
        const to = response.headers.get('location');
        if (!to) throw new Error(`${url}: ${response.status} ${await response.text()}`);
        url = new URL(to, url);
    }
    throw new Error('too many redirects');
}

export const hash = text => createHash('sha256').update(text).digest('base64url');
