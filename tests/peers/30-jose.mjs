// Tokens and key sets read by us, by `jose` and by OpenSSL (inside Node, and the command): what one signs all verify, thumbprints agree, and
// of tokens and keys spoiled at random ours never takes one that jose refuses. Where ours is stricter, the reason is one of REASONS.
// SEED names another run.

import { execFileSync, spawnSync } from 'node:child_process';
import { createHash, generateKeyPairSync, sign as nodeSign } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as jose from 'jose';
import { ROOT, diag, is, main, ok, scratch, skip } from '../lib/postern.mjs';

const SEED = Number(process.env.SEED ?? 9068);
const ALGS = ['ES256', 'ES384', 'RS256', 'RS384', 'RS512'];
const SPOILED = 240; // of each token

// Where jose takes a token and ours does not: how ours says it, and the case it must be.
const REASONS = [
    ['not three parts of canonical base64url', token => token.split('.').some(part => Buffer.from(part, 'base64url').toString('base64url') !== part),
        'another spelling of the same bytes'],
];

// mulberry32
let state = SEED >>> 0;
function random(n) {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) % n;
}

const hex = text => Buffer.from(text).toString('hex');

function build(directory) {
    const program = join(directory, 'jwt_verdict');
    const sources = ['wire/jwk', 'wire/jwt', 'wire/crypto', 'wire/json_check', 'wire/json_read', 'wire/json_string', 'base/text', 'base/buf', 'base/bug'];
    execFileSync(join(ROOT, 'build', 'cc'), ['-std=c11', '-O2', '-static', '-Isrc', '-o', program, 'tests/lib/jwt_verdict.c',
        ...sources.map(name => `src/${name}.c`), '-lbearssl'], { cwd: ROOT });
    return program;
}

// Our verdict on each of [key set, token], as { ok, kid, thumbprint } or { why }.
function ours(program, cases) {
    const input = cases.map(([set, token]) => `${hex(typeof set === 'string' ? set : JSON.stringify(set))} ${hex(token)}\n`).join('');
    const run = spawnSync(program, { input, encoding: 'utf8', maxBuffer: 1 << 26 });
    if (run.status !== 0) throw new Error(`jwt_verdict: ${run.stderr}`);
    const lines = run.stdout.trimEnd().split('\n');
    if (lines.length !== cases.length) throw new Error(`${cases.length} cases, ${lines.length} verdicts`);
    return lines.map(line => {
        const [word, ...rest] = line.split(' ');
        return word === 'ok' ? { ok: true, kid: Buffer.from(rest[0].replace('-', ''), 'hex').toString(), thumbprint: Buffer.from(rest[1], 'hex').toString('base64url') }
            : { ok: false, where: word, why: rest.join(' ') };
    });
}

async function joseTakes(set, token) {
    try {
        const parsed = typeof set === 'string' ? JSON.parse(set) : set;
        await jose.compactVerify(token, jose.createLocalJWKSet(parsed), { algorithms: ALGS });
        return true;
    } catch {
        return false;
    }
}

function claims(i) {
    return { iss: 'https://idp.example', aud: ['https://gw.example/mcp'], sub: `user-${i}`, jti: 'x'.repeat(random(40)), exp: 1790000000 + i, text: '\u{1F512}\\"/'.repeat(random(9)) };
}

function keyPair(alg, bits) {
    return alg.startsWith('RS') || alg.startsWith('PS') ? generateKeyPairSync('rsa', { modulusLength: bits ?? 2048 })
        : generateKeyPairSync('ec', { namedCurve: { ES256: 'P-256', ES384: 'P-384', ES512: 'P-521' }[alg] });
}

async function key(alg, kid, bits) {
    const pair = keyPair(alg, bits);
    const jwk = await jose.exportJWK(pair.publicKey);
    return { alg, kid, pair, jwk: { ...jwk, kid, alg, use: 'sig' } };
}

// A raw ECDSA signature out of an ASN.1 one, as the openssl command writes it.
function raw(der, size) {
    const whole = n => Buffer.concat([Buffer.alloc(size), n]).subarray(-size);
    let at = der[1] === 0x81 ? 3 : 2;
    const numbers = [];
    for (let i = 0; i < 2; i++) {
        numbers.push(whole(der.subarray(at + 2, at + 2 + der[at + 1])));
        at += 2 + der[at + 1];
    }
    return Buffer.concat(numbers);
}

async function signedByOthers(program, keys) {
    const cases = [];
    for (const k of keys) {
        for (let i = 0; i < 12; i++) {
            cases.push([{ keys: keys.map(each => each.jwk) }, await new jose.SignJWT(claims(i)).setProtectedHeader({ alg: k.alg, kid: k.kid, typ: 'at+jwt' }).sign(k.pair.privateKey), k]);
            const text = [{ alg: k.alg, kid: k.kid }, claims(i)].map(part => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.');
            const signature = nodeSign(`sha${k.alg.slice(2)}`, Buffer.from(text), { key: k.pair.privateKey, dsaEncoding: 'ieee-p1363' });
            cases.push([{ keys: [k.jwk] }, `${text}.${signature.toString('base64url')}`, k]);
        }
    }
    const verdicts = ours(program, cases);
    const thumbprints = new Map();
    for (const k of keys) thumbprints.set(k.kid, await jose.calculateJwkThumbprint(k.jwk));
    is(verdicts.filter(v => v.ok).length, cases.length, `what jose and OpenSSL sign, we verify: ${cases.length} tokens`);
    ok(verdicts.every((v, i) => v.kid === cases[i][2].kid && v.thumbprint === thumbprints.get(v.kid)), 'under the key it names, whose thumbprint is as jose has it');
    let taken = 0;
    for (const [set, token] of cases) taken += await joseTakes(set, token);
    is(taken, cases.length, 'and so does jose');
}

function signedByCommand(program, keys, directory) {
    const cases = [];
    for (const k of keys) {
        const text = [{ alg: k.alg, kid: k.kid }, claims(0)].map(part => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.');
        const [pem, file, out] = ['key.pem', 'text', 'signature'].map(name => join(directory, name));
        writeFileSync(pem, k.pair.privateKey.export({ type: 'pkcs8', format: 'pem' }));
        writeFileSync(file, text);
        const run = spawnSync('openssl', ['dgst', `-sha${k.alg.slice(2)}`, '-sign', pem, '-out', out, file]);
        if (run.error) return skip('what the openssl command signs, we verify', 'there is no openssl command');
        const signature = k.alg.startsWith('ES') ? raw(readFileSync(out), k.alg === 'ES256' ? 32 : 48) : readFileSync(out);
        cases.push([{ keys: [k.jwk] }, `${text}.${signature.toString('base64url')}`]);
    }
    return is(ours(program, cases).filter(v => v.ok).length, keys.length, 'what the openssl command signs, we verify');
}

function spoil(text) {
    const bytes = Buffer.from(text);
    const at = random(bytes.length);
    const digits = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.=+/ \n';
    switch (random(5)) {
    case 0: bytes[at] ^= 1 << random(7); return bytes.toString('latin1');
    case 1: return text.slice(0, at) + digits[random(digits.length)] + text.slice(at);
    case 2: return text.slice(0, at) + text.slice(at + 1);
    case 3: return text.slice(0, -1) + digits[random(64)];
    default: return text.slice(0, at) + digits[random(digits.length)] + text.slice(at + 1);
    }
}

async function spoiledTokens(program, keys) {
    const cases = [];
    for (const k of keys) {
        const token = await new jose.SignJWT(claims(1)).setProtectedHeader({ alg: k.alg, kid: k.kid }).sign(k.pair.privateKey);
        for (let i = 0; i < SPOILED; i++) {
            const other = spoil(token);
            if (other !== token) cases.push([{ keys: keys.map(each => each.jwk) }, other]);
        }
    }
    await compare(program, cases, 'tokens spoiled at random', (set, token, verdict) => REASONS.some(([why, is]) => verdict.why === why && is(token)));
}

// What a set of ours may be refused for although jose verifies under it: it looks at one key, and at less of that.
async function spoiledSets(program, keys) {
    const cases = [];
    const names = ['kty', 'crv', 'x', 'y', 'n', 'e', 'kid', 'alg', 'use'];
    const values = ['', 'A', 'AQAB', 'AAEAAQ', 'Aw', 'enc', 'sig', 'RSA', 'EC', 'P-256', 'P-384', 'P-521', 'ES256', 'RS256', 'HS256', 'none', 1, null, [], {}];
    for (const k of keys) {
        const token = await new jose.SignJWT(claims(2)).setProtectedHeader({ alg: k.alg, kid: k.kid }).sign(k.pair.privateKey);
        for (let i = 0; i < SPOILED; i++) {
            const jwk = { ...k.jwk };
            const name = names[random(names.length)];
            switch (random(4)) {
            case 0: delete jwk[name]; break;
            case 1: jwk[name] = values[random(values.length)]; break;
            case 2: if (typeof jwk[name] === 'string') jwk[name] = spoil(jwk[name] || 'A'); break;
            default: jwk[['d', 'k', 'p', 'key_ops', 'x5c', 'exp'][random(6)]] = [['verify'], ['sign'], 'AQAB', 1][random(4)];
            }
            cases.push([{ keys: [jwk] }, token]);
        }
    }
    await compare(program, cases, 'keys spoiled at random', (set, token, verdict) => verdict.where === 'set' || verdict.why === 'no key that could verify it');
}

async function compare(program, cases, name, stricter) {
    const verdicts = ours(program, cases);
    const wrong = [];
    let both = 0, neither = 0, strict = 0;
    for (let i = 0; i < cases.length; i++) {
        const [set, token] = cases[i];
        const taken = await joseTakes(set, token);
        if (verdicts[i].ok && !taken) wrong.push(['ours takes it, jose does not', set, token]);
        else if (taken && !verdicts[i].ok && !stricter(set, token, verdicts[i])) wrong.push([verdicts[i].why, set, token]);
        else if (taken && verdicts[i].ok) both++;
        else if (taken) strict++;
        else neither++;
    }
    ok(wrong.length === 0, `${name}: ours takes none that jose refuses, and refuses none more but for a reason (seed ${SEED})`, () => wrong.slice(0, 5));
    diag(`${name}: ${cases.length}; both take ${both}, none ${neither}, only jose ${strict}`);
    ok(neither > cases.length / 4, 'most are spoiled indeed');
}

async function notOurs(program) {
    const cases = [];
    for (const alg of ['PS256', 'PS384', 'PS512', 'ES512', 'EdDSA', 'HS256']) {
        const pair = alg === 'EdDSA' ? generateKeyPairSync('ed25519') : alg === 'HS256' ? null : keyPair(alg);
        const secret = Buffer.alloc(32, 7);
        const jwk = alg === 'HS256' ? { kty: 'oct', k: secret.toString('base64url') } : await jose.exportJWK(pair.publicKey);
        const token = await new jose.SignJWT({ a: 1 }).setProtectedHeader({ alg, kid: 'k' }).sign(alg === 'HS256' ? secret : pair.privateKey);
        cases.push([{ keys: [{ ...jwk, kid: 'k' }] }, token], [{ keys: [{ ...jwk, kid: 'k', alg }] }, token]);
    }
    const small = await key('RS256', 'small', 1024);
    const text = `${Buffer.from('{"alg":"RS256","kid":"small"}').toString('base64url')}.e30`;
    cases.push([{ keys: [small.jwk] }, `${text}.${nodeSign('sha256', Buffer.from(text), small.pair.privateKey).toString('base64url')}`]);
    const encrypted = await new jose.CompactEncrypt(Buffer.from('{}')).setProtectedHeader({ alg: 'RSA-OAEP', enc: 'A128GCM' }).encrypt(keyPair('RS256').publicKey);
    cases.push([{ keys: [(await key('RS256', 'k')).jwk] }, encrypted]);
    is(ours(program, cases).filter(v => v.ok).length, 0, 'other algorithms, a key of 1,024 bits and an encrypted token are refused');
}

await main(async () => {
    const directory = scratch();
    const program = build(directory);
    const keys = [];
    for (const alg of ALGS) keys.push(await key(alg, `${alg}-key`));
    keys.push(await key('RS256', 'rsa-3072', 3072), await key('RS512', 'rsa-4096', 4096));
    await signedByOthers(program, keys);
    signedByCommand(program, keys, directory);
    await spoiledTokens(program, keys);
    await spoiledSets(program, keys);
    await notOurs(program);
    const jkt = createHash('sha256').update(`{"crv":"P-256","kty":"EC","x":"${keys[0].jwk.x}","y":"${keys[0].jwk.y}"}`).digest('base64url');
    is(jkt, await jose.calculateJwkThumbprint(keys[0].jwk), 'a thumbprint is what RFC 7638 says');
});
