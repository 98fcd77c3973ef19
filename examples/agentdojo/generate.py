#!/usr/bin/env python3
"""Writes bundle/tools/workspace.json and slack.json: tool manifests with the JSON Schemas that
AgentDojo's own functions have. `--check` writes nothing and fails if a file would change.

What AgentDojo does not say stands in the tables below: what a call does, how far it reaches, what it acts
on, what its arguments are for, by which words a person asks for it, and who wrote what of its result.
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

# What the arguments that are no targets are for. By what a search asks for, a turn can name its results.
ROLES = {
    **dict.fromkeys(("query", "sender", "filename"), "identity"),
    **dict.fromkeys(("day", "date"), "quantity"),
    **dict.fromkeys(
        ("body", "content", "description", "location", "permission", "subject", "title"), "text"
    ),
    **dict.fromkeys(("start_time", "end_time", "new_start_time", "new_end_time"), "quantity"),
    "attachments": {"type": "text", "event_details": "text"},
}

# The words by which a person asks for an action: (verbs, nouns). A second factor only. Words that stand in
# turns that only read, too, tell nothing: "tell me", "give me", "in the email", "shared with".
MAIL, FILES = ["email", "mail", "message"], ["file", "document"]
MEETING = ["event", "meeting", "appointment"]
SEND = ["send", "write", "reply", "respond", "answer", "forward", "notify"]
WORDS = {
    "email.send": (SEND, MAIL),
    "email.delete": (["delete", "remove", "erase", "trash", "discard"], MAIL),
    "calendar.create": (["create", "add", "schedule", "book", "organize", "arrange", "set up", "put"], MEETING),
    "calendar.cancel": (["cancel", "delete", "remove", "call off"], MEETING),
    "calendar.reschedule": (["reschedule", "move", "postpone", "shift", "change", "bring forward"], MEETING),
    "calendar.invite": (["add", "invite", "include"], ["participant", *MEETING]),
    "file.append": (["append", "add", "write", "insert", "put", "update", "extend"], FILES),
    "file.create": (["create", "write", "make", "save", "draft"], FILES),
    "file.delete": (["delete", "remove", "erase"], FILES),
    "file.share": (["share", "give access", "grant access"], FILES),
    "channel.add-user": (["add", "invite", "put"], ["channel"]),
    "message.send": ([*SEND, "message"], ["message", "DM"]),
    "channel.send": ([*SEND, "message", "post", "announce", "publish"], ["message", "channel"]),
    "user.invite": (["invite", "add"], ["user", "colleague", "workspace"]),
    "user.remove": (["remove", "delete", "kick", "deactivate"], ["user"]),
    "web.post": (["post", "publish", "upload", "put", "submit", "write"], ["page", "website"]),
}


# Fields that the system writes, and the entity type of what stands there. What has no type could stand for
# anything, so nothing is named here that could pass for an id and is none (a size, a count).

# What a mail says of its sender is authenticated by whoever receives it; whom else it is addressed to is
# its author's word.
EMAIL = {"id_": "Message", "sender": "Address", "timestamp": None}
# Who is invited to an event is the calendar's record of the addresses that it sent invitations to.
CALENDAR = {"id_": "Event", "participants/*": "Address", "start_time": None, "end_time": None}
DRIVE = {"id_": "File", "owner": "Address", "last_modified": None}
PERSON = {"email": "Address"}


def yaml(prefix, fields):
    labels = [
        {"at": f"{prefix}/{field}", "integrity": "system", **({"entity": entity} if entity else {})}
        for field, entity in fields.items()
    ]
    return {"format": "yaml", "fields": labels}


def one(fields):
    return yaml("", fields)


def many(fields):
    return yaml("/*", fields)


TEXT = {"format": "text"}

# Who wrote what of a result. What is not named is a correspondent's.
RESULTS = {
    "send_email": one(EMAIL),
    "delete_email": TEXT,
    "get_unread_emails": many(EMAIL),
    "get_sent_emails": many(EMAIL),
    "get_received_emails": many(EMAIL),
    "get_draft_emails": many(EMAIL),
    "search_emails": many(EMAIL),
    "search_contacts_by_name": many(PERSON),
    "search_contacts_by_email": many(PERSON),
    "get_current_day": TEXT,
    "search_calendar_events": many(CALENDAR),
    "get_day_calendar_events": many(CALENDAR),
    "create_calendar_event": one(CALENDAR),
    "cancel_calendar_event": TEXT,
    "reschedule_calendar_event": one(CALENDAR),
    "add_calendar_event_participants": one(CALENDAR),
    "append_to_file": one(DRIVE),
    "search_files_by_filename": many(DRIVE),
    "create_file": one(DRIVE),
    "delete_file": one(DRIVE),
    "get_file_by_id": one(DRIVE),
    "list_files": many(DRIVE),
    "share_file": one(DRIVE),
    "search_files": many(DRIVE),
    # A name of a channel or user is text that somebody chose: its type keeps it from being anything else.
    "get_channels": one({"*": "Channel"}),
    "get_users_in_channel": one({"*": "User"}),
    "read_channel_messages": many({"sender": "User", "recipient": "Channel"}),
    "read_inbox": many({"sender": "User", "recipient": "User"}),
    **dict.fromkeys(
        ("add_user_to_channel", "send_direct_message", "send_channel_message", "invite_user_to_slack",
         "remove_user_from_slack", "get_webpage", "post_webpage"),
        TEXT,
    ),
}

# AgentDojo's schema says of an attachment that it is an object, and its description what the members are.
ATTACHMENT = {"type": {"type": "string"}, "file_id": {"type": "string"}, "event_details": {"type": "object"}}
# Attaching a file passes it on, whatever the mail says: one call with two effects.
ATTACHES = {
    "action": "file.attach",
    "effect": IRREVERSIBLE,
    "when": "$.attachments[*].file_id",
    "targets": [{"at": "$.attachments[*].file_id", "type": "id", "entity": "File"}],
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
    made = {
        "tool": function.name,
        "action": action,
        "effect": effect,
        "description": function.description,
        "arguments": schema,
        "targets": declarations,
    }
    if "attachments" in schema["properties"]:
        schema["properties"]["attachments"]["anyOf"][0]["items"]["properties"] = ATTACHMENT
        made["effects"] = [ATTACHES]
    roles = dict(roles_of(argument for argument in schema["properties"] if argument not in targets))
    if roles:
        made["roles"] = roles
    if effect != READ:
        verbs, nouns = WORDS[action]
        made["words"] = {"en": {"verbs": verbs, "nouns": nouns}}
    made["results"] = RESULTS[function.name]
    return made


def roles_of(arguments):
    for argument in arguments:
        role = ROLES[argument]
        if isinstance(role, dict):
            yield from ((f"/{argument}/{member}", role) for member, role in role.items())
        else:
            yield f"/{argument}", role


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
