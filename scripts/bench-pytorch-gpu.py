#!/usr/bin/env python3
"""The benchmarks of tests/bench/cuda_ops.cpp in PyTorch, beside wick's times.

  build/cuda/bin/cuda_ops --benchmark_out=wick.json --benchmark_out_format=json
  scripts/bench-pytorch-gpu.py [--out BOTH.json] wick.json

Prints a Markdown table. Both sides: hot buffers, launched one by one (no graphs), float32 without TF32,
one wait for the device in each batch of calls. PyTorch may try convolution algorithms and pick the
fastest (cudnn.benchmark) and uses its fused SGD; wick stays deterministic.
"""
import argparse
import json
import sys
import time

import torch
import torch.nn.functional as F
from torch import nn

GPU = torch.device("cuda")


def random(*sizes, dtype=torch.float32):
    return torch.randn(sizes, device=GPU).to(dtype)


def keep(f):
    kept = [None]

    def call():
        kept[0] = f()

    return call


def forward_backward(leaves, f):
    for x in leaves:
        x.requires_grad_()
    grad = torch.ones_like(f())

    def call():
        for x in leaves:
            x.grad = None
        f().backward(grad)

    return call


def sgd(parameters, lr):
    try:
        return torch.optim.SGD(parameters, lr=lr, momentum=0.9, fused=True)
    except (TypeError, RuntimeError):  # before 2.3
        return torch.optim.SGD(parameters, lr=lr, momentum=0.9)


def training_step(net, x, classes):
    net.to(GPU)
    optimizer = sgd(net.parameters(), 0.01)
    target = torch.randint(classes, (x.size(0),), device=GPU)

    def call():
        optimizer.zero_grad()
        F.cross_entropy(net(x), target).backward()
        optimizer.step()

    return call


def with_square(f):
    x = random(4096, 4096)
    return keep(lambda: f(x))


def add(a, b):
    return keep(lambda: a + b)


def matmul(n, dtype=torch.float32):
    a, b = random(n, n, dtype=dtype), random(n, n, dtype=dtype)
    return keep(lambda: a @ b)


def conv(dtype):
    x, w = random(32, 64, 56, 56, dtype=dtype), random(64, 64, 3, 3, dtype=dtype)
    return keep(lambda: F.conv2d(x, w, padding=1))


def linear_step():
    x, w, b = random(1024, 1024), random(1024, 1024), random(1024)
    return forward_backward([x, w, b], lambda: F.linear(x, w, b))


def batch_norm_step():
    x, w, b = random(32, 64, 56, 56), random(64), random(64)
    mean, var = torch.zeros(64, device=GPU), torch.ones(64, device=GPU)
    return forward_backward([x, w, b], lambda: F.batch_norm(x, mean, var, w, b, training=True))


def cross_entropy_step():
    x, target = random(1024, 1000), torch.randint(1000, (1024,), device=GPU)
    return forward_backward([x], lambda: F.cross_entropy(x, target))


def small_sgd():
    parameters = [random(10000).requires_grad_() for _ in range(100)]
    for p in parameters:
        p.grad = random(10000)
    return sgd(parameters, 1e-6).step


def cnn_step():
    net = nn.Sequential(
        nn.Conv2d(1, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 3, padding=1), nn.BatchNorm2d(64), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(3136, 10))  # fmt: skip
    return training_step(net, random(64, 1, 28, 28), 10)


OPS = {
    "add_1": lambda: add(random(1), random(1)),
    "add_16m": lambda: add(random(4096, 4096), random(4096, 4096)),
    "gelu_16m": lambda: with_square(F.gelu),
    "add_row_4096x4096": lambda: add(random(4096, 4096), random(4096)),
    "transpose_4096x4096": lambda: with_square(lambda x: x.t().contiguous()),
    "sum_16m": lambda: with_square(torch.sum),
    "sum_rows_4096x4096": lambda: with_square(lambda x: x.sum(1)),
    "sum_columns_4096x4096": lambda: with_square(lambda x: x.sum(0)),
    "softmax_4096x4096": lambda: with_square(lambda x: x.softmax(1)),
    "matmul_256": lambda: matmul(256),
    "matmul_1024": lambda: matmul(1024),
    "matmul_4096": lambda: matmul(4096),
    "matmul_half_4096": lambda: matmul(4096, torch.float16),
    "conv_32x64x56x56_3x3": lambda: conv(torch.float32),
    "conv_half_32x64x56x56_3x3": lambda: conv(torch.float16),
    "linear_step_1024": linear_step,
    "batch_norm_step_32x64x56x56": batch_norm_step,
    "cross_entropy_step_1024x1000": cross_entropy_step,
    "sgd_100x10000": small_sgd,
    "mlp_step_64": lambda: training_step(
        nn.Sequential(nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 10)), random(64, 784), 10
    ),
    "cnn_step_64": cnn_step,
}


def microseconds(call):
    """Of one call: batches of 2 ms or more for half a second, as in cuda_ops.cpp."""

    def batch(calls):
        begin = time.perf_counter()
        for _ in range(calls):
            call()
        torch.cuda.synchronize()
        return time.perf_counter() - begin

    batch(10)
    calls = 1
    while batch(calls) < 2e-3:
        calls *= 2
    total = count = 0
    while total < 0.5:
        total += batch(calls)
        count += calls
    return total / count * 1e6


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("wick", help="JSON that cuda_ops wrote")
    parser.add_argument("--out", help="write both sides' times there, as JSON")
    args = parser.parse_args()
    with open(args.wick) as file:
        rows = json.load(file)["benchmarks"]
    unit = {"ns": 1e-3, "us": 1, "ms": 1e3, "s": 1e6}
    wick = {r["name"].split("/")[0]: r["real_time"] * unit[r["time_unit"]] for r in rows if not r.get("error_occurred")}
    unknown = sorted(set(wick) ^ set(OPS))
    if unknown:
        print(f"bench-pytorch-gpu: only on one side: {', '.join(unknown)}", file=sys.stderr)
    if not torch.cuda.is_available():
        raise SystemExit("bench-pytorch-gpu: this PyTorch sees no CUDA device")

    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.benchmark = True
    result = {
        "torch": torch.__version__,
        "cuda": torch.version.cuda,
        "cudnn": torch.backends.cudnn.version(),
        "device": torch.cuda.get_device_name(),
        "ops": [],
    }
    print(f"| op, microseconds a call | wick | PyTorch {torch.__version__} | PyTorch / wick |")
    print("|---|---:|---:|---:|")
    for name, prepare in OPS.items():
        if name not in wick:
            continue
        theirs = microseconds(prepare())
        result["ops"].append({"name": name, "wick_us": wick[name], "torch_us": theirs})
        print(f"| {name} | {wick[name]:.1f} | {theirs:.1f} | {theirs / wick[name]:.2f} |", flush=True)
    if args.out:
        with open(args.out, "w") as file:
            json.dump(result, file, indent=1)
    return 1 if unknown else 0


if __name__ == "__main__":
    sys.exit(main())
