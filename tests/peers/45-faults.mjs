// One upstream at a time is killed, stalled, slowed, made to speak garbage, to flood, to chatter before each answer, all under load: what others are asked is
// answered as if nothing were, each call of the one gets some answer, it comes back, and Postern's memory stays what it was.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { is, main, nodeBinary, ok, PEERS, startPeer, startPostern, until } from '../lib/postern.mjs';
import { Wire } from './wire.mjs';

const CLIENTS = 4;              // of each upstream
const FAULT_MS = 1000;
const IDLE = '5s';             // an answer that nobody can read is one that does not come
const CALL_MS = 60000;          // nothing may take as long
const TELL = process.env.FAULTS_TELL;
const TELL_MS = 3000;
const GROWTH_KB = 8192;

const kb = pid => Number(/^VmRSS:\s*(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0);
const childrenOf = pid => readdirSync(`/proc/${pid}/task`).flatMap(task => readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8').trim().split(' ').filter(Boolean));
// Resident memory of Postern's own processes; the children it runs for others are not it.
function memoryOf(pid) {
    let sum = 0;
    for (const todo = [pid]; todo.length;) {
        const one = todo.pop();
        try {
            if (readFileSync(`/proc/${one}/comm`, 'utf8').startsWith('node')) continue;
            sum += kb(one);
            todo.push(...childrenOf(one));
        } catch {
            // It ended meanwhile.
        }
    }
    return sum;
}

// Of the others than `name`, in microseconds.
function p99(tally, name) {
    const took = Object.entries(tally).filter(([other]) => other !== name).flatMap(([, row]) => row.took).sort((a, b) => a - b);
    return took[Math.floor(took.length * 0.99)];
}
const shown = tally => Object.fromEntries(Object.entries(tally).map(([name, { took, ...row }]) => [name, { ...row, slowest: Math.round(Math.max(...took)) }]));

const UPSTREAMS = { m_http: 'modern', o_http: 'old', m_stdio: 'modern', o_stdio: 'old' };
const FAULTS = ['killed', 'stalled', 'slow', 'garbage', 'flood'];
const ON_HTTP = ['chatter']; // a child's flood is that

await main(async () => {
    const peers = {};
    const servers = {};
    for (const [name, era] of Object.entries(UPSTREAMS)) {
        if (name.endsWith('http')) {
            peers[name] = await startPeer('echo.mjs', 'http', era, name);
            servers[name] = { url: peers[name].url, idle_timeout: IDLE };
        } else servers[name] = { command: nodeBinary(), args: [join(PEERS, 'echo.mjs'), 'stdio', era, name], idle_timeout: IDLE };
    }
    const postern = await startPostern(servers, { names: 'prefixed', workers: 2 });
    const tally = Object.fromEntries(Object.keys(UPSTREAMS).map(name => [name, { good: 0, refused: 0, lost: 0, wrong: 0, took: [], why: '' }]));
    const fresh = () => { for (const row of Object.values(tally)) Object.assign(row, { good: 0, refused: 0, lost: 0, wrong: 0, took: [], why: '' }); };
    let going = true;

    async function client(name, number) {
        const era = number % 2 ? 'old' : 'modern';
        let wire = await Wire.open(postern.url, era);
        for (let n = 0; going; n++) {
            const text = `${name} ${number} ${n}`;
            const row = tally[name];
            const begun = process.hrtime.bigint();
            try {
                const message = await wire.call('tools/call', { name: `${name}__echo`, arguments: { text, delay_ms: 2 } });
                const got = message.result?.structuredContent;
                if (got?.text === text && got.by === name) row.good++;
                else if (got) row.wrong++;
                else {
                    row.refused++;
                    row.why = JSON.stringify(message).slice(0, 200);
                    // An answer as quick as this would be asked for again at once.
                    await new Promise(tick => setTimeout(tick, 20));
                }
            } catch (error) {
                row.lost++;
                row.why = String(error);
                wire.close();
                wire = await Wire.open(postern.url, era);
            }
            row.took.push(Number(process.hrtime.bigint() - begun) / 1000);
        }
        wire.close();
    }

    const asker = await Wire.open(postern.url, 'modern');
    const ask = async (name, tool, args) => (await asker.call('tools/call', { name: `${name}__${tool}`, arguments: args })).result?.structuredContent;
    const pidOf = async name => (await ask(name, 'echo', { text: 'pid' }))?.pid;

    const load = Object.keys(UPSTREAMS).flatMap(name => Array.from({ length: CLIENTS }, (_, number) => client(name, number)));
    ok(await until(() => Object.values(tally).every(row => row.good > 50), CALL_MS), 'without a fault all four upstreams answer', () => shown(tally));
    is(Object.values(tally).map(row => row.refused + row.lost + row.wrong), [0, 0, 0, 0], 'and nothing is refused, lost or wrong');
    const memory = memoryOf(postern.pid);

    for (const name of Object.keys(UPSTREAMS))
        for (const fault of peers[name] ? [...FAULTS, ...ON_HTTP] : FAULTS) {
            const say = what => `${name} ${fault}: ${what}`;
            const pid = peers[name]?.pid ?? await pidOf(name);
            ok(pid > 0, say('it is there before'));
            fresh();
            if (TELL) await new Promise(tick => setTimeout(tick, TELL_MS));
            const quiet = p99(tally, name);
            fresh();
            const port = peers[name]?.port;
            if (fault === 'killed') process.kill(pid, 'SIGKILL');
            else if (fault === 'stalled') process.kill(pid, 'SIGSTOP');
            else await ask(name, 'misbehave', { how: fault, ms: TELL ? TELL_MS : FAULT_MS });
            await new Promise(tick => setTimeout(tick, TELL ? TELL_MS : FAULT_MS));
            if (fault === 'stalled') process.kill(pid, 'SIGCONT');
            if (fault === 'killed' && port) peers[name] = await startPeer('echo.mjs', 'http', UPSTREAMS[name], name, `${port}`);
            if (TELL) process.stdout.write(`# p99 of the others, ${name} ${fault}: ${(p99(tally, name) / quiet).toFixed(2)} of before\n`);
            const others = Object.entries(tally).filter(([other]) => other !== name);
            ok(await until(() => others.every(([, row]) => row.good > 20), CALL_MS) && others.every(([, row]) => row.refused + row.lost + row.wrong === 0), say('the others are answered'), () => shown(tally));
            is([tally[name].wrong, tally[name].lost], [0, 0], say('nobody gets a wrong answer or none'));
            const before = tally[name].good;
            ok(await until(() => tally[name].good > before + 20, CALL_MS), say('it comes back'), () => `${JSON.stringify(shown(tally)[name])}\n${postern.errors.slice(-1500)}`);
            const { refused, took } = tally[name];
            const slowest = Math.max(...took) / 1000;
            const felt = { killed: refused > 0, stalled: slowest > 0.8 * FAULT_MS, slow: slowest > 290, garbage: refused > 0, flood: true, chatter: slowest > 0.5 * FAULT_MS };
            ok(felt[fault], say('it is felt there meanwhile'), () => shown(tally)[name]);
        }
    going = false;
    await Promise.all(load);
    const grown = memoryOf(postern.pid) - memory;
    ok(grown < GROWTH_KB, `memory of Postern's processes grew by less than ${GROWTH_KB} KB`, `${memory} KB and ${grown} KB more`);
    asker.close();
    is(await postern.stop(), 0, 'Postern ends with status 0');
    for (const peer of Object.values(peers)) await peer.stop();
});
