"""The plan as one HTML page: everything it shows is in it."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from fractions import Fraction

from host_bridge.timeline.plan.make import Plan, PlannedShot
from host_bridge.timeline.read.edl import is_drop_frame
from host_bridge.timeline.read.model import nearest, seconds
from nodes.footage.rates import timecode_of
from nodes.text import page_template


def page(plan: Plan) -> str:
    """Fill the template."""
    start = plan.edit.timeline.global_start_time
    origin = Fraction(0) if start is None else seconds(start, "the start of the edit")
    drop = is_drop_frame(plan.edit.timeline)
    return page_template("host_bridge.timeline.plan", "plan.html.jinja").render(
        plan=plan,
        name=plan.edit.timeline.name or plan.edit.path.stem,
        rate=f"{float(plan.shots[0].shot.rate):.3f}".rstrip("0").rstrip(".") if plan.shots else "",
        to_do=sum(shot.state == "to do" for shot in plan.shots),
        done=sum(shot.state == "done" for shot in plan.shots),
        cast=sum(bool(shot.shot.cast) for shot in plan.shots),
        notes=plan.edit.notes,
        cards=[_card(shot, origin, drop) for shot in plan.shots],
        duration=duration,
        made=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
    )


def duration(time: float) -> str:
    """Say seconds as people do: `50 s`, `12 min`, `1 h 5 min`."""
    if time < 90:
        return f"{time:.0f} s"
    minutes = round(time / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"


def _card(planned: PlannedShot, origin: Fraction, drop: bool) -> dict[str, object]:
    shot = planned.shot
    first = nearest(origin * shot.rate) + shot.record[0]
    data = base64.b64encode(planned.look.picture).decode()
    return {
        "planned": planned,
        "shot": shot,
        "picture": f"data:image/jpeg;base64,{data}" if data else "",
        "begin": timecode_of(first, shot.rate, drop=drop),
        "end": timecode_of(first + shot.record[1], shot.rate, drop=drop),
        "span": f"{shot.media.start + shot.span[0]} to {shot.media.start + shot.span[1]}",
    }
