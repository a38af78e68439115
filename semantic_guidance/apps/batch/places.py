"""Files at addresses, such as ``s3://bucket/photos/cat.jpg``, through fsspec.

What is written is there whole or not at all: object stores show an object once all of it has arrived, and in
other places a draft takes the name when it is done. Errors name the address.
"""

from __future__ import annotations

import contextlib
import glob
import re
import secrets
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from semantic_guidance.core.errors import InputError
from semantic_guidance.core.files import replacing

OBJECTS = frozenset({"s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "adl", "oci", "oss", "memory"})
"""Places that show nothing before all of it is there."""

LOCAL = frozenset({"file", "local"})

PACKAGES = {"s3": "s3fs", "s3a": "s3fs", "gs": "gcsfs", "gcs": "gcsfs"}
"""What opens the addresses that fsspec alone cannot."""

_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://")
_SECRET = re.compile(r"(?<=://)[^/@]*@")


def is_url(word: str) -> bool:
    """Whether a word is an address, not a path of this machine.

    >>> is_url("s3://bucket/cat.jpg"), is_url("cat.jpg"), is_url("c:/cat.jpg")
    (True, False, False)
    """
    return _URL.match(word) is not None


def joined(url: str, name: str) -> str:
    """The address of what is called so below another.

    >>> joined("s3://bucket/painted/", "a/cat.png")
    's3://bucket/painted/a/cat.png'
    """
    return f"{url.rstrip('/')}/{name.lstrip('/')}" if not url.endswith("://") else f"{url}{name}"


def listed(url: str) -> list[str]:
    """The files that an address means, sorted: itself, all below it, or all that match it as a pattern.

    Returns:
        Addresses, spelled as the given one; none if nothing is there.

    Raises:
        InputError: the place cannot be reached, or not looked into.
    """
    with _telling(url, "read"):
        system, path = _opened(url)
        system.invalidate_cache()  # others write there, too
        if _is_file(system, path):
            return [url]
        if glob.has_magic(path):
            found = [
                name for name, about in system.glob(path, detail=True).items() if about["type"] == "file"
            ]
        else:
            found = system.find(path)
        return sorted(_spelled(url, name) for name in found if not name.endswith("/"))


@contextlib.contextmanager
def fetched(url: str) -> Iterator[Path]:
    """A file of this machine, of the same name, with what is at an address. It is gone after the block.

    Raises:
        InputError: nothing is there, or it cannot be read.
    """
    with _telling(url, "read"):
        system, path = _opened(url)
    if _scheme(url) in LOCAL:
        yield Path(path)
        return
    with tempfile.TemporaryDirectory(prefix="semantic-guidance-") as folder:
        local = Path(folder) / (PurePosixPath(path).name or "file")
        with _telling(url, "read"):
            system.get_file(path, str(local))
        yield local


def exists(url: str) -> bool:
    """Whether a file is at an address.

    Raises:
        InputError: the place cannot be reached.
    """
    with _telling(url, "read"):
        system, path = _opened(url)
        system.invalidate_cache()
        return _is_file(system, path)


def put(path: Path, url: str) -> None:
    """Copy a file of this machine to an address, where it replaces what is there, whole or not at all.

    Raises:
        InputError: it cannot be written there.
    """
    with _placed(url) as (system, place):
        system.put_file(str(path), place)


def write_text(url: str, text: str) -> None:
    """Write a text to an address, where it replaces what is there, whole or not at all.

    Raises:
        InputError: it cannot be written there.
    """
    with _placed(url) as (system, place):
        system.pipe_file(place, text.encode())


def read_text(url: str) -> str:
    """The text at an address.

    Raises:
        InputError: nothing is there, or it cannot be read, or is no text.
    """
    with _telling(url, "read"):
        system, path = _opened(url)
        return bytes(system.cat_file(path)).decode()


def remove_all(urls: Sequence[str]) -> None:
    """Remove the files at addresses of one place, those that are there, with few requests.

    Raises:
        InputError: they cannot be removed.
    """
    if not urls:
        return
    with _telling(urls[0], "removed"):
        system, _ = _opened(urls[0])
        paths = [_opened(url)[1] for url in urls]
        if _scheme(urls[0]) in OBJECTS - {"memory"}:
            system.rm(paths)  # a thousand at a time; those that are not there do not matter
            return
        for path in paths:
            with contextlib.suppress(FileNotFoundError):
                system.rm_file(path)


@contextlib.contextmanager
def _placed(url: str) -> Iterator[tuple[Any, str]]:
    """The file system and the path to write to so that the address shows nothing but the whole."""
    with _telling(url, "written"):
        system, path = _opened(url)
        if _scheme(url) in OBJECTS:
            yield system, path
            return
        system.makedirs(path.rpartition("/")[0] or "/", exist_ok=True)
        if _scheme(url) in LOCAL:
            with replacing(Path(path)) as local:
                yield system, str(local)
            return
        draft = f"{path}.{secrets.token_hex(4)}.part"
        try:
            yield system, draft
            system.mv(draft, path)
        except BaseException:
            with contextlib.suppress(Exception):
                system.rm_file(draft)
            raise


def _opened(url: str) -> tuple[Any, str]:
    """The file system of an address, and the path there."""
    from fsspec.core import url_to_fs

    system, path = url_to_fs(url)
    return system, str(path)


def _is_file(system: Any, path: str) -> bool:
    """Whether a file is there; not fsspec's own answer, which is no also if nobody could look."""
    try:
        return bool(system.info(path)["type"] == "file")
    except FileNotFoundError:
        return False


def _scheme(url: str) -> str:
    return url.partition("://")[0].lower()


def _spelled(url: str, path: str) -> str:
    """A path of a file system as an address, spelled as another one of it."""
    if is_url(path):
        return path
    start, rest = url.split("://", 1)
    return f"{start}://{'/' * rest.startswith('/')}{path.lstrip('/')}"


@contextlib.contextmanager
def _telling(url: str, doing: str) -> Iterator[None]:
    """Tell any error of the block as one of the address, without names and passwords that it may hold."""
    name = _SECRET.sub("", url)
    try:
        yield
    except (InputError, MemoryError):
        raise
    except FileNotFoundError:
        raise InputError(f"{name}: no such file or place, wanted the address of one") from None
    except UnicodeDecodeError:
        raise InputError(f"{name}: this is no text") from None
    except ImportError as error:
        package = PACKAGES.get(_scheme(url))
        way = f"the package {package} (pip install {package})" if package else f"what opens it ({error})"
        raise InputError(f"{name}: cannot be {doing}, wanted {way}") from None
    except NotImplementedError:
        raise InputError(f"{name}: cannot be {doing}: such addresses can only be read") from None
    except Exception as error:
        why = (str(error).splitlines() or [""])[0].replace(url, name) or type(error).__name__
        raise InputError(f"{name}: cannot be {doing} ({why})") from None
