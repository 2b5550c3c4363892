"""Images named one by one and those below folders become one source."""

from pathlib import Path

import pytest
from PIL import Image

from seenn_convert.data.readers.image_files import list_images
from seenn_convert.data.wanted import Wanted
from seenn_convert.errors import InputError


def picture(path: Path, value: int = 7) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", (4, 3), value).save(path)
    return path


def test_files_stand_as_given_and_folders_are_searched_at_any_depth(tmp_path: Path) -> None:
    one, deep = picture(tmp_path / "one.png", 1), picture(tmp_path / "folder" / "a" / "b" / "deep.png", 2)
    first = picture(tmp_path / "folder" / "a.png", 3)
    picture(tmp_path / "folder" / ".hidden" / "c.png")
    (tmp_path / "folder" / "notes.txt").write_text("no image")
    found = list_images([one, tmp_path / "folder", one], Wanted(channels=3))

    assert found.paths == tuple(map(str, (one, first, deep, one)))
    assert found.labels is None
    assert [int(found.read(i)[0, 0, 0]) for i in range(4)] == [1, 3, 2, 1]
    assert found.read(0).shape == (3, 3, 4)


def test_relative_folders_give_relative_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    picture(tmp_path / "folder" / "a.png")
    monkeypatch.chdir(tmp_path / "folder")

    assert [str(Path(path)) for path in list_images([Path(".")], Wanted(channels=1)).paths] == ["a.png"]


@pytest.mark.parametrize("missing", [True, False])
def test_what_is_not_there_is_named(tmp_path: Path, missing: bool) -> None:
    path = tmp_path / "gone.png" if missing else tmp_path
    with pytest.raises(InputError, match="no such file" if missing else "holds no image"):
        list_images([path], Wanted(channels=1))


def test_no_image_and_a_model_of_other_inputs_are_refused() -> None:
    with pytest.raises(InputError, match="no image is given"):
        list_images([], Wanted(channels=3))
    with pytest.raises(InputError, match="the model takes 2"):
        list_images([Path("a.png")], Wanted(channels=2))
