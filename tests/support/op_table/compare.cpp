#define WICK_ROWS <tests/support/op_table/compare.h>
#define WICK_ROWS_NAME "compare"
#include <tests/support/op_table/define.h>
