#!/usr/bin/env python3
"""Checks a permit at the tool's side, with a JWT library that knows nothing of Countersign.

    pip install -r tools/requirements.txt
    curl -s SERVER/.well-known/jwks.json > jwks.json
    python3 tools/check_permit.py --jwks jwks.json --issuer ORIGIN --audience tool:email.send \
        --tool email.send --args arguments.json [--wire wire.json] < permit

Prints the id of the decision and exits with 0 if the permit is good for this call, 1 if it is not, 2 for
usage or I/O. That is an offline check: it promises the arguments and the end of the permit, not that it
is used once. For that, `POST /v1/permits/consume` (docs/permits.md).
"""
import argparse, hashlib, json, pathlib, sys

try:
    import jwt
    import rfc8785
except ImportError as missing:
    print(f"{missing}; what is needed: pip install -r tools/requirements.txt", file=sys.stderr)
    sys.exit(2)


class Refused(Exception):
    pass


def once(pairs):
    """A JSON object in which no name stands twice: two readers could take different ones."""
    members = dict(pairs)
    if len(members) != len(pairs):
        raise Refused("a name stands twice in the arguments")
    return members


def check(token, keys, issuer, audience, tool, args, wire=None):
    """The claims of a permit that is good for this call."""
    header = jwt.get_unverified_header(token)
    if header.get("typ") != "countersign-permit+jwt":
        raise Refused(f"the type is {header.get('typ')!r}")
    key = next((key for key in keys if key.key_id == header.get("kid")), None)
    if key is None:
        raise Refused("the key is not in the key set: fetch it again, at most once a minute")
    claims = jwt.decode(
        token, key.key,
        algorithms=["EdDSA"],  # never from the token
        issuer=issuer, audience=audience, leeway=5,
        options={"require": ["exp", "iat", "iss", "aud", "sub", "jti"], "strict_aud": True},
    )
    # The leeway is for clocks that are behind the signer's; a permit's end has none.
    jwt.decode(token, key.key, algorithms=["EdDSA"], issuer=issuer, audience=audience,
               options={"verify_iat": False, "strict_aud": True})
    if claims["tool"] != tool:
        raise Refused(f"the permit is for the tool {claims['tool']!r}")
    parsed = json.loads(args, object_pairs_hook=once)
    digest = "sha256:" + hashlib.sha256(rfc8785.dumps(parsed)).hexdigest()
    if claims["args_sha256"] != digest:
        raise Refused("the permit is for other arguments")
    if wire is not None and claims.get("wire") != wire:
        raise Refused("the permit is for other bytes")
    return claims


def main():
    parser = argparse.ArgumentParser()
    for name in ["jwks", "issuer", "audience", "tool", "args"]:
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--wire")
    given = parser.parse_args()
    read = lambda path: pathlib.Path(path).read_bytes()
    try:
        keys = jwt.PyJWKSet.from_json(read(given.jwks).decode()).keys
        wire = json.loads(read(given.wire)) if given.wire else None
        args = read(given.args)
    except (OSError, ValueError, jwt.PyJWTError) as error:
        print(error, file=sys.stderr)
        return 2
    try:
        claims = check(sys.stdin.read().strip(), keys, given.issuer, given.audience, given.tool, args, wire)
    except (Refused, ValueError, KeyError, jwt.PyJWTError) as error:
        print(f"refused: {error}", file=sys.stderr)
        return 1
    print(claims["entry_id"])
    return 0


if __name__ == "__main__":
    sys.exit(main())
