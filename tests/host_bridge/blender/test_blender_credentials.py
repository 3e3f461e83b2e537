"""Verify in a real Blender: whatever is done to results that it shows is said, on the node and of strips, and which frame it was."""

from __future__ import annotations

from nodes.consent.edit import Terms, add
from nodes.consent.records import USES
from tests.host_bridge.blender.test_blender_consent import Scenes, scenes  # noqa: F401
from tests.host_bridge.engine.test_consent_engine import clips, live  # noqa: F401


def test_a_node_says_of_its_results_what_was_done_to_them(scenes: Scenes) -> None:  # noqa: F811
    show = scenes.show("credentials")
    add(show.folder, "Anna", Terms(USES))
    seen = scenes.play("tampered_node", {"show": str(show.folder)})
    for name in ("intact", "as it was", "opened again", "a preview"):
        assert seen[name][0] == "DONE" and "intact; signed with this machine's own certificate" in seen[name][1], name
    for name, words in {
        "a byte flipped": "a frame was changed after signing: patch.0001.exr",
        "frames exchanged": "2 frames were exchanged for other frames of the sequence: patch.0000.exr, patch.0002.exr",
        "manifest removed": "patch: its Content Credentials are gone",
        "manifest of another": "patch: not intact: the manifest beside it is that of another file",
        "movie changed": "composite.mkv: not intact: the file was changed after it was signed",
        "changed where Blender reads": "a frame was exchanged for other frames of the sequence: whole.0001.exr",
        "gone where Blender reads": "whole.0002.exr",
        "a preview changed": "the file was changed after it was signed",
    }.items():
        state, said = seen[name]
        assert state == "ERROR" and words in said and "Render Range makes it anew" in said, (name, said)


def test_a_patch_above_a_strip_or_inside_it_is_verified(scenes: Scenes) -> None:  # noqa: F811
    show = scenes.show("credentials of strips")
    add(show.folder, "Anna", Terms(USES))
    seen = scenes.play("tampered_strip", {"show": str(show.folder)})
    assert seen["nothing to verify"]
    modifier = {"modifier intact"} if scenes.blender.version != "4.5" else set()
    for name in ("intact", "as it was", *modifier):
        assert any("intact; signed with this machine's own certificate" in text for text, _ in seen[name]), seen[name]
        assert not any(remedy for _, remedy in seen[name]), name
    for name, words in {
        "a byte flipped": "a frame was changed after signing: overlay.0001.png",
        "manifest removed": "its Content Credentials are gone",
        "manifest of another": "there is no manifest of it",
        **dict.fromkeys(
            modifier and {"modifier changed"}, "a frame was exchanged for other frames of the sequence: whole.0001.exr"
        ),
    }.items():
        found = [text for text, remedy in seen[name] if remedy == "Replace Face makes it anew"]
        assert any(words in text for text in found), (name, seen[name])
