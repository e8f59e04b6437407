// The Inspector's command line (modern era) against the test upstream directly and through Postern: the same commands
// print the same. And the first commands against Postern's own `files`.

import { spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { is, main, nodeBinary, ok, PEERS, run, scratch, startPostern, startUpstream, until } from '../lib/postern.mjs';

const CLI = join(PEERS, 'node_modules', '@modelcontextprotocol', 'inspector', 'clients', 'launcher', 'build', 'index.js');
// It keeps its settings under HOME.
const env = { ...process.env, HOME: scratch() };

const words = (url, method, more) =>
    [CLI, '--cli', '--server-url', url, '--transport', 'http', '--protocol-era', 'modern', '--format', 'json', '-q', '--method', method, ...more];

async function inspect(url, method, ...more) {
    const { status, stdout, stderr } = await run(nodeBinary(), words(url, method, more), { env, timeoutMs: 180000 });
    let json;
    try {
        json = JSON.parse(status === 0 ? stdout : stdout || stderr);
    } catch {
        json = undefined;
    }
    return { status, json, said: stdout + stderr };
}

const COMMANDS = [
    ['tools/list'],
    ['tools/call', '--tool-name', 'test_simple_text'],
    ['tools/call', '--tool-name', 'echo', '--tool-args-json', '{"text":"Grüße"}'],
    ['tools/call', '--tool-name', 'test_tool_with_progress'],
    ['tools/call', '--tool-name', 'test_error_handling'],
    ['tools/call', '--tool-name', 'no_such_tool'],
    ['resources/list'],
    ['resources/templates/list'],
    ['resources/read', '--uri', 'test://static-text'],
    ['resources/read', '--uri', 'test://nowhere'],
    ['prompts/list'],
    ['prompts/get', '--prompt-name', 'test_prompt_with_arguments', '--prompt-args', 'arg1=one', 'arg2=two']
];
const REFUSED = new Set(['test_error_handling', 'no_such_tool', 'test://nowhere']);

await main(async () => {
    const upstream = await startUpstream();
    const postern = await startPostern({ up: { url: upstream.url } });
    for (const command of COMMANDS) {
        const direct = await inspect(upstream.url, ...command);
        const through = await inspect(postern.url, ...command);
        const refused = command.some(word => REFUSED.has(word));
        ok(refused ? direct.status > 0 : direct.status === 0, `directly: ${command.join(' ')}`, direct.said);
        is([through.status, through.json ?? through.said], [direct.status, direct.json ?? direct.said], `through Postern alike: ${command.join(' ')}`);
    }

    // Cancel: the Inspector is ended in the middle of a call, the upstream sees it.
    const stats = async () => (await inspect(upstream.url, 'tools/call', '--tool-name', 'stats')).json.result.structuredContent;
    const call = spawn(nodeBinary(), words(postern.url, 'tools/call', ['--tool-name', 'slow', '--tool-args-json', '{"ms":60000}']), { env, stdio: 'ignore' });
    ok(await until(async () => (await stats()).running === 2), 'a slow call is running upstream');
    const before = await stats();
    call.kill('SIGKILL');
    ok(await until(async () => (await stats()).cancelled === before.cancelled + 1), 'it is cancelled there when the Inspector is ended');
    is(await postern.stop(), 0, 'Postern ends with status 0');
    await upstream.stop();

    // files
    const base = scratch();
    const root = join(base, 'tree');
    const prompts = join(base, 'prompts');
    mkdirSync(root);
    mkdirSync(prompts);
    writeFileSync(join(root, 'hello.txt'), 'Hello, tree.\n');
    writeFileSync(join(prompts, 'greet.md'), 'Please greet {{name}}.\n');
    const files = await startPostern({ tree: { builtin: 'files', root, prompts } });
    const listed = await inspect(files.url, 'tools/list');
    ok(listed.json?.result?.tools?.some(tool => tool.name === 'read_file'), 'files: tools/list', listed.said);
    const strict = await inspect(files.url, 'tools/list', '--strict');
    is(strict.status, 0, 'files: the schemas are portable (--strict)');
    const called = await inspect(files.url, 'tools/call', '--tool-name', 'read_file', '--tool-args-json', '{"path":"hello.txt"}');
    ok(called.status === 0 && JSON.stringify(called.json).includes('Hello, tree.'), 'files: tools/call', called.said);
    const resources = await inspect(files.url, 'resources/list');
    const uri = resources.json?.result?.resources?.find(resource => resource.uri.endsWith('/hello.txt'))?.uri;
    ok(uri, 'files: resources/list', resources.said);
    const read = await inspect(files.url, 'resources/read', '--uri', uri ?? 'none');
    is(read.json?.result?.contents?.[0]?.text, 'Hello, tree.\n', 'files: resources/read');
    const offered = await inspect(files.url, 'prompts/list');
    is(offered.json?.result?.prompts?.map(prompt => prompt.name), ['greet'], 'files: prompts/list');
    const got = await inspect(files.url, 'prompts/get', '--prompt-name', 'greet', '--prompt-args', 'name=Ada');
    ok(JSON.stringify(got.json ?? '').includes('Please greet Ada.'), 'files: prompts/get', got.said);
    is(await files.stop(), 0, 'files: Postern ends with status 0');
});
