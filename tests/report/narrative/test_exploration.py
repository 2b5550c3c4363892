"""What exploring found, in sentences that claim no more than the images tell."""

from trials import exploration, trial

from seenn_convert.report.narrative.exploration import kept_words, trial_words, tried_words


def test_what_was_tried_says_how_many_images_and_what_they_can_tell() -> None:
    words = tried_words(exploration())
    assert words.startswith("3 settings were tried on 400 held-out images, after a first look at 1 setting on 38.")
    assert "± 4.0 points, and the setting kept is expected to lose 0.20 to 1.39" in words  # 0.4: see test_frontier
    assert "slightly optimistic" in words


def test_why_a_setting_was_kept() -> None:
    words = kept_words(exploration())
    assert words.startswith(
        "Kept --neuron multilevel -T 4: the fewest timesteps of those that reach the target. The default"
    )
    assert "takes 6.00 timesteps" in words and words.endswith("0.70 points and misses the target.")
    assert "the highest expected accuracy. The" in kept_words(exploration(prefer="accuracy"))


def test_the_default_that_is_kept_or_was_not_tried_is_called_so() -> None:
    found = exploration()
    assert kept_words(exploration(default=found.kept)).endswith("It is the default.")
    assert kept_words(exploration(default="--neuron if -T 64")).endswith("was not tried on all images.")


def test_where_none_reaches_the_target_it_is_said() -> None:
    missed = trial("--neuron signed", expected_drop=4.0)
    found = exploration(frontier=(missed,), dominated=(), kept=missed.options, default=missed.options, good_for={})
    assert "no setting reaches the target, and this one is expected to lose least" in kept_words(found)
    assert trial_words(found, missed) == ""


def test_without_labels_it_is_said_what_accuracy_is() -> None:
    assert "agreement with the ANN" in tried_words(exploration(labelled=False))
    assert "agreement with the ANN" not in tried_words(exploration())
