#define WICK_ROWS <tests/support/op_table/layer.h>
#define WICK_ROWS_NAME "layer"
#include <tests/support/op_table/define.h>
