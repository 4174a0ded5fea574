"""balancer.py - HAProxy or nginx before the nodes of a test, with the configuration of contrib/, on a host of its own.

Only the lines of the nodes are written anew, so what the test proves is what a user gets.
"""

import os
import re
import signal
import socket

import network
import processes

PORT = 8080
START_S = 20
CONTRIB = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../contrib")
KINDS = {
    "haproxy": ("haproxy/haproxy.cfg", ["haproxy", "-db", "-f"]),
    "nginx": ("nginx/nginx.conf", ["nginx", "-g", "daemon off;", "-c"]),
}


def with_nodes(text, addresses):
    """The configuration, with the line of its first node made one for each address and the other node's gone."""
    lines = [line for line in text.splitlines() if "agentd2:" not in line]
    (place,) = [i for i, line in enumerate(lines) if re.search(r"\bagentd1:5000\b", line)]
    made = [
        lines[place].replace("agentd1:5000", f"{address}:5000").replace("agentd1 ", f"agentd{number} ")
        for number, address in enumerate(addresses, 1)
    ]
    return "\n".join([*lines[:place], *made, *lines[place + 1 :], ""])


class Balancer:
    """To client.py it is a node: it has a host and a port."""

    def __init__(self, kind, folder, host, addresses):
        self.kind, self.folder, self.host, self.port = kind, folder, host.address, PORT
        source, command = KINDS[kind]
        os.mkdir(folder, 0o755)
        with open(f"{CONTRIB}/{source}", encoding="ascii") as file:
            text = with_nodes(file.read(), addresses).replace("/tmp/nginx", f"{folder}/nginx")
        with open(f"{folder}/configuration", "w", encoding="ascii") as file:
            file.write(text)
        self.log = open(f"{folder}/log", "wb")
        command = [*host.prefix, network.find(command[0]), *command[1:], f"{folder}/configuration"]
        self.process = processes.start(command, "TERM", stdout=self.log, stderr=self.log)

    def wait_ready(self):
        def attempt():
            try:
                socket.create_connection((self.host, self.port), 1).close()
                return True
            except OSError:
                return self.process.poll() is not None

        processes.wait_until(attempt, START_S)
        if self.process.poll() is not None:
            with open(f"{self.folder}/log", encoding="utf-8", errors="replace") as file:
                raise SystemExit(f"{self.kind} did not start: {file.read()[-2000:]}")

    def stop(self):
        processes.end(self.process, signal.SIGTERM, 5)
        self.log.close()
