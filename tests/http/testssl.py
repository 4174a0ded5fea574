#!/usr/bin/env python3
"""testssl.py - the whole of testssl.sh against a node: nothing may be LOW or worse. `make testssl`; takes minutes.

TAP on standard output. AGENTD names the program.
"""

import json
import os
import shutil
import subprocess
import sys

import own_node
from own_node import check

# What says nothing about the server: the name's DNS, and how the openssl of this machine was built.
NOT_OURS = {"DNS_CAArecord", "engine_problem"}
# Some of what must have been looked at.
LOOKED_AT = {"TLS1", "TLS1_1", "TLS1_2", "TLS1_3", "ALPN", "HSTS_time", "heartbleed", "ROBOT", "secure_client_renego",
             "BEAST", "LUCKY13", "cert_chain_of_trust", "cipherlist_LOW", "cipherlist_STRONG"}


def main():
    program = shutil.which("testssl")
    if not program:
        raise SystemExit("this test needs testssl: install the Debian package testssl.sh")
    certificate = {"days": 90, "more": ["crlDistributionPoints=URI:http://ca.invalid/list.crl"]}
    node = own_node.Node(tls=certificate, AGENTD_WORKERS="2", AGENTD_LOG_LEVEL="info", AGENTD_HSTS_S="31536000")
    file = f"{node.folder}/findings.json"
    try:
        done = subprocess.run(
            [program, "--jsonfile", file, "--warnings", "batch", "--color", "0", "--nodns", "none", "--ip", "127.0.0.1",
             "--add-ca", f"{node.folder}/cert.pem", f"https://localhost:{node.port}/"],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=1200, check=False)
        findings = []
        if os.path.exists(file):
            with open(file, encoding="utf-8") as text:
                findings = json.load(text)
        missing = LOOKED_AT - {finding["id"] for finding in findings}
        check("testssl has looked at everything", findings and not missing, (missing, done.stdout[-500:]))
        for finding in findings:
            if finding["severity"] not in ("OK", "INFO", "DEBUG") and finding["id"] not in NOT_OURS:
                check(f"{finding['id']}: {finding['severity']}", False, finding["finding"])
        check(f"{len(findings)} findings", len(findings) > 100, len(findings))
        check("the node still serves", node.ask("GET", "/livez")[0] == 200)
    finally:
        check("stops cleanly", node.stop() == 0)
    return own_node.finish()


if __name__ == "__main__":
    sys.exit(main())
