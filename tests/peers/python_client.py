"""A client on the Python SDK, 1.x or 2.x, whichever the interpreter has: does the steps it is given and prints what came, as JSON.

    python_client.py URL STEPS
    python_client.py '["command", "argument", …]' STEPS

STEPS is a JSON array of [method, argument…]: ["tools"], ["call", name, arguments], ["resources"], ["read", uri], ["prompts"],
["prompt", name, arguments]. The environment's ERA=legacy makes SDK 2.x use initialize. The user's name is Ada.
"""
import asyncio
import json
import os
import sys

where, steps = sys.argv[1], json.loads(sys.argv[2])
where = json.loads(where) if where.startswith("[") else where


def plain(value):
    return value.model_dump(mode="json", by_alias=True, exclude_none=True)


async def elicit(_context, _params):
    from mcp.types import ElicitResult
    return ElicitResult(action="accept", content={"name": "Ada"})


async def ask(client):
    out = []
    for what, *args in steps:
        method = {"tools": "list_tools", "call": "call_tool", "resources": "list_resources", "read": "read_resource", "prompts": "list_prompts", "prompt": "get_prompt"}[what]
        try:
            out.append(plain(await getattr(client, method)(*args)))
        except Exception as e:
            out.append({"error": getattr(getattr(e, "error", None), "code", None) or getattr(e, "code", None), "message": str(e)})
    return out


async def old():
    from mcp import ClientSession, StdioServerParameters, stdio_client
    from mcp.client.streamable_http import streamablehttp_client
    way = streamablehttp_client(where) if isinstance(where, str) else stdio_client(StdioServerParameters(command=where[0], args=where[1:], env=dict(os.environ)))
    async with way as streams:
        async with ClientSession(streams[0], streams[1], elicitation_callback=elicit) as session:
            await session.initialize()
            return await ask(session)


async def new():
    from mcp import Client, StdioServerParameters
    mode = "legacy" if os.environ.get("ERA") == "legacy" else "2026-07-28"
    target = where if isinstance(where, str) else StdioServerParameters(command=where[0], args=where[1:], env=dict(os.environ))
    async with Client(target, mode=mode, elicitation_callback=elicit) as client:
        return await ask(client)


try:
    from mcp import Client  # noqa: F401
    run = new
except ImportError:
    run = old
print(json.dumps(asyncio.run(run())))
