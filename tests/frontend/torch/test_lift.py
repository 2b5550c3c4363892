"""From an exported graph to a program: every spelling is the same program, and what cannot be right is refused."""

from collections.abc import Callable
from typing import Any

import harness
import pytest
import torch
import toys
from reading import Body, exported, kinds, same_numbers
from torch import Tensor, nn
from torch.export import Dim
from torch.nn import functional as F

from seenn_convert.errors import InputError, UnsupportedOperatorError
from seenn_convert.frontend.torch.lift import lift
from seenn_convert.frontend.torch.read import from_torch
from seenn_convert.ir.operators import RELU_FAMILY, Affine
from seenn_convert.ir.program import Program, Stage

# Every spelling of conv -> bn -> relu -> max pool -> dropout -> linear, with the same parameters.


def as_modules(m: Any, x: Tensor) -> Tensor:
    return m.head(m.flatten(m.drop(m.pool(m.relu(m.bn(m.conv(x)))))))


def as_functions(m: Any, x: Tensor) -> Tensor:
    x = F.conv2d(x, m.conv.weight, m.conv.bias, padding=1)
    x = F.batch_norm(x, m.bn.running_mean, m.bn.running_var, m.bn.weight, m.bn.bias, False, 0.1, m.bn.eps)
    x = F.dropout(F.max_pool2d(F.relu(x), 2), 0.5, m.training)
    return F.linear(torch.flatten(x, 1), m.head.weight, m.head.bias)


def as_methods(m: Any, x: Tensor) -> Tensor:
    x = F.max_pool2d(m.bn(m.conv(x)).relu(), kernel_size=2, stride=(2, 2))
    return m.head(m.drop(x).view(x.size(0), -1))


def in_place(m: Any, x: Tensor) -> Tensor:
    x = m.bn(m.conv(x))
    x.relu_()
    x = F.dropout(m.pool(x), 0.5, m.training, inplace=True)
    return m.head(x.reshape(x.shape[0], -1))


def functional_in_place(m: Any, x: Tensor) -> Tensor:
    y = m.bn(m.conv(x))
    F.relu(y, inplace=True)
    return m.head(m.drop(m.pool(y)).flatten(start_dim=1))


def clamped(m: Any, x: Tensor) -> Tensor:
    return m.head(m.drop(m.pool(m.bn(m.conv(x)).clamp(min=0))).flatten(1))


def spelled(body: Body) -> toys.Toy:
    torch.manual_seed(0)
    return toys.toy(body, conv=toys.conv(), bn=nn.BatchNorm2d(4), relu=nn.ReLU(), pool=nn.MaxPool2d(2),
                    drop=nn.Dropout(), flatten=nn.Flatten(), head=nn.Linear(64, 5))  # fmt: skip


@pytest.mark.parametrize("body", [as_functions, as_methods, in_place, functional_in_place, clamped])
@pytest.mark.parametrize("dynamic", [True, False])
def test_every_spelling_is_the_same_program(body: Body, dynamic: bool) -> None:
    """Same operators in the same order, same numbers for any batch, whether the export fixed the batch or not."""
    reference, program = lift(exported(spelled(as_modules))), lift(exported(spelled(body), dynamic=dynamic))

    def essence(one: Program) -> list[str]:
        return [kind for kind in kinds(one) if kind not in ("Dropout", "Reshape")]

    assert essence(program) == essence(reference) == ["Conv2d", "BatchNorm2d", "ReLU", "MaxPool2d", "Linear"]
    batch = harness.images(program, 3)
    assert torch.allclose(program(batch), reference(batch), atol=1e-6)
    same_numbers(program, spelled(body))


def test_the_lifted_program_is_plain() -> None:
    program = lift(exported(spelled(as_modules)))

    assert program.stage is Stage.ANN and program.input_shape == toys.IMAGE and program.input_dtype is torch.float32
    assert not program.graph_module.training
    assert not any(parameter.requires_grad for parameter in program.graph_module.parameters())
    assert {node.op for node in program.graph_module.graph.nodes} == {"placeholder", "call_module", "output"}


def test_a_reused_activation_is_a_neuron_layer_each_time() -> None:
    """One ReLU module called four times has four thresholds to find."""
    program = harness.program_of(toys.residual)
    relus = [(node.name, node.target) for node, module in program.calls() if isinstance(module, RELU_FAMILY)]

    assert relus == [(name, name) for name in ("relu", "relu_1", "relu_2", "relu_3")]
    assert dict(program.sources)["relu_2"].startswith("relu (toys.py:")


def test_a_reused_layer_keeps_its_weights_at_each_call() -> None:
    model = toys.toy(lambda m, x: m.layer(F.relu(m.layer(x))), (5,), layer=nn.Linear(5, 5))
    program = from_torch(model, (5,))

    assert kinds(program) == ["Linear", "ReLU", "Linear"]
    assert torch.equal(program.graph_module.layer.weight, program.graph_module.layer_1.weight)
    same_numbers(program, model)


# Names.


class Nested(nn.Module):
    """Containers of containers, and operators that no module owns."""

    input_shape = (6,)

    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.ModuleList([nn.Sequential(nn.Linear(6, 6), nn.ReLU()) for _ in range(2)])
        self.add_module("0", nn.Linear(6, 6))

    def forward(self, x: Tensor) -> Tensor:
        for block in self.blocks:
            x = x + block(x)
        return F.relu(getattr(self, "0")(x))


def test_calls_are_named_after_the_modules_that_made_them() -> None:
    program = from_torch(Nested().eval(), (6,))

    assert [node.name for node, _ in program.calls()] == [
        "blocks_0_0", "blocks_0_1", "add", "blocks_1_0", "blocks_1_1", "add_1", "layer_0", "relu",
    ]  # fmt: skip
    assert program.source_of("blocks_1_0").startswith("blocks.1.0")


@pytest.mark.parametrize("name", [
    "output", "image", "clock", "readout", "logits", "score", "drive", "driver", "graph", "code", "meta", "input",
    "max", "print_readable", "class", "lambda_", "device", "torch", "inf",
])  # fmt: skip
def test_any_name_of_a_module_works(name: str) -> None:
    """Names that Python, torch.fx or later passes take get a prefix; a call and its module always share one name."""
    model = toys.Toy(lambda m, x: m._modules[name](m._modules["first"](x)), (6,), {"first": nn.Linear(6, 5)})
    model._modules[name] = nn.ReLU()
    program = from_torch(model.eval(), (6,))

    assert all(node.name == node.target for node, _ in program.calls())
    assert kinds(program) == ["Linear", "ReLU"]
    same_numbers(program, model)
    harness.spiking_program(program)


# Parameters only.


def test_what_depends_on_parameters_only_is_computed_once() -> None:
    """Standardised weights, masks and learned scales are constants of the program."""

    def body(m: Any, x: Tensor) -> Tensor:
        weight = (m.conv.weight - m.conv.weight.mean((1, 2, 3), keepdim=True)) * torch.sigmoid(m.gain).view(-1, 1, 1, 1)
        x = F.conv2d(x, weight, m.conv.bias.exp(), padding=1) * torch.softmax(m.gain, 0)[None, :, None, None]
        left, _ = torch.cat([m.gain, m.gain]).chunk(2)
        return m.head((x + left[:, None, None] + torch.zeros(4, 1, 1).fill_(2.0)).flatten(1))

    model = toys.toy(body, conv=toys.conv(), head=nn.Linear(256, 5))
    model.gain = nn.Parameter(torch.linspace(-1, 1, 4))
    program = from_torch(model, toys.IMAGE)

    assert kinds(program) == ["Conv2d", "Affine", "Affine", "Affine", "Reshape", "Linear"]
    same_numbers(program, model)


def test_weights_are_copied_from_the_model() -> None:
    model = toys.no_relu()
    program = from_torch(model, toys.IMAGE)
    batch = harness.images(program)
    before = program(batch)
    with torch.no_grad():
        model.conv.weight.zero_()

    assert torch.equal(program(batch), before)


# Exported models.


@pytest.mark.parametrize(
    "make", [toys.residual, toys.depthwise, toys.signal, toys.perceptron, toys.assembly, toys.adaptive]
)
@pytest.mark.parametrize("batch", [1, 2])
def test_a_static_export_works_for_any_batch(make: Callable[[], toys.Toy], batch: int) -> None:
    model = make()
    same_numbers(lift(exported(model, batch)), model)


@pytest.mark.slow
@pytest.mark.parametrize("make", toys.ALL)
def test_decomposed_exports_are_the_same(make: Callable[[], toys.Toy]) -> None:
    """``run_decompositions`` rewrites batch norm, pooling and linear layers; many files are written after it."""
    model = make()
    core = exported(model, dynamic=True).run_decompositions()

    same_numbers(lift(core), model)


def test_a_decomposed_batch_norm_is_folded_like_any_other() -> None:
    core = exported(toys.conv_bn_relu()).run_decompositions()

    assert kinds(harness.ann_program(lift(core))) == ["Conv2d", "ReLU", "Mean", "Linear"]


def test_places_of_maxima_are_refused() -> None:
    def body(m: Any, x: Tensor) -> Tensor:
        _, places = F.max_pool2d_with_indices(x, 2)
        return places.float().flatten(1)

    with pytest.raises(UnsupportedOperatorError, match="secondary output of a layer, which cannot be converted"):
        lift(exported(toys.toy(body)))


def test_scaled_matrix_products_are_refused() -> None:
    def body(m: Any, x: Tensor) -> Tensor:
        return torch.addmm(m.head.bias, x, m.head.weight.t(), beta=2)

    with pytest.raises(UnsupportedOperatorError, match="a scaled matrix product"):
        lift(exported(toys.toy(body, (6,), head=nn.Linear(6, 5))))


# What users get wrong.


@pytest.mark.parametrize("layer", [nn.Dropout(), nn.BatchNorm1d(6), nn.AlphaDropout()], ids=repr)
def test_an_export_in_training_mode_is_refused(layer: nn.Module) -> None:
    model = toys.toy(lambda m, x: m.layer(x), (6,), layer=layer).train()

    with pytest.raises(InputError, match=r"training mode; call model\.eval\(\) before the model is exported"):
        lift(exported(model))
    if not isinstance(layer, nn.AlphaDropout):  # which has no decomposition
        with pytest.raises(InputError):
            lift(exported(model).run_decompositions())


def test_several_inputs_are_refused() -> None:
    class Two(nn.Module):
        def forward(self, x: Tensor, y: Tensor) -> Tensor:
            return x + y

    with pytest.raises(InputError, match=r"takes 2 inputs \(x, y\); give one that takes one image"):
        lift(torch.export.export(Two().eval(), (torch.zeros(2, 3), torch.zeros(2, 3))))


@pytest.mark.parametrize("dtype", [torch.complex64, torch.bool])
def test_images_that_are_no_numbers_are_refused(dtype: torch.dtype) -> None:
    model = toys.toy(lambda m, x: x.abs().flatten(1) if dtype.is_complex else x.float().flatten(1))

    with pytest.raises(InputError, match="'image' is no tensor of numbers"):
        lift(torch.export.export(model, (torch.zeros(2, *toys.IMAGE, dtype=dtype),)))


def test_only_the_batch_may_be_dynamic() -> None:
    model = toys.toy(lambda m, x: F.relu(x).mean((2, 3)))
    image = torch.zeros(2, *toys.IMAGE)

    with pytest.raises(InputError, match="export it with only the batch dynamic"):
        lift(torch.export.export(model, (image,), dynamic_shapes=({0: Dim.AUTO, 2: Dim.AUTO},)))


def test_a_standing_parameter_does_not_become_a_graph_input() -> None:
    program = harness.program_of(toys.arithmetic)

    assert [n.name for n in program.graph_module.graph.nodes if n.op == "placeholder"] == ["image"]
    assert all(isinstance(m.shift, Tensor) for _, m in program.calls() if isinstance(m, Affine))
