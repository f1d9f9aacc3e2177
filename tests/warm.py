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
from importlib import import_module
from pathlib import Path

LOADED = (
    "torch.utils.tensorboard",
    "torch.utils.data",
    "nilearn.datasets",
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


def serve(address: str) -> dict[str, object] | None:
    """Answer clients until nobody is left; in a copy, return the job that it shall do."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(address)
    listener.listen(64)
    for name in LOADED:
        import_module(name)
    ended, wakes = socket.socketpair()
    ended.setblocking(False)
    wakes.setblocking(False)
    signal.set_wakeup_fd(wakes.fileno(), warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    selector = selectors.DefaultSelector()
    selector.register(listener, selectors.EVENT_READ)
    selector.register(ended, selectors.EVENT_READ)
    clients: dict[socket.socket, int] = {}  # the copy's process, 0 before there is one
    while True:
        for key, _ in selector.select():
            if key.fileobj is listener:
                client, _ = listener.accept()
                clients[client] = 0
                selector.register(client, selectors.EVENT_READ)
            elif key.fileobj is ended:
                ended.recv(4096)
                while (gone := reaped()) is not None:
                    pid, code = gone
                    for client in [client for client, child in clients.items() if child == pid]:
                        with contextlib.suppress(OSError):
                            client.sendall(str(code).encode())
                        clients.pop(client)
                        selector.unregister(client)
                        client.close()
            elif (client := key.fileobj) in clients:
                if clients[client]:
                    word = client.recv(1)
                    with contextlib.suppress(OSError):
                        os.kill(clients[client], word[0] if word else signal.SIGKILL)
                    if not word:
                        selector.unregister(client)
                        clients.pop(client)
                        client.close()
                    continue
                length, files, *_ = socket.recv_fds(client, 8, 3)
                if not length:
                    selector.unregister(client)
                    clients.pop(client)
                    client.close()
                    if not clients:
                        return None
                    continue
                job = b""
                while len(job) < int.from_bytes(length, "big"):
                    job += client.recv(1 << 20)
                clients[client] = os.fork()
                if not clients[client]:
                    signal.set_wakeup_fd(-1)
                    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                    os.setsid()
                    for number, file in enumerate(files):
                        os.dup2(file, number)
                    selector.close()
                    for each in (listener, ended, wakes, *clients):
                        each.close()
                    for file in files:
                        os.close(file)
                    return json.loads(job)
                for file in files:
                    os.close(file)


def reaped() -> tuple[int, int] | None:
    """Return a copy that has ended, and its exit code; minus the signal that ended it."""
    try:
        pid, status = os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        return None
    return (pid, os.waitstatus_to_exitcode(status)) if pid else None


def run(job: dict[str, object]) -> None:
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


if __name__ == "__main__" and (work := serve(sys.argv[1])) is not None:
    run(work)
