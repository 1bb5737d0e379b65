#define WICK_ROWS <tests/support/op_table/activation.h>
#define WICK_ROWS_NAME "activation"
#include <tests/support/op_table/define.h>
