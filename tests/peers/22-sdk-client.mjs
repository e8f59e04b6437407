// The official TypeScript client, pinned to 2026-07-28, does everything a client can do: against the test upstream
// directly (which proves the script), through Postern in front of that upstream, and against Postern's own `files`.

import { mkdirSync, appendFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { fails, is, main, ok, scratch, startPostern, startUpstream, until } from '../lib/postern.mjs';

const WAIT_MS = 60000;

async function connect(url, capabilities = {}, headersSeen) {
    const client = new Client({ name: 'postern-test-client', version: '1.0.0' },
        { capabilities, versionNegotiation: { mode: { pin: '2026-07-28' } } });
    const fetchNoting = async (input, init) => {
        const response = await fetch(input, init);
        headersSeen?.push({ status: response.status, type: response.headers.get('content-type'), sent: Object.fromEntries(new Headers(init?.headers)) });
        return response;
    };
    await client.connect(new StreamableHTTPClientTransport(new URL(url), { fetch: fetchNoting }));
    return client;
}

// What a notification handler got, and a promise for the next one.
function mailbox(client, method) {
    const got = [];
    client.setNotificationHandler(method, message => { got.push(message.params ?? {}); });
    return { got, next: (found = () => true) => until(() => got.find(found) !== undefined, WAIT_MS) };
}

const textOf = result => result.content.map(block => block.text ?? '').join('');
const stats = async client => (await client.callTool({ name: 'stats' })).structuredContent;

// Everything the test upstream offers. `where` names the way there; `direct` is a client of the upstream itself.
async function wholeClient(where, url, directUrl) {
    const say = name => `${where}: ${name}`;
    const wire = [];
    const client = await connect(url, {}, wire);
    const direct = await connect(directUrl);

    // discover
    is(client.getNegotiatedProtocolVersion(), '2026-07-28', say('the negotiated revision'));
    const can = client.getServerCapabilities();
    is([can.tools?.listChanged, can.prompts?.listChanged, can.resources?.listChanged, can.resources?.subscribe, can.completions], [true, true, true, true, {}],
        say('discover tells the capabilities'));
    is(client.getInstructions(), 'A server for tests.', say('discover tells the instructions'));

    // lists; the upstream cuts them into pages of 5
    for (const [list, member] of [['listTools', 'tools'], ['listPrompts', 'prompts'], ['listResources', 'resources'], ['listResourceTemplates', 'resourceTemplates']]) {
        const got = await client[list]({}, { cacheMode: 'bypass' });
        const want = await direct[list]({}, { cacheMode: 'bypass' });
        ok(got[member].length > 0, say(`${list} is not empty`));
        is(got[member], want[member], say(`${list} over all pages gives what the upstream has, in its order`));
    }
    const names = (await client.listTools()).tools.map(tool => tool.name);
    ok(names.length > 30 && new Set(names).size === names.length, say('all tools, none twice'), names);
    const page = await client.listTools({ cursor: 'after-5' });
    is([page.tools.length, page.tools[0].name, page.nextCursor], [5, names[5], 'after-10'], say('one page by its cursor'));
    const lost = await fails(client.listTools({ cursor: 'no such place' }), say('a wrong cursor is refused'));
    is(lost?.code, -32602, say('… with -32602'));

    // tools
    const echo = await client.callTool({ name: 'echo', arguments: { text: 'Grüße, 世界 \u0001 "quoted" 𝄞' } });
    is(echo.structuredContent, { text: 'Grüße, 世界 \u0001 "quoted" 𝄞', length: 23 }, say('structured output'));
    is(JSON.parse(textOf(echo)), echo.structuredContent, say('… and the same as text'));
    is((await client.callTool({ name: 'test_error_handling' })).isError, true, say('a tool that fails is a result'));
    const mixed = await client.callTool({ name: 'test_multiple_content_types' });
    is(mixed.content.map(block => block.type), ['text', 'image', 'resource'], say('several content blocks'));
    const big = await client.callTool({ name: 'big', arguments: { bytes: 300000 } });
    is(textOf(big).length, 300000, say('a big answer'));
    const wrong = await client.callTool({ name: 'echo', arguments: { text: 5 } });
    is(wrong.isError, true, say('arguments the tool refuses are a result with isError'));
    const many = await Promise.all(Array.from({ length: 20 }, (_, i) =>
        client.callTool({ name: 'echo', arguments: { text: `number ${i}`, delay_ms: (20 - i) * 10 } })));
    is(many.map(result => result.structuredContent.text), Array.from({ length: 20 }, (_, i) => `number ${i}`),
        say('20 calls at once, answered in any order, each to its caller'));

    // mirrored headers
    wire.length = 0;
    const mirrored = await client.callTool({ name: 'header_tool', arguments: { region: 'zürich ', limit: 42, dry_run: true, note: 'n' } });
    const decoded = value => /^=\?base64\?(.*)\?=$/.test(value) ? Buffer.from(value.slice(9, -2), 'base64').toString() : value;
    is(Object.fromEntries(Object.entries(mirrored.structuredContent.headers).map(([k, v]) => [k, decoded(v)])),
        { 'mcp-param-region': 'zürich ', 'mcp-param-limit': '42', 'mcp-param-dry-run': 'true' }, say('Mcp-Param headers reach the upstream'));
    const plain = await client.callTool({ name: 'request_seen' });
    is([plain.structuredContent.headers['mcp-method'], plain.structuredContent.headers['mcp-name'], plain.structuredContent.headers['mcp-protocol-version']],
        ['tools/call', 'request_seen', '2026-07-28'], say('the standard headers reach the upstream'));
    is(plain.structuredContent.headers.host, new URL(directUrl).host, say('Host names the upstream')
        + (url === directUrl ? '' : ', not Postern'));

    // resources
    const read = await client.readResource({ uri: 'test://static-text' });
    is([read.contents[0].uri, read.contents[0].mimeType, typeof read.contents[0].text], ['test://static-text', 'text/plain', 'string'], say('read a resource'));
    ok((await client.readResource({ uri: 'test://static-binary' })).contents[0].blob.length > 50, say('read a binary resource'));
    is(JSON.parse((await client.readResource({ uri: 'test://template/x%20y/data' })).contents[0].text).templateTest, true, say('read by a template'));
    const noResource = await fails(client.readResource({ uri: 'test://nowhere' }), say('an unknown resource is refused'));
    is([noResource?.code, noResource?.data?.uri], [-32602, 'test://nowhere'], say('… with -32602 and its uri'));

    // prompts and completion
    const prompt = await client.getPrompt({ name: 'test_prompt_with_arguments', arguments: { arg1: 'ONE', arg2: 'zwei ü' } });
    is(prompt.messages[0].content.text, "arg1 is 'ONE' and arg2 is 'zwei ü'", say('get a prompt with arguments'));
    const noPrompt = await fails(client.getPrompt({ name: 'no_such_prompt' }), say('an unknown prompt is refused'));
    is(noPrompt?.code, -32602, say('… with -32602'));
    const noTool = await fails(client.callTool({ name: 'no_such_tool' }), say('an unknown tool is refused'));
    is(noTool?.code, -32602, say('… with -32602'));
    const complete = await client.complete({ ref: { type: 'ref/prompt', name: 'test_prompt_with_arguments' }, argument: { name: 'arg1', value: 'par' } });
    is(complete.completion.values, ['paris', 'park', 'party'], say('completion'));

    // progress
    const steps = [];
    wire.length = 0;
    const slow = await client.callTool({ name: 'slow', arguments: { ms: 1000, steps: 4 } }, { onprogress: p => steps.push([p.progress, p.total]) });
    // The SDK forgets steps that come in one piece with the answer: the last, or on a slow machine the last two.
    ok(steps.length >= 3, say('progress steps arrive'), steps);
    is(steps, [[0, 4], [1, 4], [2, 4], [3, 4], [4, 4]].slice(0, steps.length), say('… each of them, in order'));
    is(textOf(slow), 'took 1000 ms in 4 step(s)', say('… and then the answer'));
    ok(wire[0]?.type?.startsWith('text/event-stream'), say('… as an event stream'), wire[0]);

    // cancellation, with and without a stream begun
    for (const streaming of [false, true]) {
        const kind = streaming ? 'a stream begun' : 'an answer not begun';
        const before = await stats(direct);
        const abort = new AbortController();
        let progressed = 0;
        const call = client.callTool({ name: 'slow', arguments: { ms: 60000, steps: streaming ? 600 : 1 } },
            { signal: abort.signal, timeout: 120000, ...(streaming ? { onprogress: () => { progressed++; } } : {}) });
        const outcome = fails(call, say(`abort: ${kind}`));
        const underWay = async () => streaming ? progressed > 0 : (await stats(direct)).running >= 2;
        ok(await until(underWay, WAIT_MS), say(`the call is under way (${kind})`));
        abort.abort('enough');
        await outcome;
        const after = await until(async () => { const s = await stats(direct); return s.cancelled > before.cancelled ? s : false; }, WAIT_MS);
        is(after?.cancelled, before.cancelled + 1, say(`the upstream sees the cancellation (${kind})`));
    }
    is(textOf(await client.callTool({ name: 'test_simple_text' })), 'A plain text answer.', say('a call after the cancelled ones'));

    // subscriptions
    const tools = mailbox(client, 'notifications/tools/list_changed');
    const prompts = mailbox(client, 'notifications/prompts/list_changed');
    const resources = mailbox(client, 'notifications/resources/list_changed');
    const updated = mailbox(client, 'notifications/resources/updated');
    const filter = { toolsListChanged: true, promptsListChanged: true, resourcesListChanged: true, resourceSubscriptions: ['test://watched-resource'] };
    const subscription = await client.listen(filter);
    is(subscription.honoredFilter, filter, say('listen: the filter is acknowledged'));
    const second = await client.listen({ toolsListChanged: true });
    await direct.callTool({ name: 'trigger', arguments: { what: 'tools' } });
    ok(await until(() => tools.got.length === 2, WAIT_MS), say('listen: tools/list_changed on both streams'), tools.got);
    await direct.callTool({ name: 'trigger', arguments: { what: 'prompts' } });
    ok(await prompts.next(), say('listen: prompts/list_changed'));
    await direct.callTool({ name: 'trigger', arguments: { what: 'resources' } });
    ok(await resources.next(), say('listen: resources/list_changed'));
    await direct.callTool({ name: 'trigger', arguments: { what: 'resource', uri: 'test://static-text' } });
    await direct.callTool({ name: 'trigger', arguments: { what: 'resource', uri: 'test://watched-resource' } });
    ok(await updated.next(), say('listen: resources/updated'));
    is(updated.got.map(params => params.uri), ['test://watched-resource'], say('… of the subscribed resource only'));
    is([prompts.got.length, resources.got.length], [1, 1], say('… and the narrow stream got nothing it did not ask for'));
    await second.close();
    is(await second.closed, 'local', say('one stream closed'));
    await direct.callTool({ name: 'trigger', arguments: { what: 'tools' } });
    ok(await until(() => tools.got.length === 3, WAIT_MS), say('the other goes on'), tools.got);
    await subscription.close();

    // several rounds: the client answers what the server asks
    const human = await connect(url, { elicitation: { form: {} }, sampling: {}, roots: {} });
    human.setRequestHandler('elicitation/create', request => {
        const name = Object.keys(request.params.requestedSchema.properties)[0];
        return { action: 'accept', content: { [name]: name === 'ok' ? true : `my ${name}` } };
    });
    human.setRequestHandler('sampling/createMessage', () => ({ model: 'test', role: 'assistant', content: { type: 'text', text: 'Good day' } }));
    human.setRequestHandler('roots/list', () => ({ roots: [{ uri: 'file:///srv', name: 'srv' }] }));
    is(textOf(await human.callTool({ name: 'test_input_required_result_multi_round' })), 'my name likes my color', say('two rounds of questions'));
    is(textOf(await human.callTool({ name: 'test_input_required_result_multiple_inputs' })), 'Good day my name, 1 root(s)', say('three questions at once'));
    is((await human.getPrompt({ name: 'test_input_required_result_prompt' })).messages[0].content.text, 'Context: my context', say('a prompt that asks'));
    const incapable = await fails(client.callTool({ name: 'test_missing_capability' }), say('a missing capability is refused'));
    is([incapable?.code, incapable?.data?.requiredCapabilities], [-32021, { sampling: {} }], say('… with -32021 and what is needed'));

    await human.close();
    await client.close();
    await direct.close();
}

// Postern's own server over a directory of ours.
async function filesClient() {
    const say = name => `files: ${name}`;
    const base = scratch();
    const root = join(base, 'tree');
    const prompts = join(base, 'prompts');
    mkdirSync(join(root, 'sub'), { recursive: true });
    mkdirSync(prompts);
    writeFileSync(join(root, 'hello.txt'), 'Hello, tree.\nSecond line: grün.\n');
    writeFileSync(join(root, 'sub', 'deep.md'), '# Deep\n');
    writeFileSync(join(root, 'pixel.bin'), Buffer.from([0, 255, 254, 1]));
    writeFileSync(join(root, '.secret'), 'hidden\n');
    writeFileSync(join(prompts, 'greet.md'), 'Please greet {{name}} warmly.\n');
    const postern = await startPostern({ tree: { builtin: 'files', root, prompts } });
    const client = await connect(postern.url);

    is(client.getNegotiatedProtocolVersion(), '2026-07-28', say('the negotiated revision'));
    const tools = (await client.listTools()).tools;
    is(tools.map(tool => tool.name).sort(), ['file_info', 'list_files', 'read_file', 'search_text'], say('the tools'));
    ok(tools.every(tool => tool.inputSchema?.type === 'object' && tool.outputSchema && tool.annotations?.readOnlyHint === true),
        say('each with both schemas and as read-only'), tools);
    const listed = await client.callTool({ name: 'list_files', arguments: {} });
    ok(!listed.isError && JSON.stringify(listed.structuredContent).includes('hello.txt'), say('call list_files'), listed);
    const got = await client.callTool({ name: 'read_file', arguments: { path: 'hello.txt' } });
    ok(!got.isError && JSON.stringify(got.structuredContent).includes('Second line: grün.'), say('call read_file; its output fits its schema'), got);
    const found = await client.callTool({ name: 'search_text', arguments: { query: 'Second' } }).catch(error => error);
    ok(!found.isError && JSON.stringify(found.structuredContent ?? found).includes('hello.txt'), say('call search_text'), found);
    const info = await client.callTool({ name: 'file_info', arguments: { path: 'sub/deep.md' } });
    ok(!info.isError && JSON.stringify(info.structuredContent).includes('7'), say('call file_info'), info);
    is((await client.callTool({ name: 'read_file', arguments: { path: '../prompts/greet.md' } })).isError, true, say('nothing outside the root'));
    is((await client.callTool({ name: 'read_file', arguments: { path: '.secret' } })).isError, true, say('no hidden file'));
    is((await fails(client.callTool({ name: 'no_such_tool' }), say('an unknown tool is refused')))?.code, -32602, say('… with -32602'));

    const resources = (await client.listResources()).resources;
    const uri = resources.find(resource => resource.uri.endsWith('/hello.txt'))?.uri;
    ok(uri, say('the resource list has the file'), resources);
    ok(!resources.some(resource => resource.uri.includes('.secret')), say('… and not the hidden one'));
    is((await client.readResource({ uri })).contents[0].text, 'Hello, tree.\nSecond line: grün.\n', say('read a resource'));
    const binary = resources.find(resource => resource.uri.endsWith('/pixel.bin'))?.uri;
    is((await client.readResource({ uri: binary })).contents[0].blob, 'AP/+AQ==', say('read a binary resource'));
    ok((await client.listResourceTemplates()).resourceTemplates.length > 0, say('resource templates'));
    const none = await fails(client.readResource({ uri: uri.replace('hello.txt', 'none.txt') }), say('an unknown resource is refused'));
    is([none?.code, typeof none?.data?.uri], [-32602, 'string'], say('… with -32602 and its uri'));

    is((await client.listPrompts()).prompts.map(prompt => [prompt.name, prompt.arguments?.map(a => a.name)]), [['greet', ['name']]], say('the prompts'));
    ok((await client.getPrompt({ name: 'greet', arguments: { name: 'Ada' } })).messages[0].content.text.includes('Please greet Ada warmly.'), say('get a prompt'));

    const updated = mailbox(client, 'notifications/resources/updated');
    const subscription = await client.listen({ resourceSubscriptions: [uri] });
    is(subscription.honoredFilter.resourceSubscriptions, [uri], say('listen is acknowledged'));
    appendFileSync(join(root, 'hello.txt'), 'A third line.\n');
    ok(await updated.next(params => params.uri === uri), say('resources/updated when the file changes'), updated.got);
    ok((await client.readResource({ uri }, { cacheMode: 'bypass' })).contents[0].text.endsWith('A third line.\n'), say('… and the new text is read'));
    await subscription.close();

    // Ended by the server: the listen stream gets its result before Postern goes.
    const last = await client.listen({ resourceSubscriptions: [uri] });
    const stopped = postern.stop();
    is(await last.closed, 'graceful', say('SIGTERM ends an open listen gracefully'));
    is(await stopped, 0, say('and Postern with status 0'));
    await client.close();
}

await main(async () => {
    const upstream = await startUpstream('--page', '5');
    await wholeClient('directly', upstream.url, upstream.url);
    const postern = await startPostern({ up: { url: upstream.url } });
    await wholeClient('through Postern', postern.url, upstream.url);
    ok((await postern.stop()) === 0, 'Postern ends with status 0', () => postern.errors);
    await upstream.stop();
    await filesClient();
});
