"""bad_proxy.py - stands between agentd and PostgreSQL or Redis (unix sockets) and behaves as a bad network does.

`mode` says how, for what comes from the server from then on: "pass"; "delay" (by `seconds`); "silent" (nothing comes any
more); "rubbish" (other bytes in place of it); "truncate" (half of what came, then the end); "lie" (to each command of Redis
"+OK", whatever was asked). "refuse" closes new connections. It runs in a thread; close() ends all.
"""

import asyncio
import os
import threading


class BadProxy:
    def __init__(self, listen, target):
        self.target, self.mode, self.seconds = target, "pass", 0.3
        self.loop = asyncio.new_event_loop()
        self.started = threading.Event()
        self.tasks = set()
        self.thread = threading.Thread(target=self._run, args=(listen,), daemon=True)
        self.thread.start()
        self.started.wait(10)

    def _run(self, listen):
        asyncio.set_event_loop(self.loop)
        self.server = self.loop.run_until_complete(asyncio.start_unix_server(self._pair, listen))
        os.chmod(listen, 0o777)  # agentd's processes run as another user when root tests
        self.started.set()
        self.loop.run_forever()

    async def _pair(self, reader, writer):
        if self.mode == "refuse":
            writer.close()
            return
        try:
            far_reader, far_writer = await asyncio.open_unix_connection(self.target)
        except OSError:
            writer.close()
            return
        for task in (self._up(reader, far_writer, writer), self._down(far_reader, writer, far_writer)):
            task = self.loop.create_task(task)
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)

    async def _up(self, reader, far, near):
        try:
            while data := await reader.read(65536):
                if self.mode == "lie":
                    near.write(b"+OK\r\n" * max(1, data.count(b"\r\n*") + data.startswith(b"*")))
                else:
                    far.write(data)
                    await far.drain()
        except OSError:
            pass
        far.close()

    async def _down(self, reader, near, far):
        silent = False
        try:
            while data := await reader.read(65536):
                if self.mode == "delay":
                    await asyncio.sleep(self.seconds)
                # For good: a stream has no holes, what comes later would be taken for what is missing.
                silent = silent or self.mode == "silent"
                if silent:
                    continue
                if self.mode == "rubbish":
                    data = os.urandom(len(data))
                if self.mode == "truncate":
                    near.write(data[: len(data) // 2])
                    await near.drain()
                    break
                near.write(data)
                await near.drain()
        except OSError:
            pass
        near.close()
        far.close()

    def close(self):
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(10)
