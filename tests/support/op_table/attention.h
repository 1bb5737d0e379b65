// clang-format off
// --- attention
#define HEADS "f[2,3] f[4,3] f[4,2] | f[2,3,4] f[2,5,4] f[2,5,3] | f[1,2,3,2] f[1,2,3,2] f[1,2,3,2] | f[3,2] f[2,4,2] f[4,1] | f[1,1] f[1,1] f[1,1] | f[0,3,2] f[0,3,2] f[0,3,2] | f[0,2] f[3,2] f[3,2] | f[2,3] f[0,3] f[0,2] | f[2,0] f[3,0] f[3,2] | f[2,2] f[3,2] f[3,0]"
OP("scaled_dot_product_attention", "attention(a, b, c)", scaled_dot_product_attention(a, b, c), HEADS " | F{1000,-1000,inf,0}[2,2] F{1,2,3,4}[2,2] F[2,2]", kSmooth)
OP("scaled_dot_product_attention/causal", "attention(a, b, c, causal=True, scale=0.3)", scaled_dot_product_attention(a, b, c, {}, 0, true, 0.3), HEADS, kSmooth)
OP("scaled_dot_product_attention/mask", "attention(a, b, c, d)", scaled_dot_product_attention(a, b, c, d), "f[2,3] f[4,3] f[4,2] b[2,4] | f[2,2,3,2] f[2,2,4,2] f[2,2,4,3] b[2,1,1,4] | f[3,2,2] f[3,3,2] f[3,3,2] b[3] | f[2,2] f[3,2] f[3,1] F[2,3] | f[2,2,2,2] f[2,2,3,2] f[2,2,3,1] F[2,1,3] | f[2,2] f[3,2] f[3,1] f[2,3] | f[2,2,2] f[2,3,2] f[2,3,1] f[3] | f[2,2] f[3,2] f[3,1] b{0,0,0,1,0,1}[2,3] | f{1,2,3,4}[2,2] f{1,2,3,4}[2,2] f{1,2,3,4}[2,2] b{0,0,1,1}[2,2] | f{1,2,3,4}[2,2] f{1,2,3,4}[2,2] f{1,2,3,4}[2,2] f{-inf,-inf,1,-inf}[2,2]", kSmooth)
OP("scaled_dot_product_attention/dropout", "attention(a, b, c) * 0", scaled_dot_product_attention(a, b, c, {}, 1), "f[2,3] f[4,3] f[4,2]", kSmooth)
WRONG("scaled_dot_product_attention", ShapeError, "scaled_dot_product_attention: expected q and k of one size E in the last dimension, got [2, 3] and [2, 4]", scaled_dot_product_attention(ones({2, 3}), ones({2, 4}), ones({2, 3})))
WRONG("scaled_dot_product_attention", ShapeError, "expected k and v with one number of keys S, got [2, 3] and [4, 3]", scaled_dot_product_attention(ones({2, 3}), ones({2, 3}), ones({4, 3})))
WRONG("scaled_dot_product_attention", ShapeError, "expected attn_mask that broadcasts to [2, 4], got [4, 2]", scaled_dot_product_attention(ones({2, 3}), ones({4, 3}), ones({4, 3}), ones({4, 2})))
WRONG("scaled_dot_product_attention", ShapeError, "cannot broadcast", scaled_dot_product_attention(ones({2, 2, 3}), ones({3, 4, 3}), ones({4, 3})))
WRONG("scaled_dot_product_attention", ValueError, "expected attn_mask or is_causal, got both", scaled_dot_product_attention(ones({2, 3}), ones({2, 3}), ones({2, 3}), ones({2, 2}), 0, true))
WRONG("scaled_dot_product_attention", ValueError, "expected a probability dropout_p in [0, 1], got 2", scaled_dot_product_attention(ones({2, 3}), ones({2, 3}), ones({2, 3}), {}, 2))
WRONG("scaled_dot_product_attention", DTypeError, "expected attn_mask of type bool or float32, got int64", scaled_dot_product_attention(ones({2, 3}), ones({2, 3}), ones({2, 3}), i64({2, 2})))
WRONG("scaled_dot_product_attention", DTypeError, "expected k of type float32", scaled_dot_product_attention(ones({2, 3}), ones({2, 3}, kFloat64), ones({2, 3})))
