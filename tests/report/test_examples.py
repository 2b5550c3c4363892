"""Classes have names where these are known, and small pictures keep their pixels."""

from fake_reports import picture

from seenn_convert.report.examples import class_name, is_small


def test_classes_without_names_are_numbers() -> None:
    assert [class_name(1, ("plane", "car")), class_name(7, ("plane", "car")), class_name(6, None)] == [
        "car", "class 7", "class 6"
    ]  # fmt: skip


def test_small_pictures_keep_their_pixels_and_foreign_ones_are_not_read() -> None:
    assert is_small(picture(32, 0))
    assert not is_small(picture(66, 0))
    assert not is_small("https://example.org/a.png") and not is_small("data:image/png;base64,!")
