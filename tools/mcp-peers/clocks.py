#!/usr/bin/env python3
"""A server of tools on streamable HTTP, in both revisions, as the Python MCP SDK makes one: clocks.py PORT"""

import sys

from mcp.server import MCPServer

server = MCPServer("clocks")


@server.tool()
def read_clock(city_name: str) -> str:
    """Reads the clock of a city."""
    return f"It is noon in {city_name}."


@server.tool()
def set_clock(city_name: str, hour: int) -> str:
    """Sets the clock of a city."""
    return f"It is {hour} in {city_name}."


server.run("streamable-http", host="127.0.0.1", port=int(sys.argv[1]))
