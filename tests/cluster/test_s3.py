"""Files at addresses of S3's kind, in a real server of another's making."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

from semantic_guidance.apps.batch import places
from semantic_guidance.core.errors import InputError
from tests.conftest import EXAMPLES

pytestmark = pytest.mark.usefixtures("long")


def test_texts_and_files(s3):
    photo, url = EXAMPLES / "chelsea.jpg", f"{s3}/photos/é 1.jpg"
    places.put(photo, url)
    with places.fetched(url) as local:
        assert local.name == "é 1.jpg"
        assert local.read_bytes() == photo.read_bytes()
    places.write_text(f"{s3}/photos/list.txt", "a\nb\n")
    assert places.read_text(f"{s3}/photos/list.txt") == "a\nb\n"
    assert places.listed(s3) == [f"{s3}/photos/list.txt", url]
    assert places.listed(f"{s3}/photos/*.jpg") == [url]
    assert places.listed(f"{s3}/none") == []
    places.remove_all([url])
    assert not places.exists(url)


def test_what_another_has_written_since_is_seen(s3):
    boto = __import__("botocore.session").session.Session().create_client("s3")
    assert places.listed(s3) == []
    boto.put_object(Bucket=s3.removeprefix("s3://"), Key="a.txt", Body=b"x")
    assert places.exists(f"{s3}/a.txt")
    assert places.listed(s3) == [f"{s3}/a.txt"]


PUT = """
import sys
from pathlib import Path
from semantic_guidance.apps.batch.places import put
print("now", flush=True)
put(Path(sys.argv[1]), sys.argv[2])
"""


def test_an_upload_whose_program_is_killed_leaves_the_old_object(s3, tmp_path):
    url, large = f"{s3}/large.bin", tmp_path / "large.bin"
    places.write_text(url, "old")
    with large.open("wb") as file:
        file.truncate(300 << 20)  # so large that it goes in parts, for several seconds
    words = [sys.executable, "-c", PUT, str(large), url]
    with subprocess.Popen(words, stdout=subprocess.PIPE) as program:
        assert program.stdout is not None
        assert program.stdout.readline() == b"now\n"
        time.sleep(1.5)
        assert program.poll() is None
        program.kill()
    assert places.read_text(url) == "old"
    assert places.listed(s3) == [url]


def test_errors_name_the_address(s3, monkeypatch):
    with pytest.raises(InputError, match=r"^s3://no-such-bucket-here/a: no such file or place"):
        places.read_text("s3://no-such-bucket-here/a")
    with pytest.raises(InputError, match=r"^s3://no-such-bucket-here/a: "):
        places.write_text("s3://no-such-bucket-here/a", "x")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    __import__("s3fs").S3FileSystem.clear_instance_cache()
    began = time.monotonic()
    with pytest.raises(InputError, match=f"^{s3}/a: cannot be read"):
        places.exists(f"{s3}/a")
    assert time.monotonic() < began + 60
    assert os.environ["AWS_ENDPOINT_URL"].endswith(":1")
