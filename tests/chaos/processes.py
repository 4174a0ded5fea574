"""processes.py - processes as /proc shows them, and starting those of a test so that none outlives it.

Always holds: what is started here gets a signal from the kernel when the thread that started it ends, so processes are
started by the main thread only.
"""

import os
import shutil
import subprocess
import time


def children(pid):
    try:
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
            return [int(word) for word in file.read().split()]
    except OSError:
        return []


def title(pid):
    """The command line; empty when the process is gone or only waits to be buried."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return file.read().replace(b"\0", b" ").decode(errors="replace").strip()
    except OSError:
        return ""


def send(pid, number):
    """True if there was a process to take the signal."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    return True


def start(command, on_death, **options):
    """subprocess.Popen, with the signal that the process gets should this one die, where the system can do that."""
    if shutil.which("setpriv"):
        command = ["setpriv", "--pdeathsig", on_death, *command]
    return subprocess.Popen(command, stdin=options.pop("stdin", subprocess.DEVNULL), **options)


def end(process, number, seconds):
    """Sends the signal and buries; what does not end in time is killed. The exit status, or None if it was killed."""
    if process.poll() is None:
        process.send_signal(number)
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return None


def wait_until(condition, seconds, pause=0.02):
    """What the condition gives as soon as it is true; its last value when the time is up."""
    deadline = time.monotonic() + seconds
    while not (value := condition()) and time.monotonic() < deadline:
        time.sleep(pause)
    return value
