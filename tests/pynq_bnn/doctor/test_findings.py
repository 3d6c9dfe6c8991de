from pynq_bnn.doctor.findings import NOT_OK, NOT_TRIED, OK, Amiss, Untried, look
from pynq_bnn.errors import DeviceError


def raises(error):
    def check():
        raise error
    return check


def test_every_check_is_made_and_says_its_piece():
    found = look([("a", lambda: "fine"), ("b", raises(Untried("not here"))),
                  ("c", raises(Amiss("worn out: buy another"))), ("d", raises(DeviceError("dead"))),
                  ("e", raises(ZeroDivisionError("ours"))), ("f", lambda: "fine too")])
    assert [each.state for each in found.findings] == [OK, NOT_TRIED, NOT_OK, NOT_OK, NOT_OK, OK]
    assert not found.healthy
    assert found.findings[4].said == "ZeroDivisionError: ours"
    assert str(found).splitlines()[2] == "not ok    c: worn out: buy another"
    assert str(found).endswith("3 not ok: begin with the first; 1 not tried")
    assert found.to_dict()["findings"][0] == {"name": "a", "state": "ok", "said": "fine"}


def test_what_is_not_tried_is_no_fault():
    found = look([("a", lambda: "fine"), ("b", raises(Untried("not here")))])
    assert found.healthy
    assert str(found).endswith("all well; 1 not tried")
