"""Every exit policy has its facts."""

import pytest

from seenn_convert.artifact.schema.shared import PolicyFacts
from seenn_convert.runtime.policies import ExitPolicy, FixedPolicy, PlannedPolicy, ThresholdPolicy


@pytest.mark.parametrize(("policy", "facts"), [
    (ThresholdPolicy("confidence", (0.5, -1.0)), PolicyFacts(policy="confidence", thresholds=(0.5, -1.0))),
    (FixedPolicy(3), PolicyFacts(policy="fixed", timesteps=3)),
    (PlannedPolicy(), PolicyFacts(policy="planned")),
    (PlannedPolicy(ThresholdPolicy("confidence", (0.5,))), PolicyFacts(policy="planned+confidence", thresholds=(0.5,))),
])  # fmt: skip
def test_facts_of_a_policy(policy: ExitPolicy, facts: PolicyFacts) -> None:
    assert PolicyFacts.of(policy.to_json()) == facts
