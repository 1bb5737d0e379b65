#define WICK_ROWS <tests/support/op_table/indexing.h>
#define WICK_ROWS_NAME "indexing"
#include <tests/support/op_table/define.h>
