"""Going through a training: say how far it is, and stop it so that nothing is lost."""

import math
from collections.abc import Iterable, Iterator

from tqdm import tqdm

from diffusion_lab.fitting import Step
from diffusion_lab.interrupts import StopRequest


class Monitor:
    """A training that shows a progress bar, and that Ctrl-C (■ in a notebook) stops after the step in progress.

    ``for step in Monitor(train(…), num_steps=1200): …`` yields the training's own steps. The loop always gets at
    least one step, so what it binds is bound. Kept in a variable, a stopped training goes on where it was when
    it is iterated over again. A second Ctrl-C raises `KeyboardInterrupt` at once, and the training cannot go on.
    """

    def __init__(self, steps: Iterable[Step], *, num_steps: int, quiet: bool = False):
        """Say what to go through.

        Args:
            steps: what `fit`, `train` or another training yields.
            num_steps: the index of the last step.
            quiet: print no line when the training is stopped, or has no step left.
        """
        self.steps, self.num_steps, self.quiet = iter(steps), num_steps, quiet
        self.losses: dict[int, float] = {}
        """The loss of every step so far, by its index."""
        self.smoothed: dict[int, float] = {}
        """The running mean of the finite losses, over about a fiftieth of the training."""
        self.stopped = False
        """Whether Ctrl-C ended the last loop."""
        self._decay, self._sum, self._weight = 1 - 1 / max(10, num_steps / 50), 0.0, 0.0

    @property
    def index(self) -> int:
        """Steps done."""
        return next(reversed(self.losses), 0)

    def __iter__(self) -> Iterator[Step]:
        """Yield the steps that are left; an error of the training comes through."""
        step, self.stopped = None, False
        with StopRequest(when_asked=self._say_stopping) as stop:
            try:
                for step in self.steps:
                    self._note(step)
                    if not self._is_open():
                        self._open(step)
                    self._show(step)
                    yield step
                    if stop.asked and step.index < self.num_steps:
                        self.stopped = True
                        break
            except BaseException:
                self._close(None)
                raise
            self._close(step)
        if self.quiet:
            return
        done = f"{self.index:,} of {self.num_steps:,} steps"
        if self.stopped:
            print(f"stopped after {done}; the network keeps what it has learned")
        elif step is None or self.index < self.num_steps:
            print(f"there is no step left: {done} are done")

    def _note(self, step: Step) -> None:
        self.losses[step.index] = step.loss
        if math.isfinite(step.loss):
            self._sum, self._weight = self._decay * self._sum + step.loss, self._decay * self._weight + 1
        self.smoothed[step.index] = self._sum / self._weight if self._weight else math.nan

    # what another way of showing it replaces

    _bar: tqdm | None = None

    def _is_open(self) -> bool:
        return self._bar is not None

    def _open(self, step: Step) -> None:
        """Begin to show; called with the first step, so that nothing is shown of a training that is refused."""
        self._bar = tqdm(total=self.num_steps, initial=step.index - 1, unit="step", delay=1)

    def _show(self, step: Step) -> None:
        """Show a step."""
        self._bar.set_postfix(loss=f"{self.smoothed[step.index]:.4f}", refresh=False)
        self._bar.update()

    def _say_stopping(self) -> None:
        """Tell that the request to stop has arrived; called in a thread of its own."""

    def _close(self, step: Step | None) -> None:
        """End with the last step; None if there was none, or if the loop was left by a break or an error."""
        if self._bar is not None:
            self._bar.close()
        self._bar = None
