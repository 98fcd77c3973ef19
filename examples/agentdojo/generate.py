#!/usr/bin/env python3
"""Writes bundle/tools/workspace.json and slack.json: tool manifests with the JSON Schemas that
AgentDojo's own functions have. `--check` writes nothing and fails if a file would change.

What AgentDojo does not say (what a call does, how far it reaches, what it acts on) stands in the
table below.
"""

import argparse
import importlib.metadata
import json
import pathlib
import sys

from agentdojo.task_suite.load_suites import get_suite

PACKAGE_VERSION = "0.1.35"
BENCHMARK_VERSION = "v1.2.2"
SUITES = ("workspace", "slack")
TOOLS = pathlib.Path(__file__).resolve().parent / "bundle" / "tools"

# A kind of target: how its value is read, and the Cedar entity type that stands for it.
ADDRESS = ("email", "Address")
MESSAGE = ("id", "Message")
EVENT = ("id", "Event")
FILE = ("id", "File")
PATH = ("path", "Path")
USER = ("id", "User")
CHANNEL = ("id", "Channel")
PAGE = ("url", "Page")

READ, WRITE, IRREVERSIBLE = "read", "write", "irreversible"

# What the other arguments of tools that change something are for.
ROLES = {
    **dict.fromkeys(
        ("body", "content", "description", "location", "permission", "subject", "title"), "text"
    ),
    **dict.fromkeys(("start_time", "end_time", "new_start_time", "new_end_time"), "quantity"),
    "attachments": "identity",
}

# tool: (action, effect, {argument: kind of target}). What sends mail or tells somebody something is
# irreversible, and so is what deletes.
TABLE = {
    # workspace: mail
    "send_email": ("email.send", IRREVERSIBLE, {"recipients": ADDRESS, "cc": ADDRESS, "bcc": ADDRESS}),
    "delete_email": ("email.delete", IRREVERSIBLE, {"email_id": MESSAGE}),
    "get_unread_emails": ("email.list", READ, {}),
    "get_sent_emails": ("email.list", READ, {}),
    "get_received_emails": ("email.list", READ, {}),
    "get_draft_emails": ("email.list", READ, {}),
    "search_emails": ("email.search", READ, {}),
    "search_contacts_by_name": ("contact.search", READ, {}),
    "search_contacts_by_email": ("contact.search", READ, {}),
    # workspace: calendar; each change is mailed to the participants
    "get_current_day": ("calendar.today", READ, {}),
    "search_calendar_events": ("calendar.search", READ, {}),
    "get_day_calendar_events": ("calendar.list", READ, {}),
    "create_calendar_event": ("calendar.create", IRREVERSIBLE, {"participants": ADDRESS}),
    "cancel_calendar_event": ("calendar.cancel", IRREVERSIBLE, {"event_id": EVENT}),
    "reschedule_calendar_event": ("calendar.reschedule", IRREVERSIBLE, {"event_id": EVENT}),
    "add_calendar_event_participants": (
        "calendar.invite",
        IRREVERSIBLE,
        {"event_id": EVENT, "participants": ADDRESS},
    ),
    # workspace: drive
    "append_to_file": ("file.append", WRITE, {"file_id": FILE}),
    "search_files_by_filename": ("file.search", READ, {}),
    "create_file": ("file.create", WRITE, {"filename": PATH}),
    "delete_file": ("file.delete", IRREVERSIBLE, {"file_id": FILE}),
    "get_file_by_id": ("file.read", READ, {"file_id": FILE}),
    "list_files": ("file.list", READ, {}),
    "share_file": ("file.share", IRREVERSIBLE, {"file_id": FILE, "email": ADDRESS}),
    "search_files": ("file.search", READ, {}),
    # slack
    "get_channels": ("channel.list", READ, {}),
    "add_user_to_channel": ("channel.add-user", WRITE, {"user": USER, "channel": CHANNEL}),
    "read_channel_messages": ("channel.read", READ, {"channel": CHANNEL}),
    "read_inbox": ("inbox.read", READ, {"user": USER}),
    "send_direct_message": ("message.send", IRREVERSIBLE, {"recipient": USER}),
    "send_channel_message": ("channel.send", IRREVERSIBLE, {"channel": CHANNEL}),
    "get_users_in_channel": ("channel.list-users", READ, {"channel": CHANNEL}),
    "invite_user_to_slack": ("user.invite", IRREVERSIBLE, {"user": USER, "user_email": ADDRESS}),
    "remove_user_from_slack": ("user.remove", WRITE, {"user": USER}),
    "get_webpage": ("web.read", READ, {"url": PAGE}),
    "post_webpage": ("web.post", IRREVERSIBLE, {"url": PAGE}),
}


def manifest(function):
    """The manifest of one of AgentDojo's functions."""
    action, effect, targets = TABLE[function.name]
    schema = function.parameters.model_json_schema()
    required = schema.get("required", [])
    declarations = []
    for argument, (kind, entity) in targets.items():
        if argument not in schema["properties"]:
            raise SystemExit(f"{function.name} has no argument {argument}")
        declaration = {"at": f"/{argument}", "type": kind, "entity": entity}
        if argument not in required:
            declaration["optional"] = True
        declarations.append(declaration)
    roles = {
        f"/{argument}": ROLES[argument]
        for argument in schema["properties"]
        if effect != READ and argument not in targets
    }
    return {
        "tool": function.name,
        "action": action,
        "effect": effect,
        "description": function.description,
        "arguments": schema,
        "targets": declarations,
        **({"roles": roles} if roles else {}),
    }


def render(suite):
    tools = sorted(get_suite(BENCHMARK_VERSION, suite).tools, key=lambda tool: tool.name)
    return json.dumps([manifest(tool) for tool in tools], indent=2, ensure_ascii=False) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail on a difference")
    options = parser.parse_args()
    found = importlib.metadata.version("agentdojo")
    if found != PACKAGE_VERSION:
        raise SystemExit(f"agentdojo {found} is installed; this wants {PACKAGE_VERSION}")
    stale = []
    for suite in SUITES:
        path, text = TOOLS / f"{suite}.json", render(suite)
        if path.exists() and path.read_text(encoding="utf-8") == text:
            continue
        if options.check:
            stale.append(path.name)
        else:
            path.write_text(text, encoding="utf-8")
    if stale:
        raise SystemExit(f"out of date: {', '.join(stale)}")


if __name__ == "__main__":
    sys.exit(main())
