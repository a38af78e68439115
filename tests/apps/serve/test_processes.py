"""The studio's processes: what the server loads, and workers whose server is killed."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time

import pytest

pytestmark = pytest.mark.skipif(os.name == "nt", reason="workers are killed here as Unix does it")


def test_the_server_does_not_load_torch():
    code = "import sys; import semantic_guidance.apps.serve.studio; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


SERVER = """
import asyncio, sys
from semantic_guidance.apps.serve.studio import Studio
async def main():
    studio = Studio(workers=1)
    await studio.start()
    print(*(worker.pid for lane in studio._lanes for worker in lane.workers), flush=True)
    await asyncio.sleep(60)
if __name__ == "__main__":
    asyncio.run(main())
"""


@pytest.mark.usefixtures("long")
def test_workers_end_with_a_server_that_is_killed(tmp_path):
    (tmp_path / "server.py").write_text(SERVER)
    server = subprocess.Popen([sys.executable, tmp_path / "server.py"], stdout=subprocess.PIPE, text=True)
    workers = [int(word) for word in server.stdout.readline().split()]
    assert len(workers) == 2
    server.kill()
    server.wait()
    server.stdout.close()
    deadline = time.monotonic() + 5
    while workers and time.monotonic() < deadline:
        for worker in list(workers):
            with contextlib.suppress(OSError):
                os.kill(worker, 0)
                continue
            workers.remove(worker)
        time.sleep(0.05)
    assert not workers
