"""A Python that has loaded torch and MONAI already, for tests that start processes.

A server, shared by all processes of a session, loads them once. A client takes the words of ``python -m``
or ``python -c``, and the server runs them in a copy of itself. The client ends as the copy ends, and each is
killed with the other, so that it looks like a process of one's own.
"""

from __future__ import annotations

import contextlib
import json
import os
import runpy
import selectors
import signal
import socket
import subprocess
import sys
import time
import types
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

LOADED = (
    "torch.utils.tensorboard",
    "torch.utils.data",
    "napari_rdl.cli.app",
    "napari_rdl.cli.train",
    "napari_rdl.cli.study",
    "napari_rdl.segment",
    "napari_rdl.cohort",
    "napari_rdl.training.run.session",
)
"""What nearly all processes of the tests load."""

CLIENT = """#!{python} -SE
import json, os, signal, socket, sys

server = socket.socket(socket.AF_UNIX)
server.connect({address!r})
job = json.dumps({{"words": sys.argv[1:], "cwd": os.getcwd(), "env": dict(os.environ)}}).encode()
socket.send_fds(server, [len(job).to_bytes(8, "big")], [0, 1, 2])
server.sendall(job)
for number in (signal.SIGTERM, signal.SIGINT):
    signal.signal(number, lambda number, _: server.send(bytes([number])))
code = int(server.recv(16) or -9)
if code < 0:
    signal.signal(-code, signal.SIG_DFL) if -code != signal.SIGKILL else None
    os.kill(os.getpid(), -code)
os._exit(code)
"""


def start(folder: Path) -> tuple[str, socket.socket]:
    """Begin the server of a session, or find it.

    Returns
    -------
    str
        The client's path.
    socket
        The server ends when all of these are closed.
    """
    address, client = str(folder / "warm"), folder / "warm-python"
    try:
        os.close(os.open(folder / "warm-begun", os.O_CREAT | os.O_EXCL))
        client.write_text(CLIENT.format(python=sys.executable, address=address))
        client.chmod(0o700)
        command = [sys.executable, "-W", "ignore", __file__, address]
        subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)
    except FileExistsError:
        pass
    lease = socket.socket(socket.AF_UNIX)
    until = time.monotonic() + 200
    while True:
        try:
            lease.connect(address)
            break
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.05)
    return str(client), lease


Job = dict[str, Any]
"""A client's words, environment and folder."""


class Server:
    """Runs jobs in copies of this process, until no client is left.

    Parameters
    ----------
    address : str
        Of the socket on which clients come.
    """

    def __init__(self, address: str) -> None:
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(address)
        self.listener.listen(64)
        for name in LOADED:
            import_module(name)
        self.ended, self.wakes = socket.socketpair()
        self.ended.setblocking(False)
        self.wakes.setblocking(False)
        signal.set_wakeup_fd(self.wakes.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self.selector = selectors.DefaultSelector()
        self.selector.register(self.listener, selectors.EVENT_READ)
        self.selector.register(self.ended, selectors.EVENT_READ)
        self.clients: dict[socket.socket, int] = {}  # the copy's process; 0 before there is one
        self.left = False  # whether the last client has gone

    def serve(self) -> Job | None:
        """Answer clients; return None at the end, and in a copy the job that it shall do."""
        while True:
            for key, _ in self.selector.select():
                client = key.fileobj
                if client is self.listener:
                    self._welcome()
                elif client is self.ended:
                    self._tell_who_ended()
                elif client not in self.clients:
                    pass  # it left a moment ago
                elif self.clients[client]:
                    self._pass_on(client)
                elif (job := self._begin(client)) is not None:
                    return job
            if self.left:
                return None

    def _welcome(self) -> None:
        client, _ = self.listener.accept()
        self.clients[client] = 0
        self.selector.register(client, selectors.EVENT_READ)

    def _dismiss(self, client: socket.socket) -> None:
        self.clients.pop(client)
        self.selector.unregister(client)
        client.close()

    def _tell_who_ended(self) -> None:
        self.ended.recv(4096)
        while (gone := reaped()) is not None:
            pid, code = gone
            for client in [client for client, child in self.clients.items() if child == pid]:
                with contextlib.suppress(OSError):
                    client.sendall(str(code).encode())
                self._dismiss(client)

    def _pass_on(self, client: socket.socket) -> None:
        """Send a client's signal to its copy; a client that was killed takes its copy along."""
        word = client.recv(1)
        with contextlib.suppress(OSError):
            os.kill(self.clients[client], word[0] if word else signal.SIGKILL)
        if not word:
            self._dismiss(client)

    def _begin(self, client: socket.socket) -> Job | None:
        """Start a client's job; return it in the copy, None here."""
        length, files, *_ = socket.recv_fds(client, 8, 3)
        if not length:
            self._dismiss(client)
            self.left = not self.clients
            return None
        content = b""
        while len(content) < int.from_bytes(length, "big"):
            content += client.recv(1 << 20)
        self.clients[client] = os.fork()
        if not self.clients[client]:
            self._become_the_copy(files)
        for file in files:
            os.close(file)
        return None if self.clients[client] else json.loads(content)

    def _become_the_copy(self, files: Sequence[int]) -> None:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.setsid()
        for number, file in enumerate(files):
            os.dup2(file, number)
        self.selector.close()
        for each in (self.listener, self.ended, self.wakes, *self.clients):
            each.close()


def reaped() -> tuple[int, int] | None:
    """Return a copy that has ended, and its exit code; minus the signal that ended it."""
    try:
        pid, status = os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        return None
    return (pid, os.waitstatus_to_exitcode(status)) if pid else None


def run(job: Job) -> None:
    """Do in this process what ``python`` would do with a client's words."""
    os.chdir(job["cwd"])
    os.environ.clear()
    os.environ.update(job["env"])
    sys.path[0] = job["cwd"]
    words = list(job["words"])
    while words[0] not in ("-c", "-m"):
        words = words[2:] if words[0] == "-W" else words[1:]
    kind, what, *rest = words
    if kind == "-m":
        sys.argv = [what, *rest]
        runpy.run_module(what, run_name="__main__", alter_sys=True)
    else:
        sys.argv = ["-c", *rest]
        main = types.ModuleType("__main__")
        sys.modules["__main__"] = main
        exec(compile(what, "<string>", "exec"), main.__dict__)


if __name__ == "__main__" and (work := Server(sys.argv[1]).serve()) is not None:
    run(work)
