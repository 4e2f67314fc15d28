"""Asked to end by SIGTERM or SIGHUP, a training saves as it does at Ctrl-C, and the process then ends."""

import os
import signal
import threading

import pytest
import torch
from toys import Line, Points, seeded, weights

from memorycell.data.streams import SampleStream
from memorycell.training import TrainingOptions, train
from memorycell.training.signals import ENDING, asked_to_end


def sent(number, epoch=1):
    def send(event):
        if event["epoch"] == epoch:
            os.kill(os.getpid(), number)

    return send


def training(network, path=None, *callbacks):
    # Nothing but what stops it writes the checkpoint.
    options = TrainingOptions(epochs=3, learning_rate=0.02, n_threads=1, checkpoint_seconds=1e6)
    return train(network, SampleStream(Points(), 16, seed=2), options, checkpoint=path, callbacks=callbacks)


@pytest.mark.parametrize("number", ENDING)
def test_it_saves_and_ends_the_process_and_goes_on_to_the_same_bits(tmp_path, number):
    whole, broken, path = seeded(Line), seeded(Line), tmp_path / "run.ckpt"
    training(whole)
    handlers = {each: signal.getsignal(each) for each in (signal.SIGINT, *ENDING)}
    with pytest.raises(SystemExit) as ended:
        training(broken, path, sent(number))
    assert ended.value.code == 128 + number
    assert {each: signal.getsignal(each) for each in handlers} == handlers
    assert [file.name for file in tmp_path.iterdir()] == ["run.ckpt"]
    broken = seeded(Line, 1)
    assert training(broken, path).stopped == "finished"
    assert torch.equal(weights(whole), weights(broken))


def test_several_at_once_tear_nothing():
    def shut_down(event):
        for number in (*ENDING, signal.SIGINT, *ENDING):
            os.kill(os.getpid(), number)

    with pytest.raises(SystemExit) as ended:
        training(seeded(Line), None, shut_down)
    assert ended.value.code in [128 + number for number in ENDING]


def test_whoever_has_something_left_to_do_gets_the_result_first():
    with asked_to_end() as asked:
        assert training(seeded(Line), None, sent(signal.SIGTERM)).stopped == "interrupted"
        assert training(seeded(Line)).stopped == "interrupted"  # and nothing longer begins
    assert asked == [signal.SIGTERM]
    with asked_to_end() as asked:  # too late to stop before a step
        assert training(seeded(Line), None, sent(signal.SIGTERM, epoch=3)).stopped == "finished"
    assert asked == [signal.SIGTERM]
    assert training(seeded(Line)).stopped == "finished"


def test_other_handlers_are_left_alone():
    got, before = [], signal.getsignal(signal.SIGTERM)
    signal.signal(signal.SIGTERM, lambda number, frame: got.append(number))
    try:
        assert training(seeded(Line), None, sent(signal.SIGTERM)).stopped == "finished"
        assert got == [signal.SIGTERM]
        signal.signal(ENDING[-1], signal.SIG_IGN)  # as nohup does
        assert training(seeded(Line), None, sent(ENDING[-1])).stopped == "finished"
    finally:
        signal.signal(ENDING[-1], signal.SIG_DFL)
        signal.signal(signal.SIGTERM, before)


def test_threads_other_than_the_main_one_have_no_handlers():
    seen = []

    def look(event):
        seen.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=training, args=(seeded(Line), None, look))
    thread.start()
    thread.join()
    assert seen == [signal.SIG_DFL] * 3
