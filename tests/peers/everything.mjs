// The MCP server that Postern is tested against, without a transport: on the official SDK, with everything the conformance
// suite asks a server for, by its exact names, and a few tools of ours that let a test look at what reached the upstream
// (headers, ids, cancellations) and make it slow, chatty or big. upstream.mjs serves it.

import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import {
    fromJsonSchema, inputRequired, inputResponse, McpServer, MissingRequiredClientCapabilityError, ProtocolError,
    ResourceNotFoundError, ResourceTemplate
} from '@modelcontextprotocol/server';

const CAPABILITIES_KEY = 'io.modelcontextprotocol/clientCapabilities';
const INVALID_PARAMS = -32602;

// One red pixel, and a wave file of no samples.
const PIXEL = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg==';
const SILENCE = 'UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAIA+AAACABAAZGF0YQAAAAA=';

// Who is told of changes: each serving of the server puts what tells its clients here.
export const listeners = new Set();
const tellAll = what => (...args) => { for (const listener of listeners) listener[what](...args); };
const notify = Object.fromEntries(['toolsChanged', 'promptsChanged', 'resourcesChanged', 'resourceUpdated'].map(what => [what, tellAll(what)]));

// What the upstream saw; the `stats` tool shows it.
const seen = { calls: 0, running: 0, cancelled: 0, listens: 0 };

const text = value => ({ content: [{ type: 'text', text: value }] });
const object = (properties = {}, required = []) => ({ type: 'object', properties, ...(required.length ? { required } : {}) });
const elicit = (message, properties, required = Object.keys(properties)) =>
    inputRequired.elicit({ message, requestedSchema: { type: 'object', properties, required } });

// ---- requestState: the payload in clear, then its MAC. A changed byte is a -32602.
const stateKey = randomBytes(32);
const mac = body => createHmac('sha256', stateKey).update(body).digest();
function sealState(payload) {
    const body = Buffer.from(JSON.stringify({ ...payload, salt: randomBytes(6).toString('hex') })).toString('base64url');
    return `${body}.${mac(body).toString('base64url')}`;
}
function openState(sealed) {
    const [body, tag, ...rest] = sealed.split('.');
    const given = Buffer.from(tag ?? '', 'base64url');
    const right = mac(body);
    if (rest.length || given.length !== right.length || given.toString('base64url') !== tag || !timingSafeEqual(given, right))
        throw new Error('requestState does not carry our MAC');
    return JSON.parse(Buffer.from(body, 'base64url').toString());
}

// ---- answers to input requests
// A wrong kind of answer to something we asked is an error; no answer means asking again.
function answer(ctx, key, kind) {
    const dropped = ctx.mcpReq.droppedInputResponseKeys ?? [];
    const given = ctx.mcpReq.inputResponses;
    const view = inputResponse(given, key);
    if (dropped.includes(key) || (view.kind === 'missing' && given && Object.hasOwn(given, key)))
        throw new ProtocolError(INVALID_PARAMS, `inputResponses.${key} is not the answer to what was asked`);
    if (view.kind === 'missing') return undefined;
    if (view.kind !== kind) throw new ProtocolError(INVALID_PARAMS, `inputResponses.${key} answers another kind of request`);
    return view;
}

// What the client has declared: with this request, or once for the session.
const serverOf = new WeakMap();
function declared(ctx) {
    return ctx.mcpReq.envelope?.[CAPABILITIES_KEY] ?? serverOf.get(ctx.mcpReq.signal)?.server.getClientCapabilities() ?? {};
}

const sampling = (question, maxTokens = 100) => inputRequired.createMessage({
    messages: [{ role: 'user', content: { type: 'text', text: question } }], maxTokens
});

const saying = view => {
    const block = Array.isArray(view.result.content) ? view.result.content[0] : view.result.content;
    return block?.text ?? '';
};

// The tool `ask` of one key: ask, then tell what came.
function askingTool(key, kind, request, tell) {
    return (_args, ctx) => {
        const view = answer(ctx, key, kind);
        return view ? text(tell(view)) : inputRequired({ inputRequests: { [key]: request() } });
    };
}

async function countdown(ctx, steps, pauseMs, total = steps) {
    const token = ctx.mcpReq._meta?.progressToken;
    for (let step = 0; step <= steps; step++) {
        if (step > 0) await sleep(pauseMs, undefined, { signal: ctx.mcpReq.signal });
        if (token === undefined) continue;
        await ctx.mcpReq.notify({
            method: 'notifications/progress',
            params: { progressToken: token, progress: (total / steps) * step, total, message: `step ${step} of ${steps}` }
        });
    }
}

// ---- tools the suite asks for, then ours. The first one takes no arguments: the header scenarios call it with {}.
function tools() {
    const list = [];
    const tool = (name, description, inputSchema, run, more = {}) => list.push({ name, description, inputSchema, run, more });

    tool('test_simple_text', 'Answers with one text block', undefined, () => text('A plain text answer.'));
    tool('test_image_content', 'Answers with an image', undefined,
        () => ({ content: [{ type: 'image', data: PIXEL, mimeType: 'image/png' }] }));
    tool('test_audio_content', 'Answers with a sound', undefined,
        () => ({ content: [{ type: 'audio', data: SILENCE, mimeType: 'audio/wav' }] }));
    tool('test_embedded_resource', 'Answers with a resource inside', undefined, () => ({
        content: [{ type: 'resource', resource: { uri: 'test://embedded-resource', mimeType: 'text/plain', text: 'What the embedded resource holds.' } }]
    }));
    tool('test_multiple_content_types', 'Answers with text, an image and a resource', undefined, () => ({
        content: [
            { type: 'text', text: 'Three blocks:' },
            { type: 'image', data: PIXEL, mimeType: 'image/png' },
            { type: 'resource', resource: { uri: 'test://mixed-content-resource', mimeType: 'application/json', text: '{"mixed":true}' } }
        ]
    }));
    tool('test_error_handling', 'Fails as a tool does', undefined, () => ({ ...text('This tool always fails.'), isError: true }));
    tool('test_tool_with_logging', 'Logs three times, then answers', undefined, async (_args, ctx) => {
        for (const line of ['started', 'working', 'finished']) {
            if (line !== 'started') await sleep(50);
            await ctx.mcpReq.log('info', line, 'upstream');
        }
        return text('logged');
    });
    tool('test_tool_with_progress', 'Reports 0, 50 and 100 of 100', undefined, async (_args, ctx) => {
        await countdown(ctx, 2, 50, 100);
        return text('done');
    });

    // Input requests: over the older wire the SDK turns each into a request to the client.
    tool('test_sampling', 'Asks the client\'s model', object({ prompt: { type: 'string' } }, ['prompt']), (args, ctx) => {
        const view = answer(ctx, 'sample', 'sampling');
        return view ? text(`model said: ${saying(view)}`) : inputRequired({ inputRequests: { sample: sampling(args.prompt) } });
    });
    tool('test_elicitation', 'Asks the user', object({ message: { type: 'string' } }, ['message']), (args, ctx) => {
        const view = answer(ctx, 'ask', 'elicit');
        return view ? text(`user: ${view.action} ${JSON.stringify(view.content ?? {})}`)
            : inputRequired({ inputRequests: { ask: elicit(args.message, { response: { type: 'string' } }) } });
    });
    tool('test_elicitation_sep1034_defaults', 'Asks with a default of each primitive type', undefined,
        askingTool('form', 'elicit', () => elicit('Check these values', {
            name: { type: 'string', default: 'John Doe' },
            age: { type: 'integer', default: 30 },
            score: { type: 'number', default: 95.5 },
            status: { type: 'string', enum: ['active', 'inactive', 'pending'], default: 'active' },
            verified: { type: 'boolean', default: true }
        }, []), view => `form: ${view.action} ${JSON.stringify(view.content ?? {})}`));
    tool('test_elicitation_sep1330_enums', 'Asks with every kind of choice', undefined,
        askingTool('form', 'elicit', () => elicit('Choose', {
            untitledSingle: { type: 'string', enum: ['option1', 'option2', 'option3'] },
            titledSingle: { type: 'string', oneOf: [1, 2, 3].map(n => ({ const: `value${n}`, title: `Choice ${n}` })) },
            legacyEnum: { type: 'string', enum: ['opt1', 'opt2', 'opt3'], enumNames: ['Option 1', 'Option 2', 'Option 3'] },
            untitledMulti: { type: 'array', items: { type: 'string', enum: ['option1', 'option2', 'option3'] } },
            titledMulti: { type: 'array', items: { anyOf: [1, 2, 3].map(n => ({ const: `value${n}`, title: `Choice ${n}` })) } }
        }, []), view => `form: ${view.action} ${JSON.stringify(view.content ?? {})}`));

    tool('json_schema_2020_12_tool', 'Its schema uses what JSON Schema 2020-12 has', {
        $schema: 'https://json-schema.org/draft/2020-12/schema',
        type: 'object',
        $defs: { address: { $anchor: 'addressDef', type: 'object', properties: { street: { type: 'string' }, city: { type: 'string' } } } },
        properties: {
            name: { type: 'string' }, address: { $ref: '#/$defs/address' },
            contactMethod: { type: 'string', enum: ['phone', 'email'] }, phone: { type: 'string' }, email: { type: 'string' }
        },
        allOf: [{ anyOf: [{ required: ['phone'] }, { required: ['email'] }] }],
        if: { properties: { contactMethod: { const: 'phone' } }, required: ['contactMethod'] },
        then: { required: ['phone'] },
        else: { required: ['email'] },
        additionalProperties: false
    }, args => text(JSON.stringify(args)));
    tool('test_reconnection', 'Closes its stream in the middle of the call (older wire)', undefined, async (_args, ctx) => {
        ctx.http?.closeSSE?.();
        await sleep(100);
        return text('reconnected');
    });

    tool('test_missing_capability', 'Works only for a client that can sample', undefined, (_args, ctx) => {
        if (!declared(ctx).sampling) throw new MissingRequiredClientCapabilityError({ requiredCapabilities: { sampling: {} } });
        return text('the client can sample');
    });
    tool('test_streaming_elicitation', 'Streams, then asks the user', undefined, async (_args, ctx) => {
        await countdown(ctx, 2, 20);
        const view = answer(ctx, 'go_on', 'elicit');
        return view ? text(`user: ${view.action}`) : inputRequired({ inputRequests: { go_on: elicit('Go on?', { ok: { type: 'boolean' } }) } });
    });
    tool('test_logging_tool', 'Logs, if the request asked for it', undefined, async (_args, ctx) => {
        await ctx.mcpReq.log('info', 'from test_logging_tool', 'upstream');
        return text('logged what was wanted');
    });
    tool('test_x_mcp_header', 'One argument is mirrored in a header',
        object({ region: { type: 'string', 'x-mcp-header': 'Region' }, query: { type: 'string' } }), args => text(JSON.stringify(args)));
    tool('test_trigger_tool_change', 'Tells listeners that the tools changed', undefined, () => (notify.toolsChanged(), text('told')));
    tool('test_trigger_prompt_change', 'Tells listeners that the prompts changed', undefined, () => (notify.promptsChanged(), text('told')));

    // Several rounds.
    tool('test_input_required_result_elicitation', 'Asks for a name', undefined,
        askingTool('user_name', 'elicit', () => elicit('What is your name?', { name: { type: 'string' } }),
            view => view.action === 'accept' ? `Hello, ${view.content?.name}!` : `No name: ${view.action}`));
    tool('test_input_required_result_sampling', 'Asks the model for a capital', undefined,
        askingTool('capital_question', 'sampling', () => sampling('What is the capital of France?'), view => `The model says: ${saying(view)}`));
    tool('test_input_required_result_list_roots', 'Asks for the roots', undefined,
        askingTool('client_roots', 'roots', () => inputRequired.listRoots(), view => `Roots: ${view.roots.map(r => r.uri).join(' ')}`));
    tool('test_input_required_result_request_state', 'Keeps state in the client', undefined, (_args, ctx) => {
        const state = ctx.mcpReq.requestState();
        const view = answer(ctx, 'confirm', 'elicit');
        if (view && state?.tool === 'request_state') return text(`state-ok ${view.action}`);
        return inputRequired({
            inputRequests: { confirm: elicit('Please confirm', { ok: { type: 'boolean' } }) },
            requestState: sealState({ tool: 'request_state' })
        });
    });
    tool('test_input_required_result_multiple_inputs', 'Asks three things at once', undefined, (_args, ctx) => {
        const name = answer(ctx, 'user_name', 'elicit');
        const greeting = answer(ctx, 'greeting', 'sampling');
        const roots = answer(ctx, 'client_roots', 'roots');
        if (name && greeting && roots) return text(`${saying(greeting)} ${name.content?.name ?? name.action}, ${roots.roots.length} root(s)`);
        return inputRequired({
            inputRequests: {
                ...(name ? {} : { user_name: elicit('What is your name?', { name: { type: 'string' } }) }),
                ...(greeting ? {} : { greeting: sampling('Write a greeting', 50) }),
                ...(roots ? {} : { client_roots: inputRequired.listRoots() })
            },
            requestState: sealState({ tool: 'multiple_inputs' })
        });
    });
    tool('test_input_required_result_multi_round', 'Asks twice, one after the other', undefined, (_args, ctx) => {
        const state = ctx.mcpReq.requestState();
        if (state?.round === 2) {
            const color = answer(ctx, 'step2', 'elicit');
            if (color) return text(`${state.name} likes ${color.content?.color ?? color.action}`);
            return inputRequired({
                inputRequests: { step2: elicit('Step 2: your favourite colour?', { color: { type: 'string' } }) },
                requestState: sealState(state)
            });
        }
        const name = answer(ctx, 'step1', 'elicit');
        if (name && state?.round === 1) return inputRequired({
            inputRequests: { step2: elicit('Step 2: your favourite colour?', { color: { type: 'string' } }) },
            requestState: sealState({ round: 2, name: name.content?.name ?? name.action })
        });
        return inputRequired({
            inputRequests: { step1: elicit('Step 1: your name?', { name: { type: 'string' } }) },
            requestState: sealState({ round: 1 })
        });
    });
    tool('test_input_required_result_tampered_state', 'Refuses changed state', undefined, (_args, ctx) => {
        const view = answer(ctx, 'confirm', 'elicit');
        if (view && ctx.mcpReq.requestState()?.tool === 'tampered_state') return text(`untouched ${view.action}`);
        return inputRequired({
            inputRequests: { confirm: elicit('Please confirm', { ok: { type: 'boolean' } }) },
            requestState: sealState({ tool: 'tampered_state' })
        });
    });
    tool('test_input_required_result_capabilities', 'Asks only what the client declared', undefined, (_args, ctx) => {
        const can = declared(ctx);
        const asks = {};
        const given = ['by_form', 'by_model', 'by_roots'].some(key => ctx.mcpReq.inputResponses && Object.hasOwn(ctx.mcpReq.inputResponses, key));
        if (can.elicitation) asks.by_form = elicit('Anything?', { value: { type: 'string' } });
        if (can.sampling) asks.by_model = sampling('Anything?');
        if (can.roots) asks.by_roots = inputRequired.listRoots();
        if (given || Object.keys(asks).length === 0) return text('nothing to ask');
        return inputRequired({ inputRequests: asks });
    });

    // ---- ours
    tool('echo', 'Gives the text back, after delay_ms if given',
        object({ text: { type: 'string' }, delay_ms: { type: 'integer', minimum: 0, maximum: 60000 } }, ['text']),
        async (args, ctx) => {
            if (args.delay_ms) await sleep(args.delay_ms, undefined, { signal: ctx.mcpReq.signal });
            const told = { text: args.text, length: args.text.length };
            return { ...text(JSON.stringify(told)), structuredContent: told };
        },
        { outputSchema: object({ text: { type: 'string' }, length: { type: 'integer' } }, ['text', 'length']), annotations: { readOnlyHint: true } });
    tool('slow', 'Takes ms milliseconds in steps, with progress; stops when the caller goes away',
        object({ ms: { type: 'integer', minimum: 0, maximum: 600000 }, steps: { type: 'integer', minimum: 1, maximum: 1000 } }, ['ms']),
        async (args, ctx) => {
            const steps = args.steps ?? 1;
            await countdown(ctx, steps, args.ms / steps);
            return text(`took ${args.ms} ms in ${steps} step(s)`);
        });
    tool('stats', 'What this upstream counted', undefined, () => ({ ...text(JSON.stringify(seen)), structuredContent: { ...seen } }),
        { outputSchema: object(Object.fromEntries(Object.keys(seen).map(k => [k, { type: 'integer' }])), Object.keys(seen)) });
    tool('header_tool', 'Three arguments are mirrored in headers; tells what arrived', object({
        region: { type: 'string', 'x-mcp-header': 'Region' },
        limit: { type: 'integer', 'x-mcp-header': 'Limit' },
        dry_run: { type: 'boolean', 'x-mcp-header': 'Dry-Run' },
        note: { type: 'string' }
    }), (args, ctx) => {
        const headers = Object.fromEntries([...ctx.http?.req?.headers ?? []].filter(([name]) => name.startsWith('mcp-param-')));
        const told = { arguments: args, headers };
        return { ...text(JSON.stringify(told)), structuredContent: told };
    });
    tool('request_seen', 'The id, _meta and headers of this very request as they arrived', undefined, (_args, ctx) => {
        const told = {
            id: ctx.mcpReq.id, meta: { ...ctx.mcpReq._meta, ...ctx.mcpReq.envelope }, headers: Object.fromEntries(ctx.http?.req?.headers ?? [])
        };
        return { ...text(JSON.stringify(told)), structuredContent: told };
    });
    tool('big', 'Answers with as many bytes of text as asked', object({ bytes: { type: 'integer', minimum: 0, maximum: 16777216 } }, ['bytes']),
        args => text('x'.repeat(args.bytes)));
    tool('trigger', 'Tells listeners of a change: tools, prompts, resources, or the resource uri',
        object({ what: { type: 'string', enum: ['tools', 'prompts', 'resources', 'resource'] }, uri: { type: 'string' } }, ['what']),
        args => {
            if (args.what === 'tools') notify.toolsChanged();
            else if (args.what === 'prompts') notify.promptsChanged();
            else if (args.what === 'resources') notify.resourcesChanged();
            else notify.resourceUpdated(args.uri ?? 'test://watched-resource');
            return text('told');
        });
    return list;
}

// ---- counting: every call, and those whose caller went away while they ran
// The SDK makes a tool result of whatever a tool throws. A ProtocolError is meant for the wire, so it is kept by the
// request's signal until the handler around the SDK's own can throw it there.
const refused = new WeakMap();

function around(mcp, method, outer) {
    const inner = mcp.server._requestHandlers.get(method);
    mcp.server._requestHandlers.set(method, (request, ctx) => outer(request, ctx, inner));
}

function counted(run, mcp) {
    return async (...given) => {
        const ctx = given.at(-1);
        const args = given.length > 1 ? given[0] : {};
        serverOf.set(ctx.mcpReq.signal, mcp);
        seen.calls++;
        seen.running++;
        let ended = false;
        const gone = () => { if (!ended) seen.cancelled++; };
        ctx.mcpReq.signal.addEventListener('abort', gone, { once: true });
        try {
            return await run(args, ctx);
        } catch (error) {
            if (error instanceof ProtocolError) refused.set(ctx.mcpReq.signal, error);
            throw error;
        } finally {
            ended = true;
            seen.running--;
            ctx.mcpReq.signal.removeEventListener('abort', gone);
        }
    };
}

function addPrompts(mcp) {
    const user = content => ({ role: 'user', content });
    mcp.registerPrompt('test_simple_prompt', { description: 'A prompt without arguments' },
        () => ({ messages: [user({ type: 'text', text: 'A simple prompt.' })] }));
    mcp.registerPrompt('test_prompt_with_arguments', {
        description: 'A prompt that quotes both its arguments',
        argsSchema: fromJsonSchema(object({ arg1: { type: 'string', description: 'the first' }, arg2: { type: 'string', description: 'the second' } }, ['arg1', 'arg2']))
    }, args => ({ messages: [user({ type: 'text', text: `arg1 is '${args.arg1}' and arg2 is '${args.arg2}'` })] }));
    mcp.registerPrompt('test_prompt_with_embedded_resource', {
        description: 'A prompt with a resource inside',
        argsSchema: fromJsonSchema(object({ resourceUri: { type: 'string', description: 'which resource' } }, ['resourceUri']))
    }, args => ({
        messages: [user({ type: 'resource', resource: { uri: args.resourceUri, mimeType: 'text/plain', text: 'What the resource holds.' } }),
            user({ type: 'text', text: 'Read the resource above.' })]
    }));
    mcp.registerPrompt('test_prompt_with_image', { description: 'A prompt with an image' }, () => ({
        messages: [user({ type: 'image', data: PIXEL, mimeType: 'image/png' }), user({ type: 'text', text: 'Look at the image above.' })]
    }));
    mcp.registerPrompt('test_input_required_result_prompt', { description: 'A prompt that asks the user first' }, ctx => {
        const view = answer(ctx, 'user_context', 'elicit');
        if (!view) return inputRequired({ inputRequests: { user_context: elicit('Which context?', { context: { type: 'string' } }) } });
        return { messages: [user({ type: 'text', text: `Context: ${view.content?.context ?? view.action}` })] };
    });
}

function addResources(mcp) {
    const add = (name, uri, mimeType, contents) =>
        mcp.registerResource(name, uri, { title: name, description: `The resource ${name}`, mimeType },
            () => ({ contents: [{ uri, mimeType, ...contents }] }));
    add('static-text', 'test://static-text', 'text/plain', { text: 'What the static text resource holds.' });
    add('static-binary', 'test://static-binary', 'image/png', { blob: PIXEL });
    add('watched-resource', 'test://watched-resource', 'text/plain', { text: 'Something worth watching.' });
    mcp.registerResource('template', new ResourceTemplate('test://template/{id}/data', { list: undefined }),
        { title: 'template', description: 'A resource for every id', mimeType: 'application/json' },
        (uri, variables) => {
            if (variables.id === 'missing') throw new ResourceNotFoundError(uri.href);
            return { contents: [{ uri: uri.href, mimeType: 'application/json', text: JSON.stringify({ id: variables.id, templateTest: true, data: `Data for ID: ${variables.id}` }) }] };
        });
}

const COMPLETIONS = ['paris', 'park', 'party', 'pasta', 'tokyo'];

function addCompletion(mcp) {
    mcp.server.registerCapabilities({ completions: {} });
    mcp.server.setRequestHandler('completion/complete', request => {
        const { ref, argument } = request.params;
        if (ref.type === 'ref/prompt' && ref.name !== 'test_prompt_with_arguments')
            throw new ProtocolError(INVALID_PARAMS, `no completion for the prompt ${ref.name}`);
        const values = COMPLETIONS.filter(word => word.startsWith(argument.value));
        return { completion: { values, total: values.length, hasMore: false } };
    });
}

// Pages: the SDK answers whole lists, so its own handler is asked and its answer cut.
function addPages(mcp, size) {
    for (const [method, member] of [['tools/list', 'tools'], ['prompts/list', 'prompts'], ['resources/list', 'resources'],
        ['resources/templates/list', 'resourceTemplates']]) {
        around(mcp, method, async (request, ctx, whole) => {
            const cursor = request.params?.cursor;
            const from = cursor === undefined ? 0 : Number(/^after-(\d+)$/.exec(cursor)?.[1] ?? NaN);
            if (Number.isNaN(from)) throw new ProtocolError(INVALID_PARAMS, 'no such cursor');
            const { cursor: _gone, ...params } = request.params ?? {};
            const result = await whole({ ...request, params }, ctx);
            const all = result[member];
            const page = { ...result, [member]: all.slice(from, from + size) };
            if (from + size < all.length) page.nextCursor = `after-${from + size}`;
            return page;
        });
    }
}

const offered = tools();

// What a server made by makeServer() tells the clients of one conversation, which keeps a set of the resources it subscribed to.
export function listenerOf(mcp) {
    return {
        toolsChanged: () => mcp.sendToolListChanged(),
        promptsChanged: () => mcp.sendPromptListChanged(),
        resourcesChanged: () => mcp.sendResourceListChanged(),
        resourceUpdated: uri => { if (mcp.subscribed === undefined || mcp.subscribed.has(uri)) void mcp.server.sendResourceUpdated({ uri }); }
    };
}

// One server. `page` cuts every list into pages of so many; `name` is what it calls itself; `old` is for a conversation with a session.
export function makeServer({ page = 0, name = 'postern-test-upstream', old = false } = {}) {
    const mcp = new McpServer({ name, version: '1.0.0', title: 'Test upstream' }, {
        capabilities: {
            tools: { listChanged: true }, prompts: { listChanged: true }, resources: { subscribe: true, listChanged: true }, logging: {}
        },
        instructions: 'A server for tests.',
        requestState: { verify: openState },
        cacheHints: { 'tools/list': { ttlMs: 1000, cacheScope: 'public' }, 'server/discover': { ttlMs: 1000, cacheScope: 'public' } }
    });
    for (const { name: tool, description, inputSchema, run, more } of offered)
        mcp.registerTool(tool, {
            description, ...more,
            ...(inputSchema ? { inputSchema: fromJsonSchema(inputSchema) } : {}),
            ...(more.outputSchema ? { outputSchema: fromJsonSchema(more.outputSchema) } : {})
        }, counted(run, mcp));
    addPrompts(mcp);
    addResources(mcp);
    addCompletion(mcp);
    if (old) {
        mcp.subscribed = new Set();
        mcp.server.setRequestHandler('resources/subscribe', request => { mcp.subscribed.add(request.params.uri); return {}; });
        mcp.server.setRequestHandler('resources/unsubscribe', request => { mcp.subscribed.delete(request.params.uri); return {}; });
    }
    around(mcp, 'tools/call', async (request, ctx, inner) => {
        const result = await inner(request, ctx);
        const error = refused.get(ctx.mcpReq.signal);
        if (error) throw error;
        return result;
    });
    if (page > 0) addPages(mcp, page);
    return mcp;
}
