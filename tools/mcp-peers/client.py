#!/usr/bin/env python3
"""Lists and calls tools as clients of the Python MCP SDK do, and prints what came, one JSON document a line.

client.py MODE CALLS COMMAND ARGS...
client.py MODE CALLS URL

MODE is `legacy` (initialize, 2025-11-25) or `auto` (the newest revision that the server speaks). CALLS is a JSON array
of [tool, arguments], where a tool `resource:URI` reads a resource.
"""

import json
import os
import sys

import anyio
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client


def show(document):
    print(json.dumps(document), flush=True)


async def main():
    mode, calls, server, *args = sys.argv[1:]
    if not server.startswith("http"):
        parameters = StdioServerParameters(command=server, args=args, env=dict(os.environ))
        server = stdio_client(parameters)
    async with Client(server, mode=mode) as client:
        listed = await client.list_tools()
        names = [tool.name for tool in listed.tools]
        show({"revision": client.protocol_version, "tools": names})
        for tool, arguments in json.loads(calls):
            try:
                if tool.startswith("resource:"):
                    result = await client.read_resource(tool.removeprefix("resource:"))
                else:
                    result = await client.call_tool(tool, arguments)
                show(result.model_dump(mode="json", by_alias=True, exclude_none=True))
            except Exception as error:  # a refusal as an error of the protocol
                show({"error": str(error)})


anyio.run(main)
