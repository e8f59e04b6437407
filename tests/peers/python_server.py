"""A server on the Python SDK, 1.x or 2.x, whichever the interpreter has: a few tools, a resource, a prompt.

    python_server.py stdio | http

http prints `listening PORT`, of 127.0.0.1.
"""
import asyncio
import socket
import sys

from pydantic import BaseModel

try:
    from mcp.server.mcpserver import Context, MCPServer as Server
except ImportError:
    from mcp.server.fastmcp import Context, FastMCP as Server

server = Server("python", instructions="A server in Python.")


class Sum(BaseModel):
    sum: int


class Name(BaseModel):
    name: str


@server.tool()
def add(a: int, b: int) -> Sum:
    """Adds two numbers."""
    return Sum(sum=a + b)


@server.tool()
def fail() -> str:
    """Fails."""
    raise ValueError("on purpose")


@server.tool()
async def steps(n: int, ctx: Context) -> str:
    """Tells its progress."""
    for i in range(n):
        await ctx.report_progress(i + 1, n)
    return "%d steps" % n


@server.tool()
async def greet(ctx: Context) -> str:
    """Asks the user's name."""
    answer = await ctx.elicit("Your name?", Name)
    return "Hello, %s!" % answer.data.name if answer.action == "accept" else "No name."


@server.resource("python://zen", mime_type="text/plain")
def zen() -> str:
    """A resource."""
    return "Explicit is better than implicit."


@server.prompt()
def review(code: str) -> str:
    """A prompt."""
    return "Please review: " + code


async def http():
    import uvicorn
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        s.listen(64)
        print("listening %d" % s.getsockname()[1], flush=True)
        await uvicorn.Server(uvicorn.Config(server.streamable_http_app(), log_level="error")).serve(sockets=[s])


if sys.argv[1] == "http":
    asyncio.run(http())
else:
    server.run("stdio")
