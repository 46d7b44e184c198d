"""An ``ssh`` whose far end is a folder of this machine: `EDGEWRIGHT_SSH="python fake_ssh.py FOLDER"`.

FOLDER is the device, or holds one folder for each host name.

It runs the remote command with FOLDER/home as home and nothing of this process's environment. It is
a process between host and agent, as ssh is: killed, it leaves an agent that sees its stdin end.
FOLDER/says may hold a line for stderr; it is then said instead of running anything, with status 255.
FOLDER/prints may hold what a careless login prints before the command runs.
FOLDER/becomes may hold a command that is run instead.
"""

import os
import subprocess
import sys
import threading
from pathlib import Path


def main():
    folder, *arguments = sys.argv[1:]
    folder = Path(folder)
    destination, remote = arguments[arguments.index("--") + 1 :]
    host = destination.rpartition("@")[2]
    if (folder / host).is_dir():  # a shelf of several
        folder = folder / host
    with (folder / "log").open("a") as log:
        print(os.getpid(), *arguments, file=log)
    if (folder / "says").exists():
        sys.stderr.write((folder / "says").read_text())
        return 255
    if (folder / "prints").exists():
        sys.stdout.write((folder / "prints").read_text())
        sys.stdout.flush()
    if (folder / "becomes").exists():
        remote = (folder / "becomes").read_text()
    child = subprocess.Popen(
        ["sh", "-c", remote],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={"HOME": str(folder / "home"), "PATH": os.environ["PATH"], "TMPDIR": str(folder)},
        cwd=folder / "home",
        start_new_session=True,
    )
    up = threading.Thread(target=pump, args=(0, child.stdin), daemon=True)
    down = threading.Thread(target=pump, args=(child.stdout.fileno(), sys.stdout.buffer), daemon=True)
    up.start()
    down.start()
    status = child.wait()
    down.join()
    return status if status >= 0 else 255


def pump(source, sink):
    try:
        while data := os.read(source, 1 << 16):
            sink.write(data)
            sink.flush()
        sink.close()
    except OSError:
        pass


if __name__ == "__main__":
    os._exit(main())  # without waiting for the host's end of stdin
