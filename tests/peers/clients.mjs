// One face for the official clients of both eras, so that a test can be written once: SDK 2 pinned to 2026-07-28, and SDK 1,
// which knows the older revisions only. Each over HTTP (a URL) or stdin and stdout (a command with its arguments).
//
//     const client = await connect('old', 'http://…' or ['command', 'argument'], { answers });
//
// answers   what the user, the model and the roots say when the server asks: {elicit, sample, roots}, functions of the params.
// got       every notification, as [method, params].

import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import { Client as OldClient } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport as OldStdioTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { StreamableHTTPClientTransport as OldHttpTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import {
    CreateMessageRequestSchema, ElicitRequestSchema, ListRootsRequestSchema, LoggingMessageNotificationSchema, PromptListChangedNotificationSchema,
    ResourceListChangedNotificationSchema, ResourceUpdatedNotificationSchema, ToolListChangedNotificationSchema
} from '@modelcontextprotocol/sdk/types.js';

const INFO = { name: 'postern-test-client', version: '1.0.0' };
const ASKED = { elicit: 'elicitation/create', sample: 'sampling/createMessage', roots: 'roots/list' };
const OLD_SCHEMA = { elicit: ElicitRequestSchema, sample: CreateMessageRequestSchema, roots: ListRootsRequestSchema };
const CAPABILITY = { elicit: { elicitation: { form: {} } }, sample: { sampling: {} }, roots: { roots: {} } };
const TOLD = {
    'notifications/tools/list_changed': ToolListChangedNotificationSchema, 'notifications/prompts/list_changed': PromptListChangedNotificationSchema,
    'notifications/resources/list_changed': ResourceListChangedNotificationSchema, 'notifications/resources/updated': ResourceUpdatedNotificationSchema,
    'notifications/message': LoggingMessageNotificationSchema
};

export async function connect(era, where, { answers = {}, headers = {} } = {}) {
    const capabilities = Object.assign({}, ...Object.keys(answers).map(kind => CAPABILITY[kind]));
    const http = typeof where === 'string' ? new URL(where) : undefined;
    const command = http ? undefined : { command: where[0], args: where.slice(1), stderr: 'pipe', env: process.env };
    const client = era === 'old' ? new OldClient(INFO, { capabilities })
        : new Client(INFO, { capabilities, versionNegotiation: { mode: { pin: '2026-07-28' } } });
    const got = [];
    for (const kind of Object.keys(answers))
        client.setRequestHandler(era === 'old' ? OLD_SCHEMA[kind] : ASKED[kind], request => answers[kind](request.params ?? {}));
    for (const [method, schema] of Object.entries(TOLD))
        client.setNotificationHandler(era === 'old' ? schema : method, message => { got.push([method, message.params ?? {}]); });
    const withHeaders = { requestInit: { headers } };
    const transport = era === 'old' ? http ? new OldHttpTransport(http, withHeaders) : new OldStdioTransport(command)
        : http ? new StreamableHTTPClientTransport(http, withHeaders) : new StdioClientTransport(command);
    let errors = '';
    transport.stderr?.on('data', part => { errors += part; });
    try {
        await client.connect(transport);
    } catch (error) {
        error.message += `\n${errors}`;
        throw error;
    }
    let subscription;
    return {
        era, client, got, transport,
        errors: () => errors,
        can: client.getServerCapabilities(),
        server: client.getServerVersion(),
        instructions: client.getInstructions(),
        call: (name, args = {}, options = {}) => era === 'old' ? client.callTool({ name, arguments: args }, undefined, options)
            : client.callTool({ name, arguments: args }, options),
        async list(kind) {
            const [method, member] = { tools: ['listTools', 'tools'], prompts: ['listPrompts', 'prompts'], resources: ['listResources', 'resources'],
                templates: ['listResourceTemplates', 'resourceTemplates'] }[kind];
            if (era !== 'old') return (await client[method]({}, { cacheMode: 'bypass' }))[member];
            const all = [];
            for (let cursor; ;) {
                const page = await client[method](cursor === undefined ? {} : { cursor });
                all.push(...page[member]);
                if ((cursor = page.nextCursor) === undefined) return all;
            }
        },
        read: uri => client.readResource({ uri }),
        prompt: (name, args) => client.getPrompt({ name, ...(args ? { arguments: args } : {}) }),
        complete: (ref, name, value) => client.complete({ ref, argument: { name, value } }),
        // From now on changes of all lists, and of the one resource, are told.
        async listen(uri) {
            if (era === 'old') return void await client.subscribeResource({ uri });
            subscription = await client.listen({ toolsListChanged: true, promptsListChanged: true, resourcesListChanged: true, resourceSubscriptions: [uri] });
        },
        async unlisten(uri) {
            if (era === 'old') return void await client.unsubscribeResource({ uri });
            await subscription.close();
        },
        async close() {
            if (era === 'old' && http) await transport.terminateSession();
            await client.close();
        }
    };
}

export const textOf = result => result.content.map(block => block.text ?? '').join('');
