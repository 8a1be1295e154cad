"""The catalogue of named mistakes: what was done and what was wanted, and the section of a lesson that is about it.

The wrong formula that a mistake comes down to differs from task to task and stands beside the task. To add a
mistake: one line here, under its section, and a `wrong` or a `probe` in the module of the exercise.
"""

from collections.abc import Callable
from typing import NamedTuple

from diffusion_lab.checks import cards


class Mistake(NamedTuple):
    """A misconception with a name."""

    name: str
    sentence: str  # what was done and what was wanted
    lesson: str  # the number of a lesson, such as "01", or "" if none is about it
    section: str  # the title of a section of it, as it stands there


_SECTIONS = {
    ("01", "1. One step"): {
        "missing-zero-entry": "entry 0 is for clean data and must be 0; the T betas come after it",
        "uniform-noise": (
            "the noise is uniform (`rand`: mean 1/2, variance 1/12); standard normal (`randn`) is wanted"
        ),
        "alphabar-for-alpha": (
            "the product of all steps up to t was used; 1 - beta of the one step t is wanted"
        ),
        "noise-shrunk-too": (
            "the noise was added first and then shrunk with the picture; only the picture is to shrink"
        ),
        "noises-alike": "all noises so far count alike; an older one has shrunk in every step since it came",
        "not-iterated": "every x_t was made from x_0; a step goes from x_{t-1} to x_t",
        "aliased-states": (
            "one tensor was stored again and again and changed in place; store a new one for every step"
        ),
    },
    ("01", "2. Why the square roots?"): {
        "variance-as-std": (
            "a variance stands where its square root, the standard deviation, is wanted, or the reverse"
        ),
    },
    ("01", "4. All steps at once"): {
        "misbroadcast-t": (
            "shapes pair up from the last axis: numbers for t want shape (B, 1, 1, 1) with (B, C, H, W), "
            "and (B, 1) with (B, D)"
        ),
        "alpha-for-alphabar": (
            "1 - beta of the one step t was used; the product of all of them up to t is wanted"
        ),
        "picked-too-early": (
            "entries t were picked first and then multiplied; multiply up the whole table, then pick"
        ),
        "noise-only": "only the noise has mean 0; what every step leaves of the signal has not",
        "beta-for-alpha": "betas were multiplied up; the numbers to multiply are 1 - beta",
        "cumsum-for-cumprod": "the steps were added up; they have to be multiplied (`cumprod`)",
        "index-shift": (
            "a table was read one entry too early or too late; entry t is for step t, entry 0 for clean"
        ),
        "one-minus-root": "1 - sqrt(alpha bar) scales the noise; sqrt(1 - alpha bar) is wanted",
        "swapped-scales": "the scales of signal and noise changed places",
        "draws-own-noise": "fresh noise was drawn; the noise that your function is given is wanted",
        "shared-t": "one time was used for the whole batch; every element has its own",
        "endpoint-missed": (
            "one end of the times is missing: they run from 0 to T, both included, steps from 1 to T"
        ),
    },
    ("01", "6. Handwritten digits"): {
        "wrong-range": "the slider has to reach every time from 0 to T one by one; T is `schedule.timesteps`",
        "slider-ignored": (
            "moving the slider calls nothing; tie a function to it, by `interactive` or by `observe`"
        ),
        "value-read-once": (
            "the slider was read once, when it was built; read it anew in the function that each move calls"
        ),
        "old-for-new": "the picture belongs to the place that the slider came from; `change.new` is where it is",
        "nothing-shown": "moving the slider draws nothing; hand x_t to `show` at every move, with no button in between",
        "nothing-at-first": "nothing is there until the slider is moved; show a picture when you build it, too",
        "shown-elsewhere": (
            "the picture is drawn outside of the widget; draw in an Output that is a part of what you return"
        ),
        "noise-not-added": "the clean picture x_0 was shown at every t; x_t is wanted, for the t of the slider",
    },
    ("01", "8. One thing to vary: what if we do it differently?"): {
        "no-shrinking": "the picture kept its full strength; it has to shrink to make room for the noise",
        "unscaled-input": (
            "the pictures are in [0, 1]; wanted are [-1, 1], in which the signal is four times as strong"
        ),
    },
    ("02", "1. Four curves"): {
        "other-schedule": "these numbers are right for another schedule, not for the one that was asked for",
        "fence-posts": "the betas must go from the first end to the last in T values, which have T - 1 gaps",
        "roots-not-even": (
            "quadratic: the *roots* of the betas are evenly spaced, from sqrt(low) to sqrt(high)"
        ),
        "difference-for-ratio": (
            "differences of alpha bar were taken; a beta is 1 - alpha bar(t) / alpha bar(s): divide"
        ),
        "cap-missing": "the last beta came out as 1, and destroys everything; it has to be capped at 0.999",
        "offset-missing": (
            "the offset s = 0.008 was left out of the cosine, so the first step is next to nothing"
        ),
        "cosine-not-squared": "alpha bar should be the *squared* cosine, and the square is missing",
        "betas-rescaled": (
            "the betas were multiplied by 1000 / T; here the first is to be `low` itself, and the last `high`"
        ),
        "alpha-for-beta": "what a step keeps was returned, alpha; beta is what it takes away, 1 - alpha",
    },
    ("02", "2. Signal-to-noise ratio"): {
        "share-for-ratio": (
            "alpha bar alone is a share of the whole; the ratio divides it by the noise, 1 - alpha bar"
        ),
        "ratio-upside-down": "a ratio is upside down: what should stand below the line stands above it",
        "log-for-ratio": "a logarithm of the ratio was returned; the ratio itself is wanted",
    },
    ("02", "3. Fewer steps, same betas"): {
        "half-the-steps": "that is what 50 steps leave, as in the lesson; here there are 100",
        "betas-stretched": (
            "betas were multiplied by the number of steps they stand for, which fits tiny betas only"
        ),
    },
    ("02", "5. An answer to the question"): {
        "half-the-window": (
            "one of the two bounds is missing, or the steps outside were counted, not those between"
        ),
    },
    ("03", "1. One number"): {
        "unweighted-mean": "all candidates were counted alike; the likelier ones have to count more",
    },
    ("03", "2. Why the mean?"): {
        "mode-for-mean": (
            "that is the likeliest value; the squared error wants the mean of all that are possible"
        ),
        "no-floor": "even the best guess misses, as x_0 is not known; its mean squared error is not 0",
        "mean-not-subtracted": (
            "that is the mean of x_0², the error of the guess 0; your guess has a smaller one"
        ),
        "absolute-error": "the mean of the absolute errors was taken; each error is to be squared first",
        "square-of-the-mean": "that is the square of the mean; the mean of the squared errors is wanted",
        "share-of-misses": "that is how often a guess is wrong, and not how far off it is, squared",
        "candidate-left-out": "one of the values that are possible was left out of the mean",
    },
    ("03", "3. All the digits at once"): {
        "distance-not-squared": "the exponent has the *squared* distance in it; the square is missing",
        "bell-without-half": "the exponent lacks the 2: the squared distance is divided by 2 (1 - alpha bar)",
        "sigma-missing": (
            "the distances were not divided by the variance of the noise, so no t makes them count less"
        ),
        "mean-for-sum": "squares were averaged over the pixels; their sum is wanted",
        "candidates-unscaled": (
            "a candidate shrinks on its way to x_t: compare x_t with sqrt(alpha bar) times it"
        ),
        "weights-not-one": "the weights of the candidates do not add up to 1; divide them by their sum",
        "softmax-over-batch": (
            "the weights of each x_t must add up to 1 over the candidates, not over the batch"
        ),
        "far-for-near": "the sign of the exponent is wrong: far candidates have the large weights",
        "nearest-for-mean": "only the nearest candidate was returned; the mean of all, weighted, is wanted",
        "exp-underflow": (
            "with real pictures your result is NaN: every exp(-distance) is 0 there; `softmax` avoids it"
        ),
        "shrunk-guess": "the guess is of the shrunk picture, sqrt(alpha bar) x_0; x_0 itself is wanted",
        "noise-not-rescaled": (
            "x_t was divided by sqrt(alpha bar), and so was its noise: its variance is (1 - alpha bar) / alpha bar"
        ),
        "bell-missing": "the weights are exp(-squared distance / (2 (1 - alpha bar))), not 1 over the distance",
        "weights-per-part": "a candidate is weighed as a whole; parts of it got weights of their own",
        "square-left-out": (
            "|x_t - alpha x_0|² was multiplied out, and alpha² |x_0|² was left out or has a wrong factor"
        ),
    },
    ("03", "4. The same in the plane"): {
        "slope-unscaled": (
            "the slope has one factor sqrt(alpha bar) too few or too many; it is sqrt(alpha bar) C / S"
        ),
        "variance-not-noised": (
            "S is the variance of x_t: alpha bar times that of the data, plus that of the noise"
        ),
        "mean-not-added": "the mean is missing: the guess begins at the mean of the data and moves from there",
        "variance-measured": (
            "the variance of x_t was measured on the batch; S comes from theory: alpha bar C + 1 - alpha bar"
        ),
        "mean-unscaled": (
            "the mean shrinks on its way to x_t: the difference to sqrt(alpha bar) times it is wanted"
        ),
        "noise-unheard": (
            "x_t was taken for free of noise and only scaled back; trust it the less, the noisier it is"
        ),
        "unit-variance": (
            "S was left out, as if it were 1; that holds only for data of variance 1: S = alpha bar C + 1 - alpha bar"
        ),
        "mean-squared-too": "a mean of squares stands where a variance is wanted: take the squared mean off",
        "shrinking-forgotten": "x_t was taken for x_0 + noise; the data shrink on their way: sqrt(alpha bar) x_0",
        "trust-upside-down": (
            "the share of x_t in the guess is the wrong way round: the noisier x_t, the less it moves the guess"
        ),
        "two-values-only": "that is the guess for data of -1 and +1 only; here they are of a bell curve",
    },
    ("03", "5. Four languages"): {
        "wrong-target": (
            "the prediction is compared with, or read as, another quantity than the objective says"
        ),
        "factor-missing": (
            "a factor is missing: alpha belongs to x_0 and sigma to eps, x_t = alpha x_0 + sigma eps"
        ),
        "wrong-sign": "a sign is wrong: plus stands where minus is wanted, or the reverse",
        "score-unscaled": (
            "the score is -eps divided by sqrt(1 - alpha bar); the divisor is missing or another one"
        ),
    },
    ("03", "7. What goes wrong: reading eps as x_0 in high noise"): {
        "error-for-nothing": "an error of the answer has its part in x_0, so the factor is not 0",
        "error-not-divided": "these are the errors of x_0 themselves; divide them by 0.01, the error of the answer",
        "rounded-too-far": "rounded too far: two decimals are wanted",
    },
    ("04", "1. The first network one writes"): {
        "stride-ignored": (
            "after a layer of stride 2 a step is two pixels wide, and so is the reach of a kernel"
        ),
        "half-the-field": "only one side was counted; the field reaches as far to the left as to the right",
        "small-field": (
            "a pixel's answer depends on too few around it; a smaller map or more layers see further"
        ),
        "area-for-width": "that is an area, and a width is wanted",
        "stride-too-early": "a stride makes the steps of the layers *after* it longer, not those of its own kernel",
        "field-doubled": "the whole width was doubled; a stride doubles the reach of the layers after it only",
        "fields-multiplied": "widths were multiplied; every layer adds its reach to each side",
        "middle-left-out": "the pixel in the middle counts, too",
        "centres-counted": "widths of kernels were added up; the first one's width counts, of the others the reach",
    },
    ("04", "2. The U"): {
        "ignores-input": "the answer does not change with the picture",
        "dead-weights": "some weights get no gradient: a layer was made but is not used in `forward`",
        "weights-hidden": (
            "layers in a plain list or dict: torch finds none of their weights; use attributes, or `nn.ModuleList`"
        ),
        "size-not-kept": (
            "the answer has another size than the picture: pad every convolution, and grow back what a stride shrank"
        ),
        "not-finite-alone": (
            "the answer is NaN or infinite for one picture or a batch: is it divided by a spread over the batch?"
        ),
    },
    ("04", "3. Fold: four pixels become four channels"): {
        "rows-for-columns": (
            "rows and columns inside the squares changed places: channel 1 is one to the right"
        ),
        "channel-order": "the channels are in another order: all parts of the first channel come first",
        "quarters-for-squares": (
            "the picture was cut into large blocks; a channel takes one pixel of *every* square"
        ),
        "square-backwards": "a square was read from its end; its first pixel, i = 0, j = 0, is at the top left",
        "fixed-patch": "squares of 2 × 2 were made whatever `patch` says",
        "first-channel-only": "only the first channel of the picture was folded; every channel has its p² maps",
        "channels-averaged": "the channels of the picture were averaged or added up; every channel has its p² maps",
        "pixels-lost": "pixels are lost; each pixel of a square goes into a channel of its own",
        "squares-in-the-batch": "the places inside a square became pictures of the batch; they belong in the channels",
        "square-pictures-only": "the picture was taken for square, and a part of it is missing; W is not always H",
        "steps-of-squares": (
            "slices went by the *number* of squares; from one square to the next it is a step of `patch` pixels"
        ),
        "axes-mixed": (
            "the axes were split or put in the wrong order: split H into (H / p, p) and W into (W / p, p), then move"
            " both p in front"
        ),
    },
    ("04", "9. What each part costs"): {
        "bias-forgotten": "every map of a layer has a bias too, one number more",
        "too-many-biases": "there are too many biases; a layer has one for each map that comes out",
        "biases-of-the-wrong-maps": "a layer has one bias for each map that comes out",
        "another-layer": "these are the weights of another layer, or of several",
        "stride-halves-weights": "a stride makes the maps smaller, not the kernels",
        "kernel-not-squared": "a kernel of 3 × 3 has nine numbers",
        "maps-for-weights": "these are the numbers in the maps; weights are those of the kernels and biases",
        "one-kernel-per-map": "a map has a kernel for *each* map of the layer before, not one for all",
        "too-many-weights": "the network has more weights than were asked for; take fewer channels",
    },
    ("04", "11. What goes wrong: a fold that only reshapes"): {
        "reshape-only": "a reshape alone keeps the reading order, and neighbours are no longer neighbours",
    },
    ("04", "5. The residual block"): {
        "pictures-mixed": (
            "a picture's answer depends on the others in its batch (a BatchNorm?); each is for itself"
        ),
        "one-plus-missing": (
            "the maps were multiplied by scale; 1 + scale is wanted, so that scale 0 changes nothing"
        ),
        "swapped-halves": "scale and shift changed places: the first half of the numbers is scale",
        "norm-last": "the normalisation came last and takes back what the condition said; it belongs before",
        "norm-missing": "the maps were not normalised before they were scaled and shifted",
        "wrong-groups": "mean and variance were taken over other numbers than those of a group of channels",
        "unbiased-variance": (
            "the variance was divided by n - 1, as `var` does; the mean of squares (n) is wanted"
        ),
        "floor-misplaced": (
            "1e-5 is added to the variance, under the root; it counts where a group hardly varies"
        ),
        "shift-missing": "scale was used, but the shift was left out",
        "scale-missing": "shift was used, but the scale was left out",
        "shift-scaled": "the shift was multiplied as well; it is added after the scaling: norm(u) (1 + scale) + shift",
        "maps-added-again": "the maps were added once more; 1 + scale keeps them already",
        "activation-added": "a SiLU, ReLU or the like was put in; equation (2) has none, neither on c nor after",
        "reshape-for-transpose": (
            "W was brought to shape (D, 2C) by a `reshape`, which mixes its rows; W^T is `weight.T`"
        ),
        "mean-kept": "the maps were brought to size 1, but their mean was not taken off",
        "variance-kept": "the mean was taken off, but the maps were not divided by their standard deviation",
    },
    ("04", "4. The time: waves, not a number"): {
        "ignores-t": "the answer does not change with t",
        "sin-cos-swapped": "sine and cosine changed places",
        "not-interleaved": "all sines stand in one block and all cosines in another; they were to take turns",
        "wrong-frequencies": "the frequencies are not max_period ** (-k / m) for k = 0 … m - 1",
        "fixed-period": "10,000 was used whatever `max_period` says",
        "scaled-time": "the time came in another unit; it is wanted as it is, in steps, 1 … T",
        "times-mixed": (
            "a picture's answer changes with the *times* of the others in its batch; it goes by its own time alone"
        ),
        "cut-to-whole-numbers": "something was cut to whole numbers",
        "pair-split": "the sine and the cosine of a pair have different frequencies; both take omega_k",
        "features-for-m": "twice as many numbers as wanted: `features` counts sines *and* cosines, m = features // 2",
        "one-wave-twice": "every wave stands there twice; a pair is a sine and a cosine of the same angle",
        "half-of-the-waves": "only sines came, or only cosines; of every frequency both are wanted",
    },
    ("05", "1. The loop"): {
        "missing-eval": "the network was left in training mode; `model.eval()` is wanted for drawing",
        "missing-no-grad": "a graph for gradients was kept; drawing needs none (`torch.no_grad()`)",
        "stale-gradients": "the gradients of the step before were not cleared (`optimizer.zero_grad()`)",
        "detached-loss": "the loss is cut off from the weights, and no gradient reaches them",
        "uneven-times": (
            "the times are not equally likely: rounding gives each end half the share of the others"
        ),
        "clean-input": "the network was shown the clean picture; it has to see the noisy one, x_t",
        "sum-for-mean": (
            "squares were added up; their mean is wanted, which does not depend on the number of pixels"
        ),
        "error-not-squared": (
            "the mean of the *squared* error is wanted, with no root of it and no absolute value"
        ),
        "zero-loss": "an answer of 0 has a loss of 0 only if the target is 0, and it is not",
        "step-order": (
            "the order is wrong: clear the gradients, then `loss.backward()`, then `optimizer.step()`"
        ),
        "no-step": "`optimizer.step()` is missing: gradients are there, but nothing moves the weights",
        "no-backward": "`loss.backward()` is missing: without it there are no gradients to follow",
        "missing-train": "the network was left in evaluation mode; training wants `model.train()`",
        "graph-kept": (
            "the loss came back with its graph, which keeps the whole batch in memory; return a number: `loss.item()`"
        ),
        "optimizer-bypassed": (
            "the weights moved, but not by the optimiser that is given; what it remembers, its momentum, was lost"
        ),
        "copy-trained": "a copy of the network was trained; the weights of `model` itself did not move",
        "backward-twice": ("`backward` ran more than once for a step, and gradients add up; once is wanted"),
        "loss-twice": "the loss was computed more than once for a step; the one that is walked back is returned",
        "many-steps": "more than one step was taken on the batch; one is wanted",
        "backward-inside": "`backward()` was called inside the loss; whoever asks for the loss does that",
        "fixed-steps": (
            "a number of steps of your own was used, such as 1000; T is `schedule.timesteps`, whatever it is"
        ),
        "mean-not-taken": "several numbers came; one is wanted, the mean over all pictures and pixels",
        "loss-weighted": (
            "the error of a picture was multiplied by something that depends on its time; all times count alike"
        ),
        "part-missing": "one of the parts that add up was left out",
        "mixed-term-kept": "a mixed term was kept that is 0 on average, since noise has mean 0",
        "other-pictures": "these numbers are right for other pictures, not for those that were asked for",
        "step-uphill": (
            "the weights moved up the gradient; the optimiser walks down by itself, so leave the sign of the loss"
        ),
        "gradient-clipped": (
            "the gradient was made smaller before the step, by clipping or a factor; leave it as `backward` gives it"
        ),
        "batch-taken-apart": (
            "the batch was unpacked or changed; hand it on to `loss_of` as it came, whatever it is"
        ),
        "loss-rounded": "the loss was rounded; return it as it is",
        "frozen-weights-moved": (
            "weights that were frozen (`requires_grad` False) moved; leave them to whoever froze them"
        ),
        "draws-own-times": "the times were drawn in here; they are to be made of the numbers `u` that are given",
    },
    ("06", "1. The way back, if you knew the end"): {
        "precisions-not-added": (
            "the variances were added or averaged; 1 / variance, how sure a witness is, adds up"
        ),
        "std-for-variance": "a standard deviation stands where a variance is wanted",
    },
    ("05", "4. Averaged weights"): {
        "swapped-decay": "the decay belongs to the average so far, and 1 - decay to the new weights",
        "shares-not-one": "the shares of old average and new weights must add up to 1: decay and 1 - decay",
        "average-into-model": (
            "the average was written into the network; training would go on from the wrong weights"
        ),
        "not-in-place": (
            "the average did not change: the new numbers belong into its own weights, as with `copy_`"
        ),
        "weights-left-out": "some weights were left out; the average is one of all weights of the network",
        "gradients-averaged": "the gradients of the weights were averaged; the weights themselves are wanted",
        "decay-capped": "the decay was held below or above a bound of your own; use it as it is given",
        "ignores-decay": "the answer does not change with the decay",
        "shared-memory": (
            "average and network now hold the very same numbers in memory, and move together; copy the numbers"
        ),
        "wrong-partners": (
            "weights were mixed with those of another layer; go through both networks in the same order"
        ),
        "averaged-twice": (
            "weights inside nested modules were averaged several times; `parameters()` of the whole gives each once"
        ),
        "frozen-skipped": (
            "weights that want no gradient were skipped, and those of the average want none; all are to be averaged"
        ),
        "not-returned": "the right weights were averaged, but what came back is not `average` itself",
        "not-averaged": "the average is a copy of the newest weights; nothing of the older ones is left",
    },
    ("05", "5. Train your network"): {
        "weights-for-network": (
            "weights came, or a list; hand over the network itself, which can be called with x_t and t"
        ),
        "times-left-out": (
            "the network knows the noise at some times and not at others; train it at all times from 1 to T"
        ),
        "not-trained": (
            "the network answers 0 as before the first step: hand over one that was trained or updated"
        ),
    },
    ("05", "9. What goes wrong: a loss too good to be true"): {
        "one-noise-per-picture": (
            "the network knows only noise of one number per picture; every pixel wants its own"
        ),
    },
    ("06", "2. Which variance?"): {
        "noise-reused": "the same noise was used more than once; every step wants its own",
        "no-noise-midway": "no noise was added on the way; every step but the last one wants some",
        "wrong-sigma": (
            "the noise has the wrong size; right are two variances, beta_t and that of the posterior"
        ),
    },
    ("06", "3. The same step, rearranged"): {
        "dice-thrown": "fresh noise was added on the way; here eta is 0, and all the chance is in the beginning",
        "noised-anew": "x_0 was noised with fresh noise only; a step keeps part of the noise that x_t has",
        "noise-on-top": (
            "fresh noise was added to all of the old; the old shrinks to sqrt(1 - alpha bar(s) - sigma²)"
        ),
        "noise-too-small": "old and fresh noise together have too small a variance; at s it is 1 - alpha bar(s)",
        "noise-rescaled": (
            "the old noise was measured and brought to spread 1; divide it by its size, sqrt(1 - alpha bar(t))"
        ),
        "wrong-share": "one of the parts of the step comes with a wrong size",
        "times-ignored": (
            "the times were made in here; `times` says where each step begins and ends, and may be uneven"
        ),
        "one-time-for-all": (
            "the network wants a time for each picture, a tensor of shape (B,): `torch.full((len(x),), t)`"
        ),
        "result-rescaled": "the finished pictures were brought to another range; leave them in [-1, 1]",
        "ignores-eta": "the answer does not change with eta",
    },
    ("06", "9. Between two noises"): {
        "wrong-clock": (
            "the sampler was told that it begins at T; a picture that was noised up to t begins at t"
        ),
        "other-count": "other walkers were counted than those that arrive above 0.75",
        "no-way-up": (
            "nothing was noised up to t; what walks down from there is the shrunk picture *and* noise"
        ),
    },
    ("06", "10. What goes wrong: the dice at the wrong place, or of the wrong size"): {
        "stride-beta": (
            "beta of one step was used for a jump over several; that is 1 - alpha bar(t) / alpha bar(s)"
        ),
        "noise-at-end": "noise was added in the last step, to t = 0; none is wanted there",
    },
    ("07", "1. How the order gets in"): {
        "ignores-label": "the answer does not change with the label",
        "null-is-class-0": (
            '"no label" shares its row with class 0; it wants one of its own, one past the last class'
        ),
        "null-without-row": (
            'without a label nothing was added; "no label" has a row, one past the last class'
        ),
        "not-a-parameter": "the module has nothing to learn: a table is a `nn.Embedding`, or a `nn.Parameter`",
        "zero-for-none": "a batch of zeros was taken for one without labels; 0 is a class: ask `labels is None`",
        "row-multiplied": "the numbers of the time were multiplied by the row; the row is added to them",
        "row-appended": "the row was put beside the numbers of the time; it is added to them, shape (B, F)",
        "table-changed": "reading the table changed it (`max_norm`?); the row as it was learned is wanted",
        "label-as-number": "the class was calculated with as if it were a quantity; it only picks a row of a table",
        "shared-label": "one label was used for the whole batch; every element has its own",
    },
    ("07", "2. Learning to draw with no order"): {
        "null-not-learned": "no gradient reaches the row of the null label; it is learned like the others",
        "batch-dropout": "one coin was thrown for the whole batch; every element wants its own",
        "inverted-coins": (
            "the coins were read the wrong way round: a label is dropped where coin < probability"
        ),
        "random-label": "a random label stands where a label was dropped; `null_label` is wanted there",
        "nothing-dropped": "all labels came back as they were; where coin < probability, the null label is wanted",
        "share-for-probability": (
            "a fixed share of the batch was dropped; each coin decides for itself, however many that are"
        ),
        "too-many-dropped": "labels were dropped whose own coin is not below `probability`; coin i is for label i",
        "too-few-dropped": "some labels stayed whose coin is below `probability`; every such label is dropped",
        "other-threshold": "labels are dropped below another number; it is coin < probability, just as they are",
        "other-null-label": "another number stands where a label was dropped; `null_label` is wanted there",
        "null-added": "the null label was added to the label; it takes its place",
        "mask-returned": "it came back which labels are dropped; the labels themselves are wanted",
        "pictures-left-out": "pictures were left out; all of the batch come back, each in its place",
        "changes-from-call-to-call": (
            "the same input gets another answer each time; 7.2 has dropped labels, no dice in here"
        ),
        "ignores-probability": "a fixed probability was used; the one that your function is given is wanted",
    },
    ("07", "3. Exaggerate the difference"): {
        "w-for-s": (
            "the scale is off by one: s = 0 is the prediction without the label, s = 1 with it; s = 1 + w"
        ),
        "swapped-guidance": "the predictions with and without the label changed places",
        "not-guided": (
            "this is the plain answer, as with s = 1, or as if a label were guided away from itself"
        ),
        "guided-halfway": "that lies between the two predictions; guidance goes on past the one with the label",
        "guided-rescaled": (
            "the guided answer was brought back to the size of the plain one; equation (1) leaves it as it is"
        ),
        "scale-clipped": "scales were clipped; any scale is allowed, and s = 0 is the answer without the label",
        "shared-scale": "one scale was used for the whole batch; every picture has its own",
        "another-scale": "inside the window the difference is right, but each picture's own `s` is not its scale",
        "plain-is-one": "right inside the window; outside of it the scale is 1, which is the plain answer",
        "another-null-answer": (
            "the answer without the label is another; ask the model about the same x_t and t, with `null_label`"
        ),
        "scale-for-answer": "that is the scale; what the guided network says is wanted",
        "difference-only": "s times the difference alone; it is added to the prediction without the label",
    },
    ("07", "4. What it does to a cloud"): {
        "half-the-spread": "that is the spread of one coordinate; both count, by the mean of their variances",
        "other-steps": "these are for fewer steps; 50 are wanted",
        "other-class": "another class was ordered; it is class 0 that is wanted",
        "not-measured": "that is a guess and was not measured; draw the points and look",
    },
    ("07", "7. What goes wrong: three lines, four mistakes"): {
        "dropout-at-sampling": "labels were dropped while drawing; that belongs to training only",
    },
    ("07", "9. One thing to vary: when to guide"): {
        "null-outside": "outside the window the label is missing; plain there means with the label, s = 1",
        "ignores-window": "guided at all times; outside the window the plain prediction is wanted",
        "wrong-window": "guided outside the window instead of inside",
    },
    ("08", "2. The price of a code"): {
        "logvar-as-variance": (
            "logvar was taken for the variance itself; it is the logarithm of it: exp(logvar)"
        ),
        "logvar-as-std": "logvar was taken for the standard deviation; that is exp(logvar / 2)",
        "half-missing": "a factor 1/2 is missing",
        "log-to-the-base-2": "these are bits; nats are wanted, with the natural logarithm and no log(2)",
        "mean-not-squared": "the mean costs its *square*, and the square is missing",
        "term-missing": "a term is missing from the bracket: mean² + exp(logvar) - 1 - logvar",
        "not-summed": "several prices for a picture came back; add up all its numbers, shape (B,)",
        "one-bell-for-all": "many numbers of a latent share one bell; every number has a bell of its own",
        "logvar-clipped": "logvar was clipped; it is wanted as it is, from -30 to 20",
        "price-floored": "a floor was put under the price; a number that tells nothing costs nothing",
        "price-for-training-only": "where no gradient is asked for, the price is 0; it is the same with and without",
        "other-base": "another base than e: logvar is a natural logarithm, and exp takes it back",
        "softplus-for-exp": "another function stands for exp; only exp takes back the logarithm",
        "mean-scaled": "the mean was multiplied too; exp(logvar / 2) belongs before the noise alone",
        "noise-standardised": "the noise was measured and brought to mean 0 or size 1; it is wanted as it is given",
        "noise-clipped": "the noise was clipped; it is wanted as it is given, far from 0 too",
        "spread-with-floor": "the standard deviation has a floor; exp(logvar / 2) is above 0 without help",
        "one-for-the-batch": "one number came for the whole batch; every picture wants its own, shape (B,)",
        "kl-reversed": (
            "the other direction was taken: what N(0, 1) would cost in the code of N(mean, exp(logvar))"
        ),
        "shared-noise": "the pictures of the batch share their noise; every one wants its own",
        "noise-left-out": "the mean was returned, and nothing was drawn: the noise is missing",
    },
    ("08", "3. One number for the U-Net"): {
        "scale-inverted": "the scale is upside down: 1 / standard deviation makes the spread 1",
        "scale-one-way": (
            "the scale was used on one side only, or in the same way on both: multiply, then divide"
        ),
        "scale-per-channel": "every channel got a scale of its own; one number for all of them is wanted",
        "scale-per-batch": "the scale was measured on the batch at hand; measure it once, on many latents",
        "scale-per-picture": "pictures were measured one by one; one number for all of them is wanted",
        "scale-per-place": "every place of a latent got a scale of its own; one number for all is wanted",
        "scale-averaged": "several spreads were measured and averaged; measure all numbers together, once",
        "scale-of-the-largest": (
            "the largest numbers were brought to 1, as with pixels; it is the standard deviation that becomes 1"
        ),
        "another-spread": "the scale is 1 over another measure of size; the standard deviation is wanted",
        "measured-twice": (
            "it was measured again after the U-Net, which undoes what that did to the size; measure once"
        ),
        "decoded-too-early": "the scale was undone at the wrong place: it belongs between the U-Net and `decode`",
        "many-for-few": "the latents to measure went through the U-Net; it is `z` that goes",
        "unet-twice": "latents went through the U-Net twice; once is wanted",
        "mean-subtracted": "the mean was subtracted too; only the scale is changed, by one number",
        "mean-square-for-variance": (
            "that is 1 / the root of the mean square; a variance takes the mean away first"
        ),
        "borrowed-scale": (
            "0.18215 is the number of Stable Diffusion's encoder; every encoder has its own: measure it"
        ),
        "not-decoded": "what came back are latents still: `decode` was not called",
        "unet-left-out": "the U-Net was not called at all; latents go through it on their way to the decoder",
        "not-scaled": "the U-Net got the latents as they came; it wants them with standard deviation 1",
    },
    ("09", "1. Words to numbers"): {
        "ignores-mask": "padding was read too; only the tokens where the mask is true belong to the caption",
        "inverted-mask": (
            "the mask was read the wrong way round: true is a token of the caption, false is padding"
        ),
        "masked-by-zero": "a score of 0 still has the weight exp(0); padding wants a score of minus infinity",
        "mask-after-softmax": (
            "padding was taken out after the softmax, and what is left does not add up to 1"
        ),
    },
    ("09", "2. Pictures and captions in one space"): {
        "not-normalised": (
            "the embeddings were not brought to length 1, each row for itself, before they were compared"
        ),
        "log-missing": (
            "these are probabilities of the right answers; the loss is minus the mean of their *logarithm*"
        ),
        "one-direction": (
            "only one direction was counted: pictures look for captions, and captions for pictures"
        ),
        "temperature-multiplied": (
            "the similarities were multiplied by the temperature; they are divided by it"
        ),
        "ignores-temperature": "the answer does not change with the temperature",
        "exp-overflow": (
            "at large scores your result is NaN: exp of them is infinite; `softmax` and `cross_entropy` avoid it"
        ),
        "softmax-over-pairs": "one softmax ran over all pairs; each row has its own, and so has each column",
        "softmax-twice": (
            "`cross_entropy` was given probabilities; it takes the softmax itself and wants the logits"
        ),
        "wrong-labels": "the right caption of picture i is caption i; other labels were used",
        "another-temperature": (
            "the similarities were divided by something else that is made of the temperature; divide by itself"
        ),
        "other-similarity": (
            "two embeddings were compared in another way; their cosine is wanted, the product of unit vectors"
        ),
        "right-one-left-out": (
            "the right caption was left out of the sum below the line; it counts there, with all the wrong ones"
        ),
        "yes-or-no": (
            "each pair became a yes-or-no question with a sigmoid; the question is which one of the B is right"
        ),
        "mean-inside-log": (
            "probabilities were averaged, and then came the logarithm; average the logarithms, of each question"
        ),
        "logits-averaged": (
            "the two directions were joined before the softmax; each has its own, and the losses are averaged"
        ),
        "wrong-pairs-left-out": (
            "only how alike the right pairs are was counted; they have to stand out among the wrong ones"
        ),
    },
    ("09", "4. Every pixel reads the caption"): {
        "two-calls": "the network was called more than once; one call with a doubled batch is wanted",
        "halves-mixed": (
            "the halves of the doubled batch do not fit together: cat and chunk both go by whole batches"
        ),
        "softmax-over-pixels": (
            "the weights of each pixel must add up to 1 over the tokens, not over the pixels"
        ),
        "root-d-missing": (
            "the scores were not divided by sqrt(D), so they grow with D and the softmax gets too sharp"
        ),
        "swapped-queries": "queries and keys changed places: the pixels ask, the tokens answer",
        "mask-too-weak": (
            "padding got a low score, and scores of tokens can be as low; minus infinity is wanted"
        ),
        "mask-as-length": (
            "the true places were counted, and as many tokens read from the front; padding can stand anywhere"
        ),
        "residual-added": (
            "the queries were added to what was read; the layer around it does that, and here it is not wanted"
        ),
    },
    ("09", "5. Guidance on text"): {
        "ignores-negative": (
            "the empty caption was used although there is a negative one, which takes its place"
        ),
        "null-and-negative": (
            "empty and negative caption were both used; the negative one takes the empty one's place"
        ),
        "not-doubled": "pictures, times and captions are all doubled for the one call; something was not",
        "captions-guided": (
            "the rows of the captions were mixed, and the network asked once; the two *answers* are to be mixed"
        ),
        "captions-joined": (
            "two captions became one long one; the batch is doubled, and each copy of a picture has one caption"
        ),
        "none-forgotten": (
            "without a negative caption `negative` is None, and was used all the same; null takes its place then"
        ),
        "zeros-for-none": (
            "a negative caption whose rows are all 0 was taken for none; only `None` means that there is none"
        ),
    },
    ("10", "2. The straight path"): {
        "swapped-results": "the two results changed places: first the place z, then the velocity u",
        "swapped-ends": "the ends changed places: in this course tau = 0 is data and tau = 1 is noise",
        "sign-of-the-velocity": (
            "the sign is the other way: time runs from data to noise, so the velocity is eps - x_0"
        ),
        "velocity-times-time": (
            "the velocity depends on tau; on a straight line it is the same everywhere, eps - x_0"
        ),
        "not-straight": (
            "these scales are those of a circle, with squares that add up to 1; on a line the scales do"
        ),
    },
    ("10", "3. What stands around the network"): {
        "input-not-scaled": (
            "the network was shown y as it is; c_in brings it to variance 1 at every noise level"
        ),
        "skip-of-the-shown": (
            "c_skip was multiplied with the scaled picture; that is for the network, and c_skip goes with y itself"
        ),
        "wrong-scale": "one of c_skip, c_out and c_in is another number than that of equation (4)",
        "boundary-missed": "without noise the guess has to be the data itself, whatever the network says",
        "data-counts-one": (
            "these are the scales for data of standard deviation 1; that of this data is given"
        ),
        "skip-left-out": "y went past the network whole; c_skip, the share of the data in it, was left out",
        "eps-for-data": (
            "the network's answer was taken off y as noise, as in DDPM; c_skip and c_out are wanted"
        ),
    },
    ("10", "4. One answer for the whole path"): {
        "gradient-through-target": (
            "a gradient goes through the target or the teacher as well; it has to stop there"
        ),
        "target-not-averaged": (
            "the student was its own target; the averaged network, target, is to be asked at s"
        ),
        "target-not-asked": (
            "target was not asked: it says where the path through x_s ends, and the student is to agree with it"
        ),
        "roles-exchanged": (
            "student and target changed places: the student answers for x_t at t, and target for x_s at s"
        ),
        "no-teacher-step": (
            "the target was asked about x_t; the teacher has to take one step first, from t to s"
        ),
        "mean-for-end": (
            "the teacher's guess of x_0 is a mean over many paths; wanted is what target says of x_s, at s"
        ),
        "noise-not-kept": (
            "in the teacher's step the noise is that of x_t, read out by the teacher, at the scale of s"
        ),
        "summed-not-averaged": "the squares of a picture were added up; their mean is wanted",
        "square-missing": "the differences were not squared",
        "another-norm": "the difference is right, but not its mean *square* was taken: another norm of it",
        "teacher-not-asked": "the step from t to s was taken by another network; the teacher takes it",
    },
}

HELP = {
    "absolute-error": "the guess is marked by its *squared* error",
    "aliased-states": "x = forward_step(x, t, schedule",
    "alpha-for-alphabar": "for the product of all",
    "alpha-for-beta": r"\beta_t = 1-\frac{\bar\alpha_t}{\bar\alpha_{t-1}}",
    "alphabar-for-alpha": r"\sqrt{1-\beta_t}",
    "another-null-answer": "Ask the network twice about the same $x_t$",
    "another-spread": r"\text{scale} = 1/\operatorname{std}(\mu)",
    "another-temperature": r"S_{ij} = \frac{a_i \cdot b_j}{\text{temperature}}",
    "average-into-model": r"Training goes on with $\theta$; we draw with $\bar\theta$",
    "backward-inside": "        loss.backward()",
    "batch-dropout": "Each picture has its own coin",
    "bell-missing": r"e^{-|x_t-\sqrt{\bar\alpha_t}\,x^{(i)}|^2/(2(1-\bar\alpha_t))}",
    "bell-without-half": r"|^2/(2(1-\bar\alpha_t))}",
    "beta-for-alpha": r"(1-\beta_1)(1-\beta_2)",
    "betas-rescaled": "something that section 3 explains; here it is off",
    "betas-stretched": "which for 0.0001 makes no difference, but for 0.4 it is",
    "bias-forgotten": "a bias for each new map",
    "borrowed-scale": "a scale belongs to *its* autoencoder",
    "boundary-missed": r"c_\text{out} = \frac{r\,d}{\sqrt{r^2+d^2}}",
    "candidates-unscaled": r"x_t-\sqrt{\bar\alpha_t}\,x^{(i)}",
    "cap-missing": r"so no $\beta$ may exceed 0.999",
    "captions-guided": r"\text{out}_\text{negative} + s\,(\text{out}_\text{prompt} - \text{out}_\text{negative})",
    "clean-input": "Ask the network $f$ (in code `model`) about $x_t$",
    "copy-trained": "move the weights a little so that",
    "cosine-not-squared": r"f(t) = \cos^2\!",
    "cumsum-for-cumprod": "*cumulative product*",
    "data-counts-one": "where $d$ is the size of the data",
    "dead-weights": "whenever the module has run",
    "decoded-too-early": r"\text{the decoder gets } z/\text{scale}",
    "detached-loss": "loss.backward()",
    "dice-thrown": "how much of the noise of the ancestral step is thrown anew",
    "difference-for-ratio": r"\beta_t = 1-\frac{\bar\alpha_t}{\bar\alpha_{t-1}}",
    "difference-only": r"\text{out}_\text{null} + s\,(\text{out}_\text{cond} - \text{out}_\text{null})",
    "distance-not-squared": r"e^{-|x_t-\sqrt{\bar\alpha_t}\,x^{(i)}|^2",
    "draws-own-noise": "has its own noise",
    "draws-own-times": "def v_error(model, x_0, labels, t, noise, schedule)",
    "dropout-at-sampling": "*dropout while drawing* loses two orders",
    "endpoint-missed": "$t = 0$ is the clean picture and $t = T = 1000$ the last step",
    "eps-for-data": r"c_\text{skip}\,y + c_\text{out}\,F",
    "error-not-squared": r"\bigl\| f(x_t, t) - v \bigr\|^2",
    "exp-overflow": "S.logsumexp(dim=1)",
    "exp-underflow": "in PyTorch this is a `softmax`",
    "factor-missing": r"x_t = \sqrt{\bar\alpha_t}\,x_0 + \sqrt{1-\bar\alpha_t}\,\varepsilon",
    "far-for-near": "the more noise that takes, the less likely",
    "features-for-m": "(code: `features` $= 2m$)",
    "fence-posts": "torch.linspace(low, high, T,",
    "fixed-steps": "torch.randint(1, schedule.timesteps + 1",
    "gradient-through-target": "and no gradient goes through it",
    "gradients-averaged": "A running average of them trembles less",
    "graph-kept": "yield loss.item()",
    "guided-halfway": "Guidance takes more of that difference than there is",
    "half-missing": r"\tfrac12 \left(\mu^2 + \sigma^2",
    "half-of-the-waves": "cosines and sines of $t$ at frequencies",
    "half-the-field": "one step in each direction",
    "half-the-steps": r"with the fixed range and 50 steps, $\bar\alpha_T$ is 0.6",
    "half-the-window": "At large $t$ nothing is left of it",
    "halves-mixed": "first the answers to the empty caption, then those to the prompts",
    "ignores-eta": "how much of the noise of the ancestral step is thrown anew",
    "ignores-input": "list of what leaves each block",
    "ignores-label": "adds the row of the ordered class",
    "ignores-mask": "Padding must not be looked at",
    "ignores-negative": "With another caption in the place of the empty one",
    "ignores-probability": "coins < probability",
    "ignores-t": "turns the waves into 256 numbers",
    "ignores-temperature": r"\frac{a_i \cdot b_j}{\text{temperature}}",
    "ignores-window": "only while the noise is within a window",
    "index-shift": "a table that is off by one is nearly invisible",
    "input-not-scaled": r"F(c_\text{in}\,y)",
    "inverted-coins": "torch.where(coins < probability, null_label, labels)",
    "inverted-mask": "padding = tokens == text.WORDS.index",
    "kl-reversed": r"\mu^2 + \sigma^2 - \log\sigma^2 - 1",
    "label-as-number": "If a label is only a row number",
    "log-for-ratio": r"\mathrm{SNR}(t) = \frac{\bar\alpha_t}{1-\bar\alpha_t}",
    "log-missing": r"\log\frac{e^{S_{ii}}}{\sum_j e^{S_{ij}}}",
    "log-to-the-base-2": "Its unit is the *nat*, 1.44 bits",
    "logits-averaged": "The first fraction asks each picture for its caption, the second each caption for its picture",
    "logvar-as-std": "exp(log variance / 2) is the standard deviation",
    "logvar-as-variance": "(as its logarithm, so that any output is allowed)",
    "loss-twice": "        loss = v_error(model, x_0, labels, t, noise, schedule)",
    "many-steps": "after every step it hands over the loss and waits",
    "mean-for-end": "A denoiser gives the mean of all pictures that fit",
    "mean-for-sum": "for the sum of squares over all pixels",
    "mean-not-added": r"start from $\mu$",
    "mean-not-squared": r"\left(\mu^2 + \sigma^2",
    "mean-not-subtracted": r"\mathbb E[(x_0-m)^2]",
    "mean-not-taken": r"$\mathbb{E}$ is the mean over everything that is drawn",
    "mean-scaled": "return mean + (logvar / 2).exp() * noise",
    "mean-square-for-variance": r"1/\operatorname{std}(\mu)",
    "mean-subtracted": "multiply every code by the inverse",
    "mean-unscaled": r"(x_t - \sqrt{\bar\alpha_t}\,\mu)",
    "misbroadcast-t": "(B, 1, 1, 1)",
    "missing-eval": "`model.eval()` before drawing",
    "missing-no-grad": "`with torch.no_grad():` spares",
    "missing-train": "`model.train()` before the loop",
    "missing-zero-entry": "and entry 0 is 0, since at $t = 0$ nothing has happened yet",
    "mixed-term-kept": "so the mixed term of the square is 0 on average",
    "mode-for-mean": "is a worse guess than a number that $x_0$ never takes",
    "nearest-for-mean": r"\sum_i w_i\, x^{(i)}",
    "no-backward": "loss.backward()",
    "no-floor": "which nobody gets below",
    "no-noise-midway": "a fresh standard normal number for each pixel",
    "no-shrinking": "*No shrinking*: the noise grows with every step",
    "no-step": "optimizer.step()",
    "no-teacher-step": "takes one `ddim` step from $x_t$ to $x_s$",
    "no-way-up": "Put noise on a drawing, but only up to some $t$",
    "noise-at-end": "The step to $t=0$ must add nothing",
    "noise-left-out": r"z = \mu + \sigma\,\varepsilon",
    "noise-not-added": "x_t = schedule.add_noise(some, t, some_noise)",
    "noise-not-kept": "x_s = alpha_s * guess + sigma_s * eps",
    "noise-on-top": r"\sqrt{1-\bar\alpha_s-\sigma^2}",
    "noise-only": "Is the mean of the ones that began at +1 what equation (3) says",
    "noise-rescaled": r"(x_t - \sqrt{\bar\alpha_t}\,\hat x_0)/\sqrt{1-\bar\alpha_t}",
    "noise-reused": "a fresh standard normal number for each pixel",
    "noise-shrunk-too": r"\sqrt{1-\beta_t}\; x_{t-1} + \sqrt{\beta_t}\;\varepsilon",
    "noise-too-small": r"together have variance $1-\bar\alpha_s$ whatever $\sigma$ is",
    "noise-unheard": "follow $x_t$ as far as it can be trusted",
    "noised-anew": "let part of the noise be fresh",
    "norm-last": "*before* the normalisation is subtracted again by it",
    "norm-missing": r"u' = \mathrm{norm}(u)\cdot",
    "not-a-parameter": "one row of numbers per class, an *embedding*",
    "not-averaged": "A running average of them trembles less",
    "not-decoded": r"\text{the decoder gets } z/\text{scale}",
    "not-guided": "Guidance takes more of that difference than there is",
    "not-in-place": "averaged.weight.copy_(first)",
    "not-iterated": "be a number (one pixel, say) after $t-1$ steps",
    "not-normalised": "turns a picture into one vector of length 1",
    "not-scaled": r"\text{the U-Net sees } \mu\cdot\text{scale}",
    "not-straight": r"z_\tau = (1-\tau)\,x_0 + \tau\,\varepsilon",
    "not-trained": "`dl.train` is our loop",
    "nothing-at-first": "def scrub(t=300):",
    "nothing-dropped": "every label is replaced by the null label",
    "nothing-shown": "return dl.figures.show_images(x_t",
    "null-and-negative": "With another caption in the place of the empty one",
    "null-is-class-0": "one past the last class",
    "null-not-learned": "The row of the null label has to be learned too",
    "null-outside": "(guided if inside else model)",
    "null-without-row": "Leaving the labels out is the same as ordering it",
    "offset-missing": "Without the offset",
    "old-for-new": "{change.new}",
    "one-direction": "the second each caption for its picture",
    "one-for-the-batch": "summed over all numbers of a code",
    "one-kernel-per-map": "for *each* pair of maps",
    "one-minus-root": r"\sqrt{1-\bar\alpha_t}\;\varepsilon",
    "one-noise-per-picture": "drawing begins with noise that differs from pixel to pixel",
    "one-plus-missing": r"\big(1 + \mathrm{scale}(c)\big)",
    "one-wave-twice": r"\cos\omega_1 t, \dots, \cos\omega_m t,\; \sin\omega_1 t",
    "optimizer-bypassed": "optimizer.step()",
    "other-class": "We order the upper one",
    "other-schedule": r"Linear*: the $\beta$ are evenly spaced",
    "other-similarity": "the cosine of the angle between them, says how well they fit",
    "pair-split": r"\cos\omega_1 t, \dots, \cos\omega_m t,\; \sin\omega_1 t",
    "picked-too-early": "alphas_cumprod = torch.cumprod(1 - betas, dim=0)",
    "pictures-mixed": "The output changes only for the picture whose $c$ changes",
    "pixels-lost": "No number is lost or changed",
    "precisions-not-added": "is the sum of the two precisions",
    "quarters-for-squares": "every square of 2 × 2 pixels is put into four channels",
    "random-label": "every label is replaced by the null label",
    "ratio-upside-down": r"\frac{\bar\alpha_t}{1-\bar\alpha_t}",
    "reshape-only": "`reshape` fills the channels in reading order",
    "right-one-left-out": r"\log\frac{e^{S_{ii}}}{\sum_j e^{S_{ij}}}",
    "roles-exchanged": r"f_\theta(x_t, t) - f_{\bar\theta}(x_s, s)",
    "root-d-missing": r"\frac{Q K^{\mathsf T}}{\sqrt d}",
    "roots-not-even": "their square roots are",
    "row-appended": "adds the row of the ordered class to the numbers of the time",
    "row-multiplied": "adds the row of the ordered class to the numbers of the time",
    "rows-for-columns": "every second pixel of every second row",
    "scale-averaged": "measure their standard deviation once, over all numbers",
    "scale-inverted": r"\text{scale} = 1/\operatorname{std}(\mu)",
    "scale-missing": r"\big(1 + \mathrm{scale}(c)\big)",
    "scale-of-the-largest": r"\text{scale} = 1/\operatorname{std}(\mu)",
    "scale-one-way": r"\text{the decoder gets } z/\text{scale}",
    "scale-per-batch": "measure their standard deviation once",
    "scale-per-channel": "by one number for all channels",
    "scale-per-picture": "over all numbers of some hundred scenes",
    "scale-per-place": "by one number for all channels",
    "scaled-time": "A frequent mistake is to scale the time to $t/T$ first",
    "score-unscaled": r"-\frac{\varepsilon}{\sqrt{1-\bar\alpha_t}}",
    "share-for-ratio": r"\frac{\bar\alpha_t}{1-\bar\alpha_t}",
    "shared-label": "(torch.full((8,), k) for k in",
    "shared-noise": "For each number of the code the encoder puts out",
    "shared-t": "every picture of a batch is at its own $t$",
    "shares-not-one": r"d\,\bar\theta + (1-d)\,\theta",
    "shift-missing": r"+ \mathrm{shift}(c)",
    "shown-elsewhere": "stands in a `VBox`, an `HBox` or a `Tab`",
    "shrunk-guess": r"\mathbb E[x_0 \mid x_t] = \sum_i w_i\, x^{(i)}",
    "sigma-missing": r"|^2/(2(1-\bar\alpha_t))}",
    "sign-of-the-velocity": r"u = \varepsilon - x_0",
    "sin-cos-swapped": r"\cos\omega_m t,\; \sin\omega_1 t",
    "skip-left-out": r"c_\text{skip}\,y + c_\text{out}\,F",
    "skip-of-the-shown": r"c_\text{skip}\,y + c_\text{out}\,F(c_\text{in}\,y)",
    "slider-ignored": "calls the function whenever the slider moves",
    "slope-unscaled": r"\sqrt{\bar\alpha_t}\,C\,S^{-1}",
    "small-field": "Smaller maps widen it for less",
    "softmax-over-batch": r"\text{the same summed over all candidates}",
    "softmax-over-pairs": "The first fraction asks each picture for its caption",
    "softmax-over-pixels": ".softmax(dim=-1)  # over the tokens",
    "softmax-twice": "S.diagonal() - S.logsumexp(dim=1)",
    "softplus-for-exp": "exp(log variance / 2) is the standard deviation",
    "square-of-the-mean": "Because the guess is marked by its *squared* error",
    "stale-gradients": "optimizer.zero_grad()",
    "step-order": "optimizer.zero_grad()\n        loss.backward()\n        optimizer.step()",
    "step-uphill": "so that the mean squared error becomes smaller",
    "stride-beta": r"has to use the $\beta$ of the whole jump",
    "backward-twice": "loss.backward()",
    "stride-ignored": "a step there is two or four pixels wide",
    "sum-for-mean": "$D = 784$ the number of pixels",
    "swapped-decay": r"d\,\bar\theta + (1-d)\,\theta",
    "swapped-ends": "from 0 (data) to 1 (noise)",
    "swapped-guidance": r"\text{out}_\text{null} + s\,(\text{out}_\text{cond} - \text{out}_\text{null})",
    "swapped-halves": "scale, shift = block.scale_shift(c)",
    "swapped-queries": "The pixel asks a question $Q$",
    "swapped-results": r"\qquad u = \varepsilon - x_0",
    "swapped-scales": r"\sqrt{\bar\alpha_t}\;x_0 + \sqrt{1-\bar\alpha_t}\;\varepsilon",
    "target-not-asked": r"f_\theta(x_t, t) - f_{\bar\theta}(x_s, s)",
    "target-not-averaged": "is a running average of the student's weights",
    "teacher-not-asked": "A teacher, an ordinary trained denoiser, takes one",
    "temperature-multiplied": r"\frac{a_i \cdot b_j}{\text{temperature}}",
    "too-many-weights": "$9mn + n$ weights",
    "two-calls": "each evaluation is a doubled batch",
    "unet-left-out": r"\text{the U-Net sees } \mu\cdot\text{scale}",
    "uneven-times": "torch.randint(1, schedule.timesteps + 1",
    "uniform-noise": "from the standard normal distribution",
    "unscaled-input": "there is four times less signal for the same noise",
    "unweighted-mean": r"p(+1 \mid x_t) - p(-1 \mid x_t)",
    "value-read-once": "`.observe` calls a function of yours whenever it changes",
    "variance-as-std": r"what multiplies $\varepsilon$ is a standard deviation",
    "variance-measured": r"S = \bar\alpha_t C + (1-\bar\alpha_t) I",
    "variance-not-noised": r"S = \bar\alpha_t C + (1-\bar\alpha_t) I",
    "velocity-times-time": "with constant velocity",
    "w-for-s": "$s = 1 + w$ |",
    "weights-left-out": "zip(average, weights, strict=True)",
    "weights-not-one": "are positive and have the sum 1",
    "weights-per-part": "for the sum of squares over all pixels",
    "wrong-clock": "the first $t$ betas are a schedule too",
    "wrong-frequencies": r"\omega_k = 10000^{-(k-1)/m}",
    "wrong-groups": "brings groups of channels to mean 0 and variance 1",
    "wrong-labels": "picture $i$ belongs to caption $i$",
    "wrong-pairs-left-out": r"\log\frac{e^{S_{ii}}}{\sum_j e^{S_{ij}}}",
    "wrong-range": "@ipywidgets.interact(t=(0, 1000))",
    "wrong-scale": r"c_\text{out} = \frac{r\,d}{\sqrt{r^2+d^2}}",
    "wrong-sigma": "Both variances are in use",
    "wrong-sign": r"v = \sqrt{\bar\alpha_t}\;\varepsilon - \sqrt{1-\bar\alpha_t}\;x_0",
    "wrong-target": '"eps": (x_t - sigma * answer) / alpha',
    "wrong-window": "low < int(t[0]) <= high",
    "yes-or-no": "in the manner of a classifier whose classes are the batch",
    "zero-for-none": 'Row 10, one past the last class, is the *null label*: it means "no order"',
    "zero-loss": "its error is the mean of $v^2$",
}
"""What mends a mistake, word for word as its section says it; a test reads it there."""

HELP_AT = {
    ("01", "4. All steps at once"): "(B, 1, 1, 1)",
    ("02", "1. Four curves"): r"\beta_t = 1-\frac{\bar\alpha_t}{\bar\alpha_{t-1}}",
    ("03", "1. One number"): r"p(+1 \mid x_t) - p(-1 \mid x_t)",
    ("03", "5. Four languages"): '"v": alpha * x_t - sigma * answer',
    ("03", "7. What goes wrong: reading eps as x_0 in high noise"): "A `v` answer is multiplied by `sigma`",
    ("04", "4. The time: waves, not a number"): r"\cos\omega_1 t, \dots",
    ("04", "5. The residual block"): "computed from $c$, stretch and move them",
    (
        "05",
        "9. What goes wrong: a loss too good to be true",
    ): "PyTorch stretches it over the picture without a word",
    ("06", "1. The way back, if you knew the end"): "with a smaller variance than either",
    ("06", "2. Which variance?"): r"\tilde\mu_t(\hat x_0, x_t) + \sqrt{\tilde\beta_t}\; z",
    ("06", "3. The same step, rearranged"): r"\hat\varepsilon + \sigma z, \qquad \sigma^2 = \eta^2",
    ("07", "7. What goes wrong: three lines, four mistakes"): "null_label was meant",
    ("09", "4. Every pixel reads the caption"): ".softmax(dim=-1)  # over the tokens",
}
"""The same for the sections that a task names with `at`."""

ONLY_IN_A_STATEMENT = {
    "another-norm",
    "channel-order",
    "fixed-period",
    "floor-misplaced",
    "mask-after-softmax",
    "masked-by-zero",
    "not-interleaved",
    "not-returned",
    "square-missing",
    "summed-not-averaged",
    "unbiased-variance",
}
"""Mistakes whose remedy is in the statement of the task, and in no section of a lesson so far."""

_ANYWHERE = {
    "arguments-exchanged": "two arguments changed places",
    "result-clipped": "right numbers, but clipped; leave them as they come",
    "floor-added": (
        "a number was kept away from its end, by a floor or by something added to it; take it as it comes"
    ),
    "zero-over-zero": "right elsewhere, and at one end it comes to 0 / 0; the formula can do without dividing",
    "ignores-argument": "the answer does not change with one of the arguments",
    "noise-forgotten": "the noise was left out: it has no say in the answer",
    "noise-order": "the noise was used in another order than it was given",
    "one-minus": "1 minus a number stands where the number itself is wanted",
    "one-step-too-many": "right numbers at first, and then something was done to them that is not wanted",
    "in-percent": "right numbers in percent; the shares themselves are wanted",
    "results-exchanged": "right results in the wrong order",
    "wrong-axis": "right numbers, but over or along the wrong axes",
    "safety-term": "a divisor was kept away from 0 where it never is 0, and the numbers are others for it",
    "wrong-factor": "right numbers, multiplied by something that does not belong there",
    "wrong-order": "right numbers in the wrong order",
    "shared-row": "one row was used for the whole batch; every element has its own",
    "wrong-constant": "right numbers, plus or minus something that does not belong there",
    "wrong-share": "one of the parts that are added up counts too much or too little",
    "safety-number": "a bound was set, or a small number added, for safety; it changes the result",
    "nearly-right": "nearly right, but not close enough: something was rounded, or a small number was added",
    "input-rescaled": "numbers were brought to another range or spread; leave them as they come",
    "not-repeatable": "two calls with the same input give different answers",
    "gradient-lost": "the value is right and its gradient is not: something on the way was detached",
    "gradients-left-off": (
        "gradients were switched off and stayed off; `with torch.no_grad():` switches them on again"
    ),
    "used-the-package": "a helper was called that the task wants you to do without; write it yourself",
    "changed-its-input": (
        "what the function is given was changed; it is still needed: make new tensors, or change a `.clone()`"
    ),
}
"""Mistakes that no section of a lesson is about: the section of the task is what helps."""

CATALOGUE = {
    name: Mistake(name, sentence, *section)
    for section, rows in [*_SECTIONS.items(), (("", ""), _ANYWHERE)]
    for name, sentence in rows.items()
}
"""Every mistake by its name."""


class Unsolved(Exception):
    """What a check raises; in Jupyter it shows as a card or as its own few lines, without a traceback."""

    def __init__(self, name: str, text: str, *more: str, card: Callable[[], str] | None = None):
        """Keep the name of what is wrong; `more` are further lines, and `card` makes the card of all of it."""
        super().__init__("\n".join([f"{name}: {text}", *more]))
        self.name, self.card, self.is_shown = name, card, False

    def _render_traceback_(self) -> list[str]:
        if self.card is None or not cards.has_front_end():
            return str(self).splitlines()
        if not self.is_shown:  # ipykernel asks twice: for what is shown, and for its reply
            cards.show(self.card(), str(self))
            self.is_shown = True
        return [self.name]


class NotAttempted(Unsolved):
    """The answer is still blank."""


class Mistaken(Unsolved):
    """The answer is wrong.

    `name` is a mistake of the catalogue, or says in a word what is wrong with the answer.
    """


UNNAMED = {
    "wrong-type": "what came is not of the kind that was wanted",
    "wrong-shape": "the shape is not the one that was wanted",
    "error": "your answer ended with an error",
    "differs": "the numbers are not those that were wanted",
}
"""What a check may say of an answer whose mistake has no name in the catalogue."""
