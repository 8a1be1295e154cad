"""A file is replaced whole or not at all."""

import os
import stat
import sys

import pytest

from diffusion_lab.files import replacing


@pytest.fixture
def umask():
    before = os.umask(0o022)
    yield os.umask
    os.umask(before)


@pytest.mark.parametrize("old", [None, "an older and longer text"])
def test_content_arrives_when_the_block_ends(tmp_path, old):
    path = tmp_path / "new" / "folder" / "card.md"
    if old is not None:
        path.parent.mkdir(parents=True)
        path.write_text(old)
    with replacing(path) as part:
        part.write_text("new")
        assert (path.read_text() if path.exists() else None) == old
    assert path.read_text() == "new"
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
@pytest.mark.parametrize("old", [None, "old"])
def test_error_keeps_the_old_file_and_leaves_nothing_else(tmp_path, old, error):
    path = tmp_path / "card.md"
    if old is not None:
        path.write_text(old)

    def write_half():
        with replacing(path) as part:
            part.write_text("half")
            raise error

    with pytest.raises(error):
        write_half()
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == (
        [("card.md", old)] if old else []
    )


@pytest.mark.parametrize(
    "name", ["digits.png", "digits.GIF", "weights.safetensors", "no_suffix", "two.parts.md"]
)
def test_temporary_file_keeps_the_suffix_and_the_folder(tmp_path, name):
    with replacing(tmp_path / name) as part:
        assert part.suffix == ((tmp_path / name).suffix or ".part")
        assert part.parent == tmp_path
        assert part.name != name


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no permission bits")
@pytest.mark.parametrize(("mask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_permissions_of_a_new_file_honour_the_umask(tmp_path, umask, mask, mode):
    umask(mask)
    with replacing(tmp_path / "card.md"):
        pass
    assert stat.S_IMODE((tmp_path / "card.md").stat().st_mode) == mode
    assert umask(mask) == mask, "replacing() changed the umask"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no permission bits")
def test_permissions_of_an_old_file_are_kept(tmp_path, umask):
    path = tmp_path / "card.md"
    path.touch()
    path.chmod(0o640)
    with replacing(path):
        pass
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
