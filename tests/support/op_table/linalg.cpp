#define WICK_ROWS <tests/support/op_table/linalg.h>
#define WICK_ROWS_NAME "linalg"
#include <tests/support/op_table/define.h>
