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
        "uniform-noise": (
            "the noise is uniform (`rand`: mean 1/2, variance 1/12); standard normal (`randn`) is wanted"
        ),
        "alphabar-for-alpha": (
            "the product of all steps up to t was used; 1 - beta of the one step t is wanted"
        ),
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
        "nothing-shown": "wherever the slider is, nothing is drawn; hand x_t to `show`",
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
        "missing-zero-entry": "entry 0 is for clean data and must be 0; the T betas stand behind it",
        "fence-posts": "the betas must go from the first end to the last in T values, which have T - 1 gaps",
        "roots-not-even": (
            "quadratic: the *roots* of the betas are evenly spaced, from sqrt(low) to sqrt(high)"
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
        "half-the-window": (
            "one of the two bounds is missing, or the steps outside were counted, not those between"
        ),
    },
    ("02", "3. Fewer steps, same betas"): {
        "half-the-steps": "that is what 50 steps leave, as in the lesson; here there are 100",
        "betas-stretched": (
            "betas were multiplied by the number of steps they stand for, which fits tiny betas only"
        ),
    },
    ("03", "2. Why the mean?"): {
        "mode-for-mean": (
            "that is the likeliest value; the squared error wants the mean of all that are possible"
        ),
        "unweighted-mean": "all candidates were counted alike; the likelier ones have to count more",
        "no-floor": "even the best guess misses, as x_0 is not known; its mean squared error is not 0",
        "mean-not-subtracted": (
            "that is the mean of x_0², the error of the guess 0; your guess has a smaller one"
        ),
        "absolute-error": "the mean of the absolute errors was taken; each error is to be squared first",
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
    ("04", "1. The first network one writes"): {
        "stride-ignored": (
            "behind a layer of stride 2 a step is two pixels wide, and so is the reach of a kernel"
        ),
        "half-the-field": "only one side was counted; the field reaches as far to the left as to the right",
        "small-field": (
            "a pixel's answer depends on too few around it; a smaller map or more layers see further"
        ),
    },
    ("04", "2. The U"): {
        "ignores-input": "the answer does not change with the picture",
        "pictures-mixed": (
            "a picture's answer depends on the others in its batch (a BatchNorm?); each is for itself"
        ),
        "dead-weights": "some weights get no gradient: a layer was made but is not used in `forward`",
    },
    ("04", "3. Fold: four pixels become four channels"): {
        "rows-for-columns": (
            "rows and columns inside the squares changed places: channel 1 is one to the right"
        ),
        "channel-order": "the channels are in another order: all parts of the first channel come first",
        "quarters-for-squares": (
            "the picture was cut into large blocks; a channel takes one pixel of *every* square"
        ),
    },
    ("04", "9. What each part costs"): {
        "bias-forgotten": "every map of a layer has a bias too, one number more",
        "one-kernel-per-map": "a map has a kernel for *each* map of the layer before, not one for all",
        "too-many-weights": "the network has more weights than were asked for; take fewer channels",
    },
    ("04", "11. What goes wrong: a fold that only reshapes"): {
        "reshape-only": "a reshape alone keeps the reading order, and neighbours are no longer neighbours",
    },
    ("04", "5. The residual block"): {
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
    },
    ("04", "4. The time: waves, not a number"): {
        "ignores-t": "the answer does not change with t",
        "sin-cos-swapped": "sine and cosine changed places",
        "not-interleaved": "all sines stand in one block and all cosines in another; they were to take turns",
        "wrong-frequencies": "the frequencies are not max_period ** (-k / m) for k = 0 … m - 1",
        "fixed-period": "10,000 was used whatever `max_period` says",
        "scaled-time": "the time came in another unit; it is wanted as it is, in steps, 1 … T",
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
        "misbroadcast-t": (
            "shapes pair up from the last axis: numbers for t want shape (B, 1, 1, 1) with (B, C, H, W), "
            "and (B, 1) with (B, D)"
        ),
        "one-noise-per-picture": (
            "the network knows only noise of one number per picture; every pixel wants its own"
        ),
    },
    ("06", "2. Which variance?"): {
        "wrong-sigma": (
            "the noise has the wrong size; right are two variances, beta_t and that of the posterior"
        ),
    },
    ("06", "3. The same step, rearranged"): {
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
        "gradients-off": (
            "gradients are still switched off behind your function; `with torch.no_grad():` ends by itself"
        ),
        "result-rescaled": "the finished pictures were brought to another range; leave them in [-1, 1]",
        "ignores-eta": "the answer does not change with eta",
    },
    ("06", "5. Is the noise needed at all?"): {
        "no-noise-midway": "no noise was added on the way; every step but the last one wants some",
    },
    ("06", "9. Between two noises"): {
        "wrong-clock": (
            "the sampler was told that it begins at T; a picture that was noised up to t begins at t"
        ),
        "other-threshold": "other walkers were counted than those that arrive above 0.75",
        "no-way-up": (
            "nothing was noised up to t; what walks down from there is the shrunk picture *and* noise"
        ),
    },
    ("06", "10. What goes wrong: the dice at the wrong place, or of the wrong size"): {
        "stride-beta": (
            "beta of one step was used for a jump over several; that is 1 - alpha bar(t) / alpha bar(s)"
        ),
        "noise-at-end": "noise was added in the last step, to t = 0; none is wanted there",
        "noise-reused": "the same noise was used more than once; every step wants its own",
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
        "null-not-learned": "no gradient reaches the row of the null label; it is learned like the others",
        "shared-label": "one label was used for the whole batch; every element has its own",
    },
    ("07", "2. Learning to draw with no order"): {
        "batch-dropout": "one coin was thrown for the whole batch; every element wants its own",
        "inverted-coins": (
            "the coins were read the wrong way round: a label is dropped where coin < probability"
        ),
        "random-label": "a random label stands where a label was dropped; `null_label` is wanted there",
        "nothing-dropped": "all labels came back as they were; where coin < probability, the null label is wanted",
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
        "difference-only": "s times the difference alone; it is added to the prediction without the label",
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
            "padding was taken out behind the softmax, and what is left does not add up to 1"
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
    },
    ("09", "4. Every pixel reads the caption"): {
        "softmax-over-pixels": (
            "the weights of each pixel must add up to 1 over the tokens, not over the pixels"
        ),
        "root-d-missing": (
            "the scores were not divided by sqrt(D), so they grow with D and the softmax gets too sharp"
        ),
        "swapped-queries": "queries and keys changed places: the pixels ask, the tokens answer",
    },
    ("09", "5. Guidance on text"): {
        "ignores-negative": (
            "the empty caption was used although there is a negative one, which takes its place"
        ),
        "null-and-negative": (
            "empty and negative caption were both used; the negative one takes the empty one's place"
        ),
        "halves-mixed": (
            "the halves of the doubled batch do not fit together: cat and chunk both go by whole batches"
        ),
        "two-calls": "the network was called more than once; one call with a doubled batch is wanted",
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

_ANYWHERE = {
    "arguments-exchanged": "two arguments changed places",
    "result-clipped": "right numbers, but clipped; leave them as they come",
    "ignores-argument": "the answer does not change with one of the arguments",
    "noise-forgotten": "the noise was left out: it has no say in the answer",
    "noise-order": "the noise was used in another order than it was given",
    "one-minus": "1 minus a number stands where the number itself is wanted",
    "one-step-too-many": "right numbers at first, and then something was done to them that is not wanted",
    "in-percent": "right numbers in percent; the shares themselves are wanted",
    "results-exchanged": "right results in the wrong order",
    "wrong-axis": "right numbers, but over or along the wrong axes",
    "wrong-factor": "right numbers, multiplied by something that does not belong there",
    "wrong-order": "right numbers in the wrong order",
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
