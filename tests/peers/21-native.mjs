// The conformance suite against Postern's own server, the built-in `files`. It offers files and prompts of ours, so
// the scenarios that call the suite's own test_* tools or read its test:// resources cannot pass; they are listed with
// the reason. Everything else that is scored must pass, and what the wire says must fit the schema in every scenario.

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { count, runSuite, told } from './conformance-gate.mjs';
import { is, main, ok, scratch, startPostern } from '../lib/postern.mjs';

// Scored scenarios that apply to a server of files and prompts.
const APPLY = [
    'server-stateless', 'completion-complete', 'tools-list', 'resources-list', 'sep-2164-resource-not-found', 'prompts-list',
    'prompts-get-simple', 'prompts-get-with-args', 'dns-rebinding-protection', 'caching', 'input-required-result-unsupported-methods',
    'server-sse-multiple-streams'
];
// Not scored by the revision, but they apply to every server.
const APPLY_UNSCORED = ['http-header-validation'];

const NO_TOOL = 'calls a test_* tool of the suite';
const NO_RESOURCE = 'reads a test:// resource of the suite; ours are files://';
const NO_PROMPT = 'gets a prompt with content that a Markdown prompt cannot have';
const NO_INPUT = 'calls a tool or prompt that asks for input; reading files asks for none';
const NO_TASKS = 'the tasks extension, which is not offered';
const CANNOT = {
    'tools-call-simple-text': NO_TOOL, 'tools-call-image': NO_TOOL, 'tools-call-audio': NO_TOOL, 'tools-call-embedded-resource': NO_TOOL,
    'tools-call-mixed-content': NO_TOOL, 'tools-call-error': NO_TOOL, 'tools-call-with-progress': NO_TOOL,
    'resources-read-text': NO_RESOURCE, 'resources-read-binary': NO_RESOURCE, 'resources-templates-read': NO_RESOURCE,
    'prompts-get-embedded-resource': NO_PROMPT, 'prompts-get-with-image': NO_PROMPT,
    'input-required-result-basic-elicitation': NO_INPUT, 'input-required-result-basic-sampling': NO_INPUT,
    'input-required-result-basic-list-roots': NO_INPUT, 'input-required-result-request-state': NO_INPUT,
    'input-required-result-multiple-input-requests': NO_INPUT, 'input-required-result-multi-round': NO_INPUT,
    'input-required-result-missing-input-response': NO_INPUT, 'input-required-result-non-tool-request': NO_INPUT,
    'input-required-result-result-type': NO_INPUT, 'input-required-result-tampered-state': NO_INPUT,
    'input-required-result-capability-check': NO_INPUT, 'input-required-result-ignore-extra-params': NO_INPUT,
    'input-required-result-validate-input': NO_INPUT,
    'json-schema-2020-12': 'lists json_schema_2020_12_tool',
    'http-custom-header-server-validation': 'needs a tool with x-mcp-header',
    ...Object.fromEntries(['lifecycle', 'capability-negotiation', 'wire-fields', 'request-state-removal', 'mrtr-input', 'request-headers',
        'dispatch-and-envelope', 'status-notifications', 'required-task-error', 'mrtr-composition'].map(name => [`tasks-${name}`, NO_TASKS]))
};
// Checks inside applying scenarios that need a diagnostic tool; the suite itself marks them untestable then.
const UNTESTABLE = new Set([
    'sep-2575-server-rejects-undeclared-capability', 'sep-2575-missing-capability-http-400', 'sep-2575-http-server-no-independent-requests-on-stream',
    'sep-2575-server-no-log-without-loglevel'
]);

await main(async () => {
    const base = scratch();
    const root = join(base, 'tree');
    const prompts = join(base, 'prompts');
    mkdirSync(join(root, 'sub'), { recursive: true });
    mkdirSync(prompts);
    writeFileSync(join(root, 'hello.txt'), 'Hello, tree.\n');
    writeFileSync(join(root, 'sub', 'deep.md'), '# Deep\n');
    // The names the suite asks for, so that its prompt scenarios apply. A prompt's first heading is its description.
    writeFileSync(join(prompts, 'test_simple_prompt.md'), '# A simple prompt\n\nDo something simple.\n');
    writeFileSync(join(prompts, 'test_prompt_with_arguments.md'), "# Quotes its arguments\n\narg1 is '{{arg1}}' and arg2 is '{{arg2}}'\n");
    const postern = await startPostern({ tree: { builtin: 'files', root, prompts } });
    const suite = await runSuite(postern.url, join(base, 'out'));
    ok(count(suite) > 90, 'the suite ran', () => `${told(suite)}\n${suite.output}`);
    is([...suite.checks.keys()].filter(s => !APPLY.includes(s) && !APPLY_UNSCORED.includes(s) && !(s in CANNOT)), [],
        'every scenario is known here, as applying or with the reason why not');

    for (const scenario of [...APPLY, ...APPLY_UNSCORED]) {
        const list = suite.checks.get(scenario) ?? [];
        const bad = list.filter(check => check.status === 'FAILURE' && !(UNTESTABLE.has(check.id) && check.details?.untestable));
        ok(list.length > 0 && bad.length === 0, `${scenario}: ${list.filter(check => check.status === 'SUCCESS').length} of ${list.length} checks pass`,
            () => bad.map(check => `${check.id}: ${check.errorMessage}`).join('\n') || 'no check ran');
    }
    const misfits = [...suite.checks].flatMap(([scenario, list]) => list.filter(check => check.id === 'wire-schema-valid' && check.status !== 'SUCCESS')
        .map(check => `${scenario}: ${check.errorMessage}`));
    is(misfits, [], 'every message in every scenario fits the schema of the revision');
    is(await postern.stop(), 0, 'Postern ends with status 0');
});
