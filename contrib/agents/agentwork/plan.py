"""A plan: the list of sub-problems {id, title, tool, arguments, depends_on}; its order, faults and fingerprint.

Always holds: nothing here trusts the plan to be well formed, because another analyst may have written it.
"""
import hashlib
import json


def field(value, key, kind):
    """VALUE[KEY] when VALUE is an object and the field is of type KIND; else an empty KIND."""
    found = value.get(key) if isinstance(value, dict) else None
    return found if isinstance(found, kind) and not (kind is int and isinstance(found, bool)) else kind()


def fingerprint(sub_problems):
    """16 hex digits that change with any change of the plan."""
    return hashlib.sha256(json.dumps(sub_problems, sort_keys=True).encode("utf-8", "replace")).hexdigest()[:16]


def part_id(part, index):
    """The id of a sub-problem, or its place when it has none."""
    return field(part, "id", str) or f"#{index + 1}"


def needs(part):
    """The ids that a sub-problem depends on, without repetition."""
    return list(dict.fromkeys(item for item in field(part, "depends_on", list) if isinstance(item, str)))


def order(sub_problems):
    """(indices in an order that respects the dependencies, indices that never can: missing or cyclic dependency)."""
    identities = [part_id(part, index) for index, part in enumerate(sub_problems)]
    waiting, done, ordered = list(range(len(sub_problems))), set(), []
    while waiting:
        ready = [index for index in waiting if all(need in done for need in needs(sub_problems[index]))]
        if not ready:
            return ordered, waiting
        ordered.extend(ready)
        done.update(identities[index] for index in ready)
        waiting = [index for index in waiting if index not in ready]
    return ordered, []


def dependency_faults(sub_problems):
    """[(id, "missing", what) or (id, "cyclic", chain)] for every dependency that cannot be met."""
    identities = [part_id(part, index) for index, part in enumerate(sub_problems)]
    graph = {identity: needs(part) for identity, part in zip(identities, sub_problems)}
    faults = [(identity, "missing", need) for identity in graph for need in graph[identity] if need not in graph]
    for identity in graph:
        if identity in _reachable(graph, identity):
            faults.append((identity, "cyclic", " -> ".join(need for need in graph[identity] if need in graph)))
    return faults


def _reachable(graph, start):
    seen, stack = set(), list(graph[start])
    while stack:
        here = stack.pop()
        if here in graph and here not in seen:
            seen.add(here)
            stack.extend(graph[here])
    return seen
