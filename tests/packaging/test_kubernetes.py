#!/usr/bin/env python3
"""Kubernetes: base and overlay build, and keep the promises of docs/operations/packages.md.

Confined pods, probes that exist in agentd, a drain that fits the grace period, no pod down while rolling, and names that meet: of
selectors, ports, settings and mounted files. With `--print` the manifests of the overlay as JSON, for `make kubernetes-check`.
TAP; SOURCE_DIR is the tree, AGENTD the program.
"""
import json
import os
import shutil
import subprocess
import sys

try:
    import yaml
except ImportError:
    if sys.executable != "/usr/bin/python3" and os.path.exists("/usr/bin/python3"):
        os.execv("/usr/bin/python3", ["/usr/bin/python3"] + sys.argv)
    sys.exit("Bail out! Python's yaml is not here; install Debian's python3-yaml")

FOLDER = os.path.join(os.environ["SOURCE_DIR"], "contrib", "kubernetes")
results = []


def render(name):
    if not shutil.which("kubectl"):
        sys.exit("Bail out! kubectl is not here; install Debian's kubernetes-client")
    found = subprocess.run(["kubectl", "kustomize", os.path.join(FOLDER, name)], capture_output=True, text=True, timeout=60)
    if found.returncode:
        sys.exit(f"Bail out! {name} does not build: {found.stderr}")
    return [one for one in yaml.safe_load_all(found.stdout) if one], found.stderr


def check(name, holds, why=""):
    results.append(bool(holds))
    print(f"{'ok' if holds else 'not ok'} {len(results)} - {name}")
    if not holds and why != "":
        print(f"# {why}")


def same(name, found, expected):
    check(name, found == expected, f"found {found!r}, expected {expected!r}")


def the(manifests, kind, name="agentd"):
    found = [one for one in manifests if one["kind"] == kind and one["metadata"]["name"].startswith(name)]
    return found[0] if found else None


def settings():
    text = subprocess.run([os.environ["AGENTD"], "config", "--example"], capture_output=True, text=True, timeout=20, check=True).stdout
    names = {line[1:].split("=")[0] for line in text.splitlines() if line.startswith("#AGENTD_")}
    return names | {name + "_FILE" for name in names}


def check_pod(where, spec, known, config):
    pod = spec["securityContext"]
    check(f"{where}: not as root", pod["runAsNonRoot"] is True and pod["runAsUser"] > 0 and pod["fsGroup"] > 0)
    same(f"{where}: system calls of the runtime's profile", pod["seccompProfile"], {"type": "RuntimeDefault"})
    check(f"{where}: no token of Kubernetes", spec["automountServiceAccountToken"] is False)
    for container in spec["containers"]:
        walls = container["securityContext"]
        same(f"{where}: the restricted profile", (walls["allowPrivilegeEscalation"], walls["readOnlyRootFilesystem"], walls["capabilities"]),
             (False, True, {"drop": ["ALL"]}))
        check(f"{where}: memory is bounded and asked for", container["resources"]["limits"]["memory"] and
              container["resources"]["requests"]["cpu"] and container["resources"]["requests"]["memory"])
        check(f"{where}: the image has a version", ":" in container["image"] and not container["image"].endswith(":latest"), container["image"])
        mounts = {mount["name"]: mount for mount in container["volumeMounts"]}
        same(f"{where}: what is mounted is there", set(mounts) - {volume["name"] for volume in spec["volumes"]}, set())
        files = {one["name"]: one["value"] for one in container["env"]}
        same(f"{where}: settings exist", {name for name in list(files) + list(config["data"]) if name != "AGENTD_ENV"} - known, set())
        check(f"{where}: secrets are files, and no secret is a variable",
              files and all(name.endswith("_FILE") and path.startswith(mounts["secrets"]["mountPath"] + "/") for name, path in files.items()))
        same(f"{where}: settings are those of the overlay", container["envFrom"], [{"configMapRef": {"name": config["metadata"]["name"]}}])


def answers(path):
    """Whether agentd has that path, by its own table."""
    with open(os.path.join(os.environ["SOURCE_DIR"], "worker", "endpoints_open.def"), encoding="utf-8") as file:
        return f'"{path}"' in file.read()


def check_deployment(deployment, config):
    spec = deployment["spec"]
    pod = spec["template"]["spec"]
    container = pod["containers"][0]
    same("no pod is down while rolling", spec["strategy"]["rollingUpdate"], {"maxUnavailable": 0, "maxSurge": 1})
    check("how many is left to the autoscaler", "replicas" not in spec)
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    for probe, path in (("startupProbe", "/startupz"), ("livenessProbe", "/livez"), ("readinessProbe", "/readyz")):
        asked = container[probe]["httpGet"]
        check(f"{probe} asks {path}, which agentd has", asked["path"] == path and asked["port"] in ports and answers(path), asked)
    drain = int(config["data"]["AGENTD_DRAIN_DELAY_S"]) + int(config["data"]["AGENTD_DRAIN_TIMEOUT_S"])
    check("the grace period has room for the drain, and for the end after it", pod["terminationGracePeriodSeconds"] >= drain + 10, drain)
    probe = container["readinessProbe"]
    check("a pod that ends is out of the balancer before it stops taking requests",
          int(config["data"]["AGENTD_DRAIN_DELAY_S"]) >= probe["periodSeconds"] * probe["failureThreshold"] + 2)
    notes = spec["template"]["metadata"]["annotations"]
    same("Prometheus is told where", (notes["prometheus.io/scrape"], int(notes["prometheus.io/port"])), ("true", ports["metrics"]))
    return spec["template"]["metadata"]["labels"], ports


def matches(selector, labels):
    return all(labels.get(key) == value for key, value in selector.items())


def check_names(manifests, labels, ports):
    deployment = the(manifests, "Deployment")
    service = the(manifests, "Service")["spec"]
    check("the deployment finds its pods", matches(deployment["spec"]["selector"]["matchLabels"], labels))
    check("the service finds them, at a port that they have",
          matches(service["selector"], labels) and all(port["targetPort"] in ports for port in service["ports"]))
    budget = the(manifests, "PodDisruptionBudget")["spec"]
    check("the budget is theirs, and lets one go at a time", matches(budget["selector"]["matchLabels"], labels) and budget["maxUnavailable"] == 1)
    migration = the(manifests, "Job", "agentd-migrate")["spec"]["template"]["metadata"]["labels"]
    check("a migration is no node", not matches(service["selector"], migration) and not matches(budget["selector"]["matchLabels"], migration))
    scaler = the(manifests, "HorizontalPodAutoscaler")["spec"]
    same("3 to 10 nodes", (scaler["scaleTargetRef"]["name"], scaler["minReplicas"], scaler["maxReplicas"]),
         (deployment["metadata"]["name"], 3, 10))
    same("by 70 % of the processor", scaler["metrics"][0]["resource"], {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 70}})
    policy = the(manifests, "NetworkPolicy")["spec"]
    check("the network policy is for nodes and migrations, both ways",
          matches(policy["podSelector"]["matchLabels"], labels) and matches(policy["podSelector"]["matchLabels"], migration) and
          policy["policyTypes"] == ["Ingress", "Egress"])
    same("clients and Prometheus reach the ports that there are",
         {port["port"] for rule in policy["ingress"] for port in rule["ports"]} - set(ports), set())
    check("PostgreSQL, Redis and name servers can be reached",
          {5432, 6379, 53} <= {port["port"] for rule in policy["egress"] for port in rule["ports"]})


def main():
    manifests, said = render("overlays/production")
    if "--print" in sys.argv:
        print(json.dumps(manifests))
        return 0
    base, said_of_base = render("base")
    same("kustomize has nothing to say", (said, said_of_base), ("", ""))
    known = settings()
    config = the(manifests, "ConfigMap")
    same("the overlay adds to the settings of the base", {name: config["data"].get(name) for name in the(base, "ConfigMap")["data"]}.keys(),
         the(base, "ConfigMap")["data"].keys())
    check("all is in one namespace", all(one["metadata"].get("namespace") == "agentd" for one in manifests if one["kind"] != "Namespace"))
    same("which takes confined pods only", the(manifests, "Namespace")["metadata"]["labels"]["pod-security.kubernetes.io/enforce"], "restricted")
    check_pod("nodes", the(manifests, "Deployment")["spec"]["template"]["spec"], known, config)
    check_pod("migration", the(manifests, "Job")["spec"]["template"]["spec"], known, config)
    same("the migration moves the schema", the(manifests, "Job")["spec"]["template"]["spec"]["containers"][0]["args"], ["migrate", "up"])
    labels, ports = check_deployment(the(manifests, "Deployment"), config)
    check_names(manifests, labels, ports)
    check("no secret is in the tree", the(manifests, "Secret") is None)
    print(f"1..{len(results)}")
    return 0 if all(results) else 1


sys.exit(main())
