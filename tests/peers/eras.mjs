// What a client of any era must be able to do with a server of any era: the test upstream (everything.mjs), asked by a client of
// clients.mjs. `say` names the way; `open` makes a client with the given answers.

import { textOf } from './clients.mjs';
import { fails, is, ok, until } from '../lib/postern.mjs';

const WAIT_MS = 60000;
const WATCHED = 'test://watched-resource';
const CHANGED = { tools: 'notifications/tools/list_changed', prompts: 'notifications/prompts/list_changed', resources: 'notifications/resources/list_changed' };

const USER = {
    elicit: params => {
        const name = Object.keys(params.requestedSchema.properties)[0];
        return { action: 'accept', content: { [name]: name === 'ok' ? true : `my ${name}` } };
    },
    sample: params => ({ model: 'test', role: 'assistant', content: { type: 'text', text: `heard: ${[params.messages[0].content].flat()[0].text}` } }),
    roots: () => ({ roots: [{ uri: 'file:///srv', name: 'srv' }] })
};

export async function wholeMatrix(say, open) {
    const client = await open({});

    // tools
    const tools = await client.list('tools');
    const names = tools.map(tool => tool.name);
    ok(names.length > 30 && new Set(names).size === names.length, say('tools: all, none twice'), names);
    ok(tools.find(tool => tool.name === 'json_schema_2020_12_tool')?.inputSchema.$defs?.address?.$anchor === 'addressDef', say('tools: a schema as it was written'));
    is(textOf(await client.call('test_simple_text')), 'A plain text answer.', say('tools: a call'));
    const echo = await client.call('echo', { text: 'Grüße, 世界 \u0001 "quoted" 𝄞' });
    is(echo.structuredContent, { text: 'Grüße, 世界 \u0001 "quoted" 𝄞', length: 23 }, say('structured output'));
    is(JSON.parse(textOf(echo)), echo.structuredContent, say('structured output: the same as text'));
    is((await client.call('test_multiple_content_types')).content.map(block => block.type), ['text', 'image', 'resource'], say('tools: several blocks'));
    is(textOf(await client.call('big', { bytes: 300000 })).length, 300000, say('tools: a big answer'));
    const many = await Promise.all(Array.from({ length: 12 }, (_, i) => client.call('echo', { text: `n${i}`, delay_ms: (12 - i) * 10 })));
    is(many.map(result => result.structuredContent.text), Array.from({ length: 12 }, (_, i) => `n${i}`), say('tools: 12 calls at once, each to its caller'));

    // errors
    is((await client.call('test_error_handling')).isError, true, say('errors: a tool that fails is a result'));
    is((await client.call('echo', { text: 5 })).isError, true, say('errors: arguments the tool refuses are a result'));
    const noTool = await client.call('no_such_tool').catch(error => error);
    ok(noTool.code === -32602 || noTool.isError === true, say('errors: an unknown tool'), noTool);
    const noPrompt = await fails(client.prompt('no_such_prompt'), say('errors: an unknown prompt'));
    is(noPrompt?.code, -32602, say('errors: … is -32602'));
    const noResource = await fails(client.read('test://nowhere'), say('errors: an unknown resource'));
    ok(noResource?.code === -32602 || (client.era === 'old' && noResource?.code === -32002), say('errors: … has the code of its era'), noResource);

    // progress
    const steps = [];
    await client.call('test_tool_with_progress', {}, { onprogress: step => { steps.push([step.progress, step.total]); } });
    // Both SDKs forget the last step when it comes in one piece with the answer.
    ok(steps.length >= 2, say('progress'), steps);
    is(steps, [[0, 100], [50, 100], [100, 100]].slice(0, steps.length), say('progress: in order'));

    // cancellation: seen by the upstream
    const stats = async () => (await client.call('stats')).structuredContent;
    const before = await stats();
    const abort = new AbortController();
    let progressed = 0;
    const call = fails(client.call('slow', { ms: 60000, steps: 600 }, { signal: abort.signal, timeout: 120000, onprogress: () => { progressed++; } }), say('cancellation: the caller'));
    ok(await until(() => progressed > 0, WAIT_MS), say('cancellation: the call is under way'));
    abort.abort('enough');
    await call;
    ok(await until(async () => (await stats()).cancelled === before.cancelled + 1, WAIT_MS), say('cancellation: the upstream stops'));

    // resources, prompts, completion
    ok((await client.list('resources')).some(resource => resource.uri === 'test://static-text'), say('resources: list'));
    is((await client.list('templates')).map(template => template.uriTemplate), ['test://template/{id}/data'], say('resources: templates'));
    is((await client.read('test://static-text')).contents, [{ uri: 'test://static-text', mimeType: 'text/plain', text: 'What the static text resource holds.' }], say('resources: read'));
    ok((await client.read('test://static-binary')).contents[0].blob.length > 50, say('resources: read bytes'));
    is(JSON.parse((await client.read('test://template/x%20y/data')).contents[0].text).templateTest, true, say('resources: read by a template'));
    ok((await client.list('prompts')).some(prompt => prompt.name === 'test_prompt_with_arguments'), say('prompts: list'));
    is((await client.prompt('test_prompt_with_arguments', { arg1: 'ONE', arg2: 'zwei ü' })).messages[0].content.text, "arg1 is 'ONE' and arg2 is 'zwei ü'", say('prompts: get'));
    is((await client.complete({ type: 'ref/prompt', name: 'test_prompt_with_arguments' }, 'arg1', 'par')).completion.values, ['paris', 'park', 'party'], say('completion'));

    // listen
    await client.listen(WATCHED);
    const told = method => client.got.filter(([name]) => name === method).length;
    for (const [what, method] of Object.entries(CHANGED)) {
        await client.call('trigger', { what });
        ok(await until(() => told(method) >= 1, WAIT_MS), say(`listen: ${method}`), client.got);
    }
    await client.call('trigger', { what: 'resource', uri: 'test://static-text' });
    await client.call('trigger', { what: 'resource', uri: WATCHED });
    ok(await until(() => told('notifications/resources/updated') >= 1, WAIT_MS), say('listen: resources/updated'), client.got);
    // A server over HTTP tells each session, and a caller may have two of them: it may be told twice.
    const uris = client.got.filter(([name]) => name === 'notifications/resources/updated').map(([, params]) => params.uri);
    is([...new Set(uris)], [WATCHED], say('listen: … of that resource only'));
    await client.unlisten(WATCHED);
    await client.close();

    // elicitation, sampling, roots
    const human = await open({ answers: USER });
    is(textOf(await human.call('test_elicitation', { message: 'Say' })), 'user: accept {"response":"my response"}', say('elicitation: accepted'));
    is(textOf(await human.call('test_sampling', { prompt: 'hello' })), 'model said: heard: hello', say('sampling'));
    is(textOf(await human.call('test_input_required_result_list_roots')), 'Roots: file:///srv', say('roots'));
    is(textOf(await human.call('test_input_required_result_multi_round')), 'my name likes my color', say('elicitation: two rounds'));
    is(textOf(await human.call('test_input_required_result_multiple_inputs')), 'heard: Write a greeting my name, 1 root(s)', say('elicitation, sampling and roots at once'));
    is((await human.prompt('test_input_required_result_prompt')).messages[0].content.text, 'Context: my context', say('elicitation: a prompt that asks'));
    const both = await Promise.all(['A', 'B', 'C'].map(message => human.call('test_elicitation', { message })));
    is(both.map(textOf), Array(3).fill('user: accept {"response":"my response"}'), say('elicitation: three at once'));
    await human.close();
    const shy = await open({ answers: { elicit: () => ({ action: 'decline' }) } });
    is(textOf(await shy.call('test_elicitation', { message: 'Say' })), 'user: decline {}', say('elicitation: declined'));
    await shy.close();
    const deaf = await open({});
    const unasked = await deaf.call('test_elicitation', { message: 'Say' }).catch(error => error);
    ok(unasked.code < 0 || unasked.isError === true, say('elicitation: a client that cannot is told so'), unasked);
    is(textOf(await deaf.call('test_simple_text')), 'A plain text answer.', say('… and the next call is answered'));
    await deaf.close();
}
