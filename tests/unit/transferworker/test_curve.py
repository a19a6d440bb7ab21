"""The curve of a transfer: few points, from the beginning to the present, evenly apart."""

from transferworker.curve import MOST_POINTS, Curve


def drawn(moments):
    curve = Curve()
    for at in moments:
        curve.add(at, int(at * 1000))
    return curve.points()


def test_what_comes_too_soon_is_no_point_of_its_own():
    assert drawn([0.0, 0.1, 0.4, 0.5, 0.6]) == [[0.0, 0], [0.5, 500]]


def test_however_long_it_takes_it_has_few_points_from_its_beginning_to_its_present():
    moments = [number / 2 for number in range(50_000)]
    points = drawn(moments)
    assert MOST_POINTS // 2 <= len(points) <= MOST_POINTS
    assert points[0] == [0.0, 0] and points[-1][0] > 0.98 * moments[-1]
    assert len({after[0] - before[0] for before, after in zip(points, points[1:], strict=False)}) == 1
