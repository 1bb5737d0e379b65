#define WICK_ROWS <tests/support/op_table/loss.h>
#define WICK_ROWS_NAME "loss"
#include <tests/support/op_table/define.h>
