"""LongMem: a frozen language model writes a bank, and a side network learns to read it.

The keys and values of one layer of a frozen model are stored, and never grow old. A side network
of half its depth begins as a copy of its layers, adds what changes between them, and reads groups
of stored tokens in one of its own.

**Source:** [wang2023augmenting]
"""

from ..contract import Evidence, NotRun, claim
from . import measure as m

PAPER = "Wang et al. (2023), "
CODE = PAPER + "official code; "
SINGLE = "256 ε of single"


@claim(paper="exact", source=CODE + SINGLE, most=3e-5)
def differences_telescope(run):
    """Blocks that change nothing: logits, less those of the frozen model, largest difference"""
    return run(m.exact).still


@claim(paper="exact", source=CODE + SINGLE, most=3e-5)
def chunks_are_read(run):
    """Mean keys find chunks, whose tokens are read: difference from the formula in NumPy"""
    found = run(m.exact)
    note = f"With fewer chunks than are asked for it is {found.alone:.1e}."
    return Evidence(max(found.read, found.alone), note)


@claim(paper="–", source="asked here; " + SINGLE, most=3e-5)
def chunks_of_one_are_tokens(run):
    """Chunks of one token, less the k nearest tokens of a memorizing transformer: difference"""
    return run(m.exact).tokens


@claim(paper="exact", source=CODE + SINGLE, most=3e-5)
def an_empty_bank_is_attention(run):
    """An empty bank: logits, less those of blocks without a bank, largest difference"""
    return run(m.exact).empty


@claim(paper="–", source="asked here", most=0)
def missing_chunks_are_masked(run):
    """Fewer chunks than are asked for: change of the read by what fills the empty places"""
    note = (
        "Rows of 100 stood there. The official code asks the search, which gives −1 for a missing "
        "chunk, and −1 is the last row."
    )
    return Evidence(run(m.exact).unseen, note)


@claim(paper="0", source=PAPER + "Sec. 2", most=0)
def the_model_is_frozen(run):
    """Slope of the loss in the frozen model's weights, largest"""
    found = run(m.exact)
    note = f"Of the parts that learn, the one with the smallest has {found.learns:.1e}."
    return Evidence(found.frozen if found.learns > 0 else 1.0, note)


@claim(paper="0", source=PAPER + "Sec. 2", most=0)
def stored_rows_stay(run):
    """A text stored again after 100 steps of the side network: change of keys and values"""
    return run(m.exact).stored


@claim(paper="–", source="asked here", least=0.01)
def rows_of_a_writer_that_learns_do_not(run):
    """The same of a model that writes its own bank while it learns: relative change"""
    return run(m.writer_that_learns)


def retrieval(kind, text, **declared):
    """Recall of the true key, chunks of 16 less single tokens."""

    @claim(f"{text}: recall with chunks of 16 less that of tokens", **declared)
    def difference(run):
        found = run(m.chunks, kind)
        listed = ", ".join(f"{share:.2f}" for share in found.mean(0))
        return Evidence(
            found[:, -1] - found[:, 0],
            f"With chunks of 1, 2, 4, 8 and 16, {m.K} of {m.STORED} tokens hold the true one in "
            f"{listed} of the cases.",
        )

    return difference


chunks = {
    "unrelated": retrieval(
        "unrelated",
        "Unrelated neighbours, and queries for one key",
        paper="–",
        source="asked here",
        most=-0.3,
    ),
    "topics": retrieval(
        "topics",
        "16 neighbours share a topic, and queries for the topic",
        paper="–",
        source="asked here",
        least=0.3,
    ),
}


@claim(paper="–", source="asked here; chance is 0.125", most=0.17)
def without_a_bank_it_is_chance(run):
    """Facts nine windows before: share of right answers, side network with an empty bank"""
    found = run(m.recall)
    note = (
        f"The frozen model has {found.model.mean():.3f}. Within one window it answers "
        f"{found.inside.mean():.3f}."
    )
    return Evidence(found.forgets, note)


@claim(paper="–", source="asked here", least=0.9)
def a_bank_reaches_beyond_the_window(run):
    """The same with its bank: share of right answers"""
    found = run(m.recall)
    note = (
        f"By seed it is {', '.join(f'{x:.3f}' for x in found.remembers)}, and before it learns, as "
        f"a copy of the model, {found.untrained.mean():.3f}. The bank has the keys of the first "
        "block, where the model compares questions with facts, and the side network has a block "
        "for each block."
    )
    return Evidence(found.remembers, note)


@claim(paper="–", source="asked here", least=0.2)
def more_demonstrations_help(run):
    """Facts told 8 times, each replaced with a chance of 0.6, less told once: share right"""
    told, softer = run(m.recall).told, run(m.recall).softer
    listed = ", ".join(f"{share:.3f}" for share in told.mean(0))
    note = (
        f"Told 1, 2, 4 and 8 times, {listed} are right. The network learnt from facts told once, "
        "and a fact told once is right in 0.475 of the cases. The intervention divides the bank's "
        "β, which decides whether one fact is read or all that fit, by four: told once and 8 "
        f"times, {softer[:, 0].mean():.3f} and {softer[:, 1].mean():.3f} are right then."
    )
    return Evidence(
        told[:, -1] - told[:, 0], note, intervention=Evidence(softer[:, 1] - softer[:, 0], note)
    )


@claim(paper="–", source="asked here", most=0)
def texts_are_predicted_better(run):
    """Python's library: nats a byte of the side network with a bank, less that without one"""
    found = run(m.texts)
    listed = (x.mean() for x in (found.model, found.forgets, found.remembers))
    alone, without, bank = (f"{x:.3f}" for x in listed)
    note = (
        f"The frozen model has {alone}, the side network {without} without a bank and {bank} with "
        "it, of equal parameters and steps. Training was short: the frozen model had "
        f"{m.TEXT_STEPS[0]} steps, and the side networks {m.TEXT_STEPS[1]}."
    )
    return Evidence(found.remembers - found.forgets, note)


@claim(paper="40.5 %", source=PAPER + "ChapterBreak, AO3", least=0.38)
def chapter_break(run):
    """ChapterBreak: suffixes that are identified"""
    raise NotRun(
        "needs GPT-2 trained anew and its side network, 100,000 steps on accelerators, which are "
        "not part of attrax: there is no command"
    )


@claim(paper="lower", source=PAPER + "PG-22 and arXiv", most=0)
def long_texts(run):
    """PG-22 and arXiv: perplexity with the memory, less that of the model alone"""
    raise NotRun(
        "needs the corpora and the same training on accelerators, which are not part of attrax: "
        "there is no command"
    )
