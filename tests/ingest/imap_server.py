"""A real IMAP server (Twisted's) on loopback, whose mailboxes tests fill and disturb."""

# Twisted calls these methods by names of its own, and types only some of them.
# ruff: noqa: N802, N815
# mypy: ignore-errors

from __future__ import annotations

import contextlib
import io
import itertools
import socket
import socketserver
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.header import decode_header, make_header
from email.message import Message
from email.parser import BytesParser
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from twisted.cred import checkers, credentials, portal
from twisted.internet import defer, protocol, reactor, threads
from twisted.mail import imap4
from twisted.mail.interfaces import IChallengeResponse
from zope.interface import implementer

USER, PASSWORD, TOKEN = b"service", b"auth-code", b"token-1"
_running = threading.Event()


def _run_reactor() -> None:
    if not _running.is_set():
        reactor.callWhenRunning(_running.set)
        threading.Thread(target=reactor.run, kwargs={"installSignalHandlers": False}, daemon=True).start()
        _running.wait(10)


@implementer(imap4.IMessage)
class _Mail:
    def __init__(self, uid: int, content: bytes, received_at: datetime) -> None:
        self.uid, self.content, self.received_at = uid, content, received_at
        self.flags: set[str] = set()
        self._parsed: Message = BytesParser().parsebytes(content)

    def header(self, name: str) -> str:
        return str(self._parsed.get(name, ""))

    def getUID(self) -> int:
        return self.uid

    def getFlags(self) -> list[str]:
        return sorted(self.flags)

    def getInternalDate(self) -> str:
        return self.received_at.strftime("%d-%b-%Y %H:%M:%S %z")

    def getHeaders(self, negate: bool, *names: Any) -> dict[str, str]:
        wanted = {(n.decode() if isinstance(n, bytes) else n).lower() for n in names}
        items = [(name.lower(), str(value)) for name, value in self._parsed.items()]
        return {n: v for n, v in items if not names or (n in wanted) != bool(negate)}

    def getBodyFile(self) -> io.BytesIO:
        return io.BytesIO(self.content.partition(b"\r\n\r\n")[2])

    def getSize(self) -> int:
        return len(self.content)

    def isMultipart(self) -> bool:
        return False

    def getSubPart(self, part: int) -> Any:
        raise IndexError(part)


@implementer(imap4.IMessageFile)
class _FileMail(_Mail):
    """Delivered whole, byte by byte as it came."""

    def open(self) -> io.BytesIO:
        return io.BytesIO(self.content)


@implementer(imap4.IMailbox, imap4.ISearchableMailbox)
class _Folder:
    def __init__(self) -> None:
        self.mails: list[_Mail] = []
        self.validity = 1
        self.next_uid = itertools.count(1)
        self.listeners: list[Any] = []

    def getUIDValidity(self) -> int:
        return self.validity

    def getUIDNext(self) -> int:
        return max((m.uid for m in self.mails), default=0) + 1

    def getUID(self, message: int) -> int:
        return self.mails[message - 1].uid

    def getMessageCount(self) -> int:
        return len(self.mails)

    def getRecentCount(self) -> int:
        return 0

    def getUnseenCount(self) -> int:
        return 0

    def isWriteable(self) -> bool:
        return True

    def getFlags(self) -> list[str]:
        return ["\\Seen"]

    def getHierarchicalDelimiter(self) -> str:
        return "/"

    def addListener(self, listener: Any) -> None:
        self.listeners.append(listener)

    def removeListener(self, listener: Any) -> None:
        self.listeners.remove(listener)

    def requestStatus(self, names: Any) -> Any:
        return imap4.statusRequestHelper(self, names)

    def fetch(self, messages: Any, uid: bool) -> list[tuple[int, _Mail]]:
        messages.last = self.mails[-1].uid if uid and self.mails else len(self.mails)
        wanted = set(messages)
        return [(number, mail) for number, mail in enumerate(self.mails, 1) if (mail.uid if uid else number) in wanted]

    def search(self, query: Any, uid: bool) -> Any:
        """RFC 3501; Twisted's own search can't compare headers."""
        found = []
        for number, mail in enumerate(self.mails, 1):
            left = [part.decode() if isinstance(part, bytes) else part for part in query]
            if self._meets(mail, left):
                found.append(number)
        return defer.succeed(found)

    def _meets(self, mail: _Mail, left: list[Any]) -> bool:
        day = mail.received_at.date()
        while left:
            key = left.pop(0).upper()
            if key == "ALL":
                is_met = True
            elif key == "UID":
                low, _, high = left.pop(0).partition(":")
                last = self.mails[-1].uid
                ends = sorted(last if end == "*" else int(end) for end in (low, high or low))
                is_met = ends[0] <= mail.uid <= ends[1]
            elif key in ("SINCE", "BEFORE"):
                limit = datetime.strptime(f"{left.pop(0)} +0000", "%d-%b-%Y %z").date()
                is_met = day >= limit if key == "SINCE" else day < limit
            else:
                name = key if key == "SUBJECT" else left.pop(0)
                wanted = left.pop(0)
                is_met = wanted.lower() in str(make_header(decode_header(mail.header(name)))).lower()
            if not is_met:
                return False
        return True

    def store(self, messages: Any, flags: Any, mode: int, uid: bool) -> dict[int, list[str]]:
        raise AssertionError("nothing may be changed")

    def expunge(self) -> list[int]:
        raise AssertionError("nothing may be removed")

    def destroy(self) -> None:
        raise AssertionError("nothing may be removed")


class _Account(imap4.MemoryAccount):
    def _emptyMailbox(self, name: str, number: int) -> _Folder:
        return _Folder()


@implementer(IChallengeResponse, credentials.IUsernameHashedPassword)
class _XOAuth2:
    """Google's and Microsoft's SASL mechanism: user and bearer token in one line."""

    def __init__(self) -> None:
        self.tried = False
        self.response = b""

    def getChallenge(self) -> bytes:
        return b""

    def setResponse(self, response: bytes) -> None:
        self.tried, self.response = True, response

    def moreChallenges(self) -> bool:
        return not self.tried

    username = USER

    def checkPassword(self, password: bytes) -> bool:
        return self.response == b"user=" + USER + b"\x01auth=Bearer " + TOKEN + b"\x01\x01"


@implementer(checkers.ICredentialsChecker)
class _Checker:
    credentialInterfaces = (credentials.IUsernamePassword, credentials.IUsernameHashedPassword)

    def requestAvatarId(self, given: Any) -> Any:
        if given.username == USER and given.checkPassword(PASSWORD):
            return defer.succeed(USER)
        return defer.fail(checkers.UnauthorizedLogin())


class _Protocol(imap4.IMAP4Server):
    server: Mail

    def connectionMade(self) -> None:
        self.server.connections.append(self)
        imap4.IMAP4Server.connectionMade(self)

    def lineReceived(self, line: bytes) -> None:
        self.server.commands.append(line)
        if self.server.cut_at is not None and self.server.cut_at in line.upper():
            self.server.cut_at = None
            self.transport.abortConnection()
            return
        imap4.IMAP4Server.lineReceived(self, line)


@dataclass
class Mail:
    """The server: put mails in, take them out, break the line."""

    port: int
    account: _Account
    connections: list[Any] = field(default_factory=list)
    commands: list[bytes] = field(default_factory=list)
    cut_at: bytes | None = None
    clock: datetime = datetime(2025, 3, 1, 5, 0, tzinfo=UTC)

    def put(self, content: str | bytes, folder: str = "INBOX", received_at: datetime | None = None) -> int:
        """Deliver a mail, each a minute after the last unless told when; its UID."""
        self.clock += timedelta(minutes=1)
        data = (
            (content.encode() if isinstance(content, str) else content).replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
        )
        box = self.folder(folder)
        uid = next(box.next_uid)
        box.mails.append(_FileMail(uid, data, received_at or self.clock))
        return uid

    def folder(self, name: str) -> _Folder:
        """A folder, made where it isn't there."""
        if name.upper() not in self.account.mailboxes:
            self.account.addMailbox(name)
        found: _Folder = self.account.mailboxes[name.upper()]
        return found

    def renumber(self, name: str = "INBOX") -> None:
        """What a server does that lost its index: other numbers, another UIDVALIDITY."""
        box = self.folder(name)
        box.validity += 1
        box.next_uid = itertools.count(100)
        for mail in box.mails:
            mail.uid = next(box.next_uid)


@contextmanager
def imap_server() -> Iterator[Mail]:
    """A server on a free port of loopback."""
    _run_reactor()
    account = _Account("service")
    account.addMailbox("INBOX")

    @implementer(portal.IRealm)
    class Realm:
        def requestAvatar(self, avatar: Any, mind: Any, *interfaces: Any) -> Any:
            return imap4.IAccount, account, lambda: None

    door = portal.Portal(Realm(), [_Checker()])
    mail = Mail(0, account)

    class Factory(protocol.Factory):
        def buildProtocol(self, address: Any) -> Any:
            made = _Protocol()
            made.server = mail
            made.portal = door
            made.challengers[b"XOAUTH2"] = _XOAuth2
            return made

    def listen() -> Any:
        return reactor.listenTCP(0, Factory(), interface="127.0.0.1")

    listening = threads.blockingCallFromThread(reactor, listen)
    mail.port = listening.getHost().port
    try:
        yield mail
    finally:
        threads.blockingCallFromThread(reactor, listening.stopListening)


@contextmanager
def tls_front(port: int, folder: Path) -> Iterator[tuple[int, Path]]:
    """A door with TLS before a plain port: its own port, and the certificate of the authority that vouches for it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "loopback")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = folder / "authority.pem"
    file.write_bytes(certificate.public_bytes(Encoding.PEM))
    chain = folder / "door.pem"
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    chain.write_bytes(secret + file.read_bytes())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain)

    class Door(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            try:
                outer = context.wrap_socket(self.request, server_side=True)
            except ssl.SSLError:  # the client doesn't trust us
                return
            with outer, socket.create_connection(("127.0.0.1", port)) as inner:
                back = threading.Thread(target=_pipe, args=(inner, outer), daemon=True)
                back.start()
                _pipe(outer, inner)
                back.join(5)

    class Doors(socketserver.ThreadingTCPServer):
        daemon_threads = True
        block_on_close = False

    with Doors(("127.0.0.1", 0), Door) as doors:
        threading.Thread(target=doors.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield doors.server_address[1], file
        doors.shutdown()


def _pipe(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
