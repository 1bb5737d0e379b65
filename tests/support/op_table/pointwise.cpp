#define WICK_ROWS <tests/support/op_table/pointwise.h>
#define WICK_ROWS_NAME "pointwise"
#include <tests/support/op_table/define.h>
