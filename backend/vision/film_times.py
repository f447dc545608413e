"""When the frames of a film are shown: what files say of it, as FFmpeg's players take it."""

from __future__ import annotations

from fractions import Fraction

# Times that fall by more than that begin anew, as in files that were put one behind the other: the
# frames go on from there.
RESTART_SECONDS = 1.0
# Gaps that are longer are no pauses but other clocks, in formats whose clocks may jump and in all
# others. FFmpeg's player has the same limits.
LONGEST_GAP, LONGEST_PAUSE = 10.0, 3600.0


class BestEffort:
    """Which of a frame's two times is to be believed.

    A frame has the time at which it is to be shown (pts), and that at which its packet was decoded
    (dts). Where packets carry the one for the other, as in AVI, shown times fall again and again:
    then decoding times are right, which a decoder passes on with the frame that it gives out.
    FFmpeg judges the same way, for what it calls the best-effort timestamp.
    """

    def __init__(self) -> None:
        self._falls_of_pts = self._falls_of_dts = 0
        self._last_pts: int | None = None
        self._last_dts: int | None = None
        self._last: int | None = None

    def choose(self, pts: int | None, dts: int | None) -> int | None:
        """Return the time of the next frame, in the order of showing; None if nothing says it."""
        if dts is not None:
            self._falls_of_dts += self._last_dts is not None and dts <= self._last_dts
        if pts is not None:
            self._falls_of_pts += self._last_pts is not None and pts <= self._last_pts
        known_dts, known_pts = (pts if dts is None else dts), (dts if pts is None else pts)
        self._last_dts = self._last_dts if known_dts is None else known_dts
        self._last_pts = self._last_pts if known_pts is None else known_pts
        chosen = dts
        # Once the file has ended the decoder has no dts for its last frames.
        rising = pts is not None and (self._last is None or pts > self._last)
        if self._falls_of_pts <= self._falls_of_dts or (dts is None and rising):
            chosen = dts if pts is None else pts
        self._last = self._last if chosen is None else chosen
        return chosen


class Timeline:
    """Seconds from a film's first frame to each of its frames. They never fall.

    Parameters
    ----------
    time_base
        Seconds of a tick.
    frame_rate
        At which frames follow that have no time.
    longest_gap
        Seconds between two frames from which on the film's clock has jumped.
    """

    def __init__(self, time_base: Fraction, frame_rate: float, longest_gap: float) -> None:
        self._best_effort = BestEffort()
        self._tick = time_base
        self._step = 1 / frame_rate
        self._longest_gap = longest_gap
        self._last: float | None = None
        # These ticks are shown at these seconds.
        self._ticks: int | None = None
        self._seconds = 0.0

    def next(self, pts: int | None, dts: int | None) -> float:
        """Return seconds of the next frame in the order of showing; pts and dts in ticks."""
        ticks = self._best_effort.choose(pts, dts)
        follows = 0.0 if self._last is None else self._last + self._step
        self._last = follows if ticks is None else self._shown(ticks, follows)
        return self._last

    def _shown(self, ticks: int, follows: float) -> float:
        last = self._last or 0.0
        if self._ticks is not None:
            seconds = self._seconds + float((ticks - self._ticks) * self._tick)
            if -RESTART_SECONDS <= seconds - last <= self._longest_gap:
                return max(seconds, last)
        self._ticks, self._seconds = ticks, follows
        return follows
