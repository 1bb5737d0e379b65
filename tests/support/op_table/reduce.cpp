#define WICK_ROWS <tests/support/op_table/reduce.h>
#define WICK_ROWS_NAME "reduce"
#include <tests/support/op_table/define.h>
