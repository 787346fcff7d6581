"""Who waits for whom, for who asks."""

from __future__ import annotations

from typing import Any

from eyewall.doctor.control.commands import Patient
from eyewall.doctor.control.protocol import ControlError
from eyewall.doctor.control.telling import place, subject
from eyewall.doctor.waits.detector import known
from eyewall.doctor.waits.waitgraph import LIMIT, wait_graph

#: Nodes that can be asked for.
MOST = 2000


def waits(patient: Patient, limit: int = LIMIT) -> dict[str, Any]:
    """Returns the graph of who waits for whom, with at most `limit` nodes: those in circles, then those that most wait
    for. What was left out is counted."""
    if not 1 <= limit <= MOST:
        raise ControlError("arguments", f"waits: limit is from 1 to {MOST}")
    graph = wait_graph(known, limit)
    return {
        "nodes": [
            {
                "id": each.id,
                "kind": each.kind,
                "label": each.label,
                "place": place(each.place),
                "subject": subject(each.subject),
                "seconds": None if each.seconds is None else round(each.seconds, 3),
                "words": each.words,
                "waiters": each.waiters,
            }
            for each in graph.nodes
        ],
        "edges": [
            {"from": each.source, "to": each.target, "label": each.label, "place": place(each.place)}
            for each in graph.edges
        ],
        "circles": [list(each) for each in graph.circles],
        "left_out": graph.left_out,
        "alone": graph.alone,
        "unseen": graph.unseen,
        "tasks": graph.tasks,
    }
