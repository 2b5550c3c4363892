"""A ReLU in front of another activation rectifies nothing."""

import harness
import pytest
import toys
from torch import Tensor, nn
from torch.nn import functional as F

from seenn_convert.passes.drop_doubled_relu import DropDoubledReLU


@pytest.mark.parametrize("act", [F.relu, F.relu6, lambda x: F.hardtanh(x, 0.0, 0.3)])
def test_it_is_dropped(act) -> None:
    model = toys.toy(lambda m, x: act(F.relu(m.conv(x))).flatten(1), conv=toys.conv())
    program = harness.check_pass(DropDoubledReLU(), model)

    assert len(list(program.calls())) == 3


def test_other_readers_keep_it() -> None:
    def body(m: nn.Module, x: Tensor) -> Tensor:
        x = F.relu(m.conv(x))
        return (x + F.relu6(x)).flatten(1)

    assert not harness.check_pass(DropDoubledReLU(), toys.toy(body, conv=toys.conv())).history[-1].changed


def test_an_activation_that_is_not_a_relu_stays_in_front() -> None:
    model = toys.toy(lambda m, x: F.relu(F.relu6(m.conv(x))).flatten(1), conv=toys.conv())
    assert not harness.check_pass(DropDoubledReLU(), model).history[-1].changed
