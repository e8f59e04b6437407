// The client that the conformance suite's mock servers are asked by: the official SDK, doing whatever the server offers.
//
//     node reference-client.mjs [--through] URL
//
// MCP_CONFORMANCE_PROTOCOL_VERSION says which era to speak, MCP_CONFORMANCE_CONTEXT may hold the calls to make.
// --through starts a Postern with URL as its only upstream, in plain mode, and speaks to that.

import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { startPostern } from '../lib/postern.mjs';

const url = process.argv.at(-1);
const revision = process.env.MCP_CONFORMANCE_PROTOCOL_VERSION ?? '2026-07-28';
const planned = JSON.parse(process.env.MCP_CONFORMANCE_CONTEXT ?? '{}').toolCalls ?? [];
const modern = revision >= '2026-07-28';

// The smallest arguments that a schema asks for.
const SAMPLES = { string: 'x', integer: 1, number: 1.5, boolean: true, object: {}, array: [], null: null };
function argumentsOf(tool, tools) {
    const args = {};
    for (const name of tool.inputSchema.required ?? []) args[name] = SAMPLES[tool.inputSchema.properties?.[name]?.type ?? 'string'];
    if (tool.name === 'json_schema_echo') args.schema = tools.find(other => other !== tool).inputSchema;
    return args;
}

let postern;
let target = url;
if (process.argv.includes('--through')) {
    postern = await startPostern({ up: { url: url.replace('//localhost:', '//127.0.0.1:') } });
    target = postern.url;
}
const client = new Client({ name: 'postern-test-client', version: '1.0.0' }, {
    capabilities: { elicitation: { form: { applyDefaults: true } }, sampling: {}, roots: {} },
    ...(modern ? { versionNegotiation: { mode: 'auto' } } : {})
});
client.setRequestHandler('elicitation/create', () => ({ action: 'accept', content: modern ? { confirmed: true } : {} }));
client.setRequestHandler('sampling/createMessage', () => ({ model: 'none', role: 'assistant', content: { type: 'text', text: 'x' } }));
client.setRequestHandler('roots/list', () => ({ roots: [] }));

// A step that the server refuses is its way to look at what the client does next.
async function step(what) {
    try {
        return await what();
    } catch (error) {
        process.stderr.write(`${error.message}\n`);
        return undefined;
    }
}

await client.connect(new StreamableHTTPClientTransport(new URL(target)));
const can = client.getServerCapabilities() ?? {};
const { tools } = await step(() => client.listTools()) ?? { tools: [] };
for (const tool of tools) {
    const calls = planned.filter(call => call.name === tool.name);
    for (const { arguments: args } of calls.length ? calls : [{ arguments: argumentsOf(tool, tools) }])
        await step(() => client.callTool({ name: tool.name, arguments: args }));
}
if (can.resources)
    for (const { uri } of (await step(() => client.listResources()))?.resources ?? []) await step(() => client.readResource({ uri }));
if (can.prompts)
    for (const { name } of (await step(() => client.listPrompts()))?.prompts ?? []) await step(() => client.getPrompt({ name }));
await client.close();
if (postern) {
    const status = await postern.stop();
    process.stderr.write(postern.errors);
    process.exit(status === 0 ? 0 : 1);
}
