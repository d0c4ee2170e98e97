# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may talk to the backend: CURVE keys and a ZAP allow-list of one client key.

pyzmq's own authenticator answers the ZAP requests (BSD-3-Clause, part of pyzmq).
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass

import zmq
from zmq.auth.thread import ThreadAuthenticator
from zmq.utils import z85

from smplit.errors import BadInput, SmplitError

_DOMAIN = "smplit"  # pyzmq looks the domain of a request up literally; "*" would stand for requests without one


@dataclass(frozen=True)
class Keys:
    """CURVE keys, z85. `client_secret` is empty when the client keeps it to itself."""

    server_public: str
    server_secret: str
    client_public: str
    client_secret: str = ""


def make_keys(client_key: str) -> Keys:
    """A fresh server pair, and a client pair unless the client's public key is given.

    Raises:
        BadInput: `client_key` is not a CURVE public key.
        SmplitError: this machine's ZeroMQ has no CURVE.
    """
    if not zmq.has("curve"):
        raise SmplitError("ZeroMQ on this machine was built without CURVE.", "Install pyzmq from PyPI with pip.", "no_curve")
    public, secret = (key.decode() for key in zmq.curve_keypair())
    if not client_key:
        client_public, client_secret = (key.decode() for key in zmq.curve_keypair())
        return Keys(public, secret, client_public, client_secret)
    try:
        if len(z85.decode(client_key.encode("ascii"))) != 32:
            raise ValueError("not 32 bytes")
    except (ValueError, KeyError, UnicodeEncodeError) as error:
        problem = f"The client key is not a CURVE public key ({error!r})."
        raise BadInput(problem, "Pass the 40 characters of zmq.curve_keypair()[0].", "bad_key") from error
    return Keys(public, secret, client_key)


class _OneClient:
    """Credentials provider of pyzmq's authenticator: one key is allowed."""

    def __init__(self, key: str):
        self._key = key.encode()

    def callback(self, domain: str, key: bytes) -> bool:
        return hmac.compare_digest(key, self._key)


def secure(context: zmq.Context, router: zmq.Socket, keys: Keys) -> ThreadAuthenticator:
    """Makes `router`, not bound yet, a CURVE server for `keys.client_public` alone; stop the result at the end."""
    authenticator = ThreadAuthenticator(context)
    authenticator.start()
    authenticator.configure_curve_callback(domain=_DOMAIN, credentials_provider=_OneClient(keys.client_public))
    router.curve_server = True
    router.curve_publickey = keys.server_public.encode()
    router.curve_secretkey = keys.server_secret.encode()
    router.zap_domain = _DOMAIN.encode()
    return authenticator
