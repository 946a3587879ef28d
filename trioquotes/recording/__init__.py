"""Recording a session, and playing it again."""

from __future__ import annotations

from trioquotes.recording.player import ReplayProgress
from trioquotes.recording.reading import LaneSummary, Recording, RecordingSummary, TornSegment
from trioquotes.recording.recorder import Recorder, RecordingStatus, record
from trioquotes.recording.records import Record
from trioquotes.recording.replayer import Replayer, replay

__all__ = [
    "LaneSummary",
    "Record",
    "Recorder",
    "Recording",
    "RecordingStatus",
    "RecordingSummary",
    "ReplayProgress",
    "Replayer",
    "TornSegment",
    "record",
    "replay",
]
