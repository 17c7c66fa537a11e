"""A request over REST, with Python alone. Usage: python request_rest.py [ADDRESS]"""

import json
import sys
import urllib.request

ADDRESS = sys.argv[1] if len(sys.argv) > 1 else "localhost:8501"
INPUTS = json.loads(r"""$inputs""")

request = urllib.request.Request(
    f"http://{ADDRESS}/v1/models/$name:predict",
    json.dumps({"inputs": INPUTS}).encode(),
    {"Content-Type": "application/json"},
)
with urllib.request.urlopen(request, timeout=30) as response:
    print(json.dumps(json.load(response)["outputs"], indent=2, ensure_ascii=False))
