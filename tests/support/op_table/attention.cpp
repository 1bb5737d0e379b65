#define WICK_ROWS <tests/support/op_table/attention.h>
#define WICK_ROWS_NAME "attention"
#include <tests/support/op_table/define.h>
