#!/usr/bin/env python3
"""GitHub's workflows: what they may do is as little as it can be, and what they run exists in this tree.

Every action is pinned by commit, every job ends in time, only publishing may write and it checks out nothing, and no text that a
stranger may choose gets into a script. `make schemas-check` has actionlint look at them. TAP; SOURCE_DIR is the tree.
"""
import glob
import os
import re
import sys

try:
    import yaml
except ImportError:
    if sys.executable != "/usr/bin/python3" and os.path.exists("/usr/bin/python3"):
        os.execv("/usr/bin/python3", ["/usr/bin/python3"] + sys.argv)
    sys.exit("Bail out! Python's yaml is not here; install Debian's python3-yaml")

SOURCE = os.environ["SOURCE_DIR"]
results = []


def check(name, problems):
    results.append(not problems)
    print(f"{'not ok' if problems else 'ok'} {len(results)} - {name}")
    for problem in problems:
        print(f"# {problem}")


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def steps_of(workflow):
    for name, job in workflow["jobs"].items():
        for step in job["steps"]:
            yield name, step


def check_rights(name, workflow):
    check(f"{name}: may read only", [] if workflow["permissions"] == {"contents": "read"} else [workflow["permissions"]])
    writers = [job for job, what in workflow["jobs"].items() if "write" in str(what.get("permissions", ""))]
    check(f"{name}: only `publish` may write", [job for job in writers if job != "publish"])
    check(f"{name}: who may write runs nothing of the tree",
          [str(step) for job, step in steps_of(workflow) if job in writers and
           ("actions/checkout" in step.get("uses", "") or re.search(r"(^|\s)(\./|make\b)", step.get("run", "")))])
    check(f"{name}: a checkout leaves no token behind",
          [job for job, step in steps_of(workflow) if "actions/checkout" in step.get("uses", "") and
           step.get("with", {}).get("persist-credentials") is not False])
    # YAML reads `on` as true.
    check(f"{name}: strangers start nothing with rights", ["pull_request_target"] if "pull_request_target" in str(workflow[True]) else [])


def check_steps(name, workflow, text):
    check(f"{name}: every action is pinned by its commit, and says which version that is",
          [line for line in text.splitlines() if "uses:" in line and
           not re.search(r"uses: [\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$", line)])
    check(f"{name}: every job ends in time", [job for job, what in workflow["jobs"].items() if "timeout-minutes" not in what])
    check(f"{name}: nothing is put into a script but through the environment",
          [step["run"] for _, step in steps_of(workflow) if "${{" in step.get("run", "")])


def targets(script):
    for line in script.splitlines():
        words = line.split()
        if words[:1] == ["make"]:
            yield from (word for before, word in zip(words, words[1:]) if before != "-C" and not word.startswith("-") and "=" not in word)


def check_runs(name, workflow, text, makefile):
    wanted = {target for _, step in steps_of(workflow) for target in targets(step.get("run", ""))}
    check(f"{name}: targets of make are there", [target for target in wanted if not re.search(rf"^{target}:", makefile, re.M)])
    check(f"{name}: and it has some", [] if wanted else ["none"])
    check(f"{name}: programs of the tree are there",
          [path for path in re.findall(r"(?:\./|\s)((?:tests|contrib)/\S+|quickstart)\b", text) if not os.path.exists(os.path.join(SOURCE, path))])


def main():
    makefile = read(os.path.join(SOURCE, "Makefile.am"))
    files = sorted(glob.glob(os.path.join(SOURCE, ".github", "workflows", "*.yml")))
    check("there are workflows for changes and for releases", [] if len(files) == 2 else files)
    for file in files:
        name, text = os.path.basename(file), read(file)
        workflow = yaml.safe_load(text)
        check_rights(name, workflow)
        check_steps(name, workflow, text)
        check_runs(name, workflow, text, makefile)
    print(f"1..{len(results)}")
    return 0 if all(results) else 1


sys.exit(main())
