"""Events with a paid channel."""
import pytest
from harness.paid_channel import PaidEvent


@pytest.fixture
def paid(event):
    return PaidEvent(event)
