"""One payment and the grant that it bought, for tests of how they are shown."""

from gateway.access import Grant
from gateway.identity import Duration, MacAddress, Money, PhoneNumber
from gateway.payments import Payment

PAYMENT = Payment(
    id="p",
    owner_id=1,
    router_id=1,
    package_id=1,
    phone=PhoneNumber("+254712345678"),
    amount=Money(5000),
    duration=Duration(3_600),
    method="mpesa",
    provider="instasend",
    api_ref="HG-1",
    mac=MacAddress("AA:BB:CC:DD:EE:FF"),
    ip=None,
    created_at_s=0.0,
    updated_at_s=0.0,
)
GRANT = Grant(
    id="g",
    payment_id="p",
    owner_id=1,
    router_id=1,
    package_id=1,
    mac=PAYMENT.mac,
    ip=None,
    duration=PAYMENT.duration,
    created_at_s=0.0,
    updated_at_s=0.0,
)
