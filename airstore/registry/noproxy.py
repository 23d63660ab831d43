"""Which hosts are reached without a proxy: the ``no_proxy`` that curl, Go and Python know.

Not by the function of requests: it changes the process's environment, which threads must not do.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from urllib.parse import urlsplit
from urllib.request import proxy_bypass_environment

NO_PROXY = "no_proxy"
"""Key of the list among proxies."""


def bypasses(place: str, no_proxy: str) -> bool:
    """Whether ``host[:port]`` is in a list of names, domains, addresses and networks; ``*`` is all."""
    if proxy_bypass_environment(place, {"no": no_proxy}):
        return True
    try:
        address = ip_address(urlsplit(f"//{place}").hostname or "")
    except ValueError:
        return False
    return any(address in network for network in _networks(no_proxy))


def _networks(no_proxy: str) -> Iterator[IPv4Network | IPv6Network]:
    for entry in no_proxy.split(","):
        with suppress(ValueError):  # a name
            yield ip_network(entry.strip().strip("[]"), strict=False)
