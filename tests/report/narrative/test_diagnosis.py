"""The diagnosis names the first layer that breaks and what helps."""

from seenn_convert.artifact.schema.layers import Diagnosis, LayerDiagnosis
from seenn_convert.report.narrative.diagnosis import diagnosis_words

LAYER = LayerDiagnosis(name="relu", parts={"clipping": 0.4}, own_error=0.401)


def test_the_first_layer_that_breaks_and_the_suggestion() -> None:
    words = diagnosis_words(
        Diagnosis(layers=(LAYER,), breaks="relu", suggestion="Convert with --threshold max: it clips.")
    )
    assert words.startswith("relu is the first layer that breaks: its own error is 40.1% of its activation.")
    assert words.endswith("Convert with --threshold max: it clips.")


def test_no_layer_breaks_or_nothing_was_measured() -> None:
    assert diagnosis_words(Diagnosis(layers=(LAYER,))) == "No layer has a large error of its own."
    assert diagnosis_words(Diagnosis()) == "What the errors of the layers are made of was not measured."
