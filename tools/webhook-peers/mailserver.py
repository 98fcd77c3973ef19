"""A mail server that takes nothing without TLS and a login.

    python mailserver.py starttls|implicit CERT KEY USER PASSWORD

Prints its port, then one line of JSON for each mail: its envelope, whether it came encrypted, and
the mail as Python's own parser reads it.
"""

import asyncio
import email
import email.policy
import json
import ssl
import sys

from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword

mode, cert, key, user, password = sys.argv[1:]
tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
tls.load_cert_chain(cert, key)


class Handler:
    async def handle_DATA(self, server, session, envelope):
        mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
        said = {
            "from": envelope.mail_from,
            "to": envelope.rcpt_tos,
            "encrypted": mode == "implicit" or session.ssl is not None,
            "authenticated": bool(session.authenticated),
            "headers": {name.lower(): str(value) for name, value in mail.items()},
            "names": [name.lower() for name in mail.keys()],
            "defects": [str(defect) for defect in mail.defects],
            "body": mail.get_content(),
        }
        print(json.dumps(said), flush=True)
        return "250 taken"


def authenticate(server, session, envelope, mechanism, data):
    wanted = LoginPassword(user.encode(), password.encode())
    # Not handled: the server answers.
    return AuthResult(success=data == wanted, handled=False)


def protocol():
    return SMTP(
        Handler(),
        tls_context=tls if mode == "starttls" else None,
        require_starttls=mode == "starttls",
        auth_required=True,
        # With TLS from the first byte on, the library does not know that there is any.
        auth_require_tls=mode == "starttls",
        authenticator=authenticate,
        hostname="localhost",
    )


async def main():
    loop = asyncio.get_running_loop()
    context = tls if mode == "implicit" else None
    server = await loop.create_server(protocol, "127.0.0.1", 0, ssl=context)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


asyncio.run(main())
