"""What is wrong with the layers of a network, in words."""

from seenn_convert.artifact.schema.layers import Diagnosis


def diagnosis_words(diagnosis: Diagnosis) -> str:
    """Return the first layer that breaks and the suggestion."""
    if not any(layer.parts for layer in diagnosis.layers):
        found = "What the errors of the layers are made of was not measured."
    elif diagnosis.trained:
        found = "The network was trained further: its layers need not follow those of the ANN, so these are no faults."
    elif diagnosis.breaks is None:
        found = "No layer has a large error of its own."
    else:
        own = next((layer.own_error for layer in diagnosis.layers if layer.name == diagnosis.breaks), None) or 0.0
        found = f"{diagnosis.breaks} is the first layer that breaks: its own error is {own:.1%} of its activation."
    return found if diagnosis.suggestion is None else f"{found} {diagnosis.suggestion}"
