"""What each target says of three networks, against verdicts computed by hand from its stated limits."""

import msgspec
import pytest
from chip_networks import fit

from seenn_convert.choices import CHECK_TARGET_NAMES
from seenn_convert.errors import InputError
from seenn_convert.exporters.check.target import FOLDER, read_target

MAX_POOLS, AVERAGE_POOLS, WITH_BIAS = {"parts": 3}, {"global-average": 3}, {"bias": 2}
REFUSED = {
    # Two linear layers with a bias each; no convolution, no pooling; 1,024 inputs.
    ("five", "xylo"): {"parts": 6, **WITH_BIAS},
    # Average pooling by 2 is no global one.
    ("five", "akida1"): AVERAGE_POOLS,
    ("five", "akida2"): AVERAGE_POOLS,
    # Five convolutions and the first linear layer need more kernel entries than any core has with so many neurons.
    ("vgg", "speck2f"): {"parts": 3, "cores": 6},
    ("vgg", "speck2e"): {"parts": 3, "cores": 6},
    ("vgg", "akida1"): {"max-pool-reader": 1},  # the last pooling is followed by a linear layer
    ("vgg", "akida2"): {"max-pool-reader": 1, "inputs": 1},  # which has 4,096 inputs, at most 2,048
    ("vgg", "xylo"): {"parts": 9, **WITH_BIAS},
    **{("vgg", target): MAX_POOLS for target in ("loihi2", "spinnaker2", "nir", "hls4ml")},
    # 22 layers with weights on 9 cores; the sums add currents, not spikes; pooling over 8 x 8.
    ("resnet", "speck2f"): {"cores": 13, "sum": 9, "sum-before-neurons": 9, "pool-kernel": 1},
    ("resnet", "speck2e"): {"cores": 13, "sum": 9, "sum-before-neurons": 9, "pool-kernel": 1},
    # No sums; at stride 2 a 3 x 3 kernel pads elsewhere and a 1 x 1 kernel is not there.
    ("resnet", "akida1"): {"parts": 9, "padding": 2, "stride-kernel": 2},
    ("resnet", "xylo"): {"parts": 31, "bias": 1},
    ("resnet", "spinnaker2"): {"sum": 7},  # the sums of the nine that have no projection on the skip
}


@pytest.mark.parametrize("target", CHECK_TARGET_NAMES)
@pytest.mark.parametrize("name", ["five", "vgg", "resnet"])
def test_what_is_refused(name: str, target: str) -> None:
    found: dict[str, int] = {}
    for site in fit(name, target).sites:
        for finding in site.findings:
            if finding.weight == "refused":
                found[finding.rule] = found.get(finding.rule, 0) + 1
                assert site.verdict == "refused" and finding.reason and finding.remedy and finding.source
    assert found == REFUSED.get((name, target), {})


@pytest.mark.parametrize(("name", "nodes"), [("five", 13), ("vgg", 19), ("resnet", 52)])
def test_every_node_is_looked_at(name: str, nodes: int) -> None:
    for target in CHECK_TARGET_NAMES:
        found = fit(name, target)
        assert len(found.sites) == nodes
        assert found.of_nodes.refused == pytest.approx(len(found.refused) / nodes)
        assert found.of_work.fits + found.of_work.host + found.of_work.refused == pytest.approx(1)
        whole = any(finding.weight == "refused" for finding in found.findings)
        assert found.fits == (not found.refused and not whole)


def test_shares_of_the_work() -> None:
    """Of the 5-layer network, by hand: 73,728 + 294,912 + 294,912 + 32,768 + 640 multiply-accumulates."""
    of_work = fit("five", "xylo").of_work
    assert of_work.refused == 1
    macs = [8 * 9 * 32 * 32, 16 * 8 * 9 * 16 * 16, 32 * 16 * 9 * 8 * 8, 512 * 64, 64 * 10]
    sites = [site for site in fit("five", "nir").sites if site.share]
    assert [site.share for site in sites] == pytest.approx([one / sum(macs) for one in macs])


def test_xylo_names_what_each_member_of_the_family_lacks() -> None:
    """14,400 = 8 * 1024 + 16 * 256 + 32 * 64 + 64 neurons."""
    (finding,) = fit("five", "xylo").findings
    neurons = 8 * 1024 + 16 * 256 + 32 * 64 + 64
    assert neurons == 14_400 and finding.reason.count("14,400 hidden") == 3
    assert "Audio 2" in finding.reason and "10 outputs, at most 8" in finding.reason
    assert "Audio 3" in finding.reason and "IMU" in finding.reason


@pytest.mark.parametrize("target", CHECK_TARGET_NAMES)
def test_every_limit_has_its_source(target: str) -> None:
    _, limits = read_target(target)
    assert limits.source and all(rule.source and rule.says for rule in limits.rules)
    assert all(rule.remedy for rule in limits.rules if rule.weight == "refused")
    assert all(note.source for note in limits.notes)


def test_a_file_of_ones_own_is_read(tmp_path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text((FOLDER / "nir.toml").read_text().replace('"average_pool", "sum"', '"sum"'))
    name, limits = read_target(path)
    assert name == "mine" and "average_pool" not in limits.accepts


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("most = 16", "msot = 16"), "msot"),
        (("most = 16\n", ""), "limits nothing"),
        (('on = ["network"]', 'on = ["convolutions"]'), "convolutions"),
        (("title", "= title"), "line"),
    ],
)
def test_a_mistake_in_a_file_is_told(tmp_path, change: tuple[str, str], said: str) -> None:
    path, before = tmp_path / "mine.toml", "title = 'x'\nruns = 'spikes'\nfront = 'host'\naccepts = []\nsource = 'x'\n"
    rule = "[[rules]]\nname = 'a'\non = [\"network\"]\nfact = 'neurons'\nmost = 16\nsays = 'x'\nsource = 'x'\n"
    path.write_text((before + rule).replace(*change))
    with pytest.raises(InputError, match=said):
        read_target(path)


def test_an_unknown_target_lists_the_known_ones() -> None:
    with pytest.raises(InputError, match="speck2f, speck2e"):
        read_target("speck3")


def test_a_result_is_plain_data() -> None:
    plain = msgspec.to_builtins(fit("resnet", "speck2f"))
    assert plain["of_nodes"]["refused"] == pytest.approx(23 / 52)
