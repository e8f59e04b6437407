// ask.mjs URL TOOL ARGUMENTS: one tools/call by the official client; prints the structured content of the answer as JSON.
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';

const [url, name, args] = process.argv.slice(2);
const client = new Client({ name: 'postern-test-client', version: '1.0.0' }, { versionNegotiation: { mode: { pin: '2026-07-28' } } });
await client.connect(new StreamableHTTPClientTransport(new URL(url)));
const answer = await client.callTool({ name, arguments: JSON.parse(args) });
await client.close();
if (answer.isError) throw new Error(JSON.stringify(answer.content));
process.stdout.write(JSON.stringify(answer.structuredContent));
