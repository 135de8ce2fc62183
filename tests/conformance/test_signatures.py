"""Every number that a public function takes goes through the gate, whatever kind it is of."""

import decimal
import inspect
import tempfile
import typing
from pathlib import Path

import equinox as eqx
import jax
import numpy as np
import pytest
from jax.typing import ArrayLike

import attrax
from attrax import data, dynamics, evaluate, learning, models, nn, theory
from attrax import hierarchical as hier
from attrax import separation as sep
from attrax import similarity as sim

ROOMS = (
    *(attrax, data, dynamics, evaluate, learning, models, nn, theory, hier, sep, sim),
    *(attrax.stores, attrax.plot, attrax.spaces),
)
KEY = jax.random.key(0)
rng = np.random.default_rng(0)
TABLE = rng.integers(1, 9, (6, 5)).astype(float)
ROW = TABLE[2]
SIGNS = np.where(rng.random((3, 8)) < 0.5, -1.0, 1.0)
SETS = models.random_simplices(8, {1: 9, 2: 11}, key=KEY)
SETWISE = models.simplicial_network(SIGNS, SETS)
BITS = (SIGNS > 0).astype(float)
SCAFFOLD = models.scaffold_memory(8, 6, 2, 9, key=KEY)
HARD = models.sparse_distributed_memory(8, 20, 3, key=KEY).write(BITS)
FEATURES = sim.RandomFeatures(5, 3, 0.5, key=KEY)
SUMMED = models.RandomFeatureMemory(FEATURES).write(TABLE)
SQUARE = rng.normal(size=(5, 5)).round(2)
MATRIX = (SQUARE + SQUARE.T) / 2
IMAGES = rng.random((3, 5)).round(3)
LABELS = np.array([0, 1, 0])
SEEN_LABELS = np.array([0, 1, 0, 0, 2, 1])
STATES = {"seen": np.arange(5) / 4, "hidden": np.arange(6) / 8}
STARTS = {name: np.stack([state, state / 2]) for name, state in STATES.items()}
LAYERS = {"seen": hier.Neurons(5), "hidden": hier.Neurons(6, hier.Tanh())}
SYNAPSES = {("seen", "hidden"): hier.DenseSynapse(TABLE / 20)}
NETWORK = hier.HierarchicalMemory(LAYERS, SYNAPSES)
SLOWED = NETWORK.with_layer(
    "slow", hier.Neurons(5), {("slow", "hidden"): hier.DenseSynapse(TABLE / 30)}
)
MEMORY = attrax.Memory(TABLE, separation=sep.Softmax(2.0))
STORED = attrax.MatrixMemory(MATRIX)
BINARY = models.dense_memory(SIGNS)
PAIRS = models.ProductKeyMemory(TABLE, TABLE[:4], separation=sep.TopK(3, sep.Softmax(0.1)))
GROUPS = models.ManyBodyMemory(SIGNS)
SLOTS = learning.ThreeFactor().begin(models.plastic_memory(3, 5))
FOLLOWING = models.sequence_memory(SIGNS, units="signs")
CLASSIFIER = models.DenseClassifier(rng.normal(size=(3, 7)) / 9, 2, 2, temperature=1.0)

ATTENTION = nn.HopfieldAttention(5, deviation=0.5, key=KEY)
POOLING = nn.HopfieldPooling(5, attention=ATTENTION, key=KEY)
LOOKUP = nn.HopfieldLookup(5, memories=4, key=KEY)
PROTOTYPES = nn.PrototypeLayer(5, classes=3, key=KEY)
ENCODER = nn.EncoderBlock(ATTENTION, feedforward=4, dropout=0.0, key=KEY)
DECODER = nn.DecoderBlock(ATTENTION, ATTENTION, feedforward=4, dropout=0.0, key=KEY)
WIDTHS = {"heads": 1, "head_size": 3, "prototypes": 4, "dropout": 0.0}
PROTOTYPE_BLOCK = nn.PrototypeBlock(5, **WIDTHS, key=KEY)
GENERATOR = nn.PrototypeGenerator((2, 3), 4, words=5, length=2, size=5, blocks=1, **WIDTHS, key=KEY)
TOKENS = {"caption": np.array([3, 1]), "image": np.array([[0, 3, 2], [1, 1, 0]])}
FAST = nn.FastWeight(5, key=KEY)
PLACES = nn.TolmanEichenbaum(3, 4, 6, key=KEY)
SEEN = {"actions": np.array([0, 2, 1, 1]), "observations": np.array([3, 0, 1, 2, 3])}
PERFORMER = nn.Performer(5, count=8, causal=True, key=KEY)
MIXER = nn.HopfieldMixer(6, 5, key=KEY)
IMIXER = nn.IMixer(6, 5, tied=True, activation="relu", n_iter=dynamics.FixedPoint(), key=KEY)
DISTRIBUTED = nn.SDMClassifier(5, 8, 3, k=2, switch=50.0, key=KEY)
BANK = nn.Bank(8, 5, 5).write(TABLE[None], TABLE[::-1][None])


def file_bank():
    """A bank in files, in a folder of its own."""
    bank = nn.FileBank(Path(tempfile.mkdtemp()) / "rows", 8, 5, 5)
    bank.write(TABLE[None], TABLE[::-1][None])
    return bank


def kept_in_files(keys, values):
    bank = file_bank()
    bank.write(keys, values)
    return bank.load().keys


CONVOLUTION = nn.ConvolutionCompression(5, 3, decoder=True, key=KEY)
LANGUAGE = nn.LanguageModel(9, 4, layers=2, key=KEY)
SIDE = nn.SideNetwork(LANGUAGE, memory=nn.NearestMemory(8, heads=1, k=2), at=2)
BYTES = np.array([3, 1, 4, 1, 5, 8, 2])
OF_IMAGES = nn.MixerClassifier((4, 6), 3, patch=2, channels=4, depth=1, key=KEY)
VISION = nn.ImageTransformer((4, 6), 3, patch=2, size=4, heads=2, depth=1, key=KEY)
ADAPTED = nn.AdaptedTransformer(VISION, [nn.MemoryTokens(VISION, 2, 3, key=KEY)])
PICTURE = TABLE[:4, :4].repeat(2, 1)[:, :6]
WEIGHED = {"queries": TABLE, "keys": TABLE[::-1], "values": TABLE / 2}
READ = {"query": TABLE, "keys": TABLE[::-1], "values": TABLE / 2}


def swept(function, points, **given):
    rest = {} if function is evaluate.level_sweep else {"level": 0.1}
    return function(
        given.pop("patterns"),
        points,
        similarity=sim.Euclidean(),
        separation=sep.Max(),
        corrupt=data.gaussian,
        key=KEY,
        **given,
        **rest,
    ).fraction


def reduced_to(starts, time):
    fast = hier.HierarchicalMemory({**LAYERS, "hidden": hier.Neurons(6, tau=0.0)}, SYNAPSES)
    slow = hier.HierarchicalMemory({**LAYERS, "hidden": hier.Neurons(6)}, SYNAPSES)
    return evaluate.adiabatic_limit(slow, fast, starts, (0.1,), time=time, steps=20)


def learnt(images, labels):
    return models.train_dense_classifier(
        CLASSIFIER, images, labels, epochs=1, power=1, batch_size=3, key=KEY
    )


def written(function, **given):
    state, reads = function(SLOTS, **given)
    return state.memory, reads


# Each function, as one of its numbers, and numbers that it takes.
X = {"x": ROW}
BOUNDED = {"n_patterns": 100, "beta": 2.0, "largest_norm": 4.5}
FEATURED = {"product": 0.5, "squares": 1.5, "count": 8}
SWEPT = {"patterns": TABLE[None], "thresholds": np.ones(1), "values": TABLE[None]}
CALLS = {
    "retrieve": (lambda queries: attrax.retrieve(MEMORY, queries).state, {"queries": TABLE}),
    "Memory.__call__": (MEMORY, {"query": ROW}),
    **{
        f"Memory.{name}": (getattr(MEMORY, name), {"query": ROW})
        for name in ("scores", "weights", "best", "energy")
    },
    "Memory.write": (
        attrax.Memory(TABLE, TABLE, separation=sep.Max()).write,
        {"key": ROW, "value": ROW},
    ),
    "MatrixMemory": (
        attrax.MatrixMemory,
        {"matrix": MATRIX, "threshold": ROW, "scale": 2.0, "normaliser": ROW},
    ),
    "MatrixMemory.__call__": (STORED, {"query": ROW}),
    "MatrixMemory.energy": (
        attrax.MatrixMemory(MATRIX @ MATRIX, symmetry="positive").energy,
        {"query": ROW},
    ),
    "MatrixMemory.write": (STORED.write, {"key": ROW, "value": ROW}),
    "MatrixMemory.remove": (STORED.remove, {"key": ROW, "value": ROW}),
    "BinaryMemory": (models.dense_memory, {"patterns": SIGNS}),
    "BinaryMemory.__call__": (BINARY, {"query": SIGNS[0]}),
    "BinaryMemory.energy": (BINARY.energy, {"query": SIGNS[0]}),
    "DenseClassifier": (
        lambda memories, temperature, epsilon: models.DenseClassifier(
            memories, 2, 2, temperature=temperature, epsilon=epsilon
        ),
        {"memories": TABLE, "temperature": 2.0, "epsilon": 0.5},
    ),
    "DenseClassifier.__call__": (CLASSIFIER, {"image": IMAGES[0]}),
    "DenseClassifier.logits": (CLASSIFIER.logits, {"image": IMAGES[0]}),
    "DenseClassifier.predict": (CLASSIFIER.predict, {"image": IMAGES[0]}),
    "DenseClassifier.energy": (CLASSIFIER.energy, {"state": np.arange(7) / 8}),
    "DenseClassifier.parts": (CLASSIFIER.parts, {"image": IMAGES[0], "label": 1}),
    "DenseClassifier.loss": (
        CLASSIFIER.loss,
        {"images": IMAGES, "labels": LABELS, "power": 2.0},
    ),
    "dense_classifier": (
        lambda temperature: models.dense_classifier(
            5, 2, memories=3, degree=2, temperature=temperature, key=KEY
        ),
        {"temperature": 2.0},
    ),
    "train_dense_classifier": (learnt, {"images": IMAGES, "labels": LABELS}),
    "dense_memory": (models.dense_memory, {"patterns": SIGNS}),
    "exponential_memory": (models.exponential_memory, {"patterns": SIGNS, "beta": 0.5}),
    "hopfield_network": (models.hopfield_network, {"patterns": SIGNS}),
    "graded_network": (
        models.graded_network,
        {"memory": MATRIX, "activation": 2.0, "input": ROW},
    ),
    "binary_dense_memory": (
        models.binary_dense_memory,
        {"memories": TABLE, "gain": 2.0, "input": ROW},
    ),
    "log_sum_exp_memory": (
        models.log_sum_exp_memory,
        {"memories": TABLE, "beta": 2.0, "input": ROW},
    ),
    "spherical_memory": (models.spherical_memory, {"memories": TABLE, "input": ROW}),
    "blocks_and_rules": (
        models.blocks_and_rules,
        {
            "primitives": rng.random((2, 3, 4)).round(2),
            "rules": np.array([[0, 1], [2, 0]]),
            "beta": 2.0,
            "strength": 0.5,
        },
    ),
    "DelayedMemory": (
        lambda tau, gain: hier.DelayedMemory(SLOWED, "slow", "seen", tau, gain),
        {"tau": 8.0, "gain": 0.5},
    ),
    "DelayedMemory.at_delay": (
        hier.DelayedMemory(SLOWED, "slow", "seen").at_delay,
        {"delay": np.arange(5) / 4},
    ),
    "episodic_memory": (
        models.episodic_memory,
        {
            "patterns": SIGNS,
            "transitions": np.eye(3, k=1),
            "self_strength": 0.5,
            "cross_strength": 0.25,
            "gain": 2.0,
            "delay": 8.0,
        },
    ),
    "transition_graph": (
        lambda sequences: models.transition_graph(list(sequences)),
        {"sequences": np.array([[0, 1, 2], [3, 4, 5]])},
    ),
    "effective_energy": (
        lambda states: models.effective_energy(NETWORK, {"seen": states}, "hidden"),
        {"states": STATES["seen"]},
    ),
    **{
        name: (lambda x, fraction, f=f: f(x, fraction, key=KEY), {**X, "fraction": 0.5})
        for name, f in (("drop", data.drop), ("salt_and_pepper", data.salt_and_pepper))
    },
    "flip_bits": (
        lambda x, fraction: data.flip_bits(x, fraction, key=KEY),
        {"x": SIGNS[0], "fraction": 0.5},
    ),
    "gaussian": (lambda x, sigma: data.gaussian(x, sigma, key=KEY), {**X, "sigma": 0.5}),
    "mask_rows": (lambda x, fraction: data.mask_rows(x, fraction, (5, 1)), {**X, "fraction": 0.5}),
    "inpaint": (lambda x, fraction: data.inpaint(x, fraction, (5, 1)), {**X, "fraction": 0.5}),
    "drop_mask": (lambda fraction: data.drop_mask(fraction, 9, key=KEY), {"fraction": 0.5}),
    "known_rows": (lambda fraction: data.known_rows(fraction, (4, 2)), {"fraction": 0.5}),
    "known_inpaint": (lambda fraction: data.known_inpaint(fraction, (4, 4)), {"fraction": 0.5}),
    "adiabatic_limit": (
        lambda starts, time: reduced_to({"seen": starts}, time),
        {"starts": STARTS["seen"], "time": 0.5},
    ),
    "record_energies": (
        lambda starts, step: evaluate.record_energies(NETWORK, {**STARTS, "seen": starts}, step, 3),
        {"starts": STARTS["seen"], "step": 0.125},
    ),
    "energy_rates": (
        lambda points: evaluate.energy_rates(NETWORK, {**STARTS, "seen": points}),
        {"points": STARTS["seen"]},
    ),
    "velocity": (
        lambda states: evaluate.velocity(NETWORK, {**STATES, "seen": states}),
        {"states": STATES["seen"]},
    ),
    "baseline_mean_image": (evaluate.baseline_mean_image, {"patterns": TABLE, "threshold": 9.0}),
    "basin_sweep": (
        lambda patterns, distances: evaluate.basin_sweep(
            learning.Hebb(), patterns, distances, key=KEY
        ),
        {"patterns": SIGNS[None], "distances": np.array([1, 2])},
    ),
    "capacity_sweep": (lambda **given: swept(evaluate.capacity_sweep, (2, 4), **given), SWEPT),
    "level_sweep": (lambda **given: swept(evaluate.level_sweep, (0.1, 0.2), **given), SWEPT),
    "bit_error": (evaluate.bit_error, {"state": SIGNS, "pattern": SIGNS[::-1]}),
    "overlap": (evaluate.overlap, {"state": SIGNS, "pattern": SIGNS[::-1]}),
    "classify_states": (evaluate.classify_states, {"states": SIGNS[:2], "patterns": SIGNS}),
    "exact_row": (evaluate.exact_row, {"scores": TABLE, "index": np.arange(6) % 5}),
    "retrieved": (
        evaluate.retrieved,
        {"state": TABLE, "target": TABLE[::-1], "threshold": 9.0},
    ),
    "squared_error": (evaluate.squared_error, {"state": TABLE, "target": TABLE[::-1]}),
    "scores": (
        lambda keys, queries: evaluate.scores(sim.Dot(), keys, queries),
        {"keys": TABLE, "queries": TABLE},
    ),
    "success_bands": (
        evaluate.success_bands,
        {"successes": np.array([3, 4]), "trials": np.array([5, 9]), "confidence": 0.75},
    ),
    "stabilities": (
        lambda patterns: learning.stabilities(learning.Hebb()(SIGNS), patterns),
        {"patterns": SIGNS},
    ),
    **{
        f"{rule.__name__}.__call__": (rule(), {"patterns": SIGNS})
        for rule in (
            learning.Hebb,
            learning.BoundedHebb,
            learning.PseudoInverse,
            learning.Storkey,
            learning.Perceptron,
        )
    },
    **{
        f"{rule.__name__}.write": (
            lambda pattern, rule=rule: rule().write(rule()(SIGNS[:2]), pattern),
            {"pattern": SIGNS[2]},
        )
        for rule in (learning.Hebb, learning.BoundedHebb, learning.PseudoInverse, learning.Storkey)
    },
    "SparseHebb": (learning.SparseHebb, {"activity": 0.25, "threshold": 0.5}),
    "SparseHebb.__call__": (learning.SparseHebb(), {"patterns": SIGNS > 0}),
    "SparseHebb.write": (
        lambda pattern: learning.SparseHebb(0.5).write(
            learning.SparseHebb(0.5)(SIGNS > 0), pattern
        ),
        {"pattern": SIGNS[2] > 0},
    ),
    "RandomSlots": (learning.RandomSlots, {"probability": 0.25}),
    "ThreeFactor": (lambda decay: learning.ThreeFactor(decay=decay), {"decay": 0.5}),
    "AffineThreeFactor": (
        lambda **given: learning.AffineThreeFactor(**given),
        {
            **dict.fromkeys(("key_input", "key_activity"), np.array([0.5, 0.25])),
            **dict.fromkeys(("value_activity", "value_target"), np.array([2.0, 0.25])),
            **{"key_rate": 0.5, "value_rate": 0.25, "decay": 0.75},
        },
    ),
    "AbstractPlasticity.step": (
        lambda **given: written(learning.ThreeFactor().step, **given),
        {"input": ROW, "target": ROW[::-1], "store": 0.5},
    ),
    "AbstractPlasticity.run": (
        lambda **given: written(learning.ThreeFactor().run, **given),
        {"inputs": TABLE, "targets": TABLE[::-1], "store": np.arange(6) / 8},
    ),
    "plastic_memory": (lambda beta: models.plastic_memory(3, 5, beta=beta), {"beta": 0.5}),
    "information_curve": (
        lambda patterns, sizes, synapses, cues: evaluate.information_curve(
            SCAFFOLD, patterns, sizes, synapses=synapses, cues=cues
        ),
        {"patterns": SIGNS, "sizes": np.array([1, 3]), "synapses": 64.0, "cues": SIGNS[::-1]},
    ),
    "scaffold_overlap": (theory.scaffold_overlap, {"patterns": 400.0, "hidden": 300.0}),
    "scaffold_information": (theory.scaffold_information, {"patterns": 400.0, "hidden": 300.0}),
    "overlap_information": (theory.overlap_information, {"overlap": 0.5}),
    "critical_load": (theory.critical_load, {"temperature": 0.25}),
    "transition_load": (theory.transition_load, {"temperature": 0.25}),
    "spin_glass_temperature": (theory.spin_glass_temperature, {"load": 0.25}),
    "hebb_free_energy": (theory.hebb_free_energy, {"load": 0.125, "temperature": 0.25}),
    "hebb_order_parameters": (theory.hebb_order_parameters, {"load": 0.125, "temperature": 0.25}),
    "hebb_capacity": (theory.hebb_capacity, {"d": 100}),
    "pseudo_inverse_capacity": (theory.pseudo_inverse_capacity, {"d": 100}),
    "storkey_capacity": (theory.storkey_capacity, {"d": 100}),
    "hebb_first_step": (theory.hebb_first_step, {"load": 0.125, "overlap": 0.5}),
    "hebb_flip_probability": (theory.hebb_flip_probability, {"n_patterns": 9, "d": 100}),
    "gardner_capacity": (theory.gardner_capacity, {"margin": 0.5}),
    "entropy_gap": (theory.entropy_gap, {"mean": 0.5}),
    "exponential_rate": (theory.exponential_rate, {"damage": 0.25}),
    "exponential_flip_probability": (
        theory.exponential_flip_probability,
        {"log_n_patterns": 3.0, "d": 20, "damage": 0.25},
    ),
    "episodic_strength": (
        theory.episodic_strength,
        {"cross_strength": 0.75, "gain": 8.0, "self_strength": 0.5},
    ),
    "episodic_dwell": (
        theory.episodic_dwell,
        {"strength": 4.0, "delay": 16.0, "features": 1.0, "cycle": 5.0},
    ),
    "episodic_first_dwell": (theory.episodic_first_dwell, {"strength": 4.0, "delay": 16.0}),
    "dense_capacity": (theory.dense_capacity, {"d": 100, "degree": 3, "error": 0.25}),
    "sequence_capacity": (theory.sequence_capacity, {"d": 100, "degree": 3}),
    "mixed_sequence_capacity": (
        theory.mixed_sequence_capacity,
        {"d": 100, "strength": 2.5, "degree": 3, "hold_degree": 2},
    ),
    "sequence_kurtosis": (theory.sequence_kurtosis, {"n_patterns": 900, "d": 30, "degree": 2}),
    "sequence_flip_probability": (
        theory.sequence_flip_probability,
        {"n_patterns": 900, "d": 100, "degree": 3},
    ),
    "dense_flip_probability": (
        theory.dense_flip_probability,
        {"n_patterns": 900, "d": 100, "degree": 3},
    ),
    **{
        name: (getattr(theory, name), {"load": 0.25})
        for name in ("condensation_beta", "largest_overlap")
    },
    "free_entropy": (theory.free_entropy, {"load": 0.25, "beta": 0.5}),
    "overlap_cumulant": (theory.overlap_cumulant, {"beta": 0.5}),
    "overlap_rate": (theory.overlap_rate, {"overlap": 0.5}),
    "separation_rate": (
        lambda overlap: theory.separation_rate(lambda x: 0.5 * x, overlap),
        {"overlap": 0.5},
    ),
    "softmax_basin": (theory.softmax_basin, {"load": 0.25, "beta": 0.5}),
    "softmax_feature_error": (theory.softmax_feature_error, FEATURED),
    "orthogonal_feature_error": (theory.orthogonal_feature_error, {**FEATURED, "width": 9}),
    "orthogonal_feature_bound": (theory.orthogonal_feature_bound, {**FEATURED, "width": 9}),
    "softmax_rate": (theory.softmax_rate, {"beta": 0.5}),
    "wright_omega": (theory.wright_omega, {"y": 0.5}),
    "modern_capacity": (
        theory.modern_capacity,
        {"d": 75, "beta": 2.0, "radius": 1.5, "failure": 0.125},
    ),
    **{
        name: (getattr(theory, name), BOUNDED | {"separation": 9.0, "distance": 0.25})
        for name in ("modern_contraction_bound", "modern_error_bound")
    },
    **{
        name: (getattr(theory, name), BOUNDED)
        for name in ("modern_energy_offset", "modern_required_separation", "modern_sphere_radius")
    },
    **{
        name: (getattr(theory, name), {"patterns": TABLE})
        for name in ("modern_global_beta", "modern_separation")
    },
    "modern_well_separated": (theory.modern_well_separated, {"patterns": TABLE, "beta": 0.5}),
    "modern_jacobian_norm": (
        theory.modern_jacobian_norm,
        {"patterns": TABLE, "state": ROW, "beta": 0.5},
    ),
    "modern_memory": (models.modern_memory, {"patterns": TABLE, "beta": 0.5}),
    "fenchel_young_memory": (
        models.fenchel_young_memory,
        {"memories": TABLE, "input": ROW},
    ),
    "ProductKeyMemory": (
        lambda first, second, values: models.ProductKeyMemory(
            first, second, values, separation=sep.Max()
        ),
        {"first": TABLE[:2], "second": TABLE[:3], "values": TABLE},
    ),
    "ProductKeyMemory.__call__": (PAIRS, {"query": np.arange(10) / 8}),
    "ProductKeyMemory.support": (PAIRS.support, {"query": np.arange(10) / 8}),
    "ProductKeyMemory.energy": (PAIRS.energy, {"query": np.arange(10) / 8}),
    "LinearKernel": (sim.LinearKernel, {"weights": TABLE}),
    **{
        name: (getattr(evaluate, name), {"weights": TABLE / TABLE.sum(1)[:, None], "mass": 0.75})
        for name in ("classify_fixed_points", "metastable_size")
    },
    "draw_softmax_reads": (
        lambda log_n_patterns, beta: evaluate.draw_softmax_reads(
            "binary", log_n_patterns, 20, beta, draws=3, key=KEY
        ),
        {"log_n_patterns": np.array([1.0, 2.0]), "beta": 0.5},
    ),
    "draw_softmax_thresholds": (
        lambda beta, overlap: evaluate.draw_softmax_thresholds(
            "binary", 20, beta, overlap=overlap, draws=3, key=KEY
        ),
        {"beta": 0.5, "overlap": 0.75},
    ),
    "SimplicialMemory": (
        lambda scale: models.SimplicialMemory(8, SETS, SETWISE.weights, scale=scale),
        {"scale": 0.5},
    ),
    "SimplicialMemory.__call__": (SETWISE, {"query": SIGNS[0]}),
    "SimplicialMemory.energy": (SETWISE.energy, {"query": SIGNS[0]}),
    "SimplicialMemory.write": (SETWISE.write, {"patterns": SIGNS}),
    "SimplicialMemory.remove": (SETWISE.remove, {"patterns": SIGNS}),
    "SimplicialMemory.as_network": (SETWISE.as_network, {"gain": 0.5}),
    "simplicial_network": (
        lambda patterns: models.simplicial_network(patterns, SETS),
        {"patterns": SIGNS},
    ),
    "skeleton_memory": (models.skeleton_memory, {"patterns": SIGNS}),
    "SetwiseSynapse": (
        lambda simplices, weights: hier.SetwiseSynapse(simplices, weights),
        {"simplices": np.array([[0, 1, 4], [2, 3, 4]]), "weights": ROW[:2]},
    ),
    "EnergySum": (
        lambda weights: models.EnergySum([jax.numpy.sum] * 5, weights),
        {"weights": ROW},
    ),
    "bound_spectral_norms": (
        lambda bound: nn.bound_spectral_norms([jax.numpy.ones((2, 3))], bound),
        {"bound": 0.5},
    ),
    "auroc": (evaluate.auroc, {"inside": ROW, "outside": TABLE[1]}),
    "SparseDistributedMemory": (
        lambda addresses, counters: models.SparseDistributedMemory(addresses, 3, counters),
        {"addresses": BITS, "counters": TABLE[:3]},
    ),
    "SparseDistributedMemory.__call__": (HARD, {"query": BITS[0]}),
    "SparseDistributedMemory.reached": (HARD.reached, {"query": BITS[0]}),
    "SparseDistributedMemory.write": (HARD.write, {"keys": BITS, "values": BITS}),
    "SparseDistributedMemory.remove": (HARD.remove, {"keys": BITS, "values": BITS}),
    "ScaffoldMemory": (
        lambda projection, order, ridge, cue_ridge: models.ScaffoldMemory(
            projection, 1, 5, order=order, ridge=ridge, cue_ridge=cue_ridge
        ),
        {"projection": TABLE, "order": np.arange(5)[::-1], "ridge": 0.5, "cue_ridge": 2.0},
    ),
    "ScaffoldMemory.__call__": (SCAFFOLD, {"query": SIGNS[0]}),
    "ScaffoldMemory.write": (SCAFFOLD.write, {"patterns": SIGNS}),
    "scaffold_memory": (
        lambda ridge, cue_ridge: models.scaffold_memory(
            5, 6, 2, 9, ridge=ridge, cue_ridge=cue_ridge, key=KEY
        ),
        {"ridge": 0.5, "cue_ridge": 2.0},
    ),
    "ManyBodyMemory": (models.ManyBodyMemory, {"patterns": TABLE, "scale": 0.5}),
    "ManyBodyMemory.__call__": (GROUPS, {"query": SIGNS[0]}),
    "ManyBodyMemory.energy": (GROUPS.energy, {"query": SIGNS[0]}),
    "dense_hebbian_memory": (models.dense_hebbian_memory, {"examples": TABLE[None]}),
    "SequenceMemory": (
        lambda patterns, successors, strength, trace: models.SequenceMemory(
            patterns,
            successors,
            similarity=sim.Dot(),
            separation=sep.Softmax(0.5),
            hold=sep.Softmax(0.5),
            strength=strength,
            trace=trace,
        ),
        {"patterns": TABLE, "successors": TABLE[::-1], "strength": 0.5, "trace": ROW},
    ),
    "SequenceMemory.__call__": (FOLLOWING, {"query": SIGNS[0]}),
    "sequence_memory": (
        lambda patterns, strength, trace: models.sequence_memory(
            patterns, sep.Softmax(0.5), similarity=sim.Dot(), strength=strength, trace=trace
        ),
        {"patterns": TABLE, "strength": 0.5, "trace": ROW},
    ),
    "whitened": (sim.whitened, {"patterns": TABLE}),
    "dataset_entropy": (theory.dataset_entropy, {"quality": 0.5, "examples": 4.0}),
    "unsupervised_load": (
        theory.unsupervised_load,
        {"load": 0.125, "quality": 0.5, "examples": 4.0, "degree": 4.0},
    ),
    "dense_hebbian_first_step": (
        theory.dense_hebbian_first_step,
        {"load": 0.125, "degree": 4.0, "entropy": 0.5},
    ),
    "dense_hebbian_order_parameters": (
        theory.dense_hebbian_order_parameters,
        {"load": 0.0078125, "temperature": 0.03125, "degree": 4.0, "entropy": 0.25},
    ),
    "dense_hebbian_critical_load": (
        theory.dense_hebbian_critical_load,
        {"temperature": 0.03125, "degree": 4.0, "entropy": 0.25},
    ),
    "circle_intersection": (
        lambda distance: theory.circle_intersection(distance, 20, 5),
        {"distance": np.array([2, 4])},
    ),
    "signal_to_noise": (
        lambda distance: theory.signal_to_noise(distance, 20, 5, 100, 10),
        {"distance": np.array([2, 4])},
    ),
    # What is kept of a parameter is the answer.
    **{
        kind.__name__: (kind, {"beta": 0.5})
        for kind in (
            *(sep.Softmax, sep.Exponential, sep.GhostSoftmax, sep.Entmax, sep.Normmax),
            *(hier.Tanh, hier.Sigmoid, hier.RectifiedExponential),
        )
    },
    "AttentionSynapse": (
        lambda beta: hier.AttentionSynapse(TABLE[None], TABLE[None], beta),
        {"beta": 0.5},
    ),
    "KSubsets": (lambda beta: sep.KSubsets(2, beta), {"beta": 0.5}),
    "LogSumReLU": (sep.LogSumReLU, {"beta": 0.5, "epsilon": 0.25}),
    "RandomFeatures": (
        lambda beta: sim.RandomFeatures(5, 3, beta, key=KEY),
        {"beta": 0.5},
    ),
    "SoftmaxFeatures": (lambda beta: sim.SoftmaxFeatures(5, 3, beta, key=KEY), {"beta": 0.5}),
    "RectifiedFeatures": (
        lambda epsilon: sim.RectifiedFeatures(5, 3, epsilon, key=KEY),
        {"epsilon": 0.25},
    ),
    "RandomFeatureMemory": (
        lambda total, clip: models.RandomFeatureMemory(FEATURES, total, clip=clip),
        {"total": TABLE[:2].reshape(-1)[:6], "clip": 0.25},
    ),
    "RandomFeatureMemory.__call__": (SUMMED, {"query": ROW}),
    **{
        f"RandomFeatureMemory.{name}": (getattr(SUMMED, name), {"query": ROW})
        for name in ("energy", "density")
    },
    **{
        f"RandomFeatureMemory.{name}": (getattr(SUMMED, name), {"patterns": TABLE})
        for name in ("write", "remove")
    },
    "random_feature_memory": (
        lambda patterns, beta, clip: models.random_feature_memory(
            patterns, beta, 3, clip=clip, key=KEY
        ),
        {"patterns": TABLE, "beta": 0.5, "clip": 0.25},
    ),
    "diffusion_memory": (models.diffusion_memory, {"patterns": TABLE, "sigma": 0.5}),
    "diffusion_score": (
        models.diffusion_score,
        {"patterns": TABLE, "states": TABLE / 2, "sigma": 0.5},
    ),
    "diffusion_sampler": (
        lambda start, stop: models.diffusion_sampler(start, stop, 3),
        {"start": 2.0, "stop": 0.5},
    ),
    "classify_samples": (
        evaluate.classify_samples,
        {"samples": TABLE[:2], "patterns": TABLE, "tolerance": 0.5},
    ),
    "zero_shot_accuracy": (
        lambda **given: evaluate.zero_shot_accuracy(
            lambda rows, labels: lambda rows: np.zeros(len(rows), int), **given
        ),
        {"generated": TABLE[:2], "labels": LABELS[:2], "images": TABLE, "truth": SEEN_LABELS},
    ),
    "Power": (lambda scale: sep.Power(2, scale=scale), {"scale": 0.5}),
    "Threshold": (sep.Threshold, {"theta": 0.5}),
    "LayerNorm": (hier.LayerNorm, {"gamma": 0.5, "delta": 0.25}),
    "SphericalNorm": (hier.SphericalNorm, {"gamma": 0.5, "delta": 0.25}),
    "Iterate": (dynamics.Iterate, {"damping": 0.5}),
    "Euler": (lambda step: dynamics.Euler(step), {"step": 0.5}),
    "Langevin": (
        lambda temperature, step, beta: dynamics.Langevin(
            temperature, step=step, steps=3, beta=beta
        ),
        {"temperature": 0.5, "step": 0.25, "beta": 2.0},
    ),
    "HopfieldAttention.__call__": (ATTENTION, READ),
    "HopfieldPooling": (
        lambda queries: nn.HopfieldPooling(5, quantity=6, queries=queries, key=KEY),
        {"queries": TABLE},
    ),
    "HopfieldPooling.__call__": (POOLING, {"bag": TABLE, "values": TABLE[::-1]}),
    "HopfieldLookup": (
        lambda **rows: nn.HopfieldLookup(5, **rows, key=KEY),
        {"memories": TABLE, "values": TABLE[::-1]},
    ),
    "HopfieldLookup.__call__": (LOOKUP, {"query": TABLE}),
    "PrototypeLayer": (
        lambda **given: nn.PrototypeLayer(5, classes=3, per_class=2, **given, key=KEY),
        {"prototypes": TABLE, "beta": 0.5},
    ),
    "PrototypeLayer.__call__": (PROTOTYPES, {"row": ROW}),
    "PrototypeLayer.energy": (PROTOTYPES.energy, {"row": ROW}),
    "SDMClassifier": (
        lambda switch: nn.SDMClassifier(5, 8, 3, k=2, switch=switch, key=KEY),
        {"switch": 50.0},
    ),
    "SDMClassifier.__call__": (DISTRIBUTED, {"row": ROW}),
    "SDMClassifier.weights": (DISTRIBUTED.weights, {"row": ROW}),
    "EncoderBlock.__call__": (ENCODER, {"rows": TABLE, "memory": TABLE[:2]}),
    "ImageTransformer.__call__": (VISION, {"image": PICTURE}),
    "ImageTransformer.tokens": (VISION.tokens, {"image": PICTURE}),
    "ImageTransformer.encode": (
        VISION.encode,
        {"tokens": TABLE[:, :4], "memory": TABLE[None, :2, :4]},
    ),
    "AdaptedTransformer.__call__": (ADAPTED, {"image": PICTURE}),
    "DecoderBlock.__call__": (DECODER, {"rows": TABLE, "encoded": TABLE[::-1]}),
    "EnergyTransformer": (
        lambda **given: nn.EnergyTransformer(5, **given, key=KEY),
        {"beta": 0.5, "noise": 0.25, "alpha": 0.5},
    ),
    "PrototypeBlock.__call__": (PROTOTYPE_BLOCK, {"rows": TABLE}),
    "PrototypeGenerator.__call__": (GENERATOR, TOKENS),
    "PrototypeGenerator.hidden": (GENERATOR.hidden, TOKENS),
    "PrototypeGenerator.cross_entropy": (GENERATOR.cross_entropy, TOKENS),
    "PrototypeGenerator.generate": (
        lambda **given: GENERATOR.generate(**given, key=KEY),
        {"caption": TOKENS["caption"], "temperature": 0.5},
    ),
    "FastWeight.__call__": (FAST, {"x": TABLE}),
    "FastWeight.run": (FAST.run, {"x": TABLE}),
    "FastWeight.step": (lambda x: FAST.step(x, FAST.init_state()), {"x": ROW}),
    "FastWeight.project": (FAST.project, {"x": TABLE}),
    "fast_weights": (
        nn.fast_weights,
        WEIGHED
        | {"erase": TABLE / 8, "rate": np.arange(6) / 8, "log_decay": -np.arange(6) / 8}
        | {"state": MATRIX},
    ),
    "TolmanEichenbaum.__call__": (PLACES, SEEN),
    "TolmanEichenbaum.codes": (PLACES.codes, {"actions": SEEN["actions"]}),
    "TolmanEichenbaum.memory": (PLACES.memory, SEEN),
    "rotate_code": (nn.rotate_code, {"code": np.arange(10) / 8, "angles": ROW / 8}),
    "integrate_path": (
        lambda start: nn.integrate_path(lambda code, move: code * move, TABLE, start),
        {"start": ROW / 8},
    ),
    "conjunctions": (nn.conjunctions, {"codes": TABLE, "stimuli": TABLE[::-1]}),
    "write_gate": (nn.write_gate, {"codes": TABLE, "stimuli": TABLE[::-1], "threshold": 0.75}),
    "recall_path": (
        nn.recall_path,
        {"codes": TABLE / 8, "stimuli": TABLE, "beta": 0.5},
    ),
    "locate_path": (
        lambda start, stimuli, **given: nn.locate_path(
            nn.rotate_code, TABLE[1:, :2] / 8, start, stimuli, **given
        ),
        {"start": np.arange(4) / 4, "stimuli": TABLE}
        | {"beta": 0.5, "threshold": 0.75, "rate": 0.5},
    ),
    "linear_attention": (lambda **rows: nn.linear_attention(**rows, feature_map=FEATURES), WEIGHED),
    "causal_linear_attention": (
        lambda **rows: nn.causal_linear_attention(**rows, feature_map=FEATURES),
        WEIGHED,
    ),
    "Performer": (lambda beta: nn.Performer(5, count=8, beta=beta, key=KEY), {"beta": 0.5}),
    "Performer.__call__": (PERFORMER, READ),
    "Performer.step": (
        lambda query, keys, values: PERFORMER.step(query, None, keys, values),
        READ,
    ),
    "Bank.write": (BANK.write, {"keys": TABLE[None], "values": TABLE[None], "count": 4}),
    "Bank.nearest": (lambda queries: BANK.nearest(queries, 3), {"queries": TABLE[None]}),
    "Bank.read": (
        BANK.read,
        {"queries": TABLE[None], "candidates": np.tile([0, 2, 5], (len(TABLE), 1))},
    ),
    "FileBank.write": (kept_in_files, {"keys": TABLE[None], "values": TABLE[None]}),
    "FileBank.nearest": (lambda queries: file_bank().nearest(queries, 3), {"queries": TABLE[None]}),
    "FileBank.read": (lambda queries: file_bank().read(queries), {"queries": TABLE[None]}),
    "ConvolutionCompression.decode": (CONVOLUTION.decode, {"compressed": TABLE}),
    "LanguageModel.__call__": (LANGUAGE, {"tokens": BYTES}),
    "SideNetwork.__call__": (SIDE, {"tokens": BYTES}),
    "language_loss": (lambda tokens: nn.language_loss(LANGUAGE, tokens, 3), {"tokens": BYTES}),
    "token_losses": (lambda tokens: nn.token_losses(LANGUAGE, tokens, 3), {"tokens": BYTES}),
    "rotate_positions": (
        nn.rotate_positions,
        {"rows": np.concatenate([TABLE, TABLE[:, :1]], axis=1), "positions": np.arange(len(TABLE))},
    ),
    "MixingLayer.__call__": (MIXER.token_mixing, {"x": TABLE}),
    "MixingLayer.energy": (MIXER.token_mixing.energy, {"x": TABLE}),
    "HopfieldMixer.__call__": (MIXER, {"x": TABLE}),
    "MixerClassifier.__call__": (OF_IMAGES, {"image": PICTURE}),
    "MixerClassifier.tokens": (OF_IMAGES.tokens, {"image": PICTURE}),
    "ImplicitMixing.__call__": (IMIXER.token_mixing, {"x": TABLE}),
    "ImplicitMixing.energy": (IMIXER.token_mixing.energy, {"x": TABLE}),
    "IMixer.__call__": (IMIXER, {"x": TABLE}),
    **{
        f"IMLP.{name}": (getattr(IMIXER.token_mixing.mlp, name), {"z": TABLE[:, 0]})
        for name in ("__call__", "drive", "solve", "gap")
    },
    "soft_spectral_normalise": (
        nn.soft_spectral_normalise,
        {"weights": TABLE, "bound": 0.5},
    ),
    "spectral_norm": (nn.spectral_norm, {"weights": TABLE}),
    "Asynchronous": (dynamics.Asynchronous, {"order": np.arange(8)[::-1], "seed": 3}),
    "Glauber": (
        lambda temperature, **rest: dynamics.Glauber(temperature, sweeps=3, **rest),
        {"temperature": 0.5, "order": np.arange(8)[::-1], "seed": 3},
    ),
}
# Abstract bases, which their leaves stand for, and what hands its numbers on as they are.
BASES = {
    "AbstractCompression.__call__",
    "AbstractRule.__call__",
    "AbstractIncrementalRule.write",
    "read_image_energy_transformer",
}
KINDS = {
    "big-endian": lambda x: x.astype(x.dtype.newbyteorder(">")),
    "long double": lambda x: x.astype(np.longdouble) if x.dtype.kind == "f" else x.astype(np.int16),
    "objects": lambda x: x.astype(object),
    "decimals": lambda x: np.vectorize(decimal.Decimal, otypes=[object])(x),
}


def takes_numbers(annotation) -> bool:
    """Whether an annotation is `ArrayLike`, a union with it, or made of it."""
    parts = typing.get_args(annotation)
    if all(part in parts for part in typing.get_args(ArrayLike)):
        return True
    return any(takes_numbers(part) for part in parts)


def numbers(function) -> set[str]:
    """The arguments of a function that are numbers."""
    return {
        name
        for name, each in inspect.signature(function).parameters.items()
        if each.annotation is not inspect.Parameter.empty and takes_numbers(each.annotation)
    }


def public_functions():
    """Name and function of everything public that is called, methods as Class.method."""
    for room in ROOMS:
        for name in dir(room):
            thing = getattr(room, name)
            if name.startswith("_") or not getattr(thing, "__module__", "").startswith("attrax"):
                continue
            if inspect.isfunction(thing):
                yield name, thing
            if inspect.isclass(thing):
                if not inspect.isabstract(thing):
                    yield name, thing.__init__
                for method, function in vars(thing).items():
                    if inspect.isfunction(function) and (
                        method == "__call__" or not method.startswith("_")
                    ):
                        yield f"{name}.{method}", function


def test_every_public_function_of_numbers_is_called():
    asked = {name: args for name, f in public_functions() if (args := numbers(f))}
    given = {name: set(arguments) for name, (_, arguments) in CALLS.items()}
    assert {name: asked[name] for name in asked if name not in BASES} == given


def answer(call, arguments):
    return [
        np.asarray(leaf) for leaf in jax.tree.leaves(call(**arguments)) if eqx.is_array_like(leaf)
    ]


@pytest.mark.parametrize("name", CALLS)
def test_numbers_of_every_kind_answer_as_doubles_do(name):
    call, arguments = CALLS[name]
    expected = answer(call, arguments)
    assert expected
    for argument, value in arguments.items():
        for kind, convert in KINDS.items():
            if kind == "decimals" and np.asarray(value).dtype.kind != "f":
                continue  # no decimal is an index, a label or a count
            given = answer(call, arguments | {argument: convert(np.asarray(value))})
            assert len(given) == len(expected), (argument, kind)
            for a, b in zip(given, expected, strict=True):
                np.testing.assert_allclose(
                    a.astype(float), b.astype(float), 1e-6, err_msg=f"{argument}, {kind}"
                )


# Where masked entries are of no kind that could be, which is said in place of the mask.
OTHERWISE = {
    ("exact_row", "index"),
    ("flip_bits", "x"),
    ("Asynchronous", "order"),
    ("Glauber", "order"),
    ("Bank.read", "candidates"),
    ("rotate_positions", "positions"),
    *((name, "tokens") for name in ("LanguageModel.__call__", "SideNetwork.__call__")),
    *((name, "tokens") for name in ("language_loss", "token_losses")),
    *((name, "caption") for name in CALLS if name.startswith("PrototypeGenerator.")),
}


@pytest.mark.parametrize("name", CALLS)
def test_a_masked_entry_is_refused_or_missing(name):
    call, arguments = CALLS[name]
    for argument, value in arguments.items():
        array = np.asarray(value)
        if array.ndim == 0:
            continue
        hidden = np.arange(array.size).reshape(array.shape) == 1
        masked = np.ma.array(array, mask=hidden)
        try:
            given = answer(call, arguments | {argument: masked})
        except (TypeError, ValueError) as error:
            if "masked" not in str(error) and (name, argument) not in OTHERWISE:
                raise
            continue
        missing = answer(call, arguments | {argument: np.where(hidden, np.nan, array)})
        for a, b in zip(given, missing, strict=True):
            np.testing.assert_array_equal(a, b, err_msg=argument)
