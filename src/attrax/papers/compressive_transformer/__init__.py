"""Compressive transformer: rows that leave a cache go on in a coarser one.

A decoder reads its text in segments, and remembers what its layers were given for the last tokens.
Rows that leave this memory are compressed, several into one, and are read for longer. What
compresses them learns to keep what attention reads, by a loss of its own.

**Source:** [rae2020compressive]
"""

import numpy as np

from ..contract import Evidence, NotRun, claim
from . import measure as m

PAPER = "Rae et al. (2020), "


@claim(paper="0 (by construction)", source=PAPER + "Algorithm 1", most=0)
def each_token_is_in_one_place(run):
    """8 segments of 8 tokens, 16 recent and 4 compressed rows, rate 4: shares out of place"""
    kept = run(m.kept)
    note = (
        "Each token is wholly a recent row, or a quarter of one compressed row, or forgotten, and "
        "the rows stand in the order of the text, a compressed one in one place."
    )
    return Evidence(int((kept.found != kept.wanted).sum()), note)


@claim(paper="l (n_m + c n_cm) tokens", source=PAPER + "Sec. 3", most=0)
def reach_is_that_of_the_formula(run):
    """1 and 2 layers: tokens that change outputs beyond the reach, or do not within it"""
    reach = run(m.reach)
    tokens = ", ".join(str(int(wanted.sum())) for wanted in reach.wanted.values())
    note = f"The reaches are {tokens} tokens; beyond them no bit of the output changes."
    wrong = [int((reach.seen[n] != wanted).sum()) for n, wanted in reach.wanted.items()]
    return Evidence(sum(wrong), note)


@claim(paper="0 (by construction)", source=PAPER + "Sec. 3.1", most=0)
def losses_are_apart(run):
    """Slopes of the reconstruction for all but the compression, and of the task for it: largest"""
    slopes = run(m.slopes)
    own, task = slopes.own_compression.min(), slopes.task_rest.max()
    leak = max(slopes.own_rest.max(), slopes.task_compression.max())
    note = (
        f"The compression has slopes of its own loss of at least {own:.2g}, and the rest of the "
        f"model slopes of the task of up to {task:.2g}."
    )
    return Evidence(leak if own > 0 and task > 0 else np.nan, note)


@claim(paper="–", source="asked here", most=0)
def empty_places_are_not_read(run):
    """A document of 8 segments, noise in places without rows: largest change of a logit"""
    empty = run(m.empty)
    note = (
        "If the zeros there were read as rows, logits would change by up to "
        f"{empty.zeros.max():.2g} until the memory is full."
    )
    return Evidence(empty.noise.max(), note)


@claim(paper="n_s² + n_s (n_m + n_cm)", source=PAPER + "Sec. 3", most=0)
def cost_is_that_of_the_formula(run):
    """4 sizes of segments and memories: scores that a head takes, less those of the formula"""
    wanted = [segment * (segment + recent + held) for segment, recent, held in m.SIZES]
    counts = run(m.scores)
    listed = ", ".join(map(str, counts))
    note = (
        f"There are {listed} scores. In training, a convolution with the loss of attention takes "
        "n_s² (1 + 1/c) more."
    )
    return Evidence(np.abs(counts - wanted).max(), note)


@claim(paper="–", source="asked here; rate 4, keys of 4 of 16 entries", most=1)
def attention_reconstruction_is_best(run):
    """Random stream: error of reads, loss of attention over the best other compression"""
    errors = run(m.errors)
    others = np.stack(errors[1:]).min(0)
    listed = ", ".join(f"{x.mean():.2f}" for x in errors)
    note = (
        "A convolution with the loss of attention, the mean, the most used, a convolution with "
        f"autoencoding and the maximum have errors of {listed}, in units of the square of what is "
        "read."
    )
    return Evidence(errors.attention / others, note)


@claim(paper="–", source="asked here; rate 4, keys of 4 of 16 entries", least=1)
def autoencoding_is_worse_than_the_mean(run):
    """Random stream: error of reads, autoencoding over mean"""
    errors = run(m.errors)
    note = "Autoencoding keeps the large entries, which nobody reads."
    return Evidence(errors.autoencoding / errors.mean, note)


def listed(trained):
    """Nats of all models, in a sentence."""
    names = {
        "none": "no memory",
        "longer": "none but longer training",
        "cache": "a cache",
        "short cache": "a cache of 32 rows",
        "mean": "mean",
        "most used": "most used",
        "convolution": "convolution",
        "convolution beside": "convolution beside a whole decoder",
    }
    rows = ", ".join(f"{text} {trained.full(name).mean():.4f}" for name, text in names.items())
    return f"Nats of a byte by memory: {rows}."


@claim(paper="–", source="asked here; 64 rows, bytes of Python's library", least=0)
def a_cache_is_better_than_none(run):
    """Small decoders: nats of a byte without memory, less those with a cache"""
    trained = run(m.trained)
    return Evidence(trained.full("none") - trained.full("cache"), listed(trained))


@claim(paper="–", source=PAPER + "Tables 3, 4 and 6, large: better", least=0)
def compression_is_better_than_a_longer_cache(run):
    """64 rows of a cache, or 32 recent and 32 compressed: nats of the first less the second"""
    trained = run(m.trained)
    sizes = trained.sizes
    note = (
        f"The models have {sizes['cache']} and {sizes['convolution']} parameters, so that the "
        "decoder with a convolution is narrower. If the convolution stands beside the whole "
        f"decoder, as in the paper, there are {sizes['convolution beside']}, and the cache has "
        f"{(trained.full('cache') - trained.full('convolution beside')).mean():+.4f} nats more. "
        "What is far back is worth little to decoders as small as these: a cache of half the rows "
        f"has {(trained.full('short cache') - trained.full('cache')).mean():+.4f} nats more."
    )
    return Evidence(
        trained.full("cache") - trained.full("convolution"),
        note,
        intervention=trained.full("cache") - trained.full("convolution beside"),
    )


@claim(paper="–", source="asked here", least=0)
def compression_is_worth_its_time(run):
    """The same training time: nats of a byte without memory, less those with a convolution"""
    trained = run(m.trained)
    note = f"Without memory the model learnt for {trained.longer} steps, which took as long."
    return Evidence(trained.full("longer") - trained.full("convolution"), note)


@claim(paper="–", source=PAPER + "Table 5, large: better", least=0)
def a_learnt_compression_is_better_than_the_mean(run):
    """The same decoder: nats with means, less those with a convolution beside it"""
    trained = run(m.trained)
    used = (trained.full("most used") - trained.full("convolution beside")).mean()
    note = f"The most used rows have {used:+.4f} nats more than the convolution."
    return Evidence(trained.full("mean") - trained.full("convolution beside"), note)


@claim(paper="–", source=PAPER + "Fig. 2, large: rises", least=1)
def weights_rise_where_compressed_rows_begin(run):
    """Weight of the 8 newest compressed rows over that of the 8 oldest recent ones"""
    mass = run(m.trained).mass
    half = m.ROWS // 2
    newest, oldest = mass[:, :, half - 8 : half], mass[:, :, half : half + 8]
    compressed, recent = mass[:, :, :half].sum(2).mean(), mass[:, :, half:].sum(2).mean()
    note = (
        f"Compressed rows have {compressed:.3f} of all weight and recent ones {recent:.3f}; the "
        "rest is of the segment itself."
    )
    return Evidence(newest.mean((1, 2)) / oldest.mean((1, 2)), note)


@claim(paper="17.1 and 18.1", source=PAPER + "Table 6", least=0)
def language_models(run):
    """WikiText-103: perplexity with a cache less that with compression"""
    raise NotRun("needs the corpora and weeks on accelerators: there is no command in attrax")
