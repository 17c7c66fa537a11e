"""Addresses to listen on."""

import ipaddress
import sys


def warn_if_open(host: str, what: str) -> None:
    """Prints a warning where other machines may reach what asks nobody who they are.

    Args:
        host: str. The address that is listened on.
        what: str. What can be reached there.
    """
    if not _is_loopback(host):
        print(
            f"warning: {what} listens on {host}: whoever reaches this machine can use it",
            file=sys.stderr,
        )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
