"""The version of the installed distribution."""

from importlib import metadata


def version() -> str:
    """The version, or "unknown" in a checkout that was not installed."""
    try:
        return metadata.version("boilertag")
    except metadata.PackageNotFoundError:
        return "unknown"
