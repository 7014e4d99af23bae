"""A real mail server for tests: listens on loopback, keeps what it is handed, refuses as told."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, Envelope, LoginPassword
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from core import clock

USER, PASSWORD = "paydesk", "s3cret:with/odd@signs"


@dataclass
class Postbox:
    """What was handed over. script: answers to the next recipients, None is a yes."""

    host: str = "127.0.0.1"
    port: int = 0
    received: list[EmailMessage] = field(default_factory=list)
    recipients: list[str] = field(default_factory=list)
    script: list[str | None] = field(default_factory=list)
    signed_in: list[str] = field(default_factory=list)

    async def handle_RCPT(  # noqa: N802  # the name is the server's
        self, server: Any, session: Any, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        answer = self.script.pop(0) if self.script else None
        if answer is not None:
            return answer
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Envelope) -> str:  # noqa: N802  # as above
        assert isinstance(envelope.content, bytes)
        read = message_from_bytes(envelope.content, policy=default)
        assert isinstance(read, EmailMessage)
        self.received.append(read)
        self.recipients += envelope.rcpt_tos
        return "250 OK"

    def authenticate(
        self, server: Any, session: Any, envelope: Any, mechanism: str, data: Any
    ) -> AuthResult:
        assert isinstance(data, LoginPassword)
        is_right = (data.login, data.password) == (USER.encode(), PASSWORD.encode())
        self.signed_in.append(data.login.decode())
        return AuthResult(success=is_right)


@contextmanager
def opened(*, context: ssl.SSLContext | None = None) -> Iterator[Postbox]:
    """Lend a running server. context: it offers STARTTLS and lets nobody send without signing in."""
    box = Postbox()
    more: dict[str, Any] = {}
    if context is not None:
        more = {"tls_context": context, "require_starttls": True, "auth_required": True}
        more |= {"authenticator": box.authenticate}
    controller = Controller(box, hostname=box.host, port=0, **more)
    # Port 0 lets the system choose; the controller's own probe needs the real one.
    from tests.rig import ports

    controller.port = box.port = ports.free_port()
    controller.start()
    try:
        yield box
    finally:
        controller.stop()


def certificate(folder: Path) -> tuple[ssl.SSLContext, Path]:
    """Make a certificate for loopback that nobody trusts until they are told to. Gives its file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    address = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(clock.now() - timedelta(days=1))
        .not_valid_after(clock.now() + timedelta(days=1))
        .add_extension(address, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / "server.pem"
    pem = serialization.Encoding.PEM
    plain, none = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    path.write_bytes(made.public_bytes(pem) + key.private_bytes(pem, plain, none))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context, path
