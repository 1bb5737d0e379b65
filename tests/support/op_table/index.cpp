#define WICK_ROWS <tests/support/op_table/index.h>
#define WICK_ROWS_NAME "index"
#include <tests/support/op_table/define.h>
