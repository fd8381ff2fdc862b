"""Window geometry against a plain count of what windows read."""

import itertools

import pytest

from ttc.calls.window import Window, shard_rows

WINDOWS = [
    Window(1, (9, 7), (3, 3), (1, 1), (1, 1, 1, 1), (1, 1)),
    Window(2, (8, 9), (3, 2), (2, 2), (1, 0, 0, 1), (1, 1)),
    Window(1, (12, 12), (3, 3), (1, 2), (2, 2, 2, 2), (2, 2)),
    Window(3, (1, 20), (1, 5), (1, 3), (0, 0, 2, 2), (1, 1)),
]


def reads(window: Window, padded: tuple[int, int]) -> tuple[list[int], list[int]]:
    """The first and the last pixel, of images `padded` to that size, that each output pixel reads."""
    (height, width), (padded_height, padded_width) = window.output, padded
    firsts, lasts = [], []
    for image, y, x in itertools.product(range(window.batch), range(height), range(width)):
        top = image * padded_height + y * window.stride[0]
        first = top * padded_width + x * window.stride[1]
        reach = [dilation * (kernel - 1) for dilation, kernel in zip(window.dilation, window.kernel, strict=True)]
        firsts.append(first)
        lasts.append(first + reach[0] * padded_width + reach[1])
    return firsts, lasts


@pytest.mark.parametrize("window", WINDOWS)
def test_halo_covers_what_any_run_of_outputs_reads(window):
    firsts, lasts = reads(window, window.padded)
    for rows in range(1, window.output_pixels + 1):
        starts = range(window.output_pixels - rows + 1)
        needed = max(lasts[start + rows - 1] - firsts[start] + 1 for start in starts)
        assert needed <= window.halo(rows)


@pytest.mark.parametrize(
    ("window", "padded"),
    [
        *((window, window.padded) for window in WINDOWS),
        (Window(2, (5, 6), (3, 3), (2, 2), (0, 0, 0, 0), (1, 1), ceil=True), (5, 7)),  # reaches beyond the padding
    ],
)
def test_a_core_reads_from_its_first_window_to_its_last(window, padded):
    firsts, lasts = reads(window, padded)
    for rows in range(1, window.output_pixels + 1):
        cores = range(0, window.output_pixels, rows)
        assert window.most_read(rows) == max(
            lasts[min(core + rows, window.output_pixels) - 1] - firsts[core] + 1 for core in cores
        )


SMALL = [
    Window(31, (2, 1), (2, 1), (1, 1), (0, 0, 0, 0), (1, 1)),  # one result an image
    Window(31, (3, 1), (2, 1), (1, 1), (0, 0, 0, 0), (1, 1)),
    Window(31, (3, 1), (2, 1), (1, 1), (0, 0, 0, 0), (2, 1)),
    Window(40, (3, 1), (1, 1), (1, 1), (0, 0, 0, 0), (1, 1)),  # images lie side by side
    Window(40, (3, 2), (2, 2), (1, 1), (0, 1, 0, 0), (1, 1)),
]


@pytest.mark.parametrize("window", [window for window in (*WINDOWS, *SMALL) if window.stride == (1, 1)])
def test_adjacent_windows_are_one_run(window):
    firsts, _ = reads(window, window.padded)
    for rows in (32, 64):
        here = firsts[:rows]
        assert window.runs(rows) == 1 + sum(after != before + 1 for before, after in itertools.pairwise(here))


def test_an_input_lies_on_no_more_cores_than_the_result_fills():
    """9 x 40 pixels to 3 x 14 pixels, two tiles of rows: 360 rows over 2 cores, or over one."""
    window = Window(1, (9, 40), (3, 3), (3, 3), (0, 0, 1, 1), (1, 1))
    assert window.output_pixels == 42
    assert [window.input_rows(cores) for cores in (1, 2, 3)] == [384, 192, 192]


def test_output_in_ceil_mode_drops_windows_that_start_in_the_padding():
    assert Window(1, (5, 6), (2, 2), (2, 2), (0, 0, 0, 0), (1, 1), ceil=True).output == (3, 3)
    assert Window(1, (4, 4), (3, 3), (3, 3), (1, 1, 1, 1), (1, 1), ceil=True).output == (2, 2)


def test_shards_are_whole_tiles():
    assert shard_rows(3136, 64) == 64
    assert shard_rows(49, 8) == 32
