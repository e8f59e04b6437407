// The conformance suite against the test upstream directly and through Postern with plain names: no check may differ.

import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { again, compare, count, runSuite, told } from './conformance-gate.mjs';
import { diag, is, main, ok, scratch, startPostern, startUpstream } from '../lib/postern.mjs';

// What the SDK's server reaches. The failures are the tasks extension, which it does not implement.
const REFERENCE = { SUCCESS: 164, FAILURE: 30, SKIPPED: 1, INFO: 1 };

// An upstream's stream that holds nothing but the answer reaches the client as plain JSON: until the first event Postern can
// still answer with the right HTTP status. The suite notes that as information; nothing else may differ.
const STREAM_OF_ONE = 'server-sse-multiple-streams server-sse-streams-functional: SUCCESS directly, INFO through the gateway';

await main(async () => {
    const out = scratch();
    for (const [kind, args] of [['answers as the upstream likes', []], ['every answer an event stream', ['--sse']]]) {
        const upstream = await startUpstream(...args);
        const postern = await startPostern({ up: { url: upstream.url } });
        const fails = suite => [...suite.checks].filter(([s, list]) => !s.startsWith('tasks-') && list.some(check => check.status === 'FAILURE')).map(([s]) => s);
        // A stream has begun with status 200 before the tool can ask for a capability, hence the one exception with --sse.
        const wanted = args.length ? ['server-stateless'] : [];
        const direct = await again(n => runSuite(upstream.url, join(out, `direct${args.length}-${n}`)), suite => isDeepStrictEqual(fails(suite), wanted) ? [] : [`${fails(suite)} fail`]);
        if (args.length === 0) is(direct.totals, REFERENCE, 'directly: 164 passed, 30 failed (tasks), 1 skipped');
        is(fails(direct), wanted, `directly, only the tasks scenarios fail: ${kind}`);

        const differs = suite => compare(direct, suite).filter(line => args.length === 0 || line !== STREAM_OF_ONE);
        const through = await again(n => runSuite(postern.url, join(out, `through${args.length}-${n}`)), differs);
        const differences = differs(through);
        ok(differences.length === 0 && count(direct) > 190, `through Postern: no per-check difference (${kind})`,
            () => `direct ${told(direct)}\nthrough ${told(through)}\n${differences.join('\n')}\n${count(direct) ? '' : direct.output}`);
        is(through.status, direct.status, `the suite's own verdict is the same (${kind})`);
        if (!ok((await postern.stop()) === 0, 'Postern stops cleanly afterwards', () => postern.errors)) diag(postern.errors);
        await upstream.stop();
    }
});
