#define WICK_ROWS <tests/support/op_table/pattern.h>
#define WICK_ROWS_NAME "pattern"
#include <tests/support/op_table/define.h>
