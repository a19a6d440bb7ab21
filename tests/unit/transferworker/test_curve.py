"""The curve of a transfer: few points, from the beginning to the present, evenly apart."""

from transferworker.curve import MOST_POINTS, Curve


def drawn(moments):
    curve = Curve()
    for at in moments:
        curve.add(at, int(at * 1000))
    return curve.points()


def test_what_comes_too_soon_is_no_point_of_its_own():
    assert drawn([0.0, 0.1, 0.4, 0.5, 0.6]) == [[0.0, 0], [0.5, 500]]


def test_it_ends_where_the_moving_ended():
    curve = Curve()
    for at, count in [(0.0, 0), (0.5, 500), (1.0, 1000)]:
        curve.add(at, count)
    curve.end(1.2, 5000)
    assert curve.points() == [[0.0, 0], [0.5, 500], [1.2, 5000]]
    curve.end(2.0, 6000)
    assert curve.points()[2:] == [[1.2, 5000], [2.0, 6000]]


def test_what_was_over_at_once_has_a_beginning_and_an_end():
    curve = Curve()
    curve.end(0.1, 0)
    assert curve.points() == []
    curve.add(0.2, 0)
    curve.end(0.25, 700)
    assert curve.points() == [[0.2, 0], [0.25, 700]]


def test_however_long_it_takes_it_has_few_points_from_its_beginning_to_its_present():
    moments = [number / 2 for number in range(50_000)]
    points = drawn(moments)
    assert MOST_POINTS // 2 <= len(points) <= MOST_POINTS
    assert points[0] == [0.0, 0] and points[-1][0] > 0.98 * moments[-1]
    assert len({after[0] - before[0] for before, after in zip(points, points[1:], strict=False)}) == 1
