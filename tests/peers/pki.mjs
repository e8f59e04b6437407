// The certificates that pki.sh has made: pki.ca, pki.door.cert, pki.door.key, … are file names; pem(name) gives { cert, key } as text.
import { chownSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';

if (!process.env.PKI) throw new Error('run the .t file: it makes the certificates first');
export const pki = JSON.parse(readFileSync(join(process.env.PKI, 'made.json'), 'utf8'));
process.on('exit', () => rmSync(process.env.PKI, { recursive: true, force: true }));

export const pem = name => ({ cert: readFileSync(pki[name].cert, 'utf8'), key: readFileSync(pki[name].key, 'utf8') });

// A port nobody has: a resource's URI holds the port, so it must be known before Postern starts.
export async function freePort() {
    const probe = createServer();
    await new Promise(settle => probe.listen(0, '127.0.0.1', settle));
    const { port } = probe.address();
    await new Promise(settle => probe.close(settle));
    return port;
}

// A file with a secret, readable by the user that a Postern started as root becomes.
export function secretFile(name, text) {
    const path = join(process.env.PKI, `${name}.secret`);
    writeFileSync(path, text, { mode: 0o600 });
    if (process.getuid() === 0) chownSync(path, 65532, 65532);
    return path;
}
