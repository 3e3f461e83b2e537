"""A line to a server on this machine that can be cut."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress


class Relay:
    """Passes bytes on between its own port and another; the server is told its own port, as it wants to be."""

    def __init__(self, port: int) -> None:
        self._to, self._open = port, True
        self._plugs: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """Break what is connected, and let nobody in."""
        self._open = False
        for plug in self._plugs:
            with suppress(OSError):
                plug.shutdown(socket.SHUT_RDWR)

    def mend(self) -> None:
        """Let in who comes."""
        self._open = True

    def close(self) -> None:
        """End it."""
        self.cut()
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                plug, _ = self._listener.accept()
                if not self._open:
                    plug.close()
                    continue
                server = socket.create_connection(("127.0.0.1", self._to))
                self._plugs += (plug, server)
                for pair in ((plug, server), (server, plug)):
                    threading.Thread(target=self._pass, args=pair, daemon=True).start()

    def _pass(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while part := source.recv(65536):
                sink.sendall(part.replace(f"127.0.0.1:{self.port}".encode(), f"127.0.0.1:{self._to}".encode()))
        for plug in (source, sink):
            with suppress(OSError):
                plug.shutdown(socket.SHUT_RDWR)


@contextmanager
def relay(port: int) -> Iterator[Relay]:
    """A relay to a port of this machine."""
    made = Relay(port)
    try:
        yield made
    finally:
        made.close()
