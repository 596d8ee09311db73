"""The registry: every workload by name, in the order in which those that share a machine run."""

from kernel_model.workloads import (
    aging,
    boot,
    bring_up,
    churn,
    cold_prepare,
    fan_in,
    fault_storm,
    frame_buffer,
    hot_plug,
    ping_pong,
    string_ipc,
)
from kernel_model.workloads.base import Workload

__all__ = ["WORKLOADS", "Workload"]

WORKLOADS: dict[str, Workload] = {
    workload.name: workload
    for workload in (
        boot.WORKLOAD,
        ping_pong.WORKLOAD,
        bring_up.WORKLOAD,
        frame_buffer.WORKLOAD,
        *cold_prepare.WORKLOADS,
        fan_in.WORKLOAD,
        string_ipc.WORKLOAD,
        fault_storm.WORKLOAD,
        churn.WORKLOAD,
        aging.WORKLOAD,
        hot_plug.WORKLOAD,
    )
}
