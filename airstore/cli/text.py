"""Text from outside, made safe to print, and numbers for people."""

from datetime import UTC, datetime

LAST_SECOND = int(datetime.max.replace(tzinfo=UTC).timestamp())


def printable(text: str) -> str:
    """Text without control characters: names on media must not drive a terminal."""
    return "".join(c if c.isprintable() or c in "\n\t" else f"\\x{ord(c):02x}" for c in text)


def short_text(text: str, most: int = 400) -> str:
    """The beginning of what somebody wrote at length."""
    return text if len(text) <= most else f"{text[:most].rstrip()} …"


def human(size: int) -> str:
    """A count of bytes in decimal units, as disks and registries print them."""
    value = float(size)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} TB"


def moment(seconds: int) -> str:
    """Seconds since the epoch as a date in UTC; the bare number where no calendar reaches."""
    return datetime.fromtimestamp(seconds, UTC).isoformat() if seconds <= LAST_SECOND else str(seconds)


def duration(seconds: int) -> str:
    """A time that is left, no finer than it can be known."""
    if seconds < 60:
        return f"{seconds} s"
    minutes = -(-seconds // 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02} min"
