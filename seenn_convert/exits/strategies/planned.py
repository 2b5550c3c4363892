"""Strategies that read a policy head: the plan alone, and the plan with exit thresholds beside it.

An attached head is one setting. A price of a timestep, taken off its plan logits, moves all plans towards earlier
exits, and a negative one towards later exits; so one head gives a curve.
"""

from dataclasses import dataclass

from torch import Tensor

from seenn_convert.exits.choose import ROUNDING, Setting, choose_each, fixed_settings, judged
from seenn_convert.exits.plan_choice import PRICES
from seenn_convert.exits.readouts import Readouts
from seenn_convert.exits.strategies.basic import ExitStrategy, Grounds, ScoreStrategy
from seenn_convert.exits.thresholds import full_run, price_thresholds
from seenn_convert.ir.scores import ExitScore

HALVINGS = 40
"""How often the range of prices is halved on the way to the one that gives an average."""

MOST_PLANS = 12
"""Prices of the plan to which thresholds are fitted; of more of them every second, third, ... one."""


@dataclass(frozen=True)
class PlannedStrategy:
    """Every image leaves after the number of timesteps that the policy head plans; the full run needs no plan.

    Source: Li et al. 2023 (SEENN-II); the price of a timestep is ours.
    """

    name: str = "planned"
    label: str = "planned"

    def scores(self, grounds: Grounds, readouts: Readouts) -> Tensor:
        """Return the scores as they are: no threshold reads them."""
        return readouts.scores

    def settings(self, grounds: Grounds) -> list[Setting]:
        """Return the full run, then the prices that the held-out part chooses for the budgets; 0 is among them."""
        held_out = grounds.parts(grounds.readouts.scores)[1]
        return [fixed_settings(held_out)[-1], *_planned(held_out, plan_prices(grounds))]


@dataclass(frozen=True)
class PlannedScoreStrategy(ScoreStrategy):
    """The plan is the latest exit, and the exit score may let an image leave earlier.

    For each budget the held-out part chooses, by the expected drop, among three: the exit thresholds alone, the plan
    alone, and priced plans with thresholds that the fitting part gave to them. Among equals the pure strategies win.

    Attributes:
        score: The exit score that the network computes.
    """

    @property
    def name(self) -> str:
        """The name is the same for any score."""
        return "planned+confidence"

    @property
    def label(self) -> str:
        """Name for people."""
        return f"planned + {self.score.name}"

    def settings(self, grounds: Grounds) -> list[Setting]:
        """Return the full run, then what the budgets choose."""
        timesteps = grounds.readouts.timesteps
        budgets = [budget for budget in grounds.budgets if budget < timesteps]
        candidates = [setting for family in self._families(grounds) for setting in choose_each(family, budgets)]
        careful = Setting(0.0, float(timesteps), full_run(timesteps))
        return [careful, *choose_each(candidates, budgets, "preferred")]

    def _families(self, grounds: Grounds) -> list[list[Setting]]:
        """Return sets of settings, each from careful to fast, the pure strategies first."""
        fitting, held_out = grounds.parts(self.scores(grounds, grounds.readouts))
        prices = plan_prices(grounds)
        families = [super().settings(grounds), _planned(held_out, prices)]
        own, every = prices.index(0.0), -(-len(prices) // MOST_PLANS)
        for price in prices[own % every :: every]:
            latest = fitting.planned(price) - 1
            fitted = dict.fromkeys(price_thresholds(fitting.scores, fitting.worth, p, latest) for p in PRICES)
            planned = held_out.planned(price)
            families.append([judged(held_out, thresholds, planned, 0, price) for thresholds in fitted])
        return families


def planned_strategies(score: ExitScore) -> tuple[ExitStrategy, ...]:
    """Return the strategies of a network that has a policy head and computes ``score``."""
    return PlannedStrategy(), PlannedScoreStrategy(score)


def plan_prices(grounds: Grounds) -> list[float]:
    """Return prices of a timestep from careful to fast: for each budget the lowest that keeps it, and 0.

    At 0 the head plans as it was attached. The held-out part tells. The average falls as the price rises, so halving
    its range finds it.
    """
    held_out = grounds.parts(grounds.readouts.scores)[1]
    budgets = [budget for budget in grounds.budgets if budget < held_out.timesteps]
    prices = {_price_for(held_out, budget) for budget in budgets} | {0.0}
    nearest_last = sorted(prices, key=abs, reverse=True)
    by_average = {_average(held_out, price): price for price in nearest_last}
    return sorted(by_average.values())


def _planned(held_out: Readouts, prices: list[float]) -> list[Setting]:
    """Return what the plan alone does at each of the prices."""
    return [judged(held_out, None, held_out.planned(price), 0, price) for price in prices]


def _price_for(held_out: Readouts, budget: float) -> float:
    """Return about the lowest price, that keeps the average within ``budget``."""
    assert held_out.plan is not None
    above = float((held_out.plan.amax(dim=-1) - held_out.plan.amin(dim=-1)).max()) + 1.0
    below = -above
    for _ in range(HALVINGS):
        middle = (below + above) / 2
        if _average(held_out, middle) <= budget + ROUNDING:
            above = middle
        else:
            below = middle
    return above


def _average(held_out: Readouts, price: float) -> float:
    return float(held_out.planned(price).double().mean())
