#!/usr/bin/env python3
"""Lists and calls tools as clients of the Python MCP SDK do, and prints what came, one JSON document a line.

client.py ERA CALLS COMMAND ARGS...

ERA is `sessions` (initialize, 2025-11-25) or `newest` (the newest revision that the server speaks). CALLS is a JSON
array of [tool, arguments], where a tool `resource:URI` reads a resource.
"""

import json
import os
import sys

import anyio
from mcp import Client, ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client


def show(document):
    print(json.dumps(document), flush=True)


async def talk(client, revision, calls):
    listed = await client.list_tools()
    show({"revision": revision, "tools": [tool.name for tool in listed.tools]})
    for tool, arguments in calls:
        try:
            if tool.startswith("resource:"):
                result = await client.read_resource(tool.removeprefix("resource:"))
            else:
                result = await client.call_tool(tool, arguments)
            show(result.model_dump(mode="json", by_alias=True, exclude_none=True))
        except Exception as error:  # a refusal as an error of the protocol
            show({"error": str(error)})


async def main():
    era, calls, command, *args = sys.argv[1:]
    calls = json.loads(calls)
    server = stdio_client(StdioServerParameters(command=command, args=args, env=dict(os.environ)))
    if era == "newest":
        async with Client(server) as client:
            await talk(client, client.protocol_version, calls)
        return
    async with server as (read, write), ClientSession(read, write) as session:
        hello = await session.initialize()
        await talk(session, hello.protocol_version, calls)


anyio.run(main)
