"""Lets the studio paint a picture: ``python examples/paint_over_http.py http://127.0.0.1:7860 cat.jpg``."""

import json
import pathlib
import sys
from urllib.request import Request, urlopen

server, photo = sys.argv[1:]
picture = json.load(urlopen(Request(f"{server}/api/pictures", pathlib.Path(photo).read_bytes())))
order = {"picture": picture["id"], "job": {"strokes": 100, "style": "gouache", "size": 512}}
asking = Request(f"{server}/api/paintings", json.dumps(order).encode(), {"Content-Type": "application/json"})
place = f"{server}/api/paintings/{json.load(urlopen(asking))['id']}"  # POST place/stop ends it early
for line in urlopen(f"{place}/events"):
    if line.startswith(b"data: ") and "state" in (told := json.loads(line[6:])):
        print(told["state"], told["stage"], f"{told['share']:.0%}")
pathlib.Path("painted.png").write_bytes(urlopen(f"{place}/files/png?size=1024").read())
