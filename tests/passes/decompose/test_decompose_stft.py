import pytest
import torch

import ttc
from tests.cards import CARD_AND_DTYPE
from tests.mock_cards import check
from tests.passes.check import agree, body, graph_of
from ttc.calls.target import TARGETS
from ttc.passes.decompose import decompose_stft as stft_pass
from ttc.passes.decompose.decompose_stft import decompose_stft
from ttc.passes.runner import run
from ttc.validation.accuracy import scaled_error


def test_frames_are_shifted_views_of_blocks():
    graph = graph_of(
        '%x: f32[1,96] = input(name="x")\n%w: f32[64] = const(ref="w")\n'
        '%re: f32[1,33,2], %im: f32[1,33,2] = stft(x=%x, window=%w, hop=32)\nreturn "re"=%re, "im"=%im'
    )
    after = run((decompose_stft,), graph)
    assert body(after).startswith("""%x: f32[1,96] = input(name="x")
%w: f32[64] = const(ref="w")
%re: f32[1,3,32] = reshape(x=%x, shape=[1, 3, 32])
%re_0: f32[1,2,32] = slice(x=%re, starts=[0, 0, 0], ends=[1, 2, 32])
%re_1: f32[1,2,32] = slice(x=%re, starts=[0, 1, 0], ends=[1, 3, 32])
%re_2: f32[1,2,64] = concat(xs=[%re_0, %re_1], dim=2)
""")
    assert "conv(" not in body(after)
    agree(graph, after)


def stft(hop: int, size: int) -> str:
    frames, count = (96 - size) // hop + 1, size // 2 + 1
    return (
        f'%x: f32[1,96] = input(name="x")\n%w: f32[{size}] = const(ref="w")\n'
        f"%re: f32[1,{count},{frames}], %im: f32[1,{count},{frames}] = stft(x=%x, window=%w, hop={hop})\n"
        'return "re"=%re, "im"=%im'
    )


@pytest.mark.parametrize(("hop", "size", "narrow"), [(5, 20, True), (31, 62, True), (32, 64, False), (5, 5, False)])
def test_blocks_that_are_no_whole_tiles_are_convolved(hop: int, size: int, narrow: bool):
    """Not whole tiles, nor blocks that are frames by themselves."""
    after = run((decompose_stft,), graph := graph_of(stft(hop, size)), twice=True)
    assert (body(after).count("conv("), "concat(" in body(after)) == (
        (2, False) if narrow else (0, not narrow and hop < size)
    )
    agree(graph, after)


def istft(bins: int, size: int, hop: int, start: int, length: int) -> str:
    return (
        f'%re: f32[1,{bins},9] = input(name="re")\n%im: f32[1,{bins},9] = input(name="im")\n'
        f'%w: f32[{size}] = const(ref="w.var")\n%y: f32[1,{length}] = istft(real=%re, imag=%im, window=%w, hop={hop}, '
        f'start={start}, length={length})\nreturn "y"=%y'
    )


@pytest.mark.parametrize(
    ("start", "length", "pads"),
    [
        (10, 40, "[[1, 1]]"),  # 2 of the 3 blocks before the first whole one are cut off, and 2 behind the last
        (0, 60, "[[3, 3]]"),
        (15, 30, "[[0, 0]]"),
        (9, 40, "[[3, 3]]"),  # no whole blocks: all, and the line is cut
        (20, 30, None),  # more than those before the first
        (10, 30, None),
    ],
)
def test_narrow_spectra_are_convolved(start: int, length: int, pads: str | None):
    after = run((decompose_stft,), graph := graph_of(istft(11, 20, 5, start, length)), twice=True)
    assert ("conv(" in body(after)) == (pads is not None)
    assert pads is None or f"padding={pads}" in body(after)
    agree(graph, after, tolerance=2e-6)


def test_spectra_of_whole_tiles_lie_side_by_side():
    """16 bins are 32 numbers of a frame: a tile."""
    after = run((decompose_stft,), graph := graph_of(istft(16, 30, 10, 10, 60)), twice=True)
    assert "conv(" not in body(after)
    agree(graph, after, tolerance=2e-6)


@pytest.mark.parametrize("attributes", ["hop=5", "hop=5, normalized=true", "hop=7, onesided=false", "hop=20", "hop=33"])
def test_spectra(attributes: str):
    count = 20 if "onesided" in attributes else 11
    frames = 1 + (97 - 20) // int(attributes.partition("hop=")[2].partition(",")[0])
    type = f"f32[2,{count},{frames}]"
    graph = graph_of(
        '%x: f32[2,97] = input(name="x")\n%w: f32[20] = const(ref="w")\n'
        f'%re: {type}, %im: {type} = stft(x=%x, window=%w, {attributes})\nreturn "re"=%re, "im"=%im'
    )
    after = run((decompose_stft,), graph, twice=True)
    assert "stft" not in body(after)
    agree(graph, after)


@pytest.mark.parametrize("hop", [5, 7, 20])
@pytest.mark.parametrize("span", ["start=10, length=60", "start=0, length=30, normalized=true", "start=9, length=200"])
def test_signals(hop: int, span: str):
    length = int(span.partition("length=")[2].partition(",")[0])
    graph = graph_of(
        '%re: f32[2,11,9] = input(name="re")\n%im: f32[2,11,9] = input(name="im")\n%w: f32[20] = const(ref="w.var")\n'
        f'%y: f32[2,{length}] = istft(real=%re, imag=%im, window=%w, hop={hop}, {span})\nreturn "y"=%y'
    )
    after = run((decompose_stft,), graph, twice=True)
    assert "istft" not in body(after)
    agree(graph, after, tolerance=2e-6)


class RoundTrip(torch.nn.Module):
    def __init__(self, n_fft: int, hop: int):
        super().__init__()
        self.n_fft, self.hop = n_fft, hop
        self.register_buffer("window", torch.hann_window(n_fft))

    def forward(self, x):
        spectrum = torch.stft(x, self.n_fft, self.hop, window=self.window, return_complex=True)
        turned = spectrum.abs() * torch.exp(1j * spectrum.angle())
        return spectrum.abs(), torch.istft(turned, self.n_fft, self.hop, window=self.window)


@pytest.mark.parametrize(("n_fft", "hop", "samples"), [(1024, 256, 16384), (20, 5, 6000), (2048, 300, 9600)])
def test_a_waveform_there_and_back(n_fft: int, hop: int, samples: int):
    x = torch.randn(1, samples)
    compiled = ttc.compile(RoundTrip(n_fft, hop), (x,), dtype="fp32")
    found = compiled.run({"x": x.numpy()}, "emulator")
    for name, wanted in zip(found, RoundTrip(n_fft, hop)(x), strict=True):
        assert scaled_error(found[name], wanted.numpy()) <= 1e-5


@pytest.mark.parametrize(("target", "dtype"), CARD_AND_DTYPE)
def test_real_ttnn_accepts_a_waveform_there_and_back(target: str, dtype: str, ttnn_python: str):
    compiled = ttc.compile(RoundTrip(1024, 256), (torch.randn(1, 16384),), target=target, dtype=dtype)
    report = check(compiled.build.program, TARGETS[target])
    assert report.ok, report.faults


BLOCKS = """
    %x: f32[1,6,{width}] = input(name="x")
    %w: f32[8] = const(ref="w")
    %p: f32[1,1,{line}] = reshape(x=%x, shape=[1, 1, {line}])
    %q: f32[1,1,20] = slice(x=%p, starts=[0, 0, {start}], ends=[1, 1, {end}])
    %r: f32[1,20] = reshape(x=%q, shape=[1, 20])
    %re: f32[1,5,4], %im: f32[1,5,4] = stft(x=%r, window=%w, hop=4)
    return "re"=%re, "im"=%im
"""


@pytest.mark.parametrize(("width", "start", "by_rows"), [(4, 0, True), (8, 0, True), (5, 0, False), (4, 1, False)])
def test_a_line_of_rows_is_cut_without_the_line(width: int, start: int, by_rows: bool):
    """Not where the rows hold no whole hops, nor where the signal begins within them."""
    line = 6 * width
    graph = graph_of(BLOCKS.format(width=width, line=line, start=start, end=start + 20))
    after = run((decompose_stft,), graph, twice=True)
    assert (f"shape=[1, 1, {line}]" not in body(after)) == by_rows
    agree(graph, after)


def test_a_line_is_made_last():
    """Of whole blocks: the sum of frames is cut and scaled by blocks, and no row is as long as the signal before."""
    graph = graph_of(
        '%re: f32[1,11,9] = input(name="re")\n%im: f32[1,11,9] = input(name="im")\n%w: f32[20] = const(ref="w.var")\n'
        '%y: f32[1,40] = istft(real=%re, imag=%im, window=%w, hop=5, start=10, length=40)\nreturn "y"=%y'
    )
    *_, last, _ = body(run((decompose_stft,), graph, twice=True)).splitlines()
    assert "reshape" in last
    assert "shape=[1, 40]" in last


CENTRED = """
    %x: f32[1,40] = input(name="x")
    %w: f32[8] = const(ref="w")
    %p: f32[1,{line}] = pad(x=%x, pads=[[0, 0], [{begin}, {end}]], mode="reflect")
    %re: f32[1,5,{frames}], %im: f32[1,5,{frames}] = stft(x=%p, window=%w, hop=4)
    return "re"=%re, "im"=%im
"""


@pytest.mark.parametrize(
    ("begin", "end", "longest", "by_blocks"),
    [(4, 4, 39, True), (8, 0, 39, True), (0, 12, 39, True), (4, 4, 40, False), (3, 4, 39, False), (4, 5, 39, False)],
)
def test_edges_of_long_lines_are_reflected_by_blocks(
    begin: int, end: int, longest: int, by_blocks: bool, monkeypatch: pytest.MonkeyPatch
):
    """Not those of a line that is short enough, nor edges that are no whole hops."""
    monkeypatch.setattr(stft_pass, "LONGEST_ROW", longest)
    line = 40 + begin + end
    graph = graph_of(CENTRED.format(line=line, begin=begin, end=end, frames=(line - 8) // 4 + 1))
    after = run((decompose_stft,), graph, twice=True)
    assert ("pad(" not in body(after)) == by_blocks
    agree(graph, after)


def test_a_repeated_edge_stays(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(stft_pass, "LONGEST_ROW", 39)
    text = CENTRED.format(line=48, begin=4, end=4, frames=11).replace("reflect", "replicate")
    assert "pad(" in body(run((decompose_stft,), graph_of(text), twice=True))
