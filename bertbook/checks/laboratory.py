"""A model and a training that remember every random number they draw."""

import random
from dataclasses import dataclass

import numpy as np
import torch

from bertbook.checks.report import Wrong


@dataclass(kw_only=True)
class Run:
    """What one run of the learner's function drew, by its source."""

    weights: list[float]
    order: list[int]
    noise: list[float]
    dropout: list[float]


class Laboratory:
    """A model and a training that draw from three random sources."""

    def __init__(self) -> None:
        self.model: torch.nn.Linear | None = None
        self.run: Run | None = None
        self.result: torch.Tensor | None = None

    def build(self) -> torch.nn.Linear:
        """Create a model, its weights drawn by PyTorch."""
        self.model = torch.nn.Linear(5, 3)
        return self.model

    def train(self, model: torch.nn.Linear) -> torch.Tensor:
        """Draw from all three libraries and keep what was drawn.

        Raises:
            Wrong: if the model is not the one that `build` made.
        """
        if self.model is None or model is not self.model:
            raise Wrong("Give `train` the model that `build()` returned.")
        self.run = Run(
            weights=model.weight.flatten().tolist(),
            order=random.sample(range(40), 40),
            noise=np.random.rand(7).tolist(),  # noqa: NPY002
            dropout=torch.rand(11).tolist(),
        )
        self.result = torch.tensor(
            [sum(self.run.weights), *self.run.noise, *self.run.dropout]
        )
        return self.result


def compare_same_seed(one: Run, two: Run) -> None:
    """Say which source differed although the seed was the same."""
    if one.weights != two.weights and one.dropout == two.dropout:
        raise Wrong(
            "With one seed the first weights differ, and what PyTorch draws"
            " later agrees: the seed is set after the model was created."
        )
    if one.weights != two.weights or one.dropout != two.dropout:
        raise Wrong(
            "With one seed PyTorch's draws differ (first weights, dropout):"
            " PyTorch was not seeded, and Python's `random.seed` does not"
            " reach it."
        )
    if one.order != two.order:
        raise Wrong(
            "With one seed the examples come in another order: `train`"
            " shuffles with Python's `random`, and that was not seeded."
        )
    if one.noise != two.noise:
        raise Wrong(
            "With one seed the noise differs: `train` draws it with NumPy,"
            " and that was not seeded."
        )


def compare_two_seeds(runs: dict[int, Run], one: int, two: int) -> None:
    """Say which source drew the same under two seeds."""
    for name, source in (
        ("weights", "PyTorch"),
        ("dropout", "PyTorch"),
        ("order", "Python's `random`"),
        ("noise", "NumPy"),
    ):
        if getattr(runs[one], name) == getattr(runs[two], name):
            raise Wrong(
                f"Seeds {one} and {two} give the same draws from {source}:"
                " `seed` itself must reach it, and no fixed number."
            )
