import pytest
import torch
from torch.nn import functional

from memorycell.data.batch import Batch
from memorycell.networks.heads.classes import ClassHead, LabelsHead, NumberHead
from memorycell.networks.heads.crf import CRFHead


def batch_of(targets, weights=None, lengths=None):
    return Batch({}, {} if lengths is None else {"targets": torch.tensor(lengths)}, targets, weights)


@pytest.mark.parametrize("shape", [(6,), (3, 4)])
@pytest.mark.parametrize("weighted", [False, True])
def test_the_loss_of_classes_is_the_weighted_cross_entropy(shape, weighted):
    torch.manual_seed(0)
    raw, targets = torch.randn(*shape, 5), torch.randint(5, shape)
    weights = torch.rand(shape) if weighted else torch.ones(shape)
    total, count = ClassHead(5).loss(raw, batch_of(targets, weights if weighted else None))
    each = -raw.log_softmax(-1).gather(-1, targets.unsqueeze(-1)).squeeze(-1)
    torch.testing.assert_close(total, (each * weights).sum())
    assert float(count) == pytest.approx(float(weights.sum()))


def test_smoothing_acts_in_training_alone():
    raw, targets = torch.tensor([[4.0, 0.0, 0.0]]), torch.tensor([0])
    head = ClassHead(3, label_smoothing=0.3)
    smoothed = head.loss(raw, batch_of(targets))[0]
    expected = -(torch.tensor([0.8, 0.1, 0.1]) * raw.log_softmax(-1)).sum()
    torch.testing.assert_close(smoothed, expected)
    torch.testing.assert_close(head.loss(raw, batch_of(targets, torch.ones(1)))[0], expected)
    torch.testing.assert_close(head.eval().loss(raw, batch_of(targets))[0], functional.cross_entropy(raw, targets))


@pytest.mark.parametrize("head", [LabelsHead(3), NumberHead(3)])
def test_weights_of_rows_and_of_elements_agree(head):
    torch.manual_seed(0)
    raw, targets, rows = torch.randn(4, 3), torch.randint(2, (4, 3)).float(), torch.tensor([0.0, 1.0, 2.0, 0.5])
    by_row = head.loss(raw, batch_of(targets, rows))
    by_element = head.loss(raw, batch_of(targets, rows.unsqueeze(1).expand(4, 3).clone()))
    torch.testing.assert_close(by_row[0], by_element[0])
    assert float(by_row[1]) == float(by_element[1]) == pytest.approx(3.5 * 3)
    alone = [head.loss(raw[i : i + 1], batch_of(targets[i : i + 1]))[0] for i in range(4)]
    torch.testing.assert_close(by_row[0], sum(w * one for w, one in zip(rows, alone, strict=True)))
    assert head.loss(raw, batch_of(targets))[1] == 12.0


def test_a_single_number_may_come_without_its_dimension():
    raw = torch.tensor([[1.0], [2.0]])
    assert float(NumberHead(1).loss(raw, batch_of(torch.tensor([0.0, 4.0])))[0]) == 5.0
    with pytest.raises(ValueError, match=r"expected targets of shape \(2, 1\), got \(2, 2\)"):
        NumberHead(1).loss(raw, batch_of(torch.zeros(2, 2)))


@pytest.mark.parametrize("head", [ClassHead(3), LabelsHead(3), NumberHead(3)])
@pytest.mark.parametrize("weighted", [False, True])
def test_what_stands_beyond_the_end_of_ragged_targets_does_not_count(head, weighted):
    torch.manual_seed(0)
    raw, lengths = torch.randn(3, 4, 3), [4, 0, 2]
    targets = torch.randint(2, (3, 4) if isinstance(head, ClassHead) else (3, 4, 3)).to(
        torch.int64 if isinstance(head, ClassHead) else torch.float32
    )
    weights = torch.rand(3, 4) if weighted else None
    total, count = head.loss(raw, batch_of(targets, weights, lengths))
    rows = [(0, 4), (2, 2)]
    apart = [
        head.loss(raw[i, :n], batch_of(targets[i, :n], None if weights is None else weights[i, :n])) for i, n in rows
    ]
    torch.testing.assert_close(total, sum(loss for loss, _ in apart))
    assert float(count) == pytest.approx(sum(float(each) for _, each in apart))


@pytest.mark.parametrize("head", [ClassHead(3), CRFHead(3)])
def test_a_label_at_each_step_needs_as_many_targets_as_steps(head):
    with pytest.raises(ValueError, match=r"expected targets of shape \(2, 4\), got \(2, 3\)"):
        head.loss(torch.zeros(2, 4, 3), batch_of(torch.zeros(2, 3, dtype=torch.int64), lengths=[3, 2]))


@pytest.mark.parametrize("head", [ClassHead(3), LabelsHead(3), NumberHead(3)])
def test_a_loss_needs_targets(head):
    with pytest.raises(ValueError, match="expected a batch with targets to compute a loss, got one without"):
        head.loss(torch.zeros(2, 3), batch_of(None))


def test_answers_and_their_probabilities():
    raw = torch.tensor([[0.0, 2.0], [-1.0, 1.0]])
    torch.testing.assert_close(ClassHead(2).probabilities(raw), raw.softmax(-1))
    torch.testing.assert_close(LabelsHead(2).probabilities(raw), raw.sigmoid())
    assert ClassHead(2).predict(raw).tolist() == [1, 1]
    assert LabelsHead(2).predict(raw).tolist() == [[False, True], [False, True]]
    assert NumberHead(2).predict(raw) is raw
    with pytest.raises(NotImplementedError, match="NumberHead gives no probabilities"):
        NumberHead(2).probabilities(raw)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: ClassHead(1), "at least 2 classes, got 1"),
        (lambda: ClassHead(3, 1.0), "label_smoothing from 0 to below 1, got 1.0"),
        (lambda: LabelsHead(0), "at least 1 label, got 0"),
        (lambda: NumberHead(0), "at least 1 output, got 0"),
    ],
)
def test_heads_that_make_no_sense_raise(build, message):
    with pytest.raises(ValueError, match=message):
        build()
