"""Send frames as they are out of a device. Run with `python -m` in the device's namespace.

Reads lines "COUNT HEX" from standard input. Paced, so that no ring on the way overflows.
"""

from __future__ import annotations

import argparse
import socket
import sys
import time

BURST = 32
PAUSE_S = 0.004


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("device")
    device = parser.parse_args().device
    sent = 0
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as sender:
        sender.bind((device, 0))
        for line in sys.stdin:
            count, text = line.split()
            frame = bytes.fromhex(text)
            for _ in range(int(count)):
                sender.send(frame)
                sent += 1
                if sent % BURST == 0:
                    time.sleep(PAUSE_S)


if __name__ == "__main__":
    main()
