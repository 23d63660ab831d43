"""Which hosts are reached without a proxy: the ``no_proxy`` that curl, Go and Python know.

Not by the standard library: it knows no networks, and asks the environment, which is the command line's.
"""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from urllib.parse import urlsplit

NO_PROXY = "no_proxy"
"""Key of the list among proxies."""


def bypasses(place: str, no_proxy: str) -> bool:
    """Whether ``host[:port]`` is in a list of names, domains, addresses and networks; ``*`` is all."""
    place = place.lower()
    host = urlsplit(f"//{place}").hostname or ""
    entries = filter(None, no_proxy.lower().replace(",", " ").split())
    return any(
        entry in {"*", host, place, f"[{host}]"} or _in_domain(host, entry) or _in_network(host, entry)
        for entry in entries
    )


def _in_domain(host: str, entry: str) -> bool:
    domain = entry.lstrip("*.")
    return bool(domain) and (host == domain or host.endswith(f".{domain}"))


def _in_network(host: str, entry: str) -> bool:
    try:
        return ip_address(host) in ip_network(entry, strict=False)
    except ValueError:
        return False  # one of them is a name
