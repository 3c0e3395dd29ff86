"""What scripts/soak and scripts/torture stand on: the servers of servers.sh, clocks that step, services of the built binary."""

from surroundings.clock import Clock, faked
from surroundings.servers import Servers
from surroundings.service import Service
from surroundings.waiting import Wrong, wait_for

__all__ = ["Clock", "Servers", "Service", "Wrong", "faked", "wait_for"]
