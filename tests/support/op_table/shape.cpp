#define WICK_ROWS <tests/support/op_table/shape.h>
#define WICK_ROWS_NAME "shape"
#include <tests/support/op_table/define.h>
