"""The CRF against the enumeration of every sequence of labels, in float64."""

import itertools
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from memorycell.data.batch import Batch
from memorycell.data.labels.label_schemes import may_follow
from memorycell.networks.heads.crf import CRFHead

BIO = ["O", "B-a", "I-a", "B-b", "I-b"]
BIOES = ["S-a", "B-a", "O", "I-a", "E-a"]
LENGTHS = torch.tensor([4, 1, 0, 3, 2])


def head_of(labels: int | list[str], *, seed: int = 0, spread: float = 1.0, **options: bool) -> CRFHead:
    count = labels if isinstance(labels, int) else len(labels)
    head = CRFHead(count, None if isinstance(labels, int) else labels, **options).double()
    generator = torch.Generator().manual_seed(seed)
    for parameter in head.parameters():
        parameter.data = spread * torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
    return head


def raw_for(head: CRFHead, *, seed: int = 1, spread: float = 2.0) -> Tensor:
    """Raw scores (5, 4, K), with rubbish beyond the end of each row."""
    generator = torch.Generator().manual_seed(seed)
    raw = spread * torch.randn(len(LENGTHS), 4, head.n_outputs, generator=generator, dtype=torch.float64)
    return raw.masked_fill((torch.arange(4) >= LENGTHS.unsqueeze(1)).unsqueeze(2), torch.nan)


def obeys(labels: list[str] | None, path: tuple[int, ...]) -> bool:
    if labels is None:
        return True
    scheme = "BIOES" if any(name.startswith("E") for name in labels) else "BIO"
    named = [None, *(labels[k] for k in path), None]
    return all(may_follow(a, b, scheme) for a, b in itertools.pairwise(named))


def enumerate_row(head: CRFHead, raw: Tensor, constrained: bool) -> tuple[Tensor, Tensor, tuple[int, ...]]:
    """Log partition, marginals and best path of one row (T, K) from the score of every path."""
    paths = itertools.product(range(head.n_outputs), repeat=len(raw))
    paths = [path for path in paths if obeys(head.labels if constrained else None, path)]
    scores = torch.stack(
        [
            head.start[list(path[:1])].sum()
            + head.end[list(path[-1:])].sum()
            + sum((raw[t, k] for t, k in enumerate(path)), raw.new_zeros(()))
            + sum((head.transitions[a, b] for a, b in itertools.pairwise(path)), raw.new_zeros(()))
            for path in paths
        ]
    )
    chances = scores.softmax(0)
    marginals = torch.zeros(raw.shape, dtype=raw.dtype)
    for path, chance in zip(paths, chances, strict=True):
        for t, k in enumerate(path):
            marginals[t, k] += chance.item()
    return torch.logsumexp(scores, 0), marginals, paths[int(scores.argmax())]


@pytest.mark.parametrize("constrained", [False, True])
@pytest.mark.parametrize("labels", [1, 2, 3, BIO, BIOES])
def test_partition_marginals_and_best_path_are_those_of_all_sequences(
    labels: int | list[str], constrained: bool
) -> None:
    head = head_of(labels)
    raw = raw_for(head)
    partition = head.log_partition(raw, LENGTHS, constrained)
    marginals, best = head.probabilities(raw, LENGTHS), head.predict(raw, LENGTHS)
    for row, length in enumerate(LENGTHS.tolist()):
        if not length:
            assert partition[row] == 0
            continue
        expected, _, _ = enumerate_row(head, raw[row, :length], constrained)
        _, chances, path = enumerate_row(head, raw[row, :length], True)  # answers always obey
        torch.testing.assert_close(partition[row], expected.detach(), rtol=1e-12, atol=1e-12)
        torch.testing.assert_close(marginals[row, :length], chances, rtol=1e-10, atol=1e-12)
        assert tuple(best[row, :length].tolist()) == path
    beyond = torch.arange(4) >= LENGTHS.unsqueeze(1)
    assert not marginals[beyond].any()
    assert not best[beyond].any()


@pytest.mark.parametrize("spread", [1.0, 400.0])
def test_the_fused_partition_is_the_plain_one_for_near_and_far_scores(spread: float) -> None:
    head = head_of(BIO, spread=spread)
    raw = torch.nan_to_num(raw_for(head, spread=spread))
    for constrained in (False, True):
        plain = head.plain_log_partition(raw, LENGTHS, constrained)
        torch.testing.assert_close(head.log_partition(raw, LENGTHS, constrained), plain.detach())
    if spread > 1:
        marginals = head.probabilities(raw, LENGTHS)
        torch.testing.assert_close(marginals.sum(2), (torch.arange(4) < LENGTHS.unsqueeze(1)).double())


@pytest.mark.parametrize("spread", [1.0, 400.0])
@pytest.mark.parametrize("labels", [1, 3, BIO])
def test_loss_and_gradients(labels: int | list[str], spread: float) -> None:
    head = head_of(labels)
    raw = spread / 2 * torch.nan_to_num(raw_for(head))
    targets = torch.randint(head.n_outputs, raw.shape[:2], generator=torch.Generator().manual_seed(3))
    row_weights = torch.tensor([1.0, 2.0, 1.0, 0.5, 1.0], dtype=torch.float64)
    # Beyond the end of a row weights may be anything: only lengths say where it is.
    weights = row_weights.unsqueeze(1).expand(-1, 4).clone().masked_fill(torch.arange(4) >= LENGTHS.unsqueeze(1), 7.0)
    weights[:, 0] = row_weights
    batch = Batch({}, {"targets": LENGTHS}, targets, weights)

    def loss(raw: Tensor, *_: Tensor) -> Tensor:
        return head.loss(raw, batch)[0]

    total, count = head.loss(raw, batch)
    by_hand = 0.0
    for row, length in enumerate(LENGTHS.tolist()):
        if length:
            path = targets[row, :length]
            score = head.start[path[0]] + head.end[path[-1]] + raw[row, torch.arange(length), path].sum()
            score = score + head.transitions[path[:-1], path[1:]].sum()
            partition = head.plain_log_partition(raw[row : row + 1, :length])[0]
            by_hand += (row_weights[row] * (partition - score)).item()
    assert total.item() == pytest.approx(by_hand, rel=1e-11)
    assert float(count) == pytest.approx(float((LENGTHS * row_weights).sum()))
    assert torch.autograd.gradcheck(loss, (raw.requires_grad_(), *head.parameters()), fast_mode=True)


def test_constrained_training_leaves_out_what_is_forbidden() -> None:
    head = head_of(BIO, constrained_training=True)
    raw = torch.nan_to_num(raw_for(head)).requires_grad_()
    targets = torch.tensor([[1, 2, 0, 3], [0, 9, 9, 9], [9, 9, 9, 9], [3, 4, 4, 9], [1, 1, 9, 9]])
    # Beyond the end: I-a, which may not stand there, and does not matter.
    targets = targets.where(torch.arange(4) < LENGTHS.unsqueeze(1), 2)
    batch = Batch({}, {"targets": LENGTHS}, targets)
    total, _ = head.loss(raw, batch)
    paths = [targets[row, :length].tolist() for row, length in enumerate(LENGTHS.tolist())]
    expected = sum(
        (enumerate_row(head, raw[row, : len(path)], True)[0] - _score(head, raw[row], path)).item()
        for row, path in enumerate(paths)
        if path
    )
    assert total.item() == pytest.approx(expected, rel=1e-11)
    assert torch.autograd.gradcheck(lambda raw, *_: head.loss(raw, batch)[0], (raw, *head.parameters()), fast_mode=True)
    with pytest.raises(ValueError, match="row 0 of the batch has labels in an order"):
        head.loss(raw, replace(batch, targets=torch.where(targets == 1, 0, targets)))
    # A row without weight is left out, whatever its labels are.
    weights = torch.tensor([0.0, 1.0, 1.0, 1.0, 0.0]).unsqueeze(1).expand(-1, 4)
    kept, count = head.loss(raw, replace(batch, targets=torch.where(targets == 1, 0, targets), weights=weights))
    alone = Batch({}, {"targets": LENGTHS[1:4]}, targets[1:4])
    assert kept.item() == pytest.approx(head.loss(raw[1:4], alone)[0].item(), rel=1e-11)
    assert float(count) == 4


def _score(head: CRFHead, raw: Tensor, path: list[int]) -> Tensor:
    score = head.start[path[0]] + head.end[path[-1]] + sum(raw[t, k] for t, k in enumerate(path))
    return score + sum((head.transitions[a, b] for a, b in itertools.pairwise(path)), raw.new_zeros(()))


def test_float32_is_as_good_as_float32_can_be() -> None:
    head = head_of(7).float()
    raw = torch.randn(4, 300, 7, generator=torch.Generator().manual_seed(0))
    targets, lengths = torch.zeros(4, 300, dtype=torch.int64), torch.tensor([300, 299, 150, 2])
    batch = Batch({}, {"targets": lengths}, targets)
    total = head.loss(raw, batch)[0]
    exact = head_of(7).float().double().loss(raw.double(), batch)[0]
    assert total.dtype == torch.float32
    assert total.item() == pytest.approx(exact.item(), rel=1e-6)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"n_outputs": 0}, "at least one label"),
        ({"n_outputs": 3, "labels": ["a", "b", "c"]}, "3 names of labels that mark spans"),
        ({"n_outputs": 2, "labels": ["O", "B-a", "I-a"]}, "2 names of labels that mark spans"),
        ({"n_outputs": 2, "labels": ["B-a", "I-a"]}, "2 names of labels"),
        ({"n_outputs": 2, "constrained_training": True}, "labels' names"),
    ],
)
def test_wrong_heads(arguments: dict, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        CRFHead(**arguments)


def test_wrong_inputs() -> None:
    head = CRFHead(2)
    targets, weights = torch.zeros(1, 3, dtype=torch.int64), torch.tensor([[1.0, 0.0, 1.0]])
    with pytest.raises(ValueError, match="expected one weight for all steps of a row, got several"):
        head.loss(torch.zeros(1, 3, 2), Batch({}, targets=targets, weights=weights))
    with pytest.raises(ValueError, match="expected a batch with targets"):
        head.loss(torch.zeros(1, 3, 2), Batch({}))
    with pytest.raises(ValueError, match=r"expected raw of shape \(batch, time, labels\)"):
        head.probabilities(torch.zeros(3, 2))


def test_labels_of_iob1_and_bilou_keep_to_their_schemes():
    labels = ["O", "B-a", "I-a"]
    with pytest.raises(ValueError, match="expected labels of BILOU, got those of BIO"):
        CRFHead(3, labels, scheme="BILOU")
    raw = torch.zeros(1, 3, 3)
    raw[..., 1] = 1.0  # B everywhere: only after one of its kind, in IOB1
    assert CRFHead(3, labels).predict(raw).tolist() == [[1, 1, 1]]
    assert CRFHead(3, labels, scheme="IOB1").predict(raw).tolist() == [[2, 1, 1]]
    bilou = CRFHead(5, ["O", "B-a", "I-a", "L-a", "U-a"])
    raw = torch.zeros(1, 3, 5)
    raw[..., 2] = 1.0
    assert bilou.predict(raw).tolist() == [[1, 2, 3]]
