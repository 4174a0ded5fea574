"""network.py - hosts of a test, each in a network namespace of its own, joined by a bridge; any of them can be cut off.

Always holds: this process and all that it starts are in namespaces without a way out, so the addresses meet nobody
else's, and when the processes are gone so are the namespaces. Unix sockets lead from host to host, as files do.
"""

import os
import shutil
import socket
import subprocess
import sys

import processes
import tap

NET = "10.77.0"
OWN = f"{NET}.1"
WANTED = {"ip": "iproute2", "nsenter": "util-linux", "unshare": "util-linux"}
INSIDE = "AGENTD_CHAOS_INSIDE"
START_S = 10
ESTABLISHED = "01"  # as /proc/net/tcp has it


def enter(wanted):
    """Goes on in a namespace, or ends the test: skipped where there can be none, failed where programs are missing."""
    if os.environ.get(INSIDE) == str(os.getpid()):
        return
    missing = [package for program, package in (WANTED | wanted).items() if not find(program)]
    if missing:
        raise SystemExit(f"programs are missing; install the Debian packages {' '.join(sorted(set(missing)))}")
    trial = subprocess.run(["unshare", "--net", "true"], stderr=subprocess.PIPE, text=True, check=False)
    if os.geteuid() != 0 or trial.returncode:
        print(f"1..0 # SKIP hosts of a test need root and network namespaces: {trial.stderr.strip() or 'not root'}")
        sys.exit(0)
    os.environ[INSIDE] = str(os.getpid())
    os.execvp("unshare", ["unshare", "--net", sys.executable, *sys.argv])


def find(program):
    """Daemons are where the PATH of a user may not lead."""
    return shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")


def ip(*lines):
    subprocess.run([find("ip"), "-batch", "-"], input="\n".join(lines), text=True, check=True, timeout=START_S)


def _space(pid):
    return os.readlink(f"/proc/{pid}/ns/net")


class Host:
    """prefix: the words before a command that make it run there."""

    def __init__(self, number):
        self.address, self.device = f"{NET}.{number}", f"host{number}"
        self.process = processes.start(["unshare", "--net", "sleep", "infinity"], "KILL")
        pid = self.process.pid
        if not processes.wait_until(lambda: _space(pid) != _space("self"), START_S, 0.002):
            raise SystemExit("a host of the test did not start")
        self.prefix = ["nsenter", f"--net=/proc/{pid}/ns/net", "--"]
        ip(
            f"link add {self.device} type veth peer name eth0 netns {pid}",
            f"link set {self.device} master bridge up",
        )
        inside = ("link set lo up", f"address add {self.address}/24 dev eth0", "link set eth0 up")
        subprocess.run(
            [*self.prefix, find("ip"), "-batch", "-"], input="\n".join(inside), text=True, check=True, timeout=START_S
        )

    def is_connected_to(self, address):
        """True while there is a connection between a program here and that host."""
        wanted = socket.inet_aton(address)[::-1].hex().upper()
        with open(f"/proc/{self.process.pid}/net/tcp", encoding="ascii") as file:
            rows = [line.split() for line in file.readlines()[1:]]
        return any(row[2].startswith(wanted + ":") and row[3] == ESTABLISHED for row in rows)

    def cut(self):
        """Nothing comes from it or gets to it any more, and nobody is told."""
        ip(f"link set {self.device} nomaster")

    def mend(self):
        ip(f"link set {self.device} master bridge")

    def stop(self):
        self.process.kill()
        self.process.wait()


def lay():
    """The bridge, on which this process has an address too."""
    ip("link set lo up", "link add bridge type bridge", f"address add {OWN}/24 dev bridge", "link set bridge up")
    tap.note(f"the hosts are in {NET}.0/24, in network namespaces of this test")
