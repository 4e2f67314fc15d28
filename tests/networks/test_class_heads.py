import pytest
import torch
from torch.nn import functional

from memorycell.networks.heads.classes import ClassHead, LabelsHead, NumberHead


@pytest.mark.parametrize("shape", [(6,), (3, 4)])
@pytest.mark.parametrize("weighted", [False, True])
def test_the_loss_of_classes_is_the_weighted_cross_entropy(shape, weighted):
    torch.manual_seed(0)
    raw, targets = torch.randn(*shape, 5), torch.randint(5, shape)
    weights = torch.rand(shape) if weighted else torch.ones(shape)
    total, count = ClassHead(5).loss(raw, targets, weights if weighted else None)
    each = -raw.log_softmax(-1).gather(-1, targets.unsqueeze(-1)).squeeze(-1)
    torch.testing.assert_close(total, (each * weights).sum())
    assert float(count) == pytest.approx(float(weights.sum()))


def test_smoothing_acts_in_training_alone():
    raw, targets = torch.tensor([[4.0, 0.0, 0.0]]), torch.tensor([0])
    head = ClassHead(3, label_smoothing=0.3)
    smoothed = head.loss(raw, targets)[0]
    expected = -(torch.tensor([0.8, 0.1, 0.1]) * raw.log_softmax(-1)).sum()
    torch.testing.assert_close(smoothed, expected)
    torch.testing.assert_close(head.loss(raw, targets, torch.ones(1))[0], expected)
    torch.testing.assert_close(head.eval().loss(raw, targets)[0], functional.cross_entropy(raw, targets))


@pytest.mark.parametrize("head", [LabelsHead(3), NumberHead(3)])
def test_weights_of_rows_and_of_elements_agree(head):
    torch.manual_seed(0)
    raw, targets, rows = torch.randn(4, 3), torch.randint(2, (4, 3)).float(), torch.tensor([0.0, 1.0, 2.0, 0.5])
    by_row = head.loss(raw, targets, rows)
    by_element = head.loss(raw, targets, rows.unsqueeze(1).expand(4, 3).clone())
    torch.testing.assert_close(by_row[0], by_element[0])
    assert float(by_row[1]) == float(by_element[1]) == pytest.approx(3.5 * 3)
    alone = [head.loss(raw[i : i + 1], targets[i : i + 1])[0] for i in range(4)]
    torch.testing.assert_close(by_row[0], sum(w * one for w, one in zip(rows, alone, strict=True)))
    assert head.loss(raw, targets)[1] == 12.0


def test_a_single_number_may_come_without_its_dimension():
    raw = torch.tensor([[1.0], [2.0]])
    assert float(NumberHead(1).loss(raw, torch.tensor([0.0, 4.0]))[0]) == 5.0
    with pytest.raises(ValueError, match=r"expected targets of shape \(2, 1\), got \(2, 2\)"):
        NumberHead(1).loss(raw, torch.zeros(2, 2))


def test_decoded_values():
    raw = torch.tensor([[0.0, 2.0], [-1.0, 1.0]])
    torch.testing.assert_close(ClassHead(2).decode(raw), raw.softmax(-1))
    torch.testing.assert_close(LabelsHead(2).decode(raw), raw.sigmoid())
    assert NumberHead(2).decode(raw) is raw


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
