"""A time-stamp server (RFC 3161) on this machine, so that the tests need no network: as much of DER as it takes."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from tests.support.signing import Authority

SHA, ECDSA_SHA = "2.16.840.1.101.3.4.2.1", "1.2.840.10045.4.3.2"
SIGNED_DATA, TST_INFO = "1.2.840.113549.1.7.2", "1.2.840.113549.1.9.16.1.4"
CONTENT_TYPE, DIGEST, CERTIFICATE = "1.2.840.113549.1.9.3", "1.2.840.113549.1.9.4", "1.2.840.113549.1.9.16.2.47"
SEQUENCE, SET, OCTETS, INTEGER, GENERALIZED_TIME = 0x30, 0x31, 0x04, 0x02, 0x18


def der(tag: int, *parts: bytes) -> bytes:
    body = b"".join(parts)
    if len(body) < 128:
        return bytes([tag, len(body)]) + body
    size = len(body).to_bytes((len(body).bit_length() + 7) // 8)
    return bytes([tag, 0x80 + len(size)]) + size + body


def number(value: int) -> bytes:
    return der(INTEGER, value.to_bytes(value.bit_length() // 8 + 1))


def oid(dotted: str) -> bytes:
    first, second, *rest = map(int, dotted.split("."))
    out = bytearray()
    for arc in (first * 40 + second, *rest):
        groups = [arc & 127]
        while arc := arc >> 7:
            groups.insert(0, (arc & 127) | 128)
        out += bytes(groups)
    return der(0x06, bytes(out))


def parts(data: bytes) -> list[bytes]:
    """The elements within one element, each with its head."""
    head, size = _measured(data)
    body, found = data[head:size], []
    while body:
        _, size = _measured(body)
        found.append(body[:size])
        body = body[size:]
    return found


def _measured(data: bytes) -> tuple[int, int]:
    """Length of an element's head, and of all of it."""
    if data[1] < 128:
        return 2, 2 + data[1]
    head = 2 + (data[1] & 127)
    return head, head + int.from_bytes(data[2:head])


class Stamper:
    """Answers requests with tokens of the time `when`."""

    def __init__(self, authority: Authority, when: dt.datetime) -> None:
        self.when, self.asked = when, 0
        self.key, self.certificate = authority.issue("A time-stamp server", ExtendedKeyUsageOID.TIME_STAMPING)

    def answer(self, request: bytes) -> bytes:
        self.asked += 1
        _, imprint, *rest = parts(request)
        nonce = [part for part in rest if part[0] == INTEGER]
        time = der(GENERALIZED_TIME, self.when.strftime("%Y%m%d%H%M%SZ").encode())
        token = der(SEQUENCE, number(1), oid("1.3.6.1.4.1.99999.1"), imprint, number(self.asked), time, *nonce)
        status = der(SEQUENCE, number(0))
        return der(SEQUENCE, status, der(SEQUENCE, oid(SIGNED_DATA), der(0xA0, self._signed(token))))

    def _signed(self, token: bytes) -> bytes:
        certificate = self.certificate.public_bytes(Encoding.DER)
        named = der(SEQUENCE, der(SEQUENCE, der(SEQUENCE, der(OCTETS, hashlib.sha256(certificate).digest()))))
        attributes = sorted(
            der(SEQUENCE, oid(kind), der(SET, value))
            for kind, value in (
                (CONTENT_TYPE, oid(TST_INFO)),
                (DIGEST, der(OCTETS, hashlib.sha256(token).digest())),
                (CERTIFICATE, named),
            )
        )
        signature = self.key.sign(der(SET, *attributes), ECDSA(SHA256()))
        issuer = der(SEQUENCE, self.certificate.issuer.public_bytes(), number(self.certificate.serial_number))
        hashing = der(SEQUENCE, oid(SHA))
        signer = der(
            SEQUENCE,
            number(1),
            issuer,
            hashing,
            der(0xA0, *attributes),
            der(SEQUENCE, oid(ECDSA_SHA)),
            der(OCTETS, signature),
        )
        content = der(SEQUENCE, oid(TST_INFO), der(0xA0, der(OCTETS, token)))
        return der(SEQUENCE, number(3), der(SET, hashing), content, der(0xA0, certificate), der(SET, signer))


@contextmanager
def time_stamp_server(stamper: Stamper) -> Iterator[str]:
    """Its address, for as long as it runs."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            answer = stamper.answer(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.send_header("Content-Type", "application/timestamp-reply")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
