"""What comes into a handler and goes out of it: the task on standard input, the output on standard output,
the typed message to the next role, the exit code.

Always holds: the output is one JSON value in valid UTF-8 below 200 KB; a fault is one line on standard error and
exit 1 (75 when a later try may do better), never a traceback; a message that cannot be sent never fails the task.
"""
import json
import math
import os
import re
import subprocess
import sys
import tempfile

from .plan import field
from .text import BadInput, Document, clip

MAX_INPUT = 8 << 20
MAX_OUTPUT = 190_000
SEND_TIMEOUT_S = 5
TRY_AGAIN = 75


def log(line):
    print(clip(line, 500), file=sys.stderr, flush=True)


def _refuse_constant(name):
    raise BadInput(f"the task holds {name}, which is not a JSON number")


def read_task(stream):
    """The task object; BadInput when it is none."""
    data = stream.read(MAX_INPUT + 1)
    if len(data) > MAX_INPUT:
        raise BadInput(f"the task is larger than {MAX_INPUT} bytes; submit a smaller input")
    if not data.strip():
        raise BadInput("standard input is empty; give one task as JSON, as `agentctl work` does")
    try:
        task = json.loads(data.decode("utf-8"), parse_constant=_refuse_constant)
    except UnicodeDecodeError as error:
        raise BadInput(f"standard input is not UTF-8 (byte {error.start}); give one task as JSON") from None
    except (ValueError, RecursionError) as error:
        raise BadInput(f"standard input is not JSON ({clip(str(error), 100)}); give one task as JSON") from None
    if not isinstance(task, dict):
        raise BadInput("standard input is not a JSON object; give one task as JSON")
    return task


def document_of(task):
    """The task's input as a Document."""
    data = field(task, "input_data", dict)
    if not isinstance(data.get("text"), str):
        raise BadInput('input_data.text is missing; submit the workflow with input_data {"name": ..., "text": ...}')
    return Document(field(data, "name", str), data["text"])


def dependency(task, key, **fields):
    """The output of the task KEY, with each field of FIELDS present and of the type named."""
    output = field(field(task, "dependencies", dict), key, dict)
    if not output:
        raise BadInput(f"dependencies.{key} is missing; this handler works on the output of the {key}")
    for name, kind in fields.items():
        if not isinstance(output.get(name), kind):
            raise BadInput(
                f"dependencies.{key}.{name} is missing or not of type {kind.__name__}; the {key} must give it"
            )
    return output


def round_of(task):
    """The task's round: 1 unless the task says a higher whole number."""
    return max(1, min(field(task, "round", int), 1000))


def plain(value, depth=0):
    """VALUE as JSON that every reader takes: bounded strings without NUL, finite numbers, bounded depth."""
    if isinstance(value, str):
        return re.sub("[\x00\ud800-\udfff]", "\ufffd", value if len(value) <= 2000 else value[:1999] + "…")
    if isinstance(value, float):
        return round(value, 6) if math.isfinite(value) else None
    if isinstance(value, int) and abs(value) > 1 << 53:
        return str(value)[:40] if abs(value) < 1 << 1000 else None
    if depth > 20:
        return None
    if isinstance(value, dict):
        return {plain(str(key)): plain(item, depth + 1) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item, depth + 1) for item in value]
    return value


def encode(output):
    """OUTPUT as JSON below the bound: when it is too long, long lists are cut, and that is said."""
    output = plain(output)
    for keep in (None, 50, 20, 10):
        if keep:
            output = _shorten(output, keep)
            output["truncated"] = f"lists are cut to {keep} items to stay below {MAX_OUTPUT} bytes"
        data = json.dumps(output, ensure_ascii=False, allow_nan=False).encode()
        if len(data) <= MAX_OUTPUT:
            return data
    raise BadInput(f"the output is larger than {MAX_OUTPUT} bytes even when shortened; submit a smaller input")


def _shorten(value, keep):
    if isinstance(value, list):
        return [_shorten(item, keep) for item in value[:keep]]
    if isinstance(value, dict):
        return {key: _shorten(item, keep) for key, item in value.items()}
    return value


def send(task, to_role, message_type, content):
    """Send a typed message to a role through agentctl; without AGENTCTL and AGENTD_AGENT_ID nothing is sent."""
    program, sender = os.environ.get("AGENTCTL"), os.environ.get("AGENTD_AGENT_ID")
    if not program or not sender:
        return
    message = {"from_agent_id": sender, "to_role": to_role, "message_type": message_type, "content": plain(content)}
    if isinstance(task.get("id"), str):
        message["task_id"] = task["id"]
    try:
        with tempfile.TemporaryFile() as errors:
            done = subprocess.run(
                [program, "api", "POST", "/messages", "--data", "-"],
                timeout=SEND_TIMEOUT_S,
                check=False,
                input=json.dumps(message).encode(),
                stdout=subprocess.DEVNULL,
                stderr=errors,
            )
            errors.seek(0)
            reason = errors.read(4096).decode("utf-8", "replace").strip().rpartition("\n")[2]
        if done.returncode:
            log(f"{message_type} to {to_role} was not sent: {program} ended with {done.returncode}: {reason}")
    except (OSError, subprocess.SubprocessError) as error:
        log(f"{message_type} to {to_role} was not sent: {error}")


def main(handler):
    """Run HANDLER(task) -> (output, [(to_role, message_type, content)]) as a process; the exit code."""
    try:
        task = read_task(sys.stdin.buffer)
        output, outgoing = handler(task)
        sys.stdout.buffer.write(encode(output) + b"\n")
        sys.stdout.buffer.flush()
        for to_role, message_type, content in outgoing:
            send(task, to_role, message_type, content)
        return 0
    except BadInput as error:
        log(str(error))
        return 1
    except MemoryError:
        log("not enough memory for this input; it may work later or on another machine")
        return TRY_AGAIN
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        log("standard output was closed before the output was written")
        return TRY_AGAIN
    except Exception as error:  # the last line of defence: one line, not a traceback
        frame = error.__traceback__
        while frame.tb_next:
            frame = frame.tb_next
        place = f"{os.path.basename(frame.tb_frame.f_code.co_filename)}:{frame.tb_lineno}"
        log(f"fault in the handler at {place}: {type(error).__name__}: {error}; please report it with the input")
        return 1
