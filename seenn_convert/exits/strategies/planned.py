"""Ways to stop that read a policy head: the plan alone, and the plan with exit thresholds beside it.

An attached head is one setting. A price of a timestep, taken off its plan logits, moves all plans towards earlier
exits, and a negative one towards later exits; so one head gives a curve.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from seenn_convert.choices import ScoreName
from seenn_convert.exits.plan_choice import PRICES
from seenn_convert.exits.strategies.basic import Grounds, Record, ScoreWay, Setting, Way, scores_of
from seenn_convert.exits.thresholds import ALWAYS, NEVER, first_exit, full_run, price_thresholds
from seenn_convert.runtime.plan_logits import priced_timesteps

HALVINGS = 40
"""How often the range of prices is halved on the way to the one that gives an average."""

MOST_PLANS = 12
"""Prices of the plan to which thresholds are fitted; of more of them every second, third, ... one."""


@dataclass(frozen=True)
class PlannedWay:
    """Every image stops after the number of timesteps that the policy head plans; the full run needs no plan.

    Source: Li et al. 2023 (SEENN-II); the price of a timestep is ours.
    """

    name: str = "planned"
    label: str = "planned"

    def settings(self, grounds: Grounds, record: Record) -> list[Setting]:
        """Return the full run, then the prices that the held-out part chooses for the budgets; 0 is among them."""
        timesteps, images = record.predictions.shape
        plan = _plan_of(record)
        priced = [Setting(priced_timesteps(plan, price), None, price) for price in plan_prices(grounds)]
        return [Setting(torch.full((images,), timesteps)), *priced]


@dataclass(frozen=True)
class PlannedScoreWay:
    """The plan is the latest exit, and the exit score may let an image leave earlier.

    For each budget the held-out part chooses, by the expected drop, among three: the exit thresholds alone, the plan
    alone, and priced plans with thresholds that the fitting part gave to them. Among equals the pure ways win.

    Attributes:
        score: The exit score that the network computes.
    """

    score: ScoreName
    name: str = "planned+confidence"

    @property
    def label(self) -> str:
        """Name for people."""
        return f"planned + {self.score}"

    def settings(self, grounds: Grounds, record: Record) -> list[Setting]:
        """Return the full run, then what the budgets choose."""
        known, judged = (scores_of(self.score, r.logits, grounds.temperatures) for r in (grounds.record, record))
        chosen = self._choices(grounds, known)
        return [_carried_out(choice, judged, record) for choice in chosen]

    def _choices(self, grounds: Grounds, known: Tensor) -> list["_Choice"]:
        families = _families(grounds, known, self.score)
        found = [_Choice(full_run(len(known)), None, 0.0, float(len(known)))]
        budgets = [budget for budget in grounds.budgets[::-1] if budget < len(known)]
        candidates = [choice for family in families for choice in _closest(family, budgets)]
        for budget in budgets:
            best = min((c for c in candidates if c.average <= budget + 1e-9), key=lambda choice: choice.drop)
            if best is not found[-1]:
                found.append(best)
        return found


def planned_ways(score: ScoreName) -> tuple[Way, ...]:
    """Return the ways of a network that has a policy head and computes ``score``."""
    return PlannedWay(), PlannedScoreWay(score)


def plan_prices(grounds: Grounds) -> list[float]:
    """Return prices of a timestep from careful to fast: for each budget the lowest that keeps it, and 0.

    At 0 the head plans as it was attached. The held-out part tells. The average falls as the price rises, so halving
    its range finds it.
    """
    plan = _plan_of(grounds.record)[grounds.held_out]
    largest = float((plan.amax(dim=-1) - plan.amin(dim=-1)).max()) + 1.0
    budgets = [budget for budget in grounds.budgets if budget < plan.shape[-1]]
    prices = {_price_for(plan, budget, largest) for budget in budgets} | {0.0}
    nearest_last = sorted(prices, key=abs, reverse=True)
    by_average = {float(priced_timesteps(plan, price).double().mean()): price for price in nearest_last}
    return sorted(by_average.values())


@dataclass(frozen=True)
class _Choice:
    """Thresholds, a price of the plan or both, and what they give on the held-out images."""

    thresholds: tuple[float, ...] | None
    price: float | None
    drop: float
    average: float


def _families(grounds: Grounds, known: Tensor, score: ScoreName) -> list[list[_Choice]]:
    """Return sets of choices, each from careful to fast, the pure ways first."""
    prices = plan_prices(grounds)
    latest = {price: priced_timesteps(_plan_of(grounds.record), price) - 1 for price in prices}
    alone = [_judged(grounds, known, thresholds, None, None) for thresholds in ScoreWay(score).choices(grounds, known)]
    families = [alone, [_judged(grounds, known, None, price, latest[price]) for price in prices]]
    fitting, own = grounds.readouts(known, grounds.fitting), prices.index(0.0)
    every = -(-len(prices) // MOST_PLANS)
    for price in prices[own % every :: every]:
        plans = latest[price]
        fitted = (price_thresholds(fitting.scores, fitting.worth, p, plans[grounds.fitting]) for p in PRICES)
        families.append([_judged(grounds, known, thresholds, price, plans) for thresholds in dict.fromkeys(fitted)])
    return families


def _closest(family: list[_Choice], budgets: list[float]) -> list[_Choice]:
    """Return, for each budget, the most careful choice within it, each once."""
    fits = [next((i for i, c in enumerate(family) if c.average <= budget + 1e-9), None) for budget in budgets]
    return [family[i] for i in sorted({i for i in fits if i is not None})]


def _judged(
    grounds: Grounds, known: Tensor, thresholds: tuple[float, ...] | None, price: float | None, latest: Tensor | None
) -> _Choice:
    held_out = grounds.readouts(known, grounds.held_out)
    step = _steps(held_out.scores, thresholds, None if latest is None else latest[grounds.held_out])
    worth = held_out.worth.gather(0, step.unsqueeze(0)).squeeze(0)
    drop = 100 * float((held_out.best - worth).double().mean())
    return _Choice(thresholds, price, drop, float((step + 1).double().mean()))


def _carried_out(choice: _Choice, judged: Tensor, record: Record) -> Setting:
    latest = None if choice.price is None else priced_timesteps(_plan_of(record), choice.price) - 1
    return Setting(_steps(judged, choice.thresholds, latest) + 1, choice.thresholds, choice.price)


def _steps(scores: Tensor, thresholds: tuple[float, ...] | None, latest: Tensor | None) -> Tensor:
    """Return the exit timestep, from 0, ``(N,)``: the first score above its threshold, the plan at the latest."""
    given = thresholds or (NEVER,) * (len(scores) - 1) + (ALWAYS,)
    step = first_exit(scores, scores.new_tensor(given).unsqueeze(1))
    return step if latest is None else torch.minimum(step, latest)


def _price_for(plan: Tensor, budget: float, largest: float) -> float:
    """Return about the lowest price, at most ``largest`` in size, that keeps the average within ``budget``."""
    below, above = -largest, largest
    for _ in range(HALVINGS):
        middle = (below + above) / 2
        if float(priced_timesteps(plan, middle).double().mean()) <= budget + 1e-9:
            above = middle
        else:
            below = middle
    return above


def _plan_of(record: Record) -> Tensor:
    if record.plan is None:
        raise ValueError("a planned way needs the plan logits of a policy head")
    return record.plan
