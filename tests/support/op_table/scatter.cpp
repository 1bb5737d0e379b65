#define WICK_ROWS <tests/support/op_table/scatter.h>
#define WICK_ROWS_NAME "scatter"
#include <tests/support/op_table/define.h>
