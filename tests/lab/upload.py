"""Upload a body and print what the server got of it. Run with `python -m` as the client.

`python -m tests.lab.upload URL SEED BYTES` prints the server's answer: "BACKEND BYTES CRC32".
"""

from __future__ import annotations

import http.client
import sys
import urllib.parse

from tests.lab import content

TIMEOUT_S = 30


def upload(url: str, seed: int, size: int) -> str:
    place = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=TIMEOUT_S)
    headers = {"Content-Length": str(size)}
    connection.request("POST", "/upload", content.blocks(seed, size), headers)
    response = connection.getresponse()
    return response.read().decode()


def main() -> None:
    url, seed, size = sys.argv[1:]
    print(upload(url, int(seed), int(size)))


if __name__ == "__main__":
    main()
