"""Events with a paid channel."""
import pytest
from harness.paid_channel import PaidEvent, SeparateApi


@pytest.fixture
def paid(event):
    return PaidEvent(event)


@pytest.fixture
def apart(event):
    return SeparateApi(event)
