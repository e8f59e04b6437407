// Servers as people run them, all behind one Postern at once: those of npm, servers on both SDKs for TypeScript and for Python, as children
// and over HTTP, old and new. Asked by the clients as people have them: both SDKs for TypeScript, both for Python, and the Inspector.

import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { connect, textOf } from './clients.mjs';
import { BINARY, is, main, nodeBinary, ok, PEERS, ROOT, run, scratch, startPeer, startPostern, startServer } from '../lib/postern.mjs';

const NPM = join(PEERS, 'node_modules', '@modelcontextprotocol');
const INSPECTOR = join(NPM, 'inspector', 'clients', 'launcher', 'build', 'index.js');
const python = generation => join(ROOT, 'build', 'peers', `python-${generation}`, 'bin', 'python');
const SERVER = join(PEERS, 'python_server.py');
const CLIENT = join(PEERS, 'python_client.py');
const env = { ...process.env, HOME: scratch() };

// One call of each server, and what its answer must say.
const CALLS = {
    everything: ['get-sum', { a: 2, b: 40 }, /\b42\b/],
    everythinghttp: ['get-sum', { a: 2, b: 40 }, /\b42\b/],
    files: ['read_text_file', { path: 'FILES/hello.txt' }, /^Hello, files\.\n?$/],
    memory: ['create_entities', { entities: [{ name: 'CLIENT', entityType: 'gate', observations: ['it is small'] }] }, /it is small/],
    thinking: ['sequentialthinking', { thought: 'one', nextThoughtNeeded: false, thoughtNumber: 1, totalThoughts: 1 }, /"thoughtNumber": 1/],
    sdk: ['echo', { text: 'over HTTP' }, /over HTTP/],
    sdkchild: ['echo', { text: 'as a child' }, /as a child/],
    pyone: ['add', { a: 1, b: 2 }, /"sum": ?3/],
    pyonehttp: ['add', { a: 1, b: 3 }, /"sum": ?4/],
    pytwo: ['add', { a: 1, b: 4 }, /"sum": ?5/]
};

await main(async () => {
    for (const generation of [1, 2]) if (!ok(existsSync(python(generation)), `the Python SDK ${generation}.x is installed`, '`make test` does it')) return;
    const dir = scratch();
    const files = join(dir, 'files');
    mkdirSync(files);
    writeFileSync(join(files, 'hello.txt'), 'Hello, files.\n');
    CALLS.files[1].path = join(files, 'hello.txt');
    // Children of a Postern that root starts are not root.
    const graphs = join(dir, 'graphs');
    mkdirSync(graphs);
    chmodSync(graphs, 0o777);
    const graph = join(graphs, 'memory.jsonl');

    const start_timeout = '2m'; // ten programs are started at once
    const node = (...args) => ({ command: nodeBinary(), args, start_timeout });
    const children = {
        everything: node(join(NPM, 'server-everything', 'dist', 'index.js'), 'stdio'),
        files: node(join(NPM, 'server-filesystem', 'dist', 'index.js'), files),
        memory: { ...node(join(NPM, 'server-memory', 'dist', 'index.js')), env: { MEMORY_FILE_PATH: graph } },
        thinking: node(join(NPM, 'server-sequential-thinking', 'dist', 'index.js')),
        sdkchild: node(join(PEERS, 'upstream.mjs'), '--stdio'),
        pyone: { command: python(1), args: [SERVER, 'stdio'], start_timeout },
        pytwo: { command: python(2), args: [SERVER, 'stdio'], start_timeout }
    };
    const peers = {
        everythinghttp: await startServer(nodeBinary(), '--import', join(PEERS, 'loopback.mjs'), join(NPM, 'server-everything', 'dist', 'index.js'), 'streamableHttp'),
        sdk: await startPeer('upstream.mjs'),
        pyonehttp: await startServer(python(1), SERVER, 'http')
    };
    const servers = { ...children, ...Object.fromEntries(Object.entries(peers).map(([name, peer]) => [name, { url: peer.url, start_timeout }])) };
    const postern = await startPostern(servers, { names: 'prefixed', timeouts: { list: '2m' } });

    // What each offers when asked without Postern.
    const direct = {};
    for (const [name, { command, args, url, env: more }] of Object.entries(servers)) {
        Object.assign(process.env, more);
        const client = await connect(name === 'sdk' ? 'modern' : 'old', url ?? [command, ...args]);
        direct[name] = await client.list('tools');
        ok(direct[name].length > 0, `${name}: offers tools directly`);
        await client.close();
    }
    // Old upstreams' experimental tasks stop at the bridge, and what asks needs a client that can answer.
    const comparable = ({ name, description, inputSchema, outputSchema, annotations }) => ({ name, description, inputSchema, outputSchema, annotations });

    for (const [who, era, where] of [['SDK 2', 'modern', postern.url], ['SDK 1', 'old', postern.url], ['SDK 1 over stdio', 'old', [BINARY, 'stdio', '-c', postern.config]]]) {
        const client = await connect(era, where);
        const tools = await client.list('tools');
        for (const name of Object.keys(servers)) {
            const mine = tools.filter(tool => tool.name.startsWith(`${name}__`)).map(tool => ({ ...comparable(tool), name: tool.name.slice(name.length + 2) }));
            is(mine, direct[name].map(comparable), `${who}: the tools of ${name}, in its order`);
            const [tool, shape, wanted] = CALLS[name];
            const args = JSON.parse(JSON.stringify(shape).replace('CLIENT', who));
            const answer = await client.call(`${name}__${tool}`, args);
            ok(!answer.isError && wanted.test(textOf(answer)), `${who}: ${name}__${tool}`, answer);
        }
        is(tools.length, Object.values(direct).reduce((sum, list) => sum + list.length, 0), `${who}: and no others`);
        const outside = await client.call('files__read_text_file', { path: '/etc/hostname' });
        is(outside.isError, true, `${who}: what server-filesystem refuses is refused`);
        const wrong = await client.call('thinking__sequentialthinking', { thought: 1 }).catch(error => error);
        ok(wrong.isError === true || wrong.code === -32602, `${who}: what server-sequential-thinking refuses is refused`, wrong);
        ok((await client.list('resources')).length > 0 && (await client.list('prompts')).length > 3, `${who}: resources and prompts of all`);
        is((await client.prompt('pyone__review', { code: 'x' })).messages[0].content.text, 'Please review: x', `${who}: a prompt of one`);
        is((await client.read('python://zen').catch(error => error)).contents?.[0].text, 'Explicit is better than implicit.', `${who}: a resource of one`);
        await client.close();
    }
    ok(readFileSync(graph, 'utf8').includes('it is small'), 'server-memory had its environment');

    // Elicitation of a Python server, by each client that can.
    const human = { answers: { elicit: () => ({ action: 'accept', content: { name: 'Ada' } }) } };
    for (const era of ['modern', 'old']) {
        const client = await connect(era, postern.url, human);
        for (const name of ['pyone', 'pyonehttp']) is(textOf(await client.call(`${name}__greet`)), 'Hello, Ada!', `${era} client: ${name} asks the user`);
        await client.close();
    }

    const steps = JSON.stringify([['tools'], ['call', 'pyone__add', { a: 2, b: 3 }], ['call', 'pytwo__add', { a: 2, b: 4 }], ['call', 'everything__get-sum', { a: 2, b: 40 }],
        ['call', 'pyone__greet', {}], ['call', 'pyone__fail', {}], ['call', 'no__such', {}], ['read', 'python://zen'], ['prompt', 'pytwo__review', { code: 'y' }]]);
    for (const [who, binary, era, where] of [['Python SDK 1', python(1), '', postern.url], ['Python SDK 2', python(2), '', postern.url], ['Python SDK 2, old era', python(2), 'legacy', postern.url],
        ['Python SDK 1 over stdio', python(1), '', JSON.stringify([BINARY, 'stdio', '-c', postern.config])]]) {
        const ended = await run(binary, [CLIENT, where, steps], { env: { ...env, ERA: era }, timeoutMs: 180000 });
        if (!ok(ended.status === 0, `${who}: ran`, ended.stderr)) continue;
        const [tools, one, two, sum, greet, fail, none, zen, prompt] = JSON.parse(ended.stdout);
        is(tools.tools?.filter(tool => tool.name.startsWith('py')).length, 12, `${who}: tools`);
        is([one.structuredContent?.sum, two.structuredContent?.sum], [5, 6], `${who}: calls with structured output`);
        ok(sum.content?.[0].text.includes('42'), `${who}: a call of server-everything`, sum);
        is(greet.content?.[0].text, 'Hello, Ada!', `${who}: a server asks the user`);
        is(fail.isError, true, `${who}: a tool that fails`);
        ok(none.error < 0 || none.isError, `${who}: a tool that is not there`, none);
        is([zen.contents?.[0].text, prompt.messages?.[0].content.text], ['Explicit is better than implicit.', 'Please review: y'], `${who}: a resource and a prompt`);
    }

    // Over stdio each run starts what is behind it anew: two are enough.
    const few = join(dir, 'few.json');
    const { files: theFiles, memory } = servers;
    writeFileSync(few, JSON.stringify({ ...JSON.parse(readFileSync(postern.config, 'utf8')), mcpServers: { files: theFiles, memory } }));
    const ways = [['HTTP', '--server-url', postern.url, '--transport', 'http'], ['stdio', BINARY, 'stdio', '-c', few, '--transport', 'stdio']];
    for (const era of ['modern', 'legacy']) for (const [over, ...where] of ways) {
        const inspect = async (method, ...more) => {
            const ended = await run(nodeBinary(), [INSPECTOR, '--cli', ...where, '--protocol-era', era, '--format', 'json', '-q', '--method', method, ...more],
                { env, timeoutMs: 180000 });
            return { ...ended, json: ended.status === 0 ? JSON.parse(ended.stdout).result : undefined };
        };
        const listed = await inspect('tools/list');
        ok(listed.json?.tools?.some(tool => tool.name === 'memory__read_graph'), `Inspector, ${era}, ${over}: tools/list`, listed.stderr);
        const called = await inspect('tools/call', '--tool-name', 'files__list_directory', '--tool-args-json', JSON.stringify({ path: files }));
        ok(called.json?.content?.[0].text.includes('hello.txt'), `Inspector, ${era}, ${over}: tools/call`, called.stderr + called.stdout);
        const none = await inspect('tools/call', '--tool-name', 'files__no_such_tool');
        ok(none.status !== 0 && /no_such_tool/.test(none.stdout + none.stderr), `Inspector, ${era}, ${over}: a tool that is not there`, none.stderr + none.stdout);
    }
    is(await postern.stop(), 0, 'Postern ends with status 0');
    for (const peer of Object.values(peers)) await peer.stop();
});
