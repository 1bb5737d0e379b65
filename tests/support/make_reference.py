#!/usr/bin/env python3
"""Makes tests/support/reference_values/: PyTorch's results for the rows of op_table/ (a file for each
family), the layers of tests/nn/reference_test.cpp and the optimizers of tests/optim/sgd_test.cpp.

    python3 tests/support/make_reference.py [NAME...]     # PyTorch 1.13 on the CPU; all, or these

Inputs are made by the formula of sample_tensors.cpp. Run again, it writes the same bytes.
"""
import math
import os
import re
import sys

import torch
import torch.nn.functional as F

HERE = os.path.dirname(os.path.abspath(__file__))
TESTS = os.path.dirname(HERE)
LARGEST = 64  # elements of a stored tensor
DTYPES = {"b": torch.bool, "u8": torch.uint8, "i8": torch.int8, "i16": torch.int16,
          "i32": torch.int32, "i64": torch.int64, "f16": torch.float16, "bf16": torch.bfloat16,
          "f32": torch.float32, "f64": torch.float64}
GRAD_SAMPLE = 50
PARAMETER_SAMPLE = 10


# --- inputs (sample_tensors.cpp)

def sample_value(kind, dtype, limit, i, j):
    k = (37 * i + 13 * j) & 63
    if kind == "f":
        return (4 * (k - 32) + 1 + 2 * (j & 1)) / 64
    if kind == "p":
        return (2 * k + 33 + (j & 1)) / 64
    if kind == "u":
        return (2 * k + 1) / 128
    if kind == "n":
        return k % limit
    if dtype.is_floating_point:
        return sample_value("f", dtype, limit, i, j)
    if dtype == torch.bool:
        return (k >> 2) & 1
    return 5 * k % 13 - (0 if dtype == torch.uint8 else 6)


def samples(kind, dtype, sizes, j, limit=0):
    values = [sample_value(kind, dtype, limit, i, j) for i in range(math.prod(sizes))]
    if dtype.is_floating_point:
        return torch.tensor(values, dtype=torch.float64).to(dtype).view(sizes)
    return torch.tensor(values, dtype=torch.int64).to(dtype).view(sizes)


class Word:
    """One word of a case."""

    def __init__(self, text):
        match = re.fullmatch(r"(-)|([A-Za-z]+)(\d*)(?:\{(.*?)\})?(?:\[(.*?)\])?", text)
        if not match:
            sys.exit(f"not a sample: {text!r}")
        self.none = match[1] is not None
        if self.none:
            return
        name, digits, elements, sizes = match[2], match[3], match[4], match[5]
        self.kind, self.dtype, self.limit = "t", None, 0
        self.constant = True
        if not digits and name in ("f", "p", "u", "F", "P", "U"):
            self.kind, self.constant = name.lower(), name.isupper()
        elif name == "n":
            self.kind, self.dtype, self.limit = "n", torch.int64, int(digits)
        else:
            self.dtype = DTYPES[name + digits]
        self.elements = None
        if elements is not None:
            self.elements = elements.split(",")
            self.sizes = [len(self.elements)]
        if sizes is not None:
            self.sizes = [int(s) for s in sizes.split(",") if s]

    def make(self, index, run_type):
        if self.none:
            return None
        dtype = self.dtype or run_type
        if self.elements is None:
            return samples(self.kind, dtype, self.sizes, index, self.limit)
        if dtype.is_floating_point:
            return torch.tensor([float(e) for e in self.elements], dtype=torch.float64).to(dtype).view(self.sizes)
        return torch.tensor([int(e) for e in self.elements], dtype=torch.int64).to(dtype).view(self.sizes)


# --- expressions of rows (op_table/define.h has the same helpers)

def batch_norm_and_stats(x, weight, bias, mean, var, training, momentum, eps):
    mean, var = mean.detach().clone(), var.detach().clone()
    return F.batch_norm(x, mean, var, weight, bias, training, momentum, eps), mean, var


def instance_norm_and_stats(x, weight, bias, mean, var, use_input_stats):
    mean, var = mean.detach().clone(), var.detach().clone()
    return F.instance_norm(x, mean, var, weight, bias, use_input_stats), mean, var


def rms_norm(x, weight, eps):
    dims = list(range(-(weight.dim() if weight is not None else x.dim() - 1), 0))
    y = x / torch.sqrt((x * x).mean(dims, keepdim=True) + eps)
    return y if weight is None else y * weight


def attention(q, k, v, mask=None, causal=False, scale=None):
    """What newer PyTorch computes: rows that see nothing are 0."""
    scale = (1 / math.sqrt(q.shape[-1]) if q.shape[-1] else 1) if scale is None else scale
    scores = q @ k.transpose(-2, -1) * scale
    if causal:
        mask = torch.ones(scores.shape[-2:], dtype=torch.bool).tril()
    if mask is not None:
        scores = scores.masked_fill(~mask, -math.inf) if mask.dtype == torch.bool else scores + mask
    blind = (scores == -math.inf).all(-1, keepdim=True)
    return torch.softmax(scores.masked_fill(blind, 0), -1).masked_fill(blind, 0) @ v


def assign_row(x, value):
    y = x.clone()
    y[1] = value
    return y


def fill_column(x, value):
    y = x.clone()
    y[:, 0] = value
    return y


def scale_slice(x, by):
    y = x.clone()
    y[::2].mul_(by)
    return y


def add_shifted(x):
    y = x.clone()
    y[1:].add_(x[:-1])
    return y


def add_transposed(x):
    return x + x.t()


def put_apart(x, index, values):
    y = x.clone()
    y[index, :, index] = values
    return y


def put_view(x, values):
    y = x.clone()
    y[..., 0:3] = values
    return y


def put_transposed(x, index, values):
    y = x.clone()
    y.t()[index] = values
    return y


def scatter_transposed(x, index, source):
    y = torch.zeros(x.size(1), x.size(0), dtype=x.dtype).copy_(x.t())
    y.t().scatter_(0, index, source)
    return y


# --- stored form (reference.cpp)

def number(x):
    return repr(x).removesuffix(".0")


def type_name(dtype):
    return str(dtype).replace("torch.", "")


def stored(x, like32=None):
    if x is None:
        return "none"
    x = x.detach()
    if x.numel() > LARGEST:
        sys.exit(f"a tensor of shape {tuple(x.shape)} is too large to store")
    floating = x.dtype.is_floating_point
    types = type_name(x.dtype)
    if like32 is not None and like32.dtype != x.dtype:
        types += "/" + type_name(like32.dtype)
    values = x.to(torch.float64) if floating else x.to(torch.int64)
    sizes = ",".join(str(s) for s in x.shape) or "-"
    return " ".join([types, sizes] + [number(v) for v in values.reshape(-1).tolist()])


def as_list(results):
    if isinstance(results, bool):
        return [torch.tensor(results)]
    return [results] if isinstance(results, torch.Tensor) else list(results)


def seeded_backward(outputs):
    """Backward from all floating outputs, seeded by samples."""
    total = [(y * samples("f", y.dtype, list(y.shape), GRAD_SAMPLE + i)).sum()
             for i, y in enumerate(outputs) if y.requires_grad]
    torch.autograd.backward(total)


# --- reading the tests

def arguments(text, at):
    """The arguments of the macro call whose '(' is at `at`: split at commas of the top level."""
    parts, depth, start, i = [], 0, at + 1, at
    while True:
        c = text[i]
        if c == '"':
            i += 1
            while text[i] != '"':
                i += 2 if text[i] == "\\" else 1
        elif c in "([{":
            depth += 1
        elif c in ")]}":
            depth -= 1
            if depth == 0:
                return parts + [text[start:i].strip()]
        elif c == "," and depth == 1:
            parts.append(text[start:i].strip())
            start = i + 1
        i += 1


def string(text, names):
    """A C++ string made of literals and of names of such strings."""
    out = ""
    for literal, name in re.findall(r'"((?:[^"\\]|\\.)*)"|(\w+)', text):
        out += names[name] if name else re.sub(r"\\(.)", r"\1", literal)
    return out


def calls(path, macro):
    """The arguments of each call of a macro that begins a line, and the file's #defined strings."""
    with open(os.path.join(TESTS, path), encoding="utf-8") as file:
        text = file.read()
    names = {}
    for name, value in re.findall(r'^#define (\w+) (".*)$', text, re.M):
        names[name] = string(value, names)
    return [arguments(text, m.end() - 1) for m in re.finditer(rf"^ *{macro}\(", text, re.M)], names


# --- the three kinds of entries

def op_entries(family):
    rows, names = calls(f"support/op_table/{family}.h", "OP")
    for name, expression, _, cases, traits in rows:
        name, expression = string(name, names), string(expression, names)
        for case in string(cases, names).split("|"):
            case = case.strip()
            words = [Word(w) for w in case.split()]

            def run(run_type):
                inputs = [w.make(i, run_type) for i, w in enumerate(words)]
                for w, x in zip(words, inputs):
                    if not w.none and not w.constant:
                        x.requires_grad_()
                scope = dict(zip("abcdeg", inputs), torch=torch, F=F, inf=math.inf, nan=math.nan)
                scope.update({k: v for k, v in globals().items() if callable(v)})
                try:
                    return inputs, as_list(eval(expression, scope))
                except Exception as error:
                    sys.exit(f"{name} | {case}: {error}")

            inputs, outputs = run(torch.float64)
            try:
                like32 = run(torch.float32)[1]
            except SystemExit:
                like32 = outputs
            text = "; ".join(stored(y, z) for y, z in zip(outputs, like32))
            literal = any(not w.none and not w.constant and w.elements is not None for w in words)
            if literal and any(y.requires_grad for y in outputs):
                seeded_backward(outputs)
                text += " => " + "; ".join(
                    stored(None if w.none or w.constant else
                           x.grad if x.grad is not None else torch.zeros_like(x))
                    for w, x in zip(words, inputs))
            yield f"{name} | {case}", text


def layer_entries():
    rows, names = calls("nn/reference_test.cpp", "LAYER")
    for name, expression, _, case, *_ in rows:
        name, case = string(name, names), string(case, names)
        module = eval(string(expression, names), {"torch": torch}).double()
        for i, p in enumerate(module.parameters()):
            with torch.no_grad():
                p.copy_(samples("f", p.dtype, list(p.shape), PARAMETER_SAMPLE + i))
        texts = []
        for training in (True, False):
            module.train(training)
            module.zero_grad()
            words = [Word(w) for w in case.split()]
            x = words[0].make(0, torch.float64)
            if not words[0].constant:
                x.requires_grad_()
            y = module(x)
            if y.requires_grad:
                seeded_backward([y])
            texts += [stored(y), stored(x.grad)]
            texts += [stored(p.grad) for p in module.parameters()]
            texts += [stored(b) for b in module.buffers()]
        yield f"nn {name} | {case}", "; ".join(texts)


def optimizer_entries():
    rows, names = calls("optim/sgd_test.cpp", "TRAJECTORY")
    for name, first, second, *_ in rows:
        name = string(name, names)
        params = [samples("f", torch.float64, [2, 3], 0), samples("f", torch.float64, [4], 1)]
        for p in params:
            p.requires_grad_()
        groups = [dict(params=[params[0]], **eval(f"dict({string(first, names)})")),
                  dict(params=[params[1]], **eval(f"dict({string(second, names)})"))]
        optimizer = torch.optim.SGD(groups, lr=1.0)
        texts = []
        for step in range(50):
            optimizer.zero_grad()
            # A quadratic whose minimum moves, so that the gradient does not die out.
            loss = sum(((p - samples("f", p.dtype, list(p.shape), 20 + i + step % 3)) ** 2 *
                        samples("p", p.dtype, list(p.shape), 30 + i)).sum()
                       for i, p in enumerate(params))
            loss.backward()
            optimizer.step()
            if step + 1 in (1, 2, 10, 50):
                texts += [stored(p) for p in params]
        yield f"sgd {name} | ", "; ".join(texts)


def write(name, entries):
    with open(os.path.join(HERE, "reference_values", name + ".cpp"), "w", encoding="utf-8") as out:
        out.write("// Made by make_reference.py; do not edit.\n// clang-format off\n"
                  "#include <tests/support/reference.h>\n\nnamespace wick::test {\nnamespace {\n\n"
                  "const StoredReference kLines[] = {\n")
        for key, value in entries:
            out.write(f'{{"{key}",\n "{value}"}},\n')
        out.write("};\nconst StoredReferences kStored({kLines, std::size(kLines)});\n\n"
                  "}  // namespace\n}  // namespace wick::test\n")


def main():
    torch.set_num_threads(1)
    families = sorted(f.removesuffix(".h") for f in os.listdir(os.path.join(HERE, "op_table"))
                      if f.endswith(".h") and f != "define.h")
    known = {"layers": layer_entries, "optimizers": optimizer_entries}
    known.update({f: lambda f=f: op_entries(f) for f in families})
    for name in sys.argv[1:] or known:
        if name not in known:
            sys.exit(f"no family {name!r}; there are {', '.join(known)}")
        torch.manual_seed(0)
        entries = list(known[name]())
        keys = [key for key, _ in entries]
        if len(set(keys)) < len(keys):
            sys.exit(f"two rows are called {next(k for k in keys if keys.count(k) > 1)!r}")
        write(name, entries)
        print(f"{name}: {len(entries)} entries")


if __name__ == "__main__":
    main()
