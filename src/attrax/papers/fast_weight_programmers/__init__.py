"""Fast weight programmers: linear attention as a memory that is written, and corrected.

Causal linear attention adds a product of value and key to a matrix at every token. Such a sum holds
no more pairs than a key has features, and adds up values that change; the delta rule corrects what
the matrix has for a key instead. Written in chunks, it takes products of matrices.

**Source:** [schlag2021linear], [yang2024parallelizing]
"""

from ..contract import Evidence, NotRun, claim
from . import measure as m

PAPER = "Schlag, Irie and Schmidhuber (2021), "
LOGS = PAPER + "logs of their code; bound asked here"


@claim(paper="equal", source=PAPER + "Sec. 3.2; 64 ε of double", most=1.5e-14)
def attention_is_a_written_matrix(run):
    """100 tokens: linear attention of all pairs less reads of the matrix, largest difference"""
    return run(m.differences).attention


@claim(paper="equal", source=PAPER + "Sec. 4.2; 64 ε of double", most=1.5e-14)
def writes_are_steps_down_a_slope(run):
    """A write of the delta rule, less a step of size β down ½|Wφ(k) − v|²: largest difference"""
    return run(m.differences).gradient


@claim(paper="equal", source="Yang et al. (2024), Sec. 3.2; 512 ε of double", most=1.2e-13)
def chunks_are_the_recurrence(run):
    """200 tokens, without and with decays: chunks of 16 less token by token, largest difference"""
    return run(m.differences).chunks


@claim(paper="–", source="asked here; Sec. 5.3 has 2dν features", most=0)
def features_have_full_rank(run):
    """DPFP-1, 2 and 3 of rows of 16 entries: features less their rank, largest"""
    return max(run(m.features).missing)


@claim(paper="–", source="asked here", least=0.245, most=0.255)
def features_are_sparse(run):
    """The same, of normal rows: share of features that are not zero"""
    active = run(m.features).active
    listed = ", ".join(f"{share:.3f}" for share in active.mean(0))
    return Evidence(active.mean(1), f"For ν = 1, 2 and 3 it is {listed}.")


@claim(paper="–", source="asked here", most=0.005)
def passes_approach_least_squares(run):
    """32 random unit keys of 64 entries, 20 passes of the delta rule: ½ squared error of a pair"""
    rows = []
    for count in (32, 64, 128):
        raw = run(m.raw, count)
        errors = (raw.sums, raw.once, raw.repeated, raw.best)
        rows.append(f"{count}: " + ", ".join(f"{x.mean():.3f}" for x in errors))
    note = (
        "Of so many pairs, the sum, the delta rule after one pass and after 20, and least squares "
        f"have errors of {'; '.join(rows)}. Beyond 64 pairs no memory is exact, and passes at full "
        "rate do not settle."
    )
    return Evidence(run(m.raw, 32).repeated, note)


@claim(paper="–", source="asked here", most=-0.1)
def one_pass_is_not_always_better(run):
    """128 such keys, one-hot values: share read right, delta rule after one pass less sum"""
    right = run(m.raw, 128).right
    sums, once = right.mean(0)
    note = (
        f"The sum reads {sums:.2f} right and the delta rule {once:.2f}: where keys are more than "
        "features, each write is right itself and spoils those before it."
    )
    return Evidence(right[:, 1] - right[:, 0], note)


def recalled(name, text, **declared):
    """The loss of trained networks on new sequences."""
    rule, _, symbols, replace = m.TASKS[name]
    setting = f"{2 * symbols} pairs, keys repeat" if replace else f"{symbols} pairs"

    @claim(f"{setting}, {text}: loss after training", **declared)
    def loss(run):
        trained = run(m.trained, name)
        note = f"{len(trained.losses)} networks, {len(trained.steps)} steps each."
        if name == "beyond":
            note += " Keys of rank p that do not depend on the values have at least ½(1 − p/S)."
        if replace:
            note += (
                f" As in the code of the paper, new sequences have {symbols} pairs; on those of "
                f"training the loss was {trained.steps[-50:].mean():.4f} at the end."
            )
        if rule == "sum" and not replace:
            listed = ", ".join(f"{x:.4f}" for x in trained.losses)
            note += f" Their losses are {listed}; a key not told apart costs {0.5 / symbols:.4f}."
        return Evidence(trained.losses, note)

    return loss


capacity = {
    "within": recalled("within", "sum, 64 features", paper="0.0008", source=LOGS, most=0.005),
    "beyond": recalled(
        "beyond", "sum, 64 features", paper="0.110", source=LOGS, least=0.09, most=0.13
    ),
    "projected": recalled(
        "projected", "sum, 128 features of DPFP-1", paper="0.0002", source=LOGS, most=0.02
    ),
    "softmax": recalled("softmax", "softmax attention", paper="0.00002", source=LOGS, most=0.001),
}
changing = {
    "sum": recalled("sum", "sum, DPFP-1", paper="0.105", source=LOGS, least=0.08),
    "delta": recalled("delta", "delta rule, DPFP-1", paper="0.0008", source=LOGS, most=0.005),
}


@claim(paper="better", source=PAPER + "Table 2; Yang et al. (2024)", least=0)
def language_models(run):
    """WikiText-103 and 100 billion tokens: perplexity of the sum less that of the delta rule"""
    raise NotRun(
        "needs the corpora and days on accelerators, which are not part of attrax: there is no "
        "command"
    )
