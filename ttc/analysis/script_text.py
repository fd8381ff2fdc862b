"""The parts of an emitted Python file that are the same for every program."""

from __future__ import annotations

from ttc.calls.target import L1_SMALL_BYTES

HEADER = '''"""A model as TTNN calls, written by ttc. It needs ttnn and numpy.

    python THIS_FILE MODEL.ttc                       # uploads the weights in MODEL.ttc, runs once, on random inputs
    python THIS_FILE MODEL.ttc --runs 10 --trace     # the second run is captured, later ones replay it

`load_weights(device, path)` is done once, `run(device, inputs, weights)` as often as wanted: inputs and
results are numpy arrays by name. `Trace(device, weights).run(inputs)` gives the same; make nothing else on the
device between its runs.
"""

import argparse
import json
import time

import numpy as np
import ttnn
'''

READER = '''
NUMPY = {"F32": np.float32, "I32": np.int32, "U32": np.uint32, "U16": np.uint16, "U8": np.uint8}


def upload(device, array, dtype, layout, memory):
    """A tensor on the device, or on the host where memory is None."""
    sharded = memory is not None and memory.is_sharded()
    place = {} if memory is None or sharded else {"device": device, "mem_config": memory}
    kinds = {ttnn.int32: np.int32, ttnn.uint32: np.uint32, ttnn.uint16: np.uint16, ttnn.uint8: np.uint8}
    array = np.array(array, kinds.get(dtype, np.float32), order="C")
    tensor = ttnn.Tensor(array, data_type=dtype, layout=layout, **place)
    return ttnn.to_device(tensor, device, memory_config=memory) if sharded else tensor


def download(tensor):
    """A tensor's numbers in numpy, floats as float32."""
    floats = (ttnn.bfloat16, ttnn.float32, ttnn.bfloat8_b, ttnn.bfloat4_b)
    host = ttnn.to_dtype(tensor.cpu(), ttnn.float32) if tensor.dtype in floats else tensor.cpu()
    return np.array(host.to_numpy()).reshape(tuple(tensor.shape))


def load_weights(device, path):
    """The weights of a .ttc file (safetensors) on the device, and what depends on them alone."""
    with open(path, "rb") as file:
        start = 8 + int.from_bytes(file.read(8), "little")
        entries = json.loads(file.read(start - 8))
        w = {}
        for name, (key, dtype, layout, memory) in WEIGHTS.items():
            first, last = entries[key]["data_offsets"]
            file.seek(start + first)
            data = file.read(last - first)
            if entries[key]["dtype"] == "BF16":  # numpy has none: the upper half of a float32
                array = (np.frombuffer(data, np.uint16).astype(np.uint32) << 16).view(np.float32)
            else:
                array = np.frombuffer(data, NUMPY[entries[key]["dtype"]])
            w[name] = upload(device, array.reshape(entries[key]["shape"]), dtype, layout, memory)
'''

RUNNERS = '''

def run(device, inputs, weights):
    """One run of the model."""
    given = {name: upload(device, inputs[name], *form) for name, (_, _, *form) in INPUTS.items()}
    return {name: download(tensor) for name, tensor in compute(device, given, weights).items()}


class Trace:
    """Runs of the model as replays of a trace, on tensors that stay where they are."""

    def __init__(self, device, weights):
        self.device, self.weights, self.warm, self.trace = device, weights, False, None
        dram = ttnn.DRAM_MEMORY_CONFIG
        self.given = {
            name: ttnn.empty(shape, dtype, layout, device, dram)
            for name, (shape, _, dtype, layout, _) in INPUTS.items()
        }
        self.results = {name: ttnn.empty(*form, device, dram) for name, form in OUTPUTS.items()}

    def run(self, inputs):
        """One run: the first makes TTNN's device programs, the second is captured, later ones are replays."""
        for name, (_, _, dtype, layout, _) in INPUTS.items():
            host = upload(self.device, inputs[name], dtype, layout, None)
            ttnn.copy_host_to_device_tensor(host, self.given[name], cq_id=0)
        if self.warm and self.trace is None:
            self.trace = ttnn.begin_trace_capture(self.device, cq_id=0)
            self.compute()
            ttnn.end_trace_capture(self.device, self.trace, cq_id=0)
        if self.warm:
            ttnn.execute_trace(self.device, self.trace, cq_id=0, blocking=False)
        else:
            self.compute()
            self.warm = True
        return {name: download(tensor) for name, tensor in self.results.items()}

    def compute(self):
        """The calls of a run; the results, and weights that a run changes, go to where they always are."""
        weights = dict(self.weights)
        for name, tensor in compute(self.device, self.given, weights).items():
            ttnn.copy(tensor, self.results[name])
        stay = [*self.given.values(), *self.weights.values()]
        changed = {name: tensor for name, tensor in weights.items() if tensor is not self.weights[name]}
        for name, tensor in changed.items():  # what another place holds may be written over before it is copied
            if any(tensor is other for other in stay):
                changed[name] = ttnn.clone(tensor, memory_config=ttnn.DRAM_MEMORY_CONFIG)
        for name, tensor in changed.items():
            ttnn.copy(tensor, self.weights[name])

    def release(self):
        """Give the room of the trace back."""
        if self.trace is not None:
            ttnn.release_trace(self.device, self.trace)
            self.trace, self.warm = None, False
'''

MAIN = f"""

if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("model", metavar="MODEL.ttc")
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--trace", action="store_true", help="replay a trace from the second run on")
    arguments = parser.parse_args()
    region = {{"trace_region_size": TRACE_BYTES}} if arguments.trace else {{}}
    device = ttnn.open_device(device_id=0, l1_small_size={L1_SMALL_BYTES}, **region)
    random = np.random.default_rng(0)
    inputs = {{
        name: np.zeros(shape, kind) if np.issubdtype(kind, np.integer) else random.standard_normal(shape, kind)
        for name, (shape, kind, *_) in INPUTS.items()
    }}
    weights = load_weights(device, arguments.model)
    traced = Trace(device, weights) if arguments.trace else None
    for number in range(arguments.runs):
        start = time.perf_counter()
        outputs = traced.run(inputs) if traced else run(device, inputs, weights)
        print(f"run {{number + 1}}: {{(time.perf_counter() - start) * 1e3:.3f}} ms")
    for name, array in outputs.items():
        print(name, array.shape, array.dtype)
    if traced:
        traced.release()
    ttnn.close_device(device)
"""
