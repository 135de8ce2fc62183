"""Sparse distributed memory as a continual learner: tasks in a row, without a look back.

A hidden layer is read as a memory: non-negative unit addresses are learnt, of which the k best
are active, less the activity of the next. Trained on a pair of classes after another by plain
gradient descent, it keeps more of the earlier ones than a layer of rectified units does.

**Source:** [bricken2023sparse]
"""

from ..contract import Evidence, NotRun, claim
from . import measure as m

PAPER = "Bricken et al. (2023), "


@claim(paper="k, and all", source=PAPER + "its Top-k and its switch", most=0)
def as_many_are_active(run):
    """1000 rows: active neurons with γ = 1 less k, and with γ = −1 less all, largest difference"""
    counts = run(m.counts)
    note = (
        f"TopKSubtract({m.K}) gives as many weights. With the {m.K}-th largest for a threshold, in "
        f"place of the next, {m.K - 1} are left."
    )
    return Evidence(max(counts), note)


@claim(paper="–", source="asked here; 64 ε of single precision", most=8e-6)
def constraints_hold_after_each_step(run):
    """50 steps: by how much norms of addresses miss 1, and weights lie below 0, largest"""
    found = run(m.constraints)
    note = f"In these steps an entry of an address moved by {found.moved:.2f}."
    return Evidence(max(found.norms.max(), -found.least.min()), note)


@claim(paper="–", source="asked here; 64 ε of double", most=1.5e-14)
def logits_are_a_read(run):
    """Logits, less the read of a memory with cosine and TopKSubtract: largest difference"""
    return run(m.read)


@claim(paper="far more", source=PAPER + "results; bound asked here", least=0.15)
def it_forgets_less(run):
    """Five pairs of digits: accuracy at the end less that of the better of ReLU and Top-k"""
    own, relu, top = (run(m.trained, kind).final for kind in ("sdm", "relu", "top_k"))
    note = f"It is {own.mean():.3f}, of ReLU {relu.mean():.3f} and of masked Top-k {top.mean():.3f}"
    if run.profile == "full":
        replay = run(m.trained, "replay").final.mean()
        note += f"; of ReLU with 40 rows a task to repeat, {replay:.3f}"
    return Evidence(own - [max(both) for both in zip(relu, top, strict=True)], note + ".")


@claim(paper="rescued", source=PAPER + "Sec. 1; bound asked here", least=0.5)
def the_switch_rescues_neurons(run):
    """The same: share of dead neurons without the switch, less with it"""
    own, without, top = (run(m.trained, kind).dead for kind in ("sdm", "no switch", "top_k"))
    note = (
        f"Dead are {own.mean():.2f} with the switch, {without.mean():.2f} without it, and "
        f"{top.mean():.2f} of masked Top-k in a network with biases."
    )
    return Evidence(without - own, note)


@claim(paper="worse", source=PAPER + "stale momentum; bound asked here", least=0.1)
def momentum_hurts(run):
    """The same: accuracy at the end by plain steps, less that with a momentum of 0.9"""
    own, moving = run(m.trained, "sdm"), run(m.trained, "momentum")
    note = f"With momentum it is {moving.final.mean():.3f}, and {moving.dead.mean():.2f} are dead."
    return Evidence(own.final - moving.final, note)


def needed(kind, text):
    """What the accuracy is without a component."""

    @claim(
        f"The same: accuracy at the end, less that {text}",
        paper="all are necessary",
        source=PAPER + "abstract",
        least=0,
    )
    def loss(run):
        without = run(m.trained, kind)
        note = f"It is {without.final.mean():.3f} then, and {without.dead.mean():.2f} are dead."
        return Evidence(run(m.trained, "sdm").final - without.final, note)

    return loss


components = {
    "norms": needed("norms", "without unit norms"),
    "signs": needed("signs", "with weights of both signs"),
    "biases": needed("biases", "with biases"),
    "all active": needed("all active", "without Top-k"),
    "masked": needed("masked", "with a mask in place of the subtraction"),
}


@claim(paper="best together", source=PAPER + "results; bound asked here", least=0)
def elastic_weights_complement_it(run):
    """The same: accuracy at the end with elastic weight consolidation, less that without"""
    own, elastic = run(m.trained, "sdm").final, run(m.trained, "elastic").final
    return Evidence(elastic - own, f"With it, it is {elastic.mean():.3f}.")


@claim(paper="–", source="asked here; the paper has MNIST", least=0)
def clothes_have_the_same_order(run):
    """Five pairs of Fashion-MNIST: accuracy at the end less that of ReLU"""
    own, relu = run(m.fashion, "sdm").final, run(m.fashion, "relu").final
    return Evidence(own - relu, f"It is {own.mean():.3f}, and of ReLU {relu.mean():.3f}.")


@claim(paper="–", source=PAPER + "results", least=0)
def embeddings_of_pictures(run):
    """Split CIFAR-10 as embeddings of 256 entries: accuracy at the end less that of ReLU"""
    raise NotRun(
        "needs a network trained on ImageNet32 to make the embeddings, which is not part of "
        "attrax: there is no command"
    )
